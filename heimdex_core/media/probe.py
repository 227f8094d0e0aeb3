"""What a file holds, and whether it can be worked with: by looking, not by believing its header."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from heimdex_core.errors import (
    DurationMismatch,
    EmptyFile,
    FileTooLarge,
    FileUnreadable,
    NotAVideo,
    NoVideoStream,
    TruncatedFile,
    UndecodableVideo,
    VideoTooLong,
)
from heimdex_core.media.containers import Structure, read_structure
from heimdex_core.media.opening import is_video_container, open_media, picture_streams
from heimdex_core.media.orientation import Orientation, orientation_of
from heimdex_core.types import AudioTrack, MediaInfo, SubtitleTrack

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
_COMMENTARY_WORDS = (
    "commentary", "comment", "description", "descriptive", "described", "해설", "코멘터리", "화면 해설",
)  # fmt: skip
_COMMENTARY_FLAGS = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions

# A clip of "600 s" is often a packet of sound longer.
LIMIT_SLACK_S = 0.25
MISMATCH_FLOOR_S, MISMATCH_SHARE = 2.0, 0.05
DELAY_WORTH_SAYING_S = 0.1


def check_file(path: Path, *, max_bytes: int, filename: str | None = None) -> int:
    """Size in bytes of a readable, regular file. Raises FileUnreadable, EmptyFile, FileTooLarge."""
    name = filename or path.name
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise FileUnreadable(filename=name, reason="it is not a file")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise FileUnreadable(filename=name, reason=os.strerror(error.errno or 0)) from error
    if found.st_size == 0:
        raise EmptyFile(filename=name)
    if found.st_size > max_bytes:
        raise FileTooLarge(filename=name, size_bytes=found.st_size, limit_bytes=max_bytes)
    return found.st_size


def probe(
    path: Path, *, max_bytes: int, max_duration_s: float, filename: str | None = None, measure: bool = True
) -> MediaInfo:
    """Everything the workbench needs to know of a file.

    `measure` reads every packet (no decoding beyond the first picture) for the true duration and frame count;
    without it they are the header's, unless that is over the limit: then it is measured before it is believed.
    Raises FileUnreadable, EmptyFile, FileTooLarge, NotAVideo, NoVideoStream, UndecodableVideo, TruncatedFile,
    VideoTooLong, DurationMismatch.
    """
    name = filename or path.name
    size = check_file(path, max_bytes=max_bytes, filename=name)
    structure = read_structure(path)
    if structure.missing_index:
        raise TruncatedFile(filename=name, reason="its index (moov) is missing, so the recording or copy was cut off")
    with open_media(path, name) as container:
        stream = _video_stream(container, name)
        claimed_s = structure.claimed_duration_s
        over = claimed_s is not None and claimed_s > max_duration_s + LIMIT_SLACK_S
        # without a claim the only way to know the duration is to measure it
        measure = measure or over or claimed_s is None
        seen = _look(container, stream, stop_after_s=max_duration_s + LIMIT_SLACK_S if over else None, whole=measure)
        if seen.first is None:
            raise UndecodableVideo(filename=name, reason=_why_undecodable(seen, structure))
        if measure:
            _check_duration(name, structure, seen, max_duration_s)
        return _describe(container, stream, seen, structure, size)


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    streams = picture_streams(container)
    if not streams:
        if any(s.type == "audio" for s in container.streams):
            raise NoVideoStream(filename=name, streams=_kinds(container))
        reason = "it has neither picture nor sound" if is_video_container(container) else "it is another kind of file"
        raise NotAVideo(filename=name, reason=reason)
    if not is_video_container(container):
        raise NotAVideo(filename=name, reason=f"it is {container.format.long_name}, not MP4, MOV, AVI, MKV or WebM")
    if all(s.codec_context is None for s in streams):
        raise UndecodableVideo(filename=name, reason="its codec is not known here")
    streams = [s for s in streams if s.codec_context is not None]
    best = container.streams.best("video")
    return best if isinstance(best, VideoStream) and best in streams else streams[0]


def _kinds(container: InputContainer) -> str:
    kinds = {s.type for s in container.streams if s.type in ("audio", "subtitle", "data")}
    return " and ".join(sorted(kinds))


# --- looking --------------------------------------------------------------------------------------


@dataclass
class _Extent:
    """Where one stream's packets lie, in its own time base."""

    start: int | None = None
    end: int | None = None

    def add(self, pts: int, duration: int) -> None:
        self.start = pts if self.start is None else min(self.start, pts)
        self.end = pts + duration if self.end is None else max(self.end, pts + duration)


@dataclass
class _Seen:
    """What reading the packets showed."""

    extents: dict[int, tuple[_Extent, float]] = field(default_factory=dict)
    """stream index -> (extent, seconds per unit)"""
    video_pts: list[int] = field(default_factory=list)
    video_packets: int = 0
    first: VideoFrame | None = None
    first_pts: int | None = None
    orientation: Orientation = Orientation()
    decode_error: str | None = None
    stopped_early: bool = False
    whole: bool = True

    def span_s(self, indexes: Iterable[int]) -> tuple[float, float]:
        """(earliest start, latest end) of the streams named; (0, 0) when they have no packets."""
        known = [self.extents[i] for i in indexes if i in self.extents and self.extents[i][0].start is not None]
        starts = [(e.start or 0) * unit for e, unit in known]
        ends = [(e.end or 0) * unit for e, unit in known]
        return (min(starts), max(ends)) if known else (0.0, 0.0)


def _look(container: InputContainer, stream: VideoStream, *, stop_after_s: float | None, whole: bool) -> _Seen:
    """Read packets (all when `whole`), decoding pictures only until the first one comes out."""
    seen = _Seen(whole=whole)
    stream.thread_type = av.codec.context.ThreadType.SLICE  # frame threads would hold the first picture back
    origin_s = _header_origin_s(container, stream)
    for packet in _packets(container):
        index = packet.stream.index
        if packet.size and not packet.is_discard:
            _note_packet(seen, packet, index == stream.index, stream)
        if index == stream.index and seen.first is None:
            _try_decode(seen, packet)
        if seen.first is not None and not whole:
            break
        if stop_after_s is not None and index == stream.index:
            extent, unit = seen.extents.get(index, (_Extent(), 0.0))
            if (extent.end or 0) * unit - origin_s > stop_after_s and seen.first is not None:
                seen.stopped_early = True
                break
    return seen


def _packets(container: InputContainer) -> Iterable[av.Packet]:
    """All packets; a container that breaks part-way simply ends there."""
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        yield packet


def _note_packet(seen: _Seen, packet: av.Packet, is_picture: bool, stream: VideoStream) -> None:
    pts = packet.pts if packet.pts is not None else packet.dts
    if is_picture:
        seen.video_packets += 1
    if pts is None or packet.time_base is None:
        return
    duration = packet.duration or 0
    if is_picture:
        seen.video_pts.append(pts)
        if not duration and stream.average_rate:
            duration = round(1 / (stream.average_rate * packet.time_base))
    extent, _ = seen.extents.setdefault(packet.stream.index, (_Extent(), float(packet.time_base)))
    extent.add(pts, duration)


def _try_decode(seen: _Seen, packet: av.Packet) -> None:
    try:
        frames: list[Any] = packet.decode()
    except av.error.FFmpegError as error:
        seen.decode_error = error.strerror
        return
    if frames:
        frame = frames[0]
        seen.first, seen.first_pts = frame, frame.pts if frame.pts is not None else frame.dts
        seen.orientation = orientation_of(frame)


def _header_origin_s(container: InputContainer, stream: VideoStream) -> float:
    """The earliest start of picture and sound by the container's own account, in seconds."""
    starts = [
        float(s.start_time * s.time_base)
        for s in (stream, *container.streams.audio)
        if s.start_time is not None and s.time_base is not None
    ]
    return min(starts, default=0.0)


def _why_undecodable(seen: _Seen, structure: Structure) -> str:
    cut = f"the file ends {structure.missing_bytes} bytes before it should" if structure.missing_bytes else ""
    if not seen.video_packets:
        return cut or "its video track is empty"
    tried = f"none of its {seen.video_packets} pictures is readable"
    return f"{tried}, and {cut}" if cut else f"{tried} ({seen.decode_error})" if seen.decode_error else tried


# --- judging --------------------------------------------------------------------------------------


def differs(claimed_s: float, measured_s: float) -> bool:
    """Whether a claim is too far from the truth to be an accident: more than 2 s and more than 5 %."""
    return abs(claimed_s - measured_s) > max(MISMATCH_FLOOR_S, MISMATCH_SHARE * measured_s)


def _check_duration(name: str, structure: Structure, seen: _Seen, limit_s: float) -> None:
    start_s, end_s = seen.span_s(seen.extents)
    claimed_s, measured_s = structure.claimed_duration_s, end_s - start_s
    if seen.stopped_early and claimed_s is not None:
        raise VideoTooLong(filename=name, duration_s=round(claimed_s, 1), limit_s=limit_s)
    # Matroska's claim counts from the clock's zero, not from the first packet
    if claimed_s is not None and differs(claimed_s, measured_s) and differs(claimed_s, end_s):
        if measured_s < claimed_s and structure.missing_bytes:
            there = f"{measured_s:.1f} of {claimed_s:.1f} s are there"
            raise TruncatedFile(filename=name, reason=f"{there}, and {structure.missing_bytes} bytes are missing")
        raise DurationMismatch(filename=name, claimed_s=round(claimed_s, 1), measured_s=round(measured_s, 1))
    if measured_s > limit_s + LIMIT_SLACK_S:
        raise VideoTooLong(filename=name, duration_s=round(measured_s, 1), limit_s=limit_s)


# --- describing -----------------------------------------------------------------------------------


def _describe(
    container: InputContainer, stream: VideoStream, seen: _Seen, structure: Structure, size: int
) -> MediaInfo:
    if seen.first is None or stream.time_base is None:
        raise ValueError("a picture must have been decoded")
    unit_s = float(stream.time_base)
    origin_s = _header_origin_s(container, stream)
    playable = (stream.index, *(s.index for s in container.streams.audio))
    end_s = seen.span_s(playable)[1]
    duration_s = end_s - origin_s if seen.whole else structure.claimed_duration_s or 0.0
    first_frame_s = max(0.0, (seen.first_pts or 0) * unit_s - origin_s)
    fps, variable = frame_rate(seen.video_pts, unit_s, float(stream.average_rate or 0))
    if not seen.whole:
        fps, variable = float(stream.average_rate or fps or 25), False
    width, height = displayed_size(stream, seen.first, seen.orientation)
    audio = tuple(_audio_track(s) for s in container.streams.audio)
    # VP8's hidden frames have the time of a shown one
    frame_count = len(set(seen.video_pts)) if seen.whole else stream.frames or round(duration_s * fps)
    tags = _tags(container, stream)
    info = MediaInfo(
        container=structure.kind if structure.kind != "other" else container.format.name,
        size_bytes=size,
        claimed_duration_s=structure.claimed_duration_s,
        duration_s=max(duration_s, first_frame_s),
        origin_s=origin_s,
        video_stream_index=stream.index,
        video_codec=stream.codec_context.codec.canonical_name,
        video_profile=stream.profile,
        pixel_format=seen.first.format.name,
        width=width,
        height=height,
        coded_width=seen.first.width,
        coded_height=seen.first.height,
        rotation_deg=seen.orientation.rotation_deg,
        fps=fps,
        frame_count=max(1, frame_count),
        is_variable_frame_rate=variable,
        first_frame_s=first_frame_s,
        audio_tracks=audio,
        subtitle_tracks=tuple(_subtitle_track(s) for s in container.streams.subtitles),
        created_at=_first(tags, "com.apple.quicktime.creationdate", "creation_time", "date"),
        camera=_camera(tags),
        gps=_first(tags, "com.apple.quicktime.location.iso6709", "location", "location-eng"),
        notes=_notes(seen, structure, audio, variable, first_frame_s),
    )
    return info


def _notes(
    seen: _Seen, structure: Structure, audio: tuple[AudioTrack, ...], variable: bool, first_frame_s: float
) -> tuple[str, ...]:
    frame = seen.first
    odd = frame is not None and (frame.width % 2 == 1 or frame.height % 2 == 1)
    found = {
        "no_audio": not audio,
        "variable_frame_rate": variable,
        "rotated": seen.orientation.rotation_deg != 0,
        "mirrored": seen.orientation.is_mirrored,
        "one_frame": seen.whole and len(set(seen.video_pts)) == 1,
        "odd_size": odd,
        "delayed_first_frame": first_frame_s >= DELAY_WORTH_SAYING_S,
        # the duration is right (else it would have been refused), yet the last bytes are not there
        "cut_short": seen.whole and structure.missing_bytes > 0,
    }
    return tuple(code for code, yes in found.items() if yes)


def frame_rate(pts: list[int], unit_s: float, header_fps: float) -> tuple[float, bool]:
    """(frames a second, whether the distances between frames vary) of presentation times.

    The header's rate is kept where the measured one agrees to 1 %: it is exact (30000/1001).
    """
    times = np.unique(np.asarray(pts, np.int64))
    if len(times) < 2:
        return header_fps or 25.0, False
    span_s = float(times[-1] - times[0]) * unit_s
    measured = (len(times) - 1) / span_s
    steps = np.diff(times)
    middle = float(np.median(steps))
    # the clock's own rounding (33 and 34 ms at 30 fps) is no variation, nor is a single dropped frame
    off = np.abs(steps - middle) > max(2.0, 0.05 * middle)
    variable = int(off.sum()) >= 2 and float(off.mean()) > 0.01
    usual = 1 / (middle * unit_s) if middle > 0 else measured
    close = any(abs(rate - header_fps) <= 0.01 * header_fps for rate in (measured, usual))
    return (header_fps if close and not variable else measured), variable


def displayed_size(stream: VideoStream, frame: VideoFrame, orientation: Orientation) -> tuple[int, int]:
    """(width, height) as a player shows it: non-square pixels stretched, then turned."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    width, height = frame.width, frame.height
    if aspect and aspect > 0 and aspect != 1:
        width = max(1, round(width * float(aspect)))
    return (height, width) if orientation.transpose else (width, height)


def _audio_track(stream: AudioStream) -> AudioTrack:
    # MP4 keeps a track's title as its handler's name, where most writers put "SoundHandler"
    handler = stream.metadata.get("handler_name", "")
    title = stream.metadata.get("title") or (None if "handle" in handler.lower() else handler or None)
    words = (title or "").lower()
    flagged = bool(stream.disposition & _COMMENTARY_FLAGS)
    context: AudioCodecContext | None = stream.codec_context  # None where there is no decoder
    return AudioTrack(
        stream_index=stream.index,
        codec=context.codec.canonical_name if context is not None else "unknown",
        sample_rate_hz=context.sample_rate or 0 if context is not None else 0,
        channels=context.channels or 0 if context is not None else 0,
        language=_language(stream.metadata),
        title=title,
        is_default=bool(stream.disposition & Disposition.default),
        is_commentary=flagged or any(word in words for word in _COMMENTARY_WORDS),
    )


def _subtitle_track(stream: Any) -> SubtitleTrack:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"
    return SubtitleTrack(stream.index, codec, _language(stream.metadata), codec in TEXT_SUBTITLES)


def _language(metadata: dict[str, str]) -> str | None:
    code = metadata.get("language")
    return None if code in (None, "", "und") else code


def _tags(container: InputContainer, stream: VideoStream) -> dict[str, str]:
    pairs = itertools.chain(stream.metadata.items(), container.metadata.items())
    return {key.lower(): value.strip() for key, value in pairs if value and value.strip()}


def _first(tags: dict[str, str], *keys: str) -> str | None:
    return next((tags[key] for key in keys if key in tags), None)


def _camera(tags: dict[str, str]) -> str | None:
    make = _first(tags, "com.apple.quicktime.make", "com.android.manufacturer", "make", "manufacturer")
    model = _first(tags, "com.apple.quicktime.model", "com.android.model", "model")
    if make and model and model.lower().startswith(make.lower()):
        return model
    return " ".join(part for part in (make, model) if part) or None
