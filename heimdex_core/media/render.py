"""Rendering a reel with ffmpeg, and measuring rendered files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from heimdex_core.errors import InvalidValue, RenderFailed, RenderTimeout
from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.audio import choose_audio
from heimdex_core.media.decoded_sound import with_decoded_sound
from heimdex_core.media.ffmpeg import TimeLimit, removed_on_failure, run_ffmpeg
from heimdex_core.media.graph import (
    KEEP_TIMES,
    MP4,
    RenderClip,
    RenderFormat,
    clip_frames,
    exact_fps,
    input_args,
    picture_graph,
    video_encoder,
    wide_size,
)
from heimdex_core.media.joined import with_one_clock
from heimdex_core.media.loudness import Loudness
from heimdex_core.media.reel_sound import ReelSound, make_sound
from heimdex_core.media.side_by_side import side_by_side
from heimdex_core.types import WorkContext

__all__ = ["RenderClip", "RenderMeasure", "choose_audio", "measure", "render_reel", "wide_size"]

# All inputs of a graph decode from its start, and each holds about this many frames (measured: 50 inputs of
# 1080p 1.3 GB, of 4K 4 GB). What would not fit into memory is rendered in several graphs.
_FRAMES_PER_INPUT = 8
_FRAMES_PER_FADE = 40
"""What clips that fade into each other hold besides, in frames of the reel (measured: 50 of 1080p in 720p, 4.1 GB)."""
_MAX_DECODED_BYTES = 1_300_000_000
_NAMED_INPUT = re.compile(r"Cannot determine format of input (\d+):")


@dataclass(frozen=True)
class ReelResult:
    """How clips were rendered."""

    arrangement: Arrangement
    loudness: Loudness | None
    """Measured in the encoded sound; None where it was not evened."""
    notes: tuple[str, ...] = ()
    """Codes of what is to be known of the file."""


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
    crossfade_s: float = 0.0,
    title_s: float = 0.0,
    even: bool = False,
    draw: Callable[[Arrangement], str] | None = None,
    picture: MakePicture | None = None,
) -> ReelResult:
    """Render clips one after the other into an MP4: H.264 yuv420p with its index in front, AAC 44.1 kHz stereo.

    Args:
        clips: at least one; `framing` says how each is put into the frame.
        out: the file to write; removed on failure.
        width, height: even numbers of pixels.
        fps: constant frame rate, frames per second; 29.97 stands for 30000/1001.
        crf: quality for libx264, 0 (lossless) to 51 (worst).
        preset: speed for libx264, "ultrafast" to "veryslow".
        timeout_s: limit of the whole rendering in seconds; None for no limit.
        context: receives progress in seconds of the reel.
        crossfade_s: how long clips fade into each other, in seconds.
        title_s: how long the reel is black at its beginning, in seconds.
        even: whether to bring the clips to one loudness (see media/reel_sound.py).
        draw: gives the filters that draw on the joined picture; "" for none.
        picture: makes the whole picture, in place of encoding it in one graph.

    Raises InvalidValue, RenderFailed, RenderTimeout, DiskFull, Cancelled.
    """
    if not clips:
        raise InvalidValue(name="clips", value="0", reason="there must be at least one")
    target = RenderFormat(width, height, exact_fps(fps), crf, preset)
    with removed_on_failure(out), tempfile.TemporaryDirectory(dir=out.parent, prefix=".parts-") as folder:
        reel = Arrangement.of(clips, target.fps, crossfade_s=crossfade_s, title_s=title_s)
        ready = with_one_clock(with_decoded_sound(reel.clips, Path(folder), context), Path(folder), context)
        reel = replace(reel, clips=tuple(ready))
        limit, drawing = TimeLimit(timeout_s), draw(reel) if draw else ""

        def picture_of(work: WorkContext) -> list[str]:
            run = LimitedRun(limit, work)
            if picture is not None:
                return ["-i", str(picture(reel, target, Path(folder), run))]
            return _encode_picture(reel, target, drawing, Path(folder), run)

        def sound_of(work: WorkContext) -> ReelSound:
            return make_sound(reel, Path(folder), LimitedRun(limit, work), work, even=even)

        shown, sound = side_by_side(picture_of, sound_of, context)
        beside = [*shown, "-i", str(sound.path), "-map", "0:v", "-map", "1:a", "-c", "copy"]
        clock = ["-video_track_timescale", str(target.fps.numerator * 512)]
        LimitedRun(limit, context).silently([*beside, *clock, *MP4, str(out)], reel.duration_s)
    return ReelResult(reel, sound.loudness, sound.notes)


class LimitedRun:
    """Runs ffmpeg several times within one time limit."""

    def __init__(self, limit: TimeLimit, context: WorkContext) -> None:
        self._limit, self.context = limit, context

    def __call__(self, args: list[str], length_s: float, *, before_s: float = 0.0, total_s: float = 0.0) -> None:
        """Run it, and report the progress of an output of `length_s` that begins at `before_s` of `total_s`."""
        total_s = total_s or length_s
        self._run(args, length_s, lambda done, _: self.context.report(before_s + done, total_s))

    def silently(self, args: list[str], length_s: float) -> None:
        """Run it without reporting progress."""
        self._run(args, length_s, lambda done, total: None)

    def _run(self, args: list[str], length_s: float, report: Callable[[float, float], None]) -> None:
        part = WorkContext(report=report, is_cancelled=self.context.is_cancelled)
        try:
            run_ffmpeg(args, total_s=length_s, context=part, timeout_s=self._limit.left_s())
        except RenderTimeout as error:
            raise RenderTimeout(limit_s=self._limit.timeout_s) from error  # not what was left of it


MakePicture = Callable[[Arrangement, RenderFormat, Path, LimitedRun], Path]
"""Given a reel, its format, a folder and what runs ffmpeg: writes an MP4 with the picture of the reel alone."""


def _encode_picture(reel: Arrangement, target: RenderFormat, drawing: str, folder: Path, run: LimitedRun) -> list[str]:
    """Encode the picture into files in `folder`; returns how ffmpeg opens them as one input."""
    groups = _graphs(reel, target)
    frames, lines = 0, ["ffconcat version 1.0"]
    for n, (number, group) in enumerate(groups):
        title, crossfade = 0 if n else reel.title, reel.crossfade
        lengths = [clip_frames(clip.duration_s, target.fps) for clip in group] + ([title] if title else [])
        count = sum(lengths) - (len(lengths) - 1) * crossfade
        output, inputs = _picture_args(group, target, drawing, title=title, crossfade=crossfade, frames_before=frames)
        length_s, before_s = float(count / target.fps), float(frames / target.fps)
        with _naming_the_clip(number):
            part = folder / f"{n}.mov"
            run([*inputs, *output, "-f", "mov", str(part)], length_s, before_s=before_s, total_s=reel.duration_s)
        if not _has_picture(part):
            raise _undecodable(number + 1)
        lines += [f"file {n}.mov", f"duration {length_s:.6f}"]
        frames += count
    if len(groups) == 1:
        return ["-i", str(folder / "0.mov")]
    script = folder / "parts.ffconcat"
    script.write_text("\n".join(lines) + "\n", encoding="ascii")
    return ["-f", "concat", "-i", str(script)]


def _graphs(reel: Arrangement, target: RenderFormat) -> list[tuple[int, list[RenderClip]]]:
    """The clips of each graph, and how many clips of the reel are before its first one.

    Where clips fade into each other, a graph ends with the first half of a clip, where nothing fades, and the next one
    begins with the second half.
    """
    fade_bytes = _FRAMES_PER_FADE * target.width * target.height * 3 // 2 if reel.crossfade else 0
    groups = fitting_groups(reel.clips, _MAX_DECODED_BYTES, fade_bytes=fade_bytes)
    found, before = [], 0
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        clips = list(group)
        if reel.crossfade and before:
            clips[0] = _halves(clips[0], target.fps)[1]
        if reel.crossfade and following is not None:
            clips.append(_halves(following[0], target.fps)[0])
        found.append((before, clips))
        before += len(group)
    return found


def _halves(clip: RenderClip, fps: Fraction) -> tuple[RenderClip, RenderClip]:
    frames = clip_frames(clip.duration_s, fps)
    middle_s, end_s = (clip.start_s + float(count / fps) for count in (frames // 2, frames))
    return replace(clip, end_s=middle_s), replace(clip, start_s=middle_s, end_s=end_s)


def encode_parts(
    clips: Sequence[RenderClip], out: Path, target: RenderFormat, run: LimitedRun, *, before_s: float, total_s: float
) -> list[int]:
    """Encode the picture of clips, one after the other, each from an IDR picture on, so that it can be copied alone.

    Parameter sets are numbered 31, which those of sources seldom are. Progress begins at `before_s` of `total_s`.
    Returns the first frame of each clip in the file, in which frame n is shown at n * 512 * (denominator of the rate)
    by its clock. Raises what `run` raises.
    """
    lengths = [clip_frames(clip.duration_s, target.fps) for clip in clips]
    firsts = [sum(lengths[:n]) for n in range(len(lengths))]
    output, inputs = _picture_args(clips, target, "")
    # half a frame earlier, because ffmpeg takes the first frame from a time on and knows times to the microsecond only
    keys = ",".join(f"{max(0.0, float((first - Fraction(1, 2)) / target.fps)):.6f}" for first in firsts)
    apart = ["-force_key_frames", keys, "-forced-idr", "1", "-x264-params", "sps-id=31"]
    length_s = float(sum(lengths) / target.fps)
    run([*inputs, *output, *apart, "-f", "mov", str(out)], length_s, before_s=before_s, total_s=total_s)
    return firsts


def _picture_args(
    clips: Sequence[RenderClip],
    target: RenderFormat,
    drawing: str,
    *,
    title: int = 0,
    crossfade: int = 0,
    frames_before: int = 0,
) -> tuple[list[str], list[str]]:
    """(graph and video encoder, inputs); the sound may be a further input between them."""
    inputs: list[str] = [KEEP_TIMES]
    for clip in clips:
        inputs += ["-an", *input_args(clip.path, clip.info, clip.start_s)]
    before_s = float(frames_before / target.fps)
    # what is drawn goes by the time of the reel
    drawn = f"setpts=PTS+{before_s:.6f}/TB,{drawing},setpts=PTS-{before_s:.6f}/TB,format=yuv420p" if drawing else "null"
    graph = picture_graph(clips, target, title=title, crossfade=crossfade)
    graph += f";[joined]{drawn},setpts=N/({target.fps}*TB)[video]"
    return ["-filter_complex", graph, "-map", "[video]", *video_encoder(target)], inputs


def fitting_groups(
    clips: Sequence[RenderClip], max_bytes: int = _MAX_DECODED_BYTES, *, fade_bytes: int = 0
) -> list[list[RenderClip]]:
    """Divide the clips, in order, into groups each of which holds at most `max_bytes` of frames while it is rendered.

    Each clip holds `fade_bytes` besides what is decoded of it.
    """
    groups: list[list[RenderClip]] = [[]]
    held = 0
    for clip in clips:
        needed = _FRAMES_PER_INPUT * _frame_bytes(clip) + fade_bytes
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


@contextmanager
def _naming_the_clip(clips_before: int) -> Iterator[None]:
    """Name the clip in the error where ffmpeg names one of its inputs."""
    try:
        yield
    except RenderFailed as error:
        found = _NAMED_INPUT.search(str(error.details.get("reason")))
        if found is None:
            raise
        raise _undecodable(clips_before + int(found[1]) + 1) from error


def _undecodable(number: int) -> RenderFailed:
    return RenderFailed(reason=f"no frame of clip {number} can be decoded", undecodable=number)


def _has_picture(path: Path) -> bool:
    """Whether a file that ffmpeg has written has any frame; without one it has no track or cannot be opened."""
    try:
        with av.open(str(path), format="mov") as container:
            return bool(container.streams.video)
    except av.error.FFmpegError:
        return False


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
    loudness_lufs: float | None = None
    """Integrated loudness (EBU R 128) where it was measured; None for silence, too."""
    true_peak_dbtp: float | None = None
    notes: tuple[str, ...] = ()
    """Codes of what is to be known of the file."""


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
