"""Decoding video into upright frames with their times, holding only a few frames in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from heimdex_core.errors import UndecodableVideo
from heimdex_core.media.containers import open_media, read_packets
from heimdex_core.media.images import Image
from heimdex_core.types import MediaInfo

OnDamage = Callable[[float], None]
"""Called with the time in seconds of a frame that cannot be decoded."""

_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

# Two frames are never closer than this; broken files repeat times or step back.
_MIN_STEP_S = 0.0005
_SAME_TIME_S = 0.001
# Limits the packets remembered while nothing is damaged; no codec delays a frame by as many.
_MAX_WAITING = 256


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    time_s: float
    """When it is shown, in seconds from the start as a player counts."""
    image: Image
    """RGB uint8, (height, width, 3), upright and with square pixels."""


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
    """Every frame of [start_s, end_s) in order of time. Frames that cannot be decoded are left out.

    Args:
        info: what `probe` returned for the video at `path`.
        max_side_px: limit of the longer side; larger frames are reduced, None keeps their size.
        start_s, end_s: seconds in player time; None means to the end.
        threads: decoding threads; 0 lets libav choose.
        on_damage: called for each frame that is left out.

    Raises UndecodableVideo if no frame of the whole file can be decoded, FileUnreadable, NotAVideo.
    """
    scaler = _Scaler(info, max_side_px=max_side_px)
    for time_s, frame in _raw_frames(path, info, start_s, threads, on_damage):
        if end_s is not None and time_s >= end_s:
            return
        yield Frame(time_s, scaler.convert(frame))


def frame_at(path: Path, info: MediaInfo, time_s: float, *, max_side_px: int | None = None) -> Frame:
    """The frame on screen at `time_s` (seconds): the last one at or before it, or else the first of the file.

    `max_side_px` as for `frames`. Raises UndecodableVideo, FileUnreadable, NotAVideo.
    """
    shown: tuple[float, VideoFrame] | None = None
    for found in _raw_frames(path, info, max(0.0, time_s), 0, None, lead_in=True):
        if shown is not None and found[0] > time_s + _SAME_TIME_S:
            break
        shown = found
    if shown is None:
        raise UndecodableVideo(filename=path.name, reason=f"no frame can be decoded at {time_s:.1f} s")
    return Frame(shown[0], _Scaler(info, max_side_px=max_side_px).convert(shown[1]))


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
    """One decoding pass for shot detection and keyframes: (time_s, small BGR, RGB candidate or None) of every frame.

    Args:
        path, info, threads, on_damage: as for `frames`.
        detect_width_px: width of the small image as shown; never enlarged.
        max_side_px: limit of the candidate's longer side.
        want_candidate: called with the time of each intact frame, in order; whether a candidate is needed.
        detect_interpolation: how the small image is scaled.

    Raises UndecodableVideo, FileUnreadable, NotAVideo.
    """
    small = _Scaler(info, width_px=detect_width_px, pixels="bgr24", interpolation=detect_interpolation)
    large = _Scaler(info, max_side_px=max_side_px)
    for time_s, frame in _raw_frames(path, info, 0.0, threads, on_damage):
        # Players show a frame that was predicted from a damaged one, but it should not represent a scene.
        wanted = not frame.is_corrupt and want_candidate(time_s)
        candidate = large.convert(frame) if wanted else None
        yield time_s, small.convert(frame), candidate


def fit_size(info: MediaInfo, *, max_side_px: int | None = None, width_px: int | None = None) -> tuple[int, int]:
    """(width, height) in pixels of the shown frame, reduced to a longer side or a width; never enlarged."""
    scale = 1.0
    if max_side_px is not None:
        scale = min(scale, max_side_px / max(info.width, info.height))
    if width_px is not None:
        scale = min(scale, width_px / info.width)
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


# --- orientation ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a coded frame is turned for display: transposed first, then mirrored."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def rotation_deg(self) -> int:
        """Clockwise rotation of the shown frame, leaving mirroring aside: 0, 90, 180 or 270."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    @property
    def is_mirrored(self) -> bool:
        """True where no rotation alone gives the shown frame."""
        return self.transpose == (self.mirror_x == self.mirror_y)

    def apply(self, image: Image) -> Image:
        """Turn a coded image, (height, width, 3), into the contiguous image that is shown."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def orientation_of(frame: VideoFrame) -> Orientation:
    """The display matrix of a decoded frame, to the nearest quarter turn.

    The matrix maps a coded point to a shown one: x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 8.2.2).
    """
    side_data: Any = frame.side_data  # its stub mistakes it for a mapping by name
    for side in side_data:
        if side.type == Type.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].astype(np.int64)
            if abs(b) + abs(c) > abs(a) + abs(d):
                return Orientation(True, bool(c < 0), bool(b < 0))
            return Orientation(False, bool(a < 0), bool(d < 0))
    return Orientation()


# --- converting -----------------------------------------------------------------------------------


class _Scaler:
    """Scales and converts in one step inside libswscale, then turns the smaller result.

    One object per size: its context is kept between frames, which a plain VideoFrame.reformat throws away. All frames
    are turned as the first one asks for.
    """

    def __init__(
        self,
        info: MediaInfo,
        *,
        max_side_px: int | None = None,
        width_px: int | None = None,
        pixels: str = "rgb24",
        interpolation: Interpolation = _EXACT,
    ) -> None:
        self._shown_size = fit_size(info, max_side_px=max_side_px, width_px=width_px)
        self._orientation: Orientation | None = None
        self._pixels = pixels
        self._interpolation = interpolation
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> Image:
        if self._orientation is None:
            self._orientation = orientation_of(frame)
        width, height = self._shown_size[::-1] if self._orientation.transpose else self._shown_size
        # Every player takes HD for BT.709 where the file does not say (2: unspecified).
        unspecified_hd = frame.colorspace == 2 and max(frame.width, frame.height) >= 1280
        converted = self._reformatter.reformat(
            frame,
            width,
            height,
            self._pixels,
            src_colorspace=Colorspace.ITU709 if unspecified_hd else frame.colorspace,
            src_color_range=frame.color_range,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._interpolation,
            threads=1,  # more cost more than they gain at these sizes
        )
        image: Any = converted.to_ndarray()
        return self._orientation.apply(image)


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
    """(time_s, frame) from `start_s` on; with `lead_in` from the nearest earlier keyframe on."""
    for seek in (True, False) if start_s - info.first_frame_s > _SAME_TIME_S else (False,):
        with open_media(path) as container:
            decoder = _Decoder(container, info, threads, on_damage)
            if seek and not decoder.seek(start_s):
                continue
            decoded = decoder.frames()
            found = next(decoded, None)
            if seek and (found is None or found[0] > start_s + _SAME_TIME_S):
                continue  # a poor or missing index: the file is read from its beginning instead
            if found is None:
                raise UndecodableVideo(filename=path.name, reason="none of its frames can be decoded")
            while found is not None:
                if lead_in or found[0] >= start_s - _SAME_TIME_S:
                    yield found
                found = next(decoded, None)
            return


@dataclass
class _LostFrames:
    """Finds out which frames were lost.

    A decoder with frame threads reports an error some packets later, so the time of the error is wrong. Frames come
    out in order of time: once one has come out, every earlier packet that has not is lost. Some packets never become
    a frame (the hidden frames of VP8), so no more are counted as lost than there were errors.
    """

    on_damage: OnDamage | None
    waiting: deque[float] = field(default_factory=deque)
    errors: int = 0

    def came_out(self, time_s: float) -> None:
        for n, waiting_s in enumerate(self.waiting):
            if abs(waiting_s - time_s) <= _SAME_TIME_S / 2:
                del self.waiting[n]
                break
        if not self.errors:
            while len(self.waiting) > _MAX_WAITING:
                self.waiting.popleft()
            return
        self._report(sorted(t for t in self.waiting if t < time_s - _SAME_TIME_S))
        self.waiting = deque(t for t in self.waiting if t >= time_s - _SAME_TIME_S)

    def finish(self) -> None:
        if self.errors:
            self._report(sorted(self.waiting))

    def _report(self, lost: list[float]) -> None:
        # the latest of them: an error is not about a hidden frame of long ago
        for time_s in lost[-self.errors :]:
            if self.on_damage is not None:
                self.on_damage(time_s)
        self.errors -= min(self.errors, len(lost))


class _Decoder:
    """Reads one video stream of an open container."""

    def __init__(self, container: InputContainer, info: MediaInfo, threads: int, on_damage: OnDamage | None) -> None:
        stream = container.streams[info.video_stream_index]
        if not isinstance(stream, VideoStream):
            raise UndecodableVideo(filename=container.name, reason="the file is not the one that was probed")
        stream.thread_type = ThreadType.AUTO
        stream.codec_context.thread_count = threads
        self._container, self._stream, self._info = container, stream, info
        self._lost = _LostFrames(on_damage)
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

    def frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """(time_s, frame), times strictly rising; damaged packets are skipped."""
        for packet in read_packets(self._container, self._stream):
            for frame in self._decode(packet):
                yield self._time_s(frame), frame
        self._lost.finish()

    def _decode(self, packet: Any) -> list[VideoFrame]:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.size and stamp is not None and not packet.is_discard:
            self._lost.waiting.append(float(stamp * packet.time_base) - self._info.origin_s)
        try:
            decoded: list[VideoFrame] = packet.decode()
        except av.error.FFmpegError:
            self._lost.errors += 1
            return []
        for frame in decoded:
            if frame.pts is not None and frame.time_base is not None:
                self._lost.came_out(float(frame.pts * frame.time_base) - self._info.origin_s)
        return decoded

    def _time_s(self, frame: VideoFrame) -> float:
        usual_step_s = 1 / self._info.fps if self._info.fps > 0 else 0.04
        if frame.pts is not None and frame.time_base is not None:
            time_s = float(frame.pts * frame.time_base) - self._info.origin_s
        else:
            time_s = self._info.first_frame_s if self._last_s is None else self._last_s + usual_step_s
        time_s = max(time_s, 0.0 if self._last_s is None else self._last_s + _MIN_STEP_S)
        self._last_s = time_s
        return time_s
