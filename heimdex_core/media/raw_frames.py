"""Reading the coded frames of one track, with their times; damaged ones are skipped and reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from av.codec.context import CodecContext, ThreadType
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from heimdex_core.errors import UndecodableVideo
from heimdex_core.media.colour import ALPHA_DECODERS
from heimdex_core.media.containers import open_media, read_packets
from heimdex_core.media.limits import decoder_options, frame_bytes, frame_threads, is_too_large
from heimdex_core.types import MediaInfo

OnDamage = Callable[[float], None]
"""Called with the time in seconds of a frame that cannot be decoded."""

SAME_TIME_S = 0.001
# Two frames are never closer than this; broken files repeat times or step back.
_MIN_STEP_S = 0.0005
# Limits the packets remembered while nothing is damaged; no codec delays a frame by as many.
_MAX_WAITING = 256


def raw_frames(
    path: Path,
    info: MediaInfo,
    start_s: float,
    threads: int,
    on_damage: OnDamage | None,
    *,
    lead_in: bool = False,
) -> Generator[tuple[float, VideoFrame], None, None]:
    """(time_s, frame) from `start_s` on; with `lead_in` from the nearest earlier keyframe on."""
    # joined recordings, whose clock starts again, have the same time twice
    can_seek = start_s - info.first_frame_s > SAME_TIME_S and info.recordings == 1
    for seek in (True, False) if can_seek else (False,):
        with open_media(path) as container:
            decoder = _Decoder(container, info, threads, on_damage)
            if seek and not decoder.seek(start_s):
                continue
            decoded = decoder.frames()
            found = next(decoded, None)
            if seek and (found is None or found[0] > start_s + SAME_TIME_S):
                continue  # a poor or missing index: the file is read from its beginning instead
            if found is None:
                raise UndecodableVideo(filename=path.name, reason="none of its frames can be decoded")
            while found is not None:
                if lead_in or found[0] >= start_s - SAME_TIME_S:
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
            if abs(waiting_s - time_s) <= SAME_TIME_S / 2:
                del self.waiting[n]
                break
        if not self.errors:
            while len(self.waiting) > _MAX_WAITING:
                self.waiting.popleft()
            return
        self._report(sorted(t for t in self.waiting if t < time_s - SAME_TIME_S))
        self.waiting = deque(t for t in self.waiting if t >= time_s - SAME_TIME_S)

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
        # every thread holds a frame
        of_frames = frame_threads(frame_bytes(info.coded_width, info.coded_height, info.pixel_format), threads)
        stream.thread_type = ThreadType.AUTO if of_frames != 1 else ThreadType.SLICE
        stream.codec_context.thread_count = of_frames if of_frames != 1 else threads
        self._with_alpha = _alpha_decoder(stream, info)
        self._container, self._stream, self._info = container, stream, info
        self._lost = _LostFrames(on_damage)
        self._last_s: float | None = None

    def seek(self, time_s: float) -> bool:
        unit = self._stream.time_base
        if unit is None:
            return False
        try:
            self._container.seek(int((time_s + self._info.origin_s) / unit), stream=self._stream, backward=True)
        except (av.error.FFmpegError, OverflowError):
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
            decoded: list[VideoFrame] = self._with_alpha.decode(packet) if self._with_alpha else packet.decode()
        except Exception:  # whatever PyAV makes of damage
            self._lost.errors += 1
            return []
        if any(is_too_large(frame.width, frame.height, frame.format.name) for frame in decoded):
            # deeper than the first one; libav itself refuses those that are wider or higher
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


def _alpha_decoder(stream: VideoStream, info: MediaInfo) -> VideoCodecContext | None:
    """The decoder for the transparency that WebM stores beside the picture; None for files without it."""
    if info.treatment is None or not info.treatment.alpha or stream.metadata.get("alpha_mode") != "1":
        return None
    name = ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)
    try:
        context = CodecContext.create(name, "r") if name else None
    except (av.error.FFmpegError, ValueError):  # a build without libvpx shows the picture without its transparency
        return None
    if not isinstance(context, VideoCodecContext):
        return None
    context.options = decoder_options()
    return context
