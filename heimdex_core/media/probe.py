"""What a video file contains and whether it can be used, by reading its packets instead of trusting its header."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from heimdex_core.errors import (
    DurationMismatch,
    EmptyFile,
    FileTooLarge,
    FileUnreadable,
    FrameTooLarge,
    NotAVideo,
    NoVideoStream,
    TruncatedFile,
    UndecodableVideo,
    VideoTooLong,
)
from heimdex_core.media import limits, tracks
from heimdex_core.media.containers import (
    Structure,
    claimed_sizes,
    is_video_container,
    open_media,
    read_structure,
    video_streams,
)
from heimdex_core.media.decode import Orientation
from heimdex_core.media.packet_scan import PacketScan, Size, VideoScan, scan_packets
from heimdex_core.media.treatment import with_treatment
from heimdex_core.types import AudioTrack, MediaInfo, VideoTrack, WorkContext

# A clip of "600 s" is often one packet of audio longer.
_LIMIT_SLACK_S = 0.25
_MISMATCH_MIN_S, _MISMATCH_SHARE = 2.0, 0.05
_NOTED_DELAY_S = 0.1
_DISCARDED_SHARE = 0.2


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
    path: Path,
    *,
    max_bytes: int,
    max_duration_s: float,
    filename: str | None = None,
    measure: bool = True,
    audio_track: int | None = None,
    sound: bool = True,
    context: WorkContext | None = None,
) -> MediaInfo:
    """Describe a video file, or raise why it cannot be used.

    Args:
        path: the file; its content decides, not its name.
        max_bytes, max_duration_s: the limits, in bytes and seconds.
        filename: the name used in messages, by default that of `path`.
        measure: read every packet, decoding the sound but no more than the first frame of the picture, for the true
            duration and frame count and for the choice of tracks. Without it they are taken from the header, unless
            it claims nothing or more than the limit.
        audio_track: the number, from 1, of the sound track that was chosen by hand; None chooses one.
        sound: whether the sound is decoded where everything is measured.
        context: receives progress in seconds.

    Frames may be as large as `media.limits` says. Raises FileUnreadable, EmptyFile, FileTooLarge, FrameTooLarge,
    NotAVideo, NoVideoStream, UndecodableVideo, TruncatedFile, VideoTooLong, DurationMismatch, Cancelled.
    """
    name = filename or path.name
    check_file(path, max_bytes=max_bytes, filename=name)
    structure = read_structure(path)
    if structure.missing_index:
        raise TruncatedFile(filename=name, reason="its index (moov) is missing, so the recording or copy was cut off")
    claimed = claimed_sizes(path)
    with open_media(path, name) as container:
        streams = _video_streams(container, name)
        # before anything is decoded
        too_large = _too_large(streams, claimed)
        if len(too_large) == len(streams):
            raise _frame_too_large(name, too_large[streams[0].index])
        audio_tracks = tuple(tracks.audio_track(s) for s in limits.first_tracks(container, "audio"))
        claimed_s = structure.claimed_duration_s
        over = claimed_s is not None and claimed_s > max_duration_s + _LIMIT_SLACK_S
        # without a claim the only way to know the duration is to measure it
        measure = measure or over or claimed_s is None
        scan = scan_packets(
            container,
            streams,
            origin_s=_header_origin_s(container, streams[0]),
            stop_after_s=max_duration_s + _LIMIT_SLACK_S if over else None,
            whole=measure,
            too_large=too_large,
            sound=sound,
            context=context or WorkContext(),
        )
        video_tracks = _video_tracks(container, scan)
        chosen = _chosen_stream(name, streams, video_tracks, scan)
        first = scan.video[chosen.index].first if chosen is not None else None
        if chosen is None or first is None:
            raise UndecodableVideo(filename=name, reason=_why_undecodable(scan.video[streams[0].index], structure))
        if measure:
            _check_duration(name, structure, scan, max_duration_s)
        info = _describe(container, chosen, scan, first, structure)
        info = replace(info, video_tracks=video_tracks, audio_tracks=audio_tracks)
        info = _with_choices(info, scan, structure, audio_track)
        left_out = limits.tracks_left_out(container)
        info = replace(info, notes=_notes(info, scan, structure, audio_track, left_out))
        # a file that is only checked is not shown
        return with_treatment(path, info, chosen, first) if measure else info


def _video_streams(container: InputContainer, name: str) -> list[VideoStream]:
    """The picture tracks that there are decoders for, libav's own choice first."""
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
    best = container.streams.best("video")
    return sorted((s for s in streams if s.codec_context is not None), key=lambda s: s is not best)


def _header_origin_s(container: InputContainer, stream: VideoStream) -> float:
    """The earliest start of video and audio that the container claims, in seconds."""
    starts = [
        float(s.start_time * s.time_base)
        for s in (stream, *limits.first_tracks(container, "audio"))
        if s.start_time is not None and s.time_base is not None
    ]
    return min(starts, default=0.0)


def _too_large(streams: list[VideoStream], claimed: Mapping[int, tuple[int, int]]) -> dict[int, Size]:
    """The size of the tracks that are not decoded, by stream index: what the container claims or the stream says."""
    found: dict[int, Size] = {}
    for stream in streams:
        context = stream.codec_context
        for width, height in (claimed.get(stream.index, (0, 0)), (context.width, context.height)):
            if limits.is_too_large(width, height, context.pix_fmt):
                found[stream.index] = (width, height, context.pix_fmt)
    return found


def _frame_too_large(name: str, size: Size) -> FrameTooLarge:
    return FrameTooLarge(
        filename=name,
        width=size[0],
        height=size[1],
        frame_bytes=limits.frame_bytes(*size),
        limit_bytes=limits.current().frame_bytes,
    )


def _why_undecodable(scan: VideoScan, structure: Structure) -> str:
    cut = f"the file ends {structure.missing_bytes} bytes before it should" if structure.missing_bytes else ""
    if not scan.packets:
        return cut or "its video track is empty"
    if scan.refused:
        return f"its frames are damaged, or have more than {limits.most_pixels()} pixels (HEIMDEX_MAX_FRAME_BYTES)"
    tried = f"none of its {scan.packets} frames can be decoded"
    return f"{tried}, and {cut}" if cut else f"{tried} ({scan.decode_error})" if scan.decode_error else tried


# --- choosing tracks ------------------------------------------------------------------------------


def _video_tracks(container: InputContainer, scan: PacketScan) -> tuple[VideoTrack, ...]:
    """The picture tracks, cover art left out, with their frames counted where all packets were read."""

    def counted(track: VideoTrack) -> VideoTrack:
        found = scan.video.get(track.stream_index)
        return replace(track, frame_count=found.frame_count) if found is not None and scan.whole else track

    return tuple(counted(tracks.video_track(stream)) for stream in video_streams(container))


def _chosen_stream(
    name: str, streams: list[VideoStream], video_tracks: tuple[VideoTrack, ...], scan: PacketScan
) -> VideoStream | None:
    """The best stream of which a frame was decoded; None where there is none.

    Raises FrameTooLarge where a better one is too large. Only the whole file shows which are still pictures: until
    then, one that can be decoded is good enough.
    """
    by_index = {stream.index: stream for stream in streams}
    for track in tracks.ranked_video(video_tracks, preferred=streams[0].index):
        found = scan.video.get(track.stream_index)
        if found is not None and found.first is not None:
            return by_index[track.stream_index]
        if found is not None and found.too_large is not None and scan.whole:
            raise _frame_too_large(name, found.too_large)
    size = next((found.too_large for found in scan.video.values() if found.too_large is not None), None)
    if size is not None:
        raise _frame_too_large(name, size)
    return None


def _with_choices(info: MediaInfo, scan: PacketScan, structure: Structure, audio_track: int | None) -> MediaInfo:
    undecodable = [index for index, found in scan.video.items() if found.packets and found.first is None]
    too_large = [index for index, found in scan.video.items() if found.too_large is not None]
    sound = tracks.choose_audio_track(info.audio_tracks, scan.meters, audio_track)
    if sound is not None and structure.rearranged:
        sound = replace(sound, needs_decoding=True)

    def measured(track: AudioTrack) -> AudioTrack:
        meter = scan.meters.get(track.stream_index)
        return replace(track, peak=round(meter.peak, 5)) if meter is not None else track

    return tracks.with_subtitle_choice(
        replace(
            info,
            audio_tracks=tuple(measured(track) for track in info.audio_tracks),
            picture=tracks.choose_video(info.video_tracks, info.video_stream_index, undecodable, too_large),
            sound=sound,
        )
    )


# --- checking -------------------------------------------------------------------------------------


def differs(claimed_s: float, measured_s: float) -> bool:
    """Whether a claimed duration is more than 2 s and more than 5 % away from the measured one."""
    return abs(claimed_s - measured_s) > max(_MISMATCH_MIN_S, _MISMATCH_SHARE * measured_s)


def _check_duration(name: str, structure: Structure, scan: PacketScan, limit_s: float) -> None:
    start_s, end_s = scan.span_s(scan.extents)
    claimed_s, measured_s = structure.claimed_duration_s, end_s - start_s
    if scan.stopped_early and claimed_s is not None:
        raise VideoTooLong(filename=name, duration_s=round(claimed_s, 1), limit_s=limit_s)
    # of joined recordings, the header claims the first one; AVI has no clock, so that its times go on
    if scan.restarts or (structure.kind == "avi" and structure.files > 1):
        claimed_s = None
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
    container: InputContainer, stream: VideoStream, scan: PacketScan, first: VideoFrame, structure: Structure
) -> MediaInfo:
    """Everything but video and sound tracks, choices and notes."""
    video = scan.video[stream.index]
    unit_s = float(stream.time_base or 0)
    origin_s = _header_origin_s(container, stream)
    playable = (stream.index, *(s.index for s in limits.first_tracks(container, "audio")))
    end_s = scan.span_s(playable)[1]
    duration_s = end_s - origin_s if scan.whole else structure.claimed_duration_s or 0.0
    first_frame_s = max(0.0, (video.first_pts or 0) * unit_s - origin_s)
    fps, variable = frame_rate(video.pts, unit_s, float(stream.average_rate or 0))
    if not scan.whole:
        fps, variable = float(stream.average_rate or fps or 25), False
    width, height = displayed_size(stream, first, video.orientation)
    frame_count = video.frame_count if scan.whole else stream.frames or round(duration_s * fps)
    tags = _tags(container, stream)
    return MediaInfo(
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
        rotation_deg=video.orientation.rotation_deg,
        fps=fps,
        frame_count=max(1, frame_count),
        is_variable_frame_rate=variable,
        recordings=max(scan.restarts + 1, structure.files if structure.kind == "avi" else 1),
        first_frame_s=first_frame_s,
        subtitle_tracks=tuple(tracks.subtitle_track(s) for s in limits.first_tracks(container, "subtitles")),
        created_at=_first(tags, "com.apple.quicktime.creationdate", "creation_time", "date"),
        camera=_camera(tags),
        gps=_first(tags, "com.apple.quicktime.location.iso6709", "location", "location-eng"),
    )


def _notes(
    info: MediaInfo, scan: PacketScan, structure: Structure, audio_track: int | None, tracks_left_out: int
) -> tuple[str, ...]:
    video = scan.video[info.video_stream_index]
    found = {
        "no_audio": not info.audio_tracks,
        "variable_frame_rate": info.is_variable_frame_rate,
        "rotated": info.rotation_deg != 0,
        "mirrored": video.orientation.is_mirrored,
        "one_frame": scan.whole and video.frame_count == 1,
        "odd_size": info.coded_width % 2 == 1 or info.coded_height % 2 == 1,
        "delayed_first_frame": info.first_frame_s >= _NOTED_DELAY_S,
        # the duration is right (else the file would have been refused), but the last bytes are missing
        "cut_short": scan.whole and structure.missing_bytes > 0,
        "edit_speed": structure.edit_speed,
        f"tracks_left_out:{tracks_left_out}": tracks_left_out > 0,
        f"recordings_joined:{info.recordings}": info.recordings > 1,
        f"ends_early:{info.duration_s:.1f}": _ends_early(info, scan, structure),
        f"audio_track_missing:{audio_track}": audio_track is not None and not (info.sound and info.sound.by_hand),
    }
    return (*(code for code, yes in found.items() if yes), *tracks.sound_notes(info, scan.meters))


def _ends_early(info: MediaInfo, scan: PacketScan, structure: Structure) -> bool:
    """Whether a further file follows in the same bytes that is not read."""
    if structure.fragmented:  # the header may be repeated before later fragments; those of another file are discarded
        return structure.files > 1 and scan.discarded > _DISCARDED_SHARE * scan.packets
    return structure.files > info.recordings


def frame_rate(pts: list[int], unit_s: float, header_fps: float) -> tuple[float, bool]:
    """(frames per second, whether the rate is variable).

    Args:
        pts: presentation times in any order, in units of `unit_s` seconds.
        header_fps: the rate in the header, 0 if unknown; returned where it is as far from the measured one as the
            clock and the jitter of the frames explain, because it is exact (30000/1001). Headers of fragmented MP4
            have an estimate.
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
    if _are_many(off):
        return measured, True
    # the same for clocks whose unit is almost as long as a frame
    off = np.abs(steps - middle) > max(min(2.0, middle / 2), 0.05 * middle)
    usual = steps if _are_many(off) else steps[~off]
    # of steps that follow each other only the first and the last moment are inexact: by a unit of the clock, or by as
    # much as frames are early or late; steps that are left out part the others into further stretches
    stretches = 1 + len(steps) - len(usual)
    inexact = stretches * max(1.0, float(np.abs(usual - middle).max())) / float(usual.sum())
    fps = 1 / (float(usual.mean()) * unit_s)
    return (header_fps if abs(fps - header_fps) <= inexact * fps else fps), False


def _are_many(off: npt.NDArray[np.bool_]) -> bool:
    return int(off.sum()) >= 2 and float(off.mean()) > 0.01


def displayed_size(stream: VideoStream, frame: VideoFrame, orientation: Orientation) -> tuple[int, int]:
    """(width, height) in pixels as a player shows it: non-square pixels are stretched, then the frame is turned."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    width, height = frame.width, frame.height
    if aspect and aspect > 0 and aspect != 1:
        width = max(1, round(width * float(aspect)))
    return (height, width) if orientation.transpose else (width, height)


def _tags(container: InputContainer, stream: VideoStream) -> dict[str, str]:
    """Tags by lower-case name; those of the container take precedence."""
    pairs = (*stream.metadata.items(), *container.metadata.items())
    cut = ((key[: limits.MAX_TEXT_CHARS].lower(), value[: limits.MAX_TEXT_CHARS].strip()) for key, value in pairs)
    return {key: value for key, value in cut if value}


def _first(tags: dict[str, str], *keys: str) -> str | None:
    return next((tags[key] for key in keys if key in tags), None)


def _camera(tags: dict[str, str]) -> str | None:
    make = _first(tags, "com.apple.quicktime.make", "com.android.manufacturer", "make", "manufacturer")
    model = _first(tags, "com.apple.quicktime.model", "com.android.model", "model")
    if make and model and model.lower().startswith(make.lower()):
        return model
    return " ".join(part for part in (make, model) if part) or None
