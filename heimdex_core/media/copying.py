"""Copying H.264 pictures from sources into a rendered file without encoding them again.

A copy begins with an IDR picture (ITU-T H.264, 7.4.1.2.4), from which on nothing refers to what came before, and ends
where the packets read so far are all pictures that are shown up to there.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from heimdex_core.errors import FileUnreadable, RenderFailed
from heimdex_core.files import disk_errors
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.containers import open_media, read_packets, read_structure
from heimdex_core.media.graph import RenderClip, RenderFormat, clip_frames
from heimdex_core.media.treatment import treatment_of
from heimdex_core.settings import get_settings
from heimdex_core.types import Json, PictureTreatment, WorkContext

_CHECK_EVERY = 500
_MAX_JITTER_FRAMES = 0.1
"""How far a frame may be from its place at a constant rate; clocks that count milliseconds are off by less."""
_MAX_REORDERED = 16
"""ITU-T H.264, A.3.1: no more frames are held back."""
_EARLIER_S = 1
"""MOV seeks by the order of decoding, in which a frame comes some time before it is shown."""
_START_CODE = re.compile(rb"\x00*\x00\x00\x01")
_IDR, _SPS, _PPS = 5, 7, 8


@dataclass(frozen=True)
class Stretch:
    """Frames [first, end) of a clip that are copied; those beside them are encoded."""

    first: int
    end: int
    pts: int
    """Of the first packet, by the clock of its stream."""
    head_s: float
    """Where the frames before it begin, in player time; on a frame of the source, so that nothing has to be rounded."""
    tail_s: float
    """Where the frames behind it begin, in player time."""

    @property
    def count(self) -> int:
        """How many packets, each with one frame, are copied."""
        return self.end - self.first


@dataclass(frozen=True)
class Segment:
    """`count` packets of H.264 in a file, from the one shown at `pts` on; None for the first of the file."""

    path: Path
    stream: int
    count: int
    pts: int | None = None


def find_stretches(clips: Sequence[RenderClip], target: RenderFormat, context: WorkContext) -> list[Stretch | str]:
    """What can be copied of each clip, or a word for why nothing can: "codec", "size", "rate", "colours", "keyframes".

    The packets are read in a child process for each file. `context` is asked for cancellation. Raises Cancelled,
    FileUnreadable, NotAVideo, DecoderFailed.
    """
    found: list[Stretch | str] = [_why_not(clip, target) for clip in clips]
    by_file = dict[tuple[Path, int, float], list[int]]()
    for n, (clip, reason) in enumerate(zip(clips, found, strict=True)):
        if not reason:
            by_file.setdefault((clip.path, clip.info.video_stream_index, clip.info.origin_s), []).append(n)
    for (path, stream, origin_s), numbers in by_file.items():
        asked = {
            "path": str(path.absolute()),
            "stream": stream,
            "origin_s": origin_s,
            "clips": [[clips[n].start_s, clip_frames(clips[n].duration_s, target.fps)] for n in numbers],
            "fps": [target.fps.numerator, target.fps.denominator],
        }
        for n, one in zip(numbers, _in_child("find_asked", asked, path, context), strict=True):
            found[n] = one if isinstance(one, str) else Stretch(**one)
    return found


def _why_not(clip: RenderClip, target: RenderFormat) -> str:
    """Why nothing of a clip can be copied, as far as that is known without its packets; "" for no reason."""
    info, treatment = clip.info, treatment_of(clip.path, clip.info)
    if info.video_codec != "h264" or info.pixel_format != "yuv420p" or treatment.field_order or info.recordings > 1:
        return "codec"
    if not info.container.startswith(("mov", "matroska")) or read_structure(clip.path).rearranged:
        return "codec"
    coded = (info.coded_width, info.coded_height, info.width, info.height)
    if info.rotation_deg or "mirrored" in info.notes or coded != (target.width, target.height) * 2:
        return "size"
    if treatment != PictureTreatment(notes=treatment.notes):
        return "colours"
    # in a stretch the frames themselves are looked at
    return "rate" if abs(info.fps - float(target.fps)) > 0.01 * float(target.fps) else ""


def join_segments(segments: Sequence[Segment], out: Path, fps: Fraction, context: WorkContext) -> None:
    """Write the pictures of all segments, one after the other at a constant rate, into an MP4 with no sound.

    Parameter sets come before every IDR picture, since those of the segments differ. `context` is asked for
    cancellation. Raises Cancelled, DiskFull, FileUnreadable, NotAVideo, DecoderFailed, RenderFailed.
    """
    asked = {
        "segments": [[str(s.path.absolute()), s.stream, s.count, s.pts] for s in segments],
        "out": str(out.absolute()),
        "fps": [fps.numerator, fps.denominator],
    }
    _in_child("join_asked", asked, out, context)


def _in_child(name: str, asked: Json, path: Path, context: WorkContext) -> Any:
    limits, quiet = ChildLimits.of(get_settings()), WorkContext(is_cancelled=context.is_cancelled)
    return run_in_child(f"{__name__}:{name}", asked, filename=path.name, limits=limits, context=quiet)


# --- which packets, in the child ------------------------------------------------------------------


def find_asked(asked: Json, work: WorkContext) -> list[Json | str]:
    """In the child: the fields of a Stretch of each clip, or why there is none."""
    fps, origin_s = Fraction(*asked["fps"]), float(asked["origin_s"])
    with open_media(Path(asked["path"])) as container:
        stream: Any = container.streams[asked["stream"]]
        if stream.time_base is None or stream.sample_aspect_ratio not in (None, 0, 1):
            return ["size"] * len(asked["clips"])
        found = []
        for start_s, frames in asked["clips"]:
            zero = Fraction(origin_s + start_s).limit_denominator(10**9)
            packets = _packets_from(container, stream, zero, zero + (frames + 2 * _MAX_REORDERED) / fps, work)
            found.append(_stretch(packets, stream.time_base, zero, fps, frames, origin_s))
        return found


def _packets_from(container: Any, stream: Any, zero: Fraction, last: Fraction, work: WorkContext) -> list[_Packet]:
    """Those from the keyframe before `zero` to `last`, in the stream's time; the intact ones behind the last damage."""
    packets: list[_Packet] = []
    container.seek(math.floor((zero - _EARLIER_S) / stream.time_base), stream=stream)
    for packet in _annexb(read_packets(container, stream), stream, work):
        if packet is None or packet.pts is None or packet.is_corrupt or packet.is_discard:
            packets = []  # what follows may refer to it
            continue
        packets.append(_Packet.of(packet))
        if packet.dts is not None and packet.dts * stream.time_base > last:
            break
    return packets


@dataclass(frozen=True)
class _Packet:
    pts: int
    is_idr: bool
    sets: frozenset[bytes]
    """The parameter sets in it."""

    @staticmethod
    def of(packet: Any) -> _Packet:
        units = _units(bytes(packet)) if packet.is_keyframe else []
        return _Packet(packet.pts, any(_kind(u) == _IDR for u in units), frozenset(_parameter_sets(units)))


def _stretch(
    packets: Sequence[_Packet], unit: Fraction, zero: Fraction, fps: Fraction, frames: int, origin_s: float
) -> Json | str:
    """The fields of the Stretch of a clip that begins at `zero` in the stream's time; packets as they are decoded."""
    places = {p.pts: (p.pts * unit - zero) * fps for p in packets}
    shown = [pts for pts, place in places.items() if round(place) >= 0]
    if not shown:
        return "keyframes"
    base = min(shown)
    offset = round(places[base])
    exact = {pts: offset + (pts - base) * unit * fps for pts in places}
    numbers = {pts: round(place) for pts, place in exact.items()}
    times_s = {number: float(pts * unit) - origin_s for pts, number in numbers.items()}
    starts = [n for n, p in enumerate(packets) if p.is_idr and 0 <= numbers[p.pts] < frames]
    irregular = False
    for start in starts[:1]:
        first, most, end, sets = numbers[packets[start].pts], -1, -1, packets[start].sets
        for count, packet in enumerate(packets[start:], 1):
            number = numbers[packet.pts]
            irregular = abs(exact[packet.pts] - number) > _MAX_JITTER_FRAMES
            if irregular or number >= frames + _MAX_REORDERED or not packet.sets <= sets:
                break
            most = max(most, number)
            if most >= frames and end == frames:
                break
            # all frames up to here are in the packets, and there is one to begin the rest with
            if most + 1 - first == count and most < frames and (most + 1 == frames or most + 1 in times_s):
                end = most + 1
        if end > first:
            head_s = times_s[0] if 0 in times_s else float(zero) - origin_s
            times = {"head_s": max(0.0, head_s), "tail_s": max(0.0, times_s.get(end, 0.0))}
            return {"first": first, "end": end, "pts": packets[start].pts, **times}
    return "rate" if irregular else "keyframes"


# --- writing, in the child ------------------------------------------------------------------------


def join_asked(asked: Json, work: WorkContext) -> None:
    """In the child."""
    segments = [Segment(Path(path), *rest) for path, *rest in asked["segments"]]
    out, fps = Path(asked["out"]), Fraction(*asked["fps"])
    try:
        with disk_errors(out.name, out.parent):
            _join(segments, out, fps, work)
    except av.error.FFmpegError as error:
        raise FileUnreadable(filename=out.name, reason=str(error)) from error


def _join(segments: Sequence[Segment], out: Path, fps: Fraction, work: WorkContext) -> None:
    # first only the order in which the frames of each are shown, and their parameter sets
    orders, sets = [], dict[tuple[int, int], bytes]()
    first = b""
    for segment in segments:
        times = []
        for packet in _packets_of(segment, work):
            first = first or bytes(packet)
            times.append(packet.pts)
            for unit in _parameter_sets(_units(bytes(packet))) if packet.is_keyframe else ():
                sets.setdefault((_kind(unit), _identifier(unit)), unit)
        ranks = {pts: n for n, pts in enumerate(sorted(times))}
        if len(ranks) != segment.count:
            raise RenderFailed(reason=f"{len(ranks)} of {segment.count} frames are in {segment.path.name}")
        orders.append([ranks[pts] for pts in times])
    held = max(n - rank for order in orders for n, rank in enumerate(order))
    ticks, unit_s = 512 * fps.denominator, Fraction(1, 512 * fps.numerator)
    # the header names all parameter sets, as far as their numbers differ, for players that read no others
    header = b"".join(b"\0\0\0\1" + sets[key] for key in sorted(sets)) + first
    with av.open(io.BytesIO(header), "r", format="h264") as model, av.open(str(out), "w", format="mp4") as container:
        stream = container.add_stream_from_template(model.streams.video[0])
        stream.time_base = unit_s
        done = 0
        for segment, order in zip(segments, orders, strict=True):
            for n, packet in enumerate(_packets_of(segment, work)):
                copy = av.Packet(bytes(packet))
                copy.time_base, copy.duration = unit_s, ticks
                copy.pts, copy.dts = (done + order[n]) * ticks, (done + n - held) * ticks
                copy.is_keyframe = packet.is_keyframe
                copy.stream = stream
                container.mux(copy)
            done += segment.count


def _packets_of(segment: Segment, work: WorkContext) -> Iterator[Any]:
    """Its packets with start codes and parameter sets; the time stamps are those of its file."""
    with open_media(segment.path) as container:
        stream: Any = container.streams[segment.stream]
        if segment.pts is not None:
            container.seek(segment.pts - round(_EARLIER_S / stream.time_base), stream=stream)
        done = 0
        for packet in _annexb(read_packets(container, stream), stream, work):
            if packet is None:
                if done:
                    raise RenderFailed(reason=f"a frame to be copied from {segment.path.name} is damaged")
            elif done or segment.pts is None or packet.pts == segment.pts:
                yield packet
                done += 1
                if done == segment.count:
                    return


def _annexb(packets: Iterator[Any], stream: Any, work: WorkContext) -> Iterator[Any]:
    """The packets with start codes and parameter sets; None for one that is damaged."""
    convert = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
    for number, packet in enumerate(packets):
        if number % _CHECK_EVERY == 0:
            work.check()
            work.report(number, 0)
        if not packet.size:
            continue
        converted: list[Any] = [None]
        with suppress(av.error.InvalidDataError):
            converted = convert.filter(packet)
        yield from converted


# --- NAL units ------------------------------------------------------------------------------------


def _units(data: bytes) -> list[bytes]:
    """The NAL units between start codes (ITU-T H.264, annex B)."""
    return [unit for unit in _START_CODE.split(data) if unit]


def _kind(unit: bytes) -> int:
    return unit[0] & 31


def _parameter_sets(units: Sequence[bytes]) -> list[bytes]:
    return [unit.rstrip(b"\0") for unit in units if _kind(unit) in (_SPS, _PPS)]


def _identifier(unit: bytes) -> int:
    """The number of a parameter set: an Exp-Golomb code (ITU-T H.264, 9.1), in an SPS behind profile and level."""
    bits = "".join(f"{byte:08b}" for byte in unit[4 if _kind(unit) == _SPS else 1 :][:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "0", 2) - 1
