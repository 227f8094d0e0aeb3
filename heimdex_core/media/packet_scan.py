"""One pass over the packets of a file: when they are shown, the first frame of each picture track, and its sound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from heimdex_core.media.containers import read_packets
from heimdex_core.media.decode import Orientation, orientation_of
from heimdex_core.media.limits import first_tracks, is_too_large
from heimdex_core.media.sound import SoundMeter, SoundReader
from heimdex_core.types import WorkContext

_REPORT_EVERY_PACKETS = 500

Size = tuple[int, int, str | None]
"""Width and height in pixels, and the pixel format by libav's name."""


@dataclass
class VideoScan:
    """What the packets of one picture track showed."""

    pts: list[int] = field(default_factory=list)
    packets: int = 0
    first: VideoFrame | None = None
    first_pts: int | None = None
    orientation: Orientation = Orientation()
    decode_error: str | None = None
    too_large: Size | None = None
    """Of frames that are larger than the limit: they are counted, not decoded."""
    refused: bool = False
    """Whether libav refuses its frames as it does larger ones."""

    @property
    def frame_count(self) -> int:
        """The hidden frames of VP8 have the time of a shown one."""
        return len(set(self.pts))

    def try_decode(self, packet: av.Packet) -> None:
        try:
            frames: list[Any] = packet.decode()
        except Exception as error:  # whatever PyAV makes of damage
            self.decode_error = getattr(error, "strerror", None) or str(error)
            self.refused = self.refused or isinstance(error, av.error.ArgumentError)
            return
        if frames:
            first = frames[0]
            size = (first.width, first.height, first.format.name)
            if is_too_large(*size):
                self.too_large = size
                return
            self.first = first
            self.first_pts = first.pts if first.pts is not None else first.dts
            self.orientation = orientation_of(first)


@dataclass
class PacketScan:
    """What reading the packets of a file showed."""

    whole: bool
    """Whether all packets were to be read."""
    extents: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Stream index -> (start, end) of its packets in seconds."""
    video: dict[int, VideoScan] = field(default_factory=dict)
    """By stream index."""
    meters: dict[int, SoundMeter] = field(default_factory=dict)
    """By stream index: what the sound tracks hold; empty unless all packets were read."""
    stopped_early: bool = False
    packets: int = 0
    discarded: int = 0
    """Packets that are not to be shown, of all `packets` that are not empty."""
    restarts: int = 0
    """How often the file's clock starts again; times go on."""

    def span_s(self, indexes: Iterable[int]) -> tuple[float, float]:
        """(earliest start, latest end) of these streams; (0, 0) where they have no packets."""
        known = [self.extents[i] for i in indexes if i in self.extents]
        return (min(start for start, _ in known), max(end for _, end in known)) if known else (0.0, 0.0)

    def add(self, packet: av.Packet) -> None:
        """Note when a packet is shown."""
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None or packet.time_base is None:
            return
        duration = packet.duration or 0
        stream: Any = packet.stream
        if stream.index in self.video:
            self.video[stream.index].pts.append(pts)
            if not duration and stream.average_rate:
                duration = round(1 / (stream.average_rate * packet.time_base))
        unit_s = float(packet.time_base)
        start_s, end_s = pts * unit_s, (pts + duration) * unit_s
        known = self.extents.get(stream.index, (start_s, end_s))
        self.extents[stream.index] = (min(known[0], start_s), max(known[1], end_s))


def scan_packets(
    container: InputContainer,
    streams: Sequence[VideoStream],
    *,
    origin_s: float,
    stop_after_s: float | None,
    whole: bool,
    too_large: Mapping[int, Size],
    sound: bool,
    context: WorkContext,
) -> PacketScan:
    """Read packets (all when `whole`), decoding each picture track until its first frame, and the sound whole.

    Args:
        streams: the picture tracks, the preferred one first; unless `whole`, reading ends with the first frame of the
            first that is not too large.
        too_large: the sizes of those that are not decoded, by stream index.
        sound: whether the sound is decoded.
        origin_s: the container's own time of the video's start.
        stop_after_s: stop when the preferred track is longer, in seconds; None for no limit.
        context: receives progress in seconds.
    """
    scan = PacketScan(whole, video={s.index: VideoScan(too_large=too_large.get(s.index)) for s in streams})
    main = next((found for found in scan.video.values() if found.too_large is None), scan.video[streams[0].index])
    measured = first_tracks(container, "audio") if whole and sound else []
    readers = {s.index: SoundReader(container, s.index, origin_s) for s in measured}
    scan.meters = {index: SoundMeter() for index in readers}
    for stream in streams:
        stream.thread_type = av.codec.context.ThreadType.SLICE  # frame threads would hold back the first frame

    def restarted(count: int) -> None:
        scan.restarts = count

    for packet in read_packets(container, on_restart=restarted):
        index = packet.stream.index
        video = scan.video.get(index)
        scan.packets += bool(packet.size)
        scan.discarded += bool(packet.size and packet.is_discard)
        if packet.size and not packet.is_discard:
            scan.add(packet)
        if video is not None:
            video.packets += bool(packet.size)
            if video.first is None and video.too_large is None:
                video.try_decode(packet)
        if index in readers:
            for frame in readers[index].decode(packet):
                scan.meters[index].add(frame)
        if scan.packets % _REPORT_EVERY_PACKETS == 0:
            context.check()
            # with the packets: where tracks follow one another, all of the next one lies before what is reached
            context.report(max(0.0, scan.span_s(scan.extents)[1] - origin_s) + 1e-6 * scan.packets, 0)
        if main.first is None:
            continue
        if not whole:
            break
        if video is main and stop_after_s is not None and scan.span_s([index])[1] - origin_s > stop_after_s:
            scan.stopped_early = True
            break
    for number, meter in scan.meters.items():
        meter.finish()
        meter.broken_at_s = readers[number].broken_at_s
    return scan
