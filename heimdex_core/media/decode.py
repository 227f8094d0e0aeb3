"""Pictures of a video as they are shown: upright, at their times, a few at a time in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import ThreadType
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from heimdex_core.errors import UndecodableVideo
from heimdex_core.media.opening import open_media
from heimdex_core.media.orientation import Orientation, orientation_of
from heimdex_core.types import MediaInfo

Image = npt.NDArray[np.uint8]
OnDamage = Callable[[float], None]

_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

# Two frames are never nearer than this; broken files repeat times or step back.
_MIN_STEP_S = 0.0005
_SAME_TIME_S = 0.001


@dataclass(frozen=True)
class Frame:
    """`image` is RGB uint8, (height, width, 3), as shown."""

    time_s: float
    image: Image


def frames(
    path: Path,
    info: MediaInfo,
    *,
    max_side_px: int | None,
    start_s: float = 0.0,
    end_s: float | None = None,
    threads: int = 0,
    on_damage: OnDamage | None = None,
) -> Iterator[Frame]:
    """Every picture of [start_s, end_s) in order, its longest side at most `max_side_px`.

    Damaged pictures are left out and their times given to `on_damage`. `threads` 0 chooses from the cores.
    Raises UndecodableVideo when not one picture of the whole file decodes.
    """
    scaler: _Scaler | None = None
    for time_s, picture in _raw_frames(path, info, start_s, threads, on_damage):
        if end_s is not None and time_s >= end_s:
            return
        if scaler is None:
            scaler = _Scaler(info, orientation_of(picture), max_side_px=max_side_px)
        yield Frame(time_s, scaler.convert(picture))


def frame_at(path: Path, info: MediaInfo, time_s: float, *, max_side_px: int | None = None) -> Frame:
    """The picture on screen at `time_s`: the last one at or before it (the first or last of the file at its ends)."""
    shown: tuple[float, VideoFrame] | None = None
    for found in _raw_frames(path, info, max(0.0, time_s), 0, None, lead_in=True):
        if shown is not None and found[0] > time_s + _SAME_TIME_S:
            break
        shown = found
    if shown is None:
        raise UndecodableVideo(filename=path.name, reason=f"there is no readable picture at {time_s:.1f} s")
    scaler = _Scaler(info, orientation_of(shown[1]), max_side_px=max_side_px)
    return Frame(shown[0], scaler.convert(shown[1]))


def two_size_frames(
    path: Path,
    info: MediaInfo,
    *,
    detect_width_px: int,
    max_side_px: int,
    want_candidate: Callable[[float], bool],
    detect_interpolation: Interpolation = Interpolation.AREA,
    threads: int = 0,
    on_damage: OnDamage | None = None,
) -> Iterator[tuple[float, Image, Image | None]]:
    """One decoding pass for shot detection and keyframes: (time_s, small BGR, candidate RGB or None) of every picture.

    The small picture is `detect_width_px` wide as shown (never enlarged). `want_candidate` is asked once per
    sound picture, in order, whether a candidate of at most `max_side_px` is wanted too.
    """
    small: _Scaler | None = None
    large: _Scaler | None = None
    for time_s, picture in _raw_frames(path, info, 0.0, threads, on_damage):
        if small is None or large is None:
            turned = orientation_of(picture)
            small = _Scaler(info, turned, width_px=detect_width_px, pixels="bgr24", interpolation=detect_interpolation)
            large = _Scaler(info, turned, max_side_px=max_side_px)
        # a picture whose neighbours were damaged is shown by players, but it should not stand for a scene
        wanted = not picture.is_corrupt and want_candidate(time_s)
        candidate = large.convert(picture) if wanted else None
        yield time_s, small.convert(picture), candidate


def fit_size(info: MediaInfo, *, max_side_px: int | None = None, width_px: int | None = None) -> tuple[int, int]:
    """(width, height) of the shown picture after shrinking it to a longest side or a width; never enlarged."""
    share = 1.0
    if max_side_px is not None:
        share = min(share, max_side_px / max(info.width, info.height))
    if width_px is not None:
        share = min(share, width_px / info.width)
    return max(1, round(info.width * share)), max(1, round(info.height * share))


# --- converting -----------------------------------------------------------------------------------


class _Scaler:
    """Shrinks and converts in one step inside libswscale, then turns the small picture.

    One object per size: its context is kept between frames, which a plain VideoFrame.reformat throws away.
    """

    def __init__(
        self,
        info: MediaInfo,
        orientation: Orientation,
        *,
        max_side_px: int | None = None,
        width_px: int | None = None,
        pixels: str = "rgb24",
        interpolation: Interpolation = _EXACT,
    ) -> None:
        width, height = fit_size(info, max_side_px=max_side_px, width_px=width_px)
        self._size = (height, width) if orientation.transpose else (width, height)
        self._orientation = orientation
        self._pixels = pixels
        self._interpolation = interpolation
        self._reformatter = VideoReformatter()

    def convert(self, picture: VideoFrame) -> Image:
        width, height = self._size
        converted = self._reformatter.reformat(
            picture,
            width,
            height,
            self._pixels,
            src_colorspace=_colorspace(picture),
            src_color_range=picture.color_range,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._interpolation,
            threads=1,  # more cost more than they gain at these sizes
        )
        image: Any = converted.to_ndarray()
        return self._orientation.apply(image)


def _colorspace(picture: VideoFrame) -> int:
    """The matrix a browser would assume: HD is BT.709 where the file does not say."""
    unspecified = picture.colorspace == 2
    return Colorspace.ITU709 if unspecified and max(picture.width, picture.height) >= 1280 else picture.colorspace


# --- decoding -------------------------------------------------------------------------------------


def _raw_frames(
    path: Path,
    info: MediaInfo,
    start_s: float,
    threads: int,
    on_damage: OnDamage | None,
    *,
    lead_in: bool = False,
) -> Iterator[tuple[float, VideoFrame]]:
    """(time_s, picture) from `start_s` on; with `lead_in` from the nearest earlier keyframe on.

    Where seeking lands too late (poor or missing indexes) the file is read from its beginning instead.
    """
    seek = start_s - info.first_frame_s > _SAME_TIME_S
    if seek:
        with open_media(path) as container:
            decoder = _Decoder(container, info, threads, on_damage)
            if decoder.seek(start_s):
                found = decoder.pictures()
                first = next(found, None)
                if first is not None and first[0] <= start_s + _SAME_TIME_S:
                    yield from _from(first, found, None if lead_in else start_s)
                    return
    with open_media(path) as container:
        found = _Decoder(container, info, threads, on_damage).pictures()
        first = next(found, None)
        if first is None:
            raise UndecodableVideo(filename=path.name, reason="none of its pictures is readable")
        yield from _from(first, found, None if lead_in else start_s)


def _from(
    first: tuple[float, VideoFrame], rest: Iterator[tuple[float, VideoFrame]], start_s: float | None
) -> Iterator[tuple[float, VideoFrame]]:
    if start_s is None or first[0] >= start_s - _SAME_TIME_S:
        yield first
    del first  # a full-size picture
    for found in rest:
        if start_s is None or found[0] >= start_s - _SAME_TIME_S:
            yield found


@dataclass
class _Lost:
    """Finds out which pictures were lost.

    A decoder with frame threads reports an error packets later, so the error's own time is wrong. Pictures come
    out in order of time: once one has come out, every earlier packet that has not is lost. Some packets never
    make a picture (VP8's hidden frames), so they count only as far as there were errors.
    """

    on_damage: OnDamage | None
    waiting: deque[float] = field(default_factory=deque)
    errors: int = 0

    def sent(self, time_s: float) -> None:
        self.waiting.append(time_s)

    def came_out(self, time_s: float) -> None:
        if not self.errors:
            # bounded however many packets a picture is delayed by
            while len(self.waiting) > 256:
                self.waiting.popleft()
            return
        lost = sorted(t for t in self.waiting if t < time_s - _SAME_TIME_S)
        self._tell(lost)
        self.waiting = deque(t for t in self.waiting if t >= time_s - _SAME_TIME_S)

    def matched(self, time_s: float) -> None:
        """A picture of this very time came out."""
        for n, waiting_s in enumerate(self.waiting):
            if abs(waiting_s - time_s) <= _SAME_TIME_S / 2:
                del self.waiting[n]
                return

    def finish(self) -> None:
        if self.errors:
            self._tell(sorted(self.waiting))

    def _tell(self, lost: list[float]) -> None:
        # the latest of them: a hidden frame of long ago is not what the error was about
        for time_s in lost[-self.errors :]:
            if self.on_damage is not None:
                self.on_damage(time_s)
        self.errors -= min(self.errors, len(lost))


class _Decoder:
    """Reads one video stream of one opened container."""

    def __init__(self, container: InputContainer, info: MediaInfo, threads: int, on_damage: OnDamage | None) -> None:
        stream = container.streams[info.video_stream_index]
        if not isinstance(stream, VideoStream):
            raise UndecodableVideo(filename=container.name, reason="the file is not the one that was probed")
        stream.thread_type = ThreadType.AUTO
        stream.codec_context.thread_count = threads
        self._container, self._stream, self._info = container, stream, info
        self._lost = _Lost(on_damage)
        self._last_s: float | None = None

    def seek(self, time_s: float) -> bool:
        unit = self._stream.time_base
        if unit is None:
            return False
        try:
            self._container.seek(int((time_s + self._info.origin_s) / unit), stream=self._stream, backward=True)
        except av.error.FFmpegError:
            return False
        return True

    def pictures(self) -> Iterator[tuple[float, VideoFrame]]:
        """(time_s, picture), times strictly rising; damaged packets are skipped."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                break  # the container breaks here; what was read stands
            if packet is None:
                break
            for picture in self._decode(packet):
                yield self._time_s(picture), picture
        self._lost.finish()

    def _decode(self, packet: Any) -> list[VideoFrame]:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.size and stamp is not None and not packet.is_discard:
            self._lost.sent(float(stamp * packet.time_base) - self._info.origin_s)
        try:
            pictures: list[VideoFrame] = packet.decode()
        except av.error.FFmpegError:
            self._lost.errors += 1
            return []
        for picture in pictures:
            if picture.pts is not None and picture.time_base is not None:
                self._came_out(float(picture.pts * picture.time_base) - self._info.origin_s)
        return pictures

    def _came_out(self, time_s: float) -> None:
        self._lost.matched(time_s)
        self._lost.came_out(time_s)

    def _time_s(self, picture: VideoFrame) -> float:
        usual_step_s = 1 / self._info.fps if self._info.fps > 0 else 0.04
        if picture.pts is not None and picture.time_base is not None:
            time_s = float(picture.pts * picture.time_base) - self._info.origin_s
        else:
            time_s = self._info.first_frame_s if self._last_s is None else self._last_s + usual_step_s
        time_s = max(time_s, 0.0 if self._last_s is None else self._last_s + _MIN_STEP_S)
        self._last_s = time_s
        return time_s
