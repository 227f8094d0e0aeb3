"""A copy that browsers play, where they cannot play the source. Its time line is the source's: 0 is the same 0.

What Chromium plays was measured: H.264, VP8, VP9 and AV1 with 8-bit 4:2:0 pictures, in MP4, MOV, MKV and WebM,
with AAC, MP3, Opus, Vorbis or FLAC. It does not play AVI, MPEG-4 part 2 or HEVC, nor PCM or AC-3 sound.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av

from heimdex_core.errors import InvalidValue, RenderFailed
from heimdex_core.media.ffmpeg import removed_on_failure, run_ffmpeg
from heimdex_core.media.graph import (
    KEEP_TIMES,
    MP4,
    SOUND_ENCODER,
    RenderFormat,
    choose_audio,
    exact_fps,
    input_args,
    picture_encoder,
    picture_from,
    scale_colours,
    sound_from,
)
from heimdex_core.types import AudioTrack, MediaInfo, WorkContext

PreviewPlan = Literal["none", "remux", "transcode"]

_CONTAINERS = ("mov", "matroska")
_VIDEO_CODECS = frozenset({"h264", "vp8", "vp9", "av1"})
_IN_MP4 = frozenset({"h264", "vp9", "av1"})
_AUDIO_CODECS = frozenset({"aac", "mp3", "opus", "vorbis", "flac"})
_AUDIO_IN_MP4 = frozenset({"aac", "mp3", "opus", "flac"})
_PIXELS = frozenset({"yuv420p", "yuvj420p", "nv12"})
_MAX_FPS = Fraction(60)
# A picture of variable rate gets a constant one: fine enough for its fastest part, not finer than usual.
_VARIABLE_FPS = Fraction(30)
_SAME_ORIGIN_S = 0.04
_CRF, _PRESET = 23, "veryfast"


def preview_plan(info: MediaInfo, *, damaged: bool = False) -> PreviewPlan:
    """What a browser needs to play this file: nothing, another container, or another encoding.

    `damaged`: some of its pictures cannot be decoded. Chromium stops at the first such one, so it gets a proxy.
    """
    if damaged or info.video_codec not in _VIDEO_CODECS or info.pixel_format not in _PIXELS:
        return "transcode"
    # browsers play the first track they find, whichever it is
    heard = info.audio_tracks[:1]
    playable = info.container in _CONTAINERS and all(track.codec in _AUDIO_CODECS for track in heard)
    # and they show the container's own clock: a file that begins at 5 s would be 5 s off our times
    if playable and abs(info.origin_s) <= _SAME_ORIGIN_S:
        return "none"
    return "remux" if info.video_codec in _IN_MP4 else "transcode"


def make_preview(
    path: Path,
    info: MediaInfo,
    out: Path,
    plan: PreviewPlan,
    *,
    height_px: int,
    context: WorkContext,
    timeout_s: float | None = None,
) -> None:
    """Write the preview MP4 `out`. "remux" copies the picture; where that does not keep its times, it transcodes.

    A proxy is at most `height_px` pixels on its shorter side and has a keyframe every second. Damage is played
    over. Reports seconds of video. Raises RenderFailed, RenderTimeout, DiskFull, Cancelled; then `out` is gone.
    """
    if plan == "none":
        raise InvalidValue(name="plan", value=plan, reason="this file needs no preview")
    with removed_on_failure(out):
        if plan == "remux" and _remux(path, info, out, context, timeout_s):
            return
        _transcode(path, info, out, height_px, context, timeout_s)


def _remux(path: Path, info: MediaInfo, out: Path, context: WorkContext, timeout_s: float | None) -> bool:
    """Copy the picture into MP4; false if the result does not show it at the times of the source."""
    track = choose_audio(info)
    opened = ["-fflags", "+genpts", "-itsoffset", f"{-info.origin_s:.6f}", *input_args(path, info, 0.0)]
    args = [KEEP_TIMES, *opened, "-map", f"0:{info.video_stream_index}", "-c:v", "copy"]
    if track is not None:
        args += ["-map", f"0:{track.stream_index}"]
        # -itsoffset has moved the origin to 0 already
        filled = ["-af", sound_from(replace(info, origin_s=0.0), 0.0), *SOUND_ENCODER]
        args += ["-c:a", "copy"] if track.codec in _AUDIO_IN_MP4 else filled
    args += [*MP4, str(out)]
    try:
        run_ffmpeg(args, total_s=info.duration_s, context=context, timeout_s=timeout_s)
        return _same_times(out, info)
    except RenderFailed:  # AVI has no presentation times: with B-frames the copy may be refused
        return False


def _same_times(out: Path, info: MediaInfo) -> bool:
    """Whether the first and the last picture of the copy are shown when the source shows them."""
    frame_s = 1 / info.fps if info.fps > 0 else 0.04
    try:
        with av.open(str(out), format="mov") as container:
            stream = container.streams.video[0]
            unit_s = float(stream.time_base or 0)
            times = [p.pts * unit_s for p in container.demux(stream) if p.pts is not None]
    except av.error.FFmpegError:
        return False
    if len(times) < info.frame_count:
        return False
    ordered = sorted(times)
    gaps = [b - a for a, b in zip(ordered, ordered[1:], strict=False)]
    return (
        abs(ordered[0] - info.first_frame_s) <= 1.5 * frame_s
        and abs(ordered[-1] + frame_s - info.duration_s) <= max(0.5, 2 * frame_s)
        # two pictures at one time: the order was lost
        and (not gaps or min(gaps) > 0)
    )


def _transcode(
    path: Path, info: MediaInfo, out: Path, height_px: int, context: WorkContext, timeout_s: float | None
) -> None:
    fps = exact_fps(info.fps)
    fps = max(fps, _VARIABLE_FPS) if info.is_variable_frame_rate or fps <= 0 else fps
    fps = min(fps, _MAX_FPS)
    form = RenderFormat(*_proxy_size(info, height_px), fps, _CRF, _PRESET)
    track = choose_audio(info)
    try:
        _encode(path, info, track, form, out, context, timeout_s)
    except RenderFailed:
        if track is None:
            raise
        # sound of which nothing can be decoded must not cost the picture
        _encode(path, info, None, form, out, context, timeout_s)


def _encode(
    path: Path,
    info: MediaInfo,
    track: AudioTrack | None,
    form: RenderFormat,
    out: Path,
    context: WorkContext,
    timeout_s: float | None,
) -> None:
    # the first picture is shown from 0 on, also where it comes later: every player then agrees where 0 is
    size = f"{form.width}:{form.height}:{scale_colours(path, info)}"
    picture = f"{picture_from(info, 0.0)},fps={form.fps}:start_time=0,scale={size},setsar=1,format=yuv420p"
    args = [KEEP_TIMES, *input_args(path, info, 0.0), "-map", f"0:{info.video_stream_index}", "-vf", picture]
    if track is not None:
        args += ["-map", f"0:{track.stream_index}", "-af", sound_from(info, 0.0)]
    keyframes = str(max(1, round(form.fps)))
    args += [*picture_encoder(form), "-g", keyframes, *SOUND_ENCODER, *MP4, str(out)]
    run_ffmpeg(args, total_s=info.duration_s, context=context, timeout_s=timeout_s)


def _proxy_size(info: MediaInfo, height_px: int) -> tuple[int, int]:
    """The shown size, its shorter side at most `height_px`, both sides even."""
    scale = min(1.0, height_px / min(info.width, info.height))
    return max(2, 2 * round(info.width * scale / 2)), max(2, 2 * round(info.height * scale / 2))
