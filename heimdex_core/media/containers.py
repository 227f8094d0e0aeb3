"""Opening containers safely, and reading what their headers claim without decoding.

libav corrects or estimates durations while opening a file; `read_structure` returns the header's own claim, so that
it can be compared with what is measured.
"""

from __future__ import annotations

import contextlib
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from heimdex_core.errors import FileUnreadable, NotAVideo
from heimdex_core.media.limits import decoder_options, first_tracks

ContainerKind = Literal["mov", "matroska", "avi", "other"]
VIDEO_FORMATS = ("mov", "matroska", "webm", "avi")
"""The container formats that are accepted, by libav's names."""
# Opened only to report "no picture, only audio" instead of "not a video".
_AUDIO_FORMATS = ("flac", "mp3", "wav", "ogg", "aac", "aiff", "w64", "caf")
# Playlists and scripts (HLS, DASH, concat, SDP, image sequences ...) name other files: they are not on the list,
# so libav does not even probe for them.
_OPTIONS = {"format_whitelist": ",".join((*VIDEO_FORMATS, *_AUDIO_FORMATS)), "protocol_whitelist": "file"}

# A clock starts again where it comes to within _RESTART_S of its beginning after packets that were twice as far from
# it. Frames that are shown in another order than they are stored are not so far apart; single damaged times are not
# counted.
_RESTART_S, _RESTART_PACKETS = 1.0, 5
# Limits the time that a hostile gigabyte of empty boxes can cost.
_MAX_BOXES, _MAX_EDITS = 200_000, 10_000
_MOV_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"moof"}
_EBML_MAGIC = b"\x1aE\xdf\xa3"


# --- opening --------------------------------------------------------------------------------------


@contextlib.contextmanager
def open_media(path: Path, filename: str | None = None) -> Iterator[InputContainer]:
    """Open a file with libav so that it can make libav read nothing but itself.

    `filename` is the name used in messages, by default that of `path`. Raises FileUnreadable, and NotAVideo if
    the content is not one of the accepted containers.
    """
    name = filename or path.name
    if av.logging.get_level() is not None:
        # libav's threads would wait for the interpreter in order to log, while it waits for them to end
        av.logging.set_level(None)
    limits = decoder_options()
    try:
        # while it opens a file, libav decodes a little of it
        container = av.open(str(path.resolve()), "r", options={**_OPTIONS, **limits}, metadata_errors="replace")
    except (av.error.FileNotFoundError, av.error.IsADirectoryError) as error:
        raise FileUnreadable(filename=name, reason=error.strerror) from error
    except av.error.FFmpegError as error:
        # a format outside the whitelist is reported as EINVAL or EPERM
        raise NotAVideo(filename=name, reason="its content is not MP4, MOV, AVI, MKV or WebM") from error
    with container:
        for stream in container.streams:
            if stream.codec_context is not None:
                stream.codec_context.options = dict(limits)
        yield container


def claimed_sizes(path: Path) -> dict[int, tuple[int, int]]:
    """(width, height) in pixels that the container claims for its picture tracks, by stream index.

    Nothing is decoded; {} where the file cannot be opened.
    """
    options = {**_OPTIONS, "codec_whitelist": "none", "probesize": "32"}
    try:
        with av.open(str(path.resolve()), "r", options=options, metadata_errors="replace") as container:
            contexts = {s.index: s.codec_context for s in container.streams.video if s.codec_context is not None}
            return {index: (context.width, context.height) for index, context in contexts.items()}
    except av.error.FFmpegError:
        return {}


def is_video_container(container: InputContainer) -> bool:
    """Whether the format of an opened container is one of VIDEO_FORMATS."""
    return any(name in VIDEO_FORMATS for name in container.format.name.split(","))


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams without cover art and thumbnails."""
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return [s for s in first_tracks(container, "video") if not s.disposition & still]


def read_packets(
    container: InputContainer,
    *streams: Any,
    on_error: Callable[[], None] = lambda: None,
    on_restart: Callable[[int], None] = lambda count: None,
) -> Iterator[Any]:
    """Packets of `streams` (of all streams when none is given), up to the end or to where the container breaks.

    Where the clock of a Matroska file starts again, because recordings were joined or a recorder was stopped and
    started, times go on from the end of what came before: read such a file from its beginning. `on_error` is called
    when the container breaks, `on_restart` with how often the clock has started again; no exception is raised.
    """
    clock = _Clock(on_restart) if "matroska" in container.format.name else None
    try:
        for packet in container.demux(*streams):
            if clock is not None and packet.size:
                clock.go_on(packet)
            yield packet
    except Exception:  # whatever PyAV makes of damage: what came before it is good
        on_error()


class _Clock:
    """Makes the times of packets go on where they start again from the beginning."""

    def __init__(self, on_restart: Callable[[int], None]) -> None:
        self._on_restart = on_restart
        self._offset_s = 0.0
        self._end_s = 0.0
        """Where the current part ends, by its own clock."""
        self._parts: list[tuple[float, float]] = []
        """The offset and the end of the parts before."""
        self._later: Counter[int] = Counter()
        """By stream index: how many packets of the current part come long after its start."""

    def go_on(self, packet: Any) -> None:
        """Move the times of the next packet by the length of the parts before."""
        if packet.pts is None:
            return
        index, time_s = packet.stream.index, float(packet.pts * packet.time_base)
        since_start_s = time_s - float((packet.stream.start_time or 0) * packet.time_base)
        if self._parts and abs(time_s - self._parts[-1][1]) < _RESTART_S < time_s - self._end_s:
            # only single times were damaged: the clock goes on where it was
            self._offset_s, self._end_s = self._parts.pop()
            self._on_restart(len(self._parts))
        if since_start_s > 2 * _RESTART_S:
            self._later[index] += 1
        elif since_start_s < _RESTART_S and self._later[index] >= _RESTART_PACKETS:
            self._parts.append((self._offset_s, self._end_s))
            self._on_restart(len(self._parts))
            self._offset_s += self._end_s - time_s
            self._end_s = 0.0
            self._later.clear()
        self._end_s = max(self._end_s, time_s + float((packet.duration or 0) * packet.time_base))
        if self._offset_s:
            moved = round(self._offset_s / packet.time_base)
            packet.pts += moved
            if packet.dts is not None:
                packet.dts += moved


# --- structure ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Structure:
    """What the header of a file claims about the file."""

    kind: ContainerKind
    size_bytes: int
    """The size on disk."""
    claimed_duration_s: float | None = None
    """None where the header makes no claim, as in live recordings."""
    expected_bytes: int | None = None
    """The size that the file should have; None where it does not say."""
    missing_index: bool = False
    """True for an MP4 or MOV without its moov box."""
    fragmented: bool = False
    """True for an MP4 or MOV of movie fragments."""
    files: int = 1
    """How many whole files follow one another in these bytes. Players read the first one."""
    rearranged: bool = False
    """True for an MP4 or MOV with an edit list of several parts."""
    edit_speed: bool = False
    """True where an edit list asks for another speed, which libav does not follow."""

    @property
    def missing_bytes(self) -> int:
        """How many bytes the file is shorter than it should be; 0 where that is not known."""
        return max(0, self.expected_bytes - self.size_bytes) if self.expected_bytes else 0


def read_structure(path: Path) -> Structure:
    """Read the structure of any file; its kind is "other" if it is none of the three. Raises OSError only."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        kind: ContainerKind = "other"
        try:
            if head[:4] == _EBML_MAGIC:
                kind = "matroska"
                return _matroska(file, size)
            if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
                kind = "avi"
                return _avi(file, size)
            if head[4:8] in _MOV_FIRST_BOXES:
                kind = "mov"
                return _mov(file, size)
        except (struct.error, IndexError):  # a header that is cut in the middle makes no claim
            return Structure(kind, size, missing_index=kind == "mov")
    return Structure(kind, size)


# --- MP4 and MOV (ISO/IEC 14496-12) ---------------------------------------------------------------


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, body start, declared end) of the boxes in [start, end); the last may end beyond `end`."""
    at = start
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        body = at + 8
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
            body += 8
        elif length == 0:
            length = end - at
        if length < body - at:
            return
        yield name, body, at + length
        at += length


def _mov(file: BinaryIO, size: int) -> Structure:
    claimed: float | None = None
    found_index = fragmented = False
    edits: list[list[tuple[int, float]]] = []
    expected = types = files = 0
    for name, body, end in _boxes(file, 0, size):
        expected = max(expected, end)
        types += name == b"ftyp"
        if name == b"moov" and files:
            files = min(files + 1, types)
        elif name == b"moov":
            found_index, files = end <= size, 1
            claimed, fragmented = _moov_claim(file, body, min(end, size))
            edits = list(_edit_lists(file, body, min(end, size)))
        fragmented = fragmented or name == b"moof"
    return Structure(
        "mov",
        size,
        claimed,
        expected or None,
        missing_index=not found_index and not fragmented,
        fragmented=fragmented,
        files=max(1, files),
        rearranged=any(len(parts) > 1 for parts in edits),
        edit_speed=any(speed != 1 for parts in edits for _, speed in parts),
    )


def _edit_lists(file: BinaryIO, start: int, end: int) -> Iterator[list[tuple[int, float]]]:
    """[(media time, speed), ...] of every track's edit list, without empty edits."""
    for trak in _named(file, start, end, b"trak"):
        for edts in _named(file, *trak, b"edts"):
            for body, _ in _named(file, *edts, b"elst"):
                file.seek(body)
                version, count = struct.unpack(">B3xI", file.read(8))
                layout = struct.Struct(">Qqi" if version else ">Iii")
                entries = (layout.unpack(file.read(layout.size)) for _ in range(min(count, _MAX_EDITS)))
                yield [(time, speed / 65536) for _, time, speed in entries if time >= 0]


def _named(file: BinaryIO, start: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """(body start, end) of the boxes of one name in [start, end)."""
    for name, body, stop in list(_boxes(file, start, end)):
        if name == wanted:
            yield body, min(stop, end)


def _moov_claim(file: BinaryIO, start: int, end: int) -> tuple[float | None, bool]:
    """(claimed seconds, fragmented). In a fragmented file only mehd covers the whole; mvhd does not."""
    scale, duration = 0, 0
    whole: int | None = None
    fragmented = False
    for name, body, stop in _boxes(file, start, end):
        if name == b"mvhd":
            scale, duration = _mvhd(file, body)
        elif name == b"mvex":
            fragmented = True
            for inner, inner_body, _ in _boxes(file, body, min(stop, end)):
                if inner == b"mehd":
                    file.seek(inner_body)
                    version = file.read(4)[0]
                    whole = struct.unpack(">Q", file.read(8))[0] if version else struct.unpack(">I", file.read(4))[0]
    units = (whole or 0) if fragmented else duration
    return (units / scale if units and scale else None), fragmented


def _mvhd(file: BinaryIO, body: int) -> tuple[int, int]:
    """(timescale, duration in its units). A duration marked as unknown becomes 0."""
    file.seek(body)
    data = file.read(32)
    if data[0] == 1:
        scale, duration = struct.unpack_from(">IQ", data, 20)
        return scale, 0 if duration == 2**64 - 1 else duration
    scale, duration = struct.unpack_from(">II", data, 12)
    return scale, 0 if duration == 2**32 - 1 else duration


# --- Matroska and WebM (RFC 9559) -----------------------------------------------------------------

_SEGMENT, _INFO, _SCALE, _DURATION, _CLUSTER = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489, 0x1F43B675


def _vint(file: BinaryIO, keep_marker: bool) -> tuple[int, bool]:
    """(value, unknown) of a variable-length integer (RFC 8794, section 4); `unknown` when all its bits are ones."""
    first = file.read(1)[0]
    length = 9 - first.bit_length()
    if length > 8:
        raise struct.error("not an EBML number")
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        raise struct.error("the number is cut off")
    value = int.from_bytes(bytes([first if keep_marker else first & (0xFF >> length)]) + rest, "big")
    return value, not keep_marker and value == (1 << (7 * length)) - 1


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int | None]]:
    """(id, body start, body end or None where unknown) of the elements in [start, end)."""
    at = start
    for _ in range(_MAX_BOXES):
        if at >= end:
            return
        file.seek(at)
        identity, _ = _vint(file, keep_marker=True)
        length, unknown = _vint(file, keep_marker=False)
        body = file.tell()
        yield identity, body, None if unknown else body + length
        if unknown:
            return
        at = body + length


def _matroska(file: BinaryIO, size: int) -> Structure:
    expected: int | None = None
    claimed: float | None = None
    files = 0
    for identity, body, end in _elements(file, 0, size):
        if identity != _SEGMENT:
            continue
        files += 1
        if files > 1:
            continue
        expected = end
        for inner, inner_body, inner_end in _elements(file, body, min(end or size, size)):
            if inner == _CLUSTER:
                break
            if inner == _INFO and inner_end is not None:
                claimed = _matroska_claim(file, inner_body, min(inner_end, size))
    return Structure("matroska", size, claimed, expected, files=max(1, files))


def _matroska_claim(file: BinaryIO, start: int, end: int) -> float | None:
    scale_ns, duration = 1_000_000, 0.0
    for identity, body, stop in _elements(file, start, end):
        length = (stop or body) - body
        if length not in range(1, 9):
            continue
        file.seek(body)
        data = file.read(length)
        if identity == _SCALE:
            scale_ns = int.from_bytes(data, "big")
        elif identity == _DURATION and length in (4, 8):
            duration = struct.unpack(">f" if length == 4 else ">d", data)[0]
    return duration * scale_ns / 1e9 if 0 < duration < float("inf") else None


# --- AVI (RIFF with the OpenDML extensions) -------------------------------------------------------


def _avi(file: BinaryIO, size: int) -> Structure:
    """The longer of the durations in the main and the stream header; the size is that of all RIFF chunks."""
    expected = at = riffs = files = 0
    while at + 12 <= size and riffs < _MAX_BOXES:
        file.seek(at)
        name, length, kind = struct.unpack("<4sI4s", file.read(12))
        if name != b"RIFF":
            break
        files += kind == b"AVI "  # further parts of one file are of the kind "AVIX"
        at += 8 + length + (length & 1)
        expected = at
        riffs += 1
    file.seek(0)
    header = file.read(min(size, 1 << 16))
    claims = [0.0]
    main = header.find(b"avih")
    if main >= 0 and (riffs == 1 or files > 1):  # with several RIFF chunks it covers only the first
        frame_us, _, _, _, frames = struct.unpack_from("<IIIII", header, main + 8)
        claims.append(frame_us * frames / 1e6)
    video = header.find(b"strh\x38\x00\x00\x00vids")
    if video >= 0:
        scale, rate, _, frames = struct.unpack_from("<IIII", header, video + 8 + 20)
        claims.append(frames * scale / rate if rate else 0.0)
    # a RIFF chunk of size 0 is a recording that was never closed
    known = expected > 12
    return Structure("avi", size, max(claims) or None, expected if known else None, files=max(1, files))
