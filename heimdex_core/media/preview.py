"""Previews: copies for browsers of what they cannot play, with the same times as the source.

What Chromium plays was measured: 8-bit 4:2:0 H.264, VP8, VP9 and AV1 in MP4, MOV, MKV and WebM, with AAC, MP3,
Opus, Vorbis or FLAC. It does not play AVI, MPEG-4 part 2 or HEVC, nor PCM or AC-3 audio.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av

from heimdex_core.errors import InvalidValue, RenderFailed
from heimdex_core.media.audio import choose_audio, has_sound, write_sound
from heimdex_core.media.colour import MATRIX_CODES, is_plain
from heimdex_core.media.ffmpeg import removed_on_failure, run_ffmpeg
from heimdex_core.media.graph import (
    AUDIO_ENCODER,
    KEEP_TIMES,
    MP4,
    SAMPLE_RATE_HZ,
    RenderFormat,
    exact_fps,
    input_args,
    rebase_audio,
    rebase_video,
    video_encoder,
)
from heimdex_core.media.joined import copied_info, copy_with_one_clock
from heimdex_core.media.picture import picture_chain
from heimdex_core.types import AudioTrack, MediaInfo, PictureTreatment, WorkContext

PreviewPlan = Literal["none", "remux", "transcode"]
"""No preview is needed, only another container, or another encoding."""

_CONTAINERS = ("mov", "matroska")
_VIDEO_CODECS = frozenset({"h264", "vp8", "vp9", "av1"})
_VIDEO_IN_MP4 = frozenset({"h264", "vp9", "av1"})
_AUDIO_CODECS = frozenset({"aac", "mp3", "opus", "vorbis", "flac"})
_AUDIO_IN_MP4 = frozenset({"aac", "mp3", "opus", "flac"})
_PIXEL_FORMATS = frozenset({"yuv420p", "yuvj420p", "nv12"})
_MAX_FPS = Fraction(60)
# Video of variable frame rate gets a constant rate of at least this.
_VARIABLE_FPS = Fraction(30)
_SAME_ORIGIN_S = 0.04
_CRF, _PRESET = 23, "veryfast"
# H.264 encoders and the decoders of graphics cards take no longer side.
_MAX_SIDE_PX = 4096


def preview_plan(info: MediaInfo, *, damaged: bool = False, changes_size: bool = False) -> PreviewPlan:
    """What browsers need in order to play a file as keyframes and reels show it.

    `damaged` means that some of its frames cannot be decoded: Chromium stops at the first of them, so the file is
    transcoded. So it is where frames have several sizes (`changes_size`), are interlaced or need their colours changed.
    """
    if damaged or changes_size or info.video_codec not in _VIDEO_CODECS or info.pixel_format not in _PIXEL_FORMATS:
        return "transcode"
    treatment = info.treatment or PictureTreatment()
    if treatment.field_order is not None or not is_plain(treatment):
        return "transcode"
    # browsers play the first tracks, whichever they are
    played = info.audio_tracks[:1]
    playable = info.container in _CONTAINERS and all(track.codec in _AUDIO_CODECS for track in played)
    playable = playable and _plays_the_chosen(info)
    # and they show the container's own clock: a file that starts at 5 s would be 5 s off
    if playable and abs(info.origin_s) <= _SAME_ORIGIN_S and not treatment.retag:
        return "none"
    return "remux" if info.video_codec in _VIDEO_IN_MP4 else "transcode"


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
    """Write a preview as MP4. Damaged frames are concealed.

    Args:
        info: what `probe` returned for the video at `path`.
        out: the file to write; removed on failure.
        plan: "remux" copies the video stream, or transcodes where a copy does not keep the times; not "none".
        height_px: limit of the shorter side of a transcoded preview, which has a keyframe every second.
        context: receives progress in seconds of video.
        timeout_s: limit of each run of ffmpeg in seconds; None for no limit.

    Raises InvalidValue, RenderFailed, RenderTimeout, DiskFull, Cancelled.
    """
    if plan == "none":
        raise InvalidValue(name="plan", value=plan, reason="this file needs no preview")
    with removed_on_failure(out), tempfile.TemporaryDirectory(dir=out.parent, prefix=".sound-") as folder:
        if info.recordings > 1:
            copy = Path(folder) / "joined.mkv"
            copy_with_one_clock(path, info, copy, context)
            path, info = copy, copied_info(info)
        sound = _Sound(path, info, Path(folder) / "sound.wav", context)
        if plan == "remux" and _remux(path, info, sound, out, context, timeout_s):
            return
        _transcode(path, info, sound, out, height_px, context, timeout_s)


def _plays_the_chosen(info: MediaInfo) -> bool:
    """Whether the tracks that a browser plays are the chosen ones, and play as they are."""
    sound, picture = info.sound, info.picture
    if info.recordings > 1:
        return False
    if sound is not None and (sound.needs_decoding or sound.stream_index != info.audio_tracks[0].stream_index):
        return False
    return picture is None or picture.stream_index == info.video_tracks[0].stream_index


@dataclass(frozen=True)
class _Sound:
    """The sound of a preview: the chosen track as ffmpeg reads it, or decoded to WAV for it."""

    path: Path
    info: MediaInfo
    wav: Path
    context: WorkContext

    @property
    def track(self) -> AudioTrack | None:
        """The track that ffmpeg can take; None where there is none."""
        needs_decoding = self.info.sound is not None and self.info.sound.needs_decoding
        return None if needs_decoding else choose_audio(self.info)

    def decoded(self) -> list[str]:
        """Arguments that open the decoded sound; [] where there is none."""
        silent = WorkContext(is_cancelled=self.context.is_cancelled)
        if not self.wav.exists():
            times = {"start_s": 0.0, "end_s": self.info.duration_s}
            write_sound(self.path, self.info, self.wav, rate_hz=SAMPLE_RATE_HZ, context=silent, **times)
        return ["-i", str(self.wav)] if has_sound(self.wav) else []


def _remux(
    path: Path, info: MediaInfo, sound: _Sound, out: Path, context: WorkContext, timeout_s: float | None
) -> bool:
    """Copy the video stream into MP4; false if the copy does not show it at the times of the source."""
    track = sound.track
    opened = ["-fflags", "+genpts", "-itsoffset", f"{-info.origin_s:.6f}", *input_args(path, info, 0.0)]
    decoded = sound.decoded() if track is None else []
    args = [KEEP_TIMES, *opened, *decoded, "-map", f"0:{info.video_stream_index}", "-c:v", "copy", *_tags(info)]
    if track is not None:
        args += ["-map", f"0:{track.stream_index}"]
        # -itsoffset has moved the origin to 0 already
        encoded = ["-af", rebase_audio(replace(info, origin_s=0.0), 0.0), *AUDIO_ENCODER]
        args += ["-c:a", "copy"] if track.codec in _AUDIO_IN_MP4 else encoded
    elif decoded:
        args += ["-map", "1:0", *AUDIO_ENCODER]
    args += [*MP4, str(out)]
    try:
        run_ffmpeg(args, total_s=info.duration_s, context=context, timeout_s=timeout_s)
        return _same_times(out, info)
    except RenderFailed:  # AVI has no presentation times: with B-frames the copy may be refused
        return False


def _tags(info: MediaInfo) -> list[str]:
    """Options that write the colour tags into a copy, where those of the source are missing or wrong."""
    treatment = info.treatment
    if treatment is None or not treatment.retag:
        return []
    matrix, is_full = MATRIX_CODES[treatment.matrix], int(treatment.full_range)
    tags = f"colour_primaries=1:transfer_characteristics=1:matrix_coefficients={matrix}"
    written = {
        "h264": f"h264_metadata={tags}:video_full_range_flag={is_full}",
        "av1": f"av1_metadata={tags.replace('colour_', 'color_')}:color_range={'pc' if is_full else 'tv'}",
        "vp9": f"vp9_metadata=color_space={'bt709' if treatment.matrix == 'bt709' else 'bt601'}",
    }
    return ["-bsf:v", written[info.video_codec]] if info.video_codec in written else []


def _same_times(out: Path, info: MediaInfo) -> bool:
    """Whether the copy has all frames and shows the first and the last one when the source does."""
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
        # two frames at one time: the order was lost
        and (not gaps or min(gaps) > 0)
    )


def _transcode(
    path: Path,
    info: MediaInfo,
    sound: _Sound,
    out: Path,
    height_px: int,
    context: WorkContext,
    timeout_s: float | None,
) -> None:
    fps = exact_fps(info.fps)
    fps = max(fps, _VARIABLE_FPS) if info.is_variable_frame_rate or fps <= 0 else fps
    fps = min(fps, _MAX_FPS)
    target = RenderFormat(*_reduced_size(info, height_px), fps, _CRF, _PRESET)
    # the first frame is shown from 0 on even where it comes later: all players then agree where 0 is
    timing = f"fps={target.fps}:start_time=0"
    shown = picture_chain(path, info, target.width, target.height, timing, fill=True)
    filters = f"{rebase_video(info, 0.0)},{shown}"
    video = ["-map", f"0:{info.video_stream_index}", "-vf", filters]
    encoders = [*video_encoder(target), "-g", str(max(1, round(target.fps))), *AUDIO_ENCODER]
    for inputs, audio in _ways_to_hear(sound):
        try:
            args = [KEEP_TIMES, *input_args(path, info, 0.0), *inputs, *video, *audio, *encoders, *MP4, str(out)]
            run_ffmpeg(args, total_s=info.duration_s, context=context, timeout_s=timeout_s)
            return
        except RenderFailed:
            if not audio:
                raise


def _ways_to_hear(sound: _Sound) -> Iterator[tuple[list[str], list[str]]]:
    """(inputs, options) to try one after the other. A preview without audio is better than none."""
    track = sound.track
    if track is not None:
        yield [], ["-map", f"0:{track.stream_index}", "-af", rebase_audio(sound.info, 0.0)]
    decoded = sound.decoded() if sound.info.has_audio else []
    if decoded:
        yield decoded, ["-map", "1:0"]
    yield [], []


def _reduced_size(info: MediaInfo, height_px: int) -> tuple[int, int]:
    """The shown size with the shorter side reduced to `height_px`, the longer to _MAX_SIDE_PX, and both sides even."""
    scale = min(1.0, height_px / min(info.width, info.height), _MAX_SIDE_PX / max(info.width, info.height))
    return max(2, 2 * round(info.width * scale / 2)), max(2, 2 * round(info.height * scale / 2))
