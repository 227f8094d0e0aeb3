"""What a video file contains and whether it can be used, by reading its packets instead of trusting its header."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
from heimdex_core.media.containers import (
    Structure,
    is_video_container,
    open_media,
    read_packets,
    read_structure,
    video_streams,
)
from heimdex_core.media.decode import Orientation, orientation_of
from heimdex_core.types import AudioTrack, MediaInfo, SubtitleTrack

_TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
_COMMENTARY_WORDS = (
    "commentary", "comment", "description", "descriptive", "described", "해설", "코멘터리", "화면 해설",
)  # fmt: skip
_COMMENTARY_FLAGS = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions

# A clip of "600 s" is often one packet of audio longer.
_LIMIT_SLACK_S = 0.25
_MISMATCH_MIN_S, _MISMATCH_SHARE = 2.0, 0.05
_NOTED_DELAY_S = 0.1


def check_file(path: Path, *, max_bytes: int, filename: str | None = None) -> int:
    """The size in bytes of a readable regular file that has at most `max_bytes`.

    `filename` is the name used in messages, by default that of `path`. Raises FileUnreadable, EmptyFile, FileTooLarge.
    """
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
    """Describe a video file, or raise why it cannot be used.

    Args:
        path: the file; its content decides, not its name.
        max_bytes, max_duration_s: the limits, in bytes and seconds.
        filename: the name used in messages, by default that of `path`.
        measure: read every packet, decoding no more than the first frame, for the true duration and frame count.
            Without it they are taken from the header, unless it claims nothing or more than the limit.

    Raises FileUnreadable, EmptyFile, FileTooLarge, NotAVideo, NoVideoStream, UndecodableVideo, TruncatedFile,
    VideoTooLong, DurationMismatch.
    """
    name = filename or path.name
    check_file(path, max_bytes=max_bytes, filename=name)
    structure = read_structure(path)
    if structure.missing_index:
        raise TruncatedFile(filename=name, reason="its index (moov) is missing, so the recording or copy was cut off")
    with open_media(path, name) as container:
        stream = _video_stream(container, name)
        claimed_s = structure.claimed_duration_s
        over = claimed_s is not None and claimed_s > max_duration_s + _LIMIT_SLACK_S
        # without a claim the only way to know the duration is to measure it
        measure = measure or over or claimed_s is None
        stop_after_s = max_duration_s + _LIMIT_SLACK_S if over else None
        scan = _scan(container, stream, stop_after_s=stop_after_s, whole=measure)
        if scan.first is None:
            raise UndecodableVideo(filename=name, reason=_why_undecodable(scan, structure))
        if measure:
            _check_duration(name, structure, scan, max_duration_s)
        return _describe(container, stream, scan, scan.first, structure)


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    streams = video_streams(container)
    if not streams:
        kinds = sorted({s.type for s in container.streams if s.type in ("audio", "subtitle", "data")})
        if "audio" in kinds:
            raise NoVideoStream(filename=name, streams=" and ".join(kinds))
        reason = "it has neither video nor audio" if is_video_container(container) else "it is another kind of file"
        raise NotAVideo(filename=name, reason=reason)
    if not is_video_container(container):
        raise NotAVideo(filename=name, reason=f"it is {container.format.long_name}, not MP4, MOV, AVI, MKV or WebM")
    if all(s.codec_context is None for s in streams):
        raise UndecodableVideo(filename=name, reason="its codec is not known here")
    streams = [s for s in streams if s.codec_context is not None]
    best = container.streams.best("video")
    return best if isinstance(best, VideoStream) and best in streams else streams[0]


# --- reading the packets --------------------------------------------------------------------------


@dataclass
class _Scan:
    """What reading the packets showed."""

    whole: bool
    """Whether all packets were to be read."""
    extents: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Stream index -> (start, end) of its packets in seconds."""
    video_pts: list[int] = field(default_factory=list)
    video_packets: int = 0
    first: VideoFrame | None = None
    first_pts: int | None = None
    orientation: Orientation = Orientation()
    decode_error: str | None = None
    stopped_early: bool = False

    def span_s(self, indexes: Iterable[int]) -> tuple[float, float]:
        """(earliest start, latest end) of these streams; (0, 0) where they have no packets."""
        known = [self.extents[i] for i in indexes if i in self.extents]
        return (min(start for start, _ in known), max(end for _, end in known)) if known else (0.0, 0.0)

    def add(self, packet: av.Packet, video: VideoStream) -> None:
        is_video = packet.stream.index == video.index
        self.video_packets += is_video
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None or packet.time_base is None:
            return
        duration = packet.duration or 0
        if is_video:
            self.video_pts.append(pts)
            if not duration and video.average_rate:
                duration = round(1 / (video.average_rate * packet.time_base))
        unit_s = float(packet.time_base)
        start_s, end_s = pts * unit_s, (pts + duration) * unit_s
        known = self.extents.get(packet.stream.index, (start_s, end_s))
        self.extents[packet.stream.index] = (min(known[0], start_s), max(known[1], end_s))

    def try_decode(self, packet: av.Packet) -> None:
        try:
            frames: list[Any] = packet.decode()
        except av.error.FFmpegError as error:
            self.decode_error = error.strerror
            return
        if frames:
            self.first = frames[0]
            self.first_pts = self.first.pts if self.first.pts is not None else self.first.dts
            self.orientation = orientation_of(self.first)


def _scan(container: InputContainer, stream: VideoStream, *, stop_after_s: float | None, whole: bool) -> _Scan:
    """Read packets (all when `whole`), decoding only until the first frame comes out."""
    scan = _Scan(whole)
    stream.thread_type = av.codec.context.ThreadType.SLICE  # frame threads would hold back the first frame
    origin_s = _header_origin_s(container, stream)
    for packet in read_packets(container):
        is_video = packet.stream.index == stream.index
        if packet.size and not packet.is_discard:
            scan.add(packet, stream)
        if is_video and scan.first is None:
            scan.try_decode(packet)
        if scan.first is not None:
            if not whole:
                break
            if stop_after_s is not None and is_video and scan.span_s([stream.index])[1] - origin_s > stop_after_s:
                scan.stopped_early = True
                break
    return scan


def _header_origin_s(container: InputContainer, stream: VideoStream) -> float:
    """The earliest start of video and audio that the container claims, in seconds."""
    starts = [
        float(s.start_time * s.time_base)
        for s in (stream, *container.streams.audio)
        if s.start_time is not None and s.time_base is not None
    ]
    return min(starts, default=0.0)


def _why_undecodable(scan: _Scan, structure: Structure) -> str:
    cut = f"the file ends {structure.missing_bytes} bytes before it should" if structure.missing_bytes else ""
    if not scan.video_packets:
        return cut or "its video track is empty"
    tried = f"none of its {scan.video_packets} frames can be decoded"
    return f"{tried}, and {cut}" if cut else f"{tried} ({scan.decode_error})" if scan.decode_error else tried


# --- checking -------------------------------------------------------------------------------------


def differs(claimed_s: float, measured_s: float) -> bool:
    """Whether a claimed duration is more than 2 s and more than 5 % away from the measured one."""
    return abs(claimed_s - measured_s) > max(_MISMATCH_MIN_S, _MISMATCH_SHARE * measured_s)


def _check_duration(name: str, structure: Structure, scan: _Scan, limit_s: float) -> None:
    start_s, end_s = scan.span_s(scan.extents)
    claimed_s, measured_s = structure.claimed_duration_s, end_s - start_s
    if scan.stopped_early and claimed_s is not None:
        raise VideoTooLong(filename=name, duration_s=round(claimed_s, 1), limit_s=limit_s)
    # Matroska's claim counts from time 0 of the clock, not from the first packet
    if claimed_s is not None and differs(claimed_s, measured_s) and differs(claimed_s, end_s):
        if measured_s < claimed_s and structure.missing_bytes:
            found = f"it has {measured_s:.1f} of {claimed_s:.1f} s"
            raise TruncatedFile(filename=name, reason=f"{found}, and {structure.missing_bytes} bytes are missing")
        raise DurationMismatch(filename=name, claimed_s=round(claimed_s, 1), measured_s=round(measured_s, 1))
    if measured_s > limit_s + _LIMIT_SLACK_S:
        raise VideoTooLong(filename=name, duration_s=round(measured_s, 1), limit_s=limit_s)


# --- describing -----------------------------------------------------------------------------------


def _describe(
    container: InputContainer, stream: VideoStream, scan: _Scan, first: VideoFrame, structure: Structure
) -> MediaInfo:
    unit_s = float(stream.time_base or 0)
    origin_s = _header_origin_s(container, stream)
    playable = (stream.index, *(s.index for s in container.streams.audio))
    end_s = scan.span_s(playable)[1]
    duration_s = end_s - origin_s if scan.whole else structure.claimed_duration_s or 0.0
    first_frame_s = max(0.0, (scan.first_pts or 0) * unit_s - origin_s)
    fps, variable = frame_rate(scan.video_pts, unit_s, float(stream.average_rate or 0))
    if not scan.whole:
        fps, variable = float(stream.average_rate or fps or 25), False
    width, height = displayed_size(stream, first, scan.orientation)
    # the hidden frames of VP8 have the time of a shown one
    frame_count = len(set(scan.video_pts)) if scan.whole else stream.frames or round(duration_s * fps)
    tags = _tags(container, stream)
    info = MediaInfo(
        container=structure.kind if structure.kind != "other" else container.format.name,
        size_bytes=structure.size_bytes,
        claimed_duration_s=structure.claimed_duration_s,
        duration_s=max(duration_s, first_frame_s),
        origin_s=origin_s,
        video_stream_index=stream.index,
        video_codec=stream.codec_context.codec.canonical_name,
        video_profile=stream.profile,
        pixel_format=first.format.name,
        width=width,
        height=height,
        coded_width=first.width,
        coded_height=first.height,
        rotation_deg=scan.orientation.rotation_deg,
        fps=fps,
        frame_count=max(1, frame_count),
        is_variable_frame_rate=variable,
        first_frame_s=first_frame_s,
        audio_tracks=tuple(_audio_track(s) for s in container.streams.audio),
        subtitle_tracks=tuple(_subtitle_track(s) for s in container.streams.subtitles),
        created_at=_first(tags, "com.apple.quicktime.creationdate", "creation_time", "date"),
        camera=_camera(tags),
        gps=_first(tags, "com.apple.quicktime.location.iso6709", "location", "location-eng"),
        notes=(),
    )
    return replace(info, notes=_notes(info, scan, structure))


def _notes(info: MediaInfo, scan: _Scan, structure: Structure) -> tuple[str, ...]:
    found = {
        "no_audio": not info.audio_tracks,
        "variable_frame_rate": info.is_variable_frame_rate,
        "rotated": info.rotation_deg != 0,
        "mirrored": scan.orientation.is_mirrored,
        "one_frame": scan.whole and len(set(scan.video_pts)) == 1,
        "odd_size": info.coded_width % 2 == 1 or info.coded_height % 2 == 1,
        "delayed_first_frame": info.first_frame_s >= _NOTED_DELAY_S,
        # the duration is right (else the file would have been refused), but the last bytes are missing
        "cut_short": scan.whole and structure.missing_bytes > 0,
    }
    return tuple(code for code, yes in found.items() if yes)


def frame_rate(pts: list[int], unit_s: float, header_fps: float) -> tuple[float, bool]:
    """(frames per second, whether the rate is variable).

    Args:
        pts: presentation times in any order, in units of `unit_s` seconds.
        header_fps: the rate in the header, 0 if unknown; returned where the measured one is within 1 % of it,
            because it is exact (30000/1001).
    """
    times = np.unique(np.asarray(pts, np.int64))
    if len(times) < 2:
        return header_fps or 25.0, False
    span_s = float(times[-1] - times[0]) * unit_s
    measured = (len(times) - 1) / span_s
    steps = np.diff(times)
    middle = float(np.median(steps))
    # neither the rounding of the clock (33 and 34 ms at 30 fps) nor one dropped frame makes a rate variable
    off = np.abs(steps - middle) > max(2.0, 0.05 * middle)
    variable = int(off.sum()) >= 2 and float(off.mean()) > 0.01
    usual = 1 / (middle * unit_s) if middle > 0 else measured
    close = any(abs(rate - header_fps) <= 0.01 * header_fps for rate in (measured, usual))
    return (header_fps if close and not variable else measured), variable


def displayed_size(stream: VideoStream, frame: VideoFrame, orientation: Orientation) -> tuple[int, int]:
    """(width, height) in pixels as a player shows it: non-square pixels are stretched, then the frame is turned."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    width, height = frame.width, frame.height
    if aspect and aspect > 0 and aspect != 1:
        width = max(1, round(width * float(aspect)))
    return (height, width) if orientation.transpose else (width, height)


def _audio_track(stream: AudioStream) -> AudioTrack:
    # MP4 stores the title as the name of the handler, where most writers put "SoundHandler"
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
    return SubtitleTrack(stream.index, codec, _language(stream.metadata), codec in _TEXT_SUBTITLES)


def _language(metadata: dict[str, str]) -> str | None:
    code = metadata.get("language")
    return None if code in (None, "", "und") else code


def _tags(container: InputContainer, stream: VideoStream) -> dict[str, str]:
    """Tags by lower-case name; those of the container take precedence."""
    pairs = (*stream.metadata.items(), *container.metadata.items())
    return {key.lower(): value.strip() for key, value in pairs if value and value.strip()}


def _first(tags: dict[str, str], *keys: str) -> str | None:
    return next((tags[key] for key in keys if key in tags), None)


def _camera(tags: dict[str, str]) -> str | None:
    make = _first(tags, "com.apple.quicktime.make", "com.android.manufacturer", "make", "manufacturer")
    model = _first(tags, "com.apple.quicktime.model", "com.android.model", "model")
    if make and model and model.lower().startswith(make.lower()):
        return model
    return " ".join(part for part in (make, model) if part) or None
