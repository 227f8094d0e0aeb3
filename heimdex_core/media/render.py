"""Rendering a reel with ffmpeg, and measuring rendered files."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av

from heimdex_core.errors import InvalidValue, RenderFailed, RenderTimeout
from heimdex_core.media.audio import choose_audio
from heimdex_core.media.decoded_sound import with_decoded_sound
from heimdex_core.media.ffmpeg import removed_on_failure, run_ffmpeg
from heimdex_core.media.graph import (
    AUDIO_ENCODER,
    KEEP_TIMES,
    MP4,
    RenderClip,
    RenderFormat,
    clip_frames,
    exact_fps,
    input_args,
    reel_graph,
    video_encoder,
    wide_size,
)
from heimdex_core.media.joined import with_one_clock
from heimdex_core.types import WorkContext

__all__ = ["RenderClip", "RenderMeasure", "choose_audio", "measure", "render_reel", "wide_size"]

# All inputs of a graph decode from its start, and each holds about this many frames (measured: 50 inputs of
# 1080p 1.3 GB, of 4K 4 GB). What would not fit into memory is rendered in several graphs.
_FRAMES_PER_INPUT = 8
_MAX_DECODED_BYTES = 1_300_000_000
_NAMED_INPUT = re.compile(r"Cannot determine format of input (\d+):")


def render_reel(
    clips: Sequence[RenderClip],
    out: Path,
    *,
    width: int,
    height: int,
    fps: float,
    crf: int,
    preset: str,
    timeout_s: float | None,
    context: WorkContext,
) -> None:
    """Render clips one after the other into an MP4: H.264 yuv420p with its index in front, AAC 44.1 kHz stereo.

    Args:
        clips: at least one; each is fitted into the frame and centred on black.
        out: the file to write; removed on failure.
        width, height: even numbers of pixels.
        fps: constant frame rate, frames per second; 29.97 stands for 30000/1001.
        crf: quality for libx264, 0 (lossless) to 51 (worst).
        preset: speed for libx264, "ultrafast" to "veryslow".
        timeout_s: limit of the whole rendering in seconds; None for no limit.
        context: receives progress in seconds of the reel.

    Raises InvalidValue, RenderFailed, RenderTimeout, DiskFull, Cancelled.
    """
    if not clips:
        raise InvalidValue(name="clips", value="0", reason="there must be at least one")
    target = RenderFormat(width, height, exact_fps(fps), crf, preset)
    with removed_on_failure(out), tempfile.TemporaryDirectory(dir=out.parent, prefix=".sound-") as folder:
        clips = with_one_clock(with_decoded_sound(clips, Path(folder), context), Path(folder), context)
        try:
            _render(clips, out, target, timeout_s, context)
        except RenderFailed as error:
            is_heard = any(clip.audio_track is not None and clip.sound_file is None for clip in clips)
            if not is_heard or "undecodable" in error.details:
                raise
            # a track that changes or breaks where ffmpeg's filters cannot follow fails the whole graph
            _render(with_decoded_sound(clips, Path(folder), context, every=True), out, target, timeout_s, context)


def _render(
    clips: Sequence[RenderClip], out: Path, target: RenderFormat, timeout_s: float | None, context: WorkContext
) -> None:
    groups = fitting_groups(clips)
    if len(groups) > 1:
        _render_groups(groups, out, target, timeout_s, context)
        return
    args = [*_graph_args(clips, target), *AUDIO_ENCODER, *MP4, str(out)]
    with _naming_the_clip(0):
        run_ffmpeg(args, total_s=_length_s(clips, target), context=context, timeout_s=timeout_s)


def fitting_groups(clips: Sequence[RenderClip], max_bytes: int = _MAX_DECODED_BYTES) -> list[list[RenderClip]]:
    """Divide the clips, in order, into groups each of which can be decoded with at most `max_bytes` of frames."""
    groups: list[list[RenderClip]] = [[]]
    held = 0
    for clip in clips:
        needed = _FRAMES_PER_INPUT * _frame_bytes(clip)
        if groups[-1] and held + needed > max_bytes:
            groups.append([])
            held = 0
        groups[-1].append(clip)
        held += needed
    return groups


def _frame_bytes(clip: RenderClip) -> int:
    try:
        bits = av.VideoFormat(clip.info.pixel_format or "yuv420p").padded_bits_per_pixel
    except ValueError:
        bits = 32
    return clip.info.coded_width * clip.info.coded_height * bits // 8


def _graph_args(clips: Sequence[RenderClip], target: RenderFormat, *, frames_before: int = 0) -> list[str]:
    """Inputs, graph and video encoder; the caller adds the audio encoder and the output."""
    args: list[str] = [KEEP_TIMES]
    for clip in clips:
        args += input_args(clip.path, clip.info, clip.start_s)
    for file in (clip.sound_file for clip in clips if clip.sound_file is not None):
        args += ["-i", str(file)]
    graph = reel_graph(clips, target, frames_before=frames_before)
    return [*args, "-filter_complex", graph, "-map", "[video]", "-map", "[audio]", *video_encoder(target)]


def _render_groups(
    groups: Sequence[Sequence[RenderClip]],
    out: Path,
    target: RenderFormat,
    timeout_s: float | None,
    context: WorkContext,
) -> None:
    """Render each group with its final video and uncompressed audio; then join them, copying the video."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    total_s = sum(_length_s(group, target) for group in groups)
    frames, number, lines = 0, 0, ["ffconcat version 1.0"]

    def run(args: list[str], length_s: float, part: WorkContext) -> None:
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            run_ffmpeg(args, total_s=length_s, context=part, timeout_s=left_s)
        except RenderTimeout as error:
            raise RenderTimeout(limit_s=timeout_s) from error  # not what was left of it

    def report_from(before_s: float) -> Callable[[float, float], None]:
        return lambda done, total: context.report(before_s + done, total_s)

    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".parts-") as folder:
        for n, group in enumerate(groups):
            before_s = float(frames / target.fps)
            part = WorkContext(report=report_from(before_s), is_cancelled=context.is_cancelled)
            args = [*_graph_args(group, target, frames_before=frames), "-c:a", "pcm_s16le", "-f", "mov"]
            path = Path(folder) / f"{n}.mov"
            with _naming_the_clip(number):
                run([*args, str(path)], _length_s(group, target), part)
            lines += [f"file {n}.mov", f"duration {_length_s(group, target):.6f}"]
            frames, number = frames + _frames(group, target), number + len(group)
        script = Path(folder) / "parts.ffconcat"
        script.write_text("\n".join(lines) + "\n", encoding="ascii")
        join = ["-f", "concat", "-i", str(script), "-map", "0:v", "-map", "0:a", "-c:v", "copy"]
        join += ["-video_track_timescale", str(target.fps.numerator * 512), *AUDIO_ENCODER, *MP4, str(out)]
        silent = WorkContext(report=lambda done, total: None, is_cancelled=context.is_cancelled)
        run(join, total_s, silent)
    context.report(total_s, total_s)


@contextmanager
def _naming_the_clip(clips_before: int) -> Iterator[None]:
    """Name the clip in the error where ffmpeg names one of its inputs."""
    try:
        yield
    except RenderFailed as error:
        found = _NAMED_INPUT.search(str(error.details.get("reason")))
        if found is None:
            raise
        number = clips_before + int(found[1]) + 1
        raise RenderFailed(reason=f"no frame of clip {number} can be decoded", undecodable=number) from error


def _frames(clips: Sequence[RenderClip], target: RenderFormat) -> int:
    return sum(clip_frames(clip.duration_s, target.fps) for clip in clips)


def _length_s(clips: Sequence[RenderClip], target: RenderFormat) -> float:
    return float(_frames(clips, target) / target.fps)


# --- measuring ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RenderMeasure:
    """What a rendered file holds, measured."""

    duration_s: float
    """From the start to the later end of video and audio."""
    video_duration_s: float
    audio_duration_s: float
    """Decoded samples divided by their rate; 0 without audio."""
    frame_count: int
    width: int
    height: int
    video_codec: str
    audio_codec: str | None
    pixel_format: str
    size_bytes: int
    av_offset_s: float
    """How much later the audio starts than the video; negative if it starts earlier."""


def measure(path: Path) -> RenderMeasure:
    """Measure an MP4: the video by its packets, the audio by decoding it. Raises RenderFailed if it cannot be read."""
    try:
        with av.open(str(path), format="mov") as container:
            return _measure(container, path)
    except (av.error.FFmpegError, IndexError) as error:
        raise RenderFailed(reason=f"the written file cannot be read: {error}") from error


def _measure(container: av.container.InputContainer, path: Path) -> RenderMeasure:
    video = container.streams.video[0]
    audio = container.streams.audio[0] if container.streams.audio else None
    starts: list[int] = []
    end = 0
    samples, audio_start_s = 0, 0.0
    decoded = False
    for packet in container.demux([s for s in (video, audio) if s is not None]):
        if packet.stream is video and packet.pts is not None:
            starts.append(packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
            if not decoded:
                decoded = bool(packet.decode())
        elif packet.stream is audio:
            for frame in (f for f in packet.decode() if isinstance(f, av.AudioFrame)):
                if not samples and frame.time is not None:
                    audio_start_s = frame.time
                samples += frame.samples
    if not starts or video.time_base is None:
        raise RenderFailed(reason="the written file has no video")
    video_start_s = float(min(starts) * video.time_base)
    video_s = float((end - min(starts)) * video.time_base)
    audio_s = samples / audio.codec_context.sample_rate if audio is not None else 0.0
    context = video.codec_context
    return RenderMeasure(
        duration_s=max(video_start_s + video_s, audio_start_s + audio_s),
        video_duration_s=video_s,
        audio_duration_s=audio_s,
        frame_count=len(starts),
        width=context.width,
        height=context.height,
        video_codec=context.name,
        audio_codec=audio.codec_context.name if audio is not None else None,
        pixel_format=context.pix_fmt or "",
        size_bytes=path.stat().st_size,
        av_offset_s=audio_start_s - video_start_s if audio is not None else 0.0,
    )
