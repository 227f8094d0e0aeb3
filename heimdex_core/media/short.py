"""Rendering one clip with its sound normalised, into a file of limited size; and single frames of it.

The sound is made first, because it takes a fraction of the time of the picture and may need several attempts. The
picture is encoded once at a constant quality, and in two passes at a bitrate where that makes the file too large.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from heimdex_core.errors import RenderCheckFailed, RenderFailed, RenderTimeout
from heimdex_core.media.decoded_sound import with_decoded_sound
from heimdex_core.media.ffmpeg import TimeLimit, removed_on_failure, run_ffmpeg
from heimdex_core.media.graph import (
    KEEP_TIMES,
    MP4,
    SAMPLE_RATE_HZ,
    RenderClip,
    RenderFormat,
    audio_encoder,
    clip_frames,
    exact_fps,
    input_args,
    rebase_audio,
    reel_graph,
    video_encoder,
)
from heimdex_core.media.joined import with_one_clock
from heimdex_core.media.loudness import Loudness, measure_loudness, normalise
from heimdex_core.types import MediaInfo, WorkContext

NOTE_NO_SOUND = "no_sound"
NOTE_TWO_PASSES = "encoded_in_two_passes"

# What two passes aim at, as a share of the limit: they miss by a percent or two, and the container needs some.
_AIM = (0.94, 0.8)
_USUAL_FPS = 30.0


@dataclass(frozen=True)
class ShortFormat:
    """How a short is encoded."""

    picture: RenderFormat
    audio_bps: int
    """Bits per second of AAC."""
    max_bytes: int
    """Size of the file at most."""


@dataclass(frozen=True)
class ShortResult:
    """What was found while a short was made."""

    loudness: Loudness
    """Measured in the written file."""
    notes: tuple[str, ...]
    """Codes of what is to be known of the file."""


def fps_of(info: MediaInfo, max_fps: float) -> float:
    """The frame rate of a short: that of the source, of which only every n-th frame is used above `max_fps`.

    A source whose rate varies gets 30, or `max_fps` if that is less.
    """
    if info.is_variable_frame_rate or not 1 <= info.fps <= 1000:
        return min(_USUAL_FPS, max_fps)
    exact = exact_fps(info.fps)
    every = 1
    while float(exact / every) > max_fps + 0.01:
        every += 1
    return float(exact / every)


def render_short(
    clip: RenderClip,
    out: Path,
    target: ShortFormat,
    *,
    last_filter: str = "",
    timeout_s: float | None,
    context: WorkContext,
) -> ShortResult:
    """Render a clip into an MP4: H.264 yuv420p with its index in front, AAC 44.1 kHz stereo.

    Args:
        clip: what is rendered; `clip.framing` puts its picture into the frame.
        out: the file to write; removed on failure.
        target: size, rate, quality and the largest size of the file.
        last_filter: the filter text of what is burned into the finished frames; "" for nothing.
        timeout_s: limit of the whole rendering in seconds; None for no limit.
        context: receives progress in seconds of the short, and of the two further passes where they are needed.

    Raises RenderFailed, RenderTimeout, RenderCheckFailed for a file that cannot be made small enough, DiskFull,
    Cancelled.
    """
    with removed_on_failure(out), tempfile.TemporaryDirectory(dir=out.parent, prefix=".short-") as folder:
        run = _Run(clip, out, target, last_filter, Path(folder), TimeLimit(timeout_s), context)
        return run.render()


@dataclass
class _Run:
    """One short while it is made."""

    clip: RenderClip
    out: Path
    target: ShortFormat
    last_filter: str
    folder: Path
    limit: TimeLimit
    context: WorkContext

    def render(self) -> ShortResult:
        fps = self.target.picture.fps
        frames = clip_frames(self.clip.duration_s, fps)
        length_s = float(frames / fps)
        notes: list[str] = []
        try:
            sounding, note = self._with_sound(frames)
            notes += [note] if note else []
            self._encode(sounding, length_s, self._quality(), passes=1, done_s=0.0)
            if self.out.stat().st_size > self.target.max_bytes:
                notes.append(NOTE_TWO_PASSES)
                self._fit(sounding, length_s)
            found = measure_loudness(self.out, context=self.context, timeout_s=self.limit.left_s())
        except RenderTimeout as error:
            raise RenderTimeout(limit_s=self.limit.timeout_s) from error  # not what was left of it
        return ShortResult(found, tuple(notes))

    # --- sound ------------------------------------------------------------------------------------

    def _with_sound(self, frames: int) -> tuple[RenderClip, str | None]:
        """(the clip with its normalised sound in a file, a note on the sound)."""
        [clip] = with_decoded_sound([self.clip], self.folder, self.context)
        [clip] = with_one_clock([clip], self.folder, self.context)
        if clip.audio_track is None and clip.sound_file is None:
            return clip, NOTE_NO_SOUND
        samples = round(frames * SAMPLE_RATE_HZ / self.target.picture.fps)
        plain, even = self.folder / "plain.wav", self.folder / "even.wav"
        try:
            self._write_sound(clip, plain, samples)
        except RenderFailed:
            if clip.sound_file is not None:
                raise
            # a track that changes or breaks where ffmpeg's filters cannot follow
            [clip] = with_decoded_sound([clip], self.folder, self.context, every=True)
            self._write_sound(clip, plain, samples)
        encoder = audio_encoder(self.target.audio_bps)
        made = normalise(plain, even, encoder=encoder, context=self.context, timeout_s=self.limit.left_s())
        return replace(clip, sound_file=even), made.note

    def _write_sound(self, clip: RenderClip, out: Path, samples: int) -> None:
        if clip.sound_file is not None:
            source, chain = ["-i", str(clip.sound_file)], "[0:0]asetpts=PTS-STARTPTS"
        else:
            source = [KEEP_TIMES, *input_args(clip.path, clip.info, clip.start_s)]
            stream = clip.audio_track.stream_index if clip.audio_track is not None else 0
            chain = f"[0:{stream}]{rebase_audio(clip.info, clip.start_s)}"
        graph = f"{chain},aformat=sample_fmts=fltp:channel_layouts=stereo,apad,atrim=end_sample={samples}[a]"
        args = [*source, "-filter_complex", graph, "-map", "[a]", "-c:a", "pcm_f32le", str(out)]
        self._ffmpeg(args, 0.0, WorkContext(is_cancelled=self.context.is_cancelled))

    # --- picture ----------------------------------------------------------------------------------

    def _quality(self) -> list[str]:
        return video_encoder(self.target.picture)

    def _bitrate(self, bits_per_s: int) -> list[str]:
        args = self._quality()
        at = args.index("-crf")
        return [*args[:at], "-b:v", str(bits_per_s), *args[at + 2 :]]

    def _fit(self, clip: RenderClip, length_s: float) -> None:
        """Encode in two passes at the bitrate that makes the file as large as it may be."""
        for aim in _AIM:
            bits = self.target.max_bytes * 8 * aim / length_s - self.target.audio_bps
            encoder = self._bitrate(max(round(bits), 50_000))
            log = ["-passlogfile", str(self.folder / "passes")]
            self._encode(clip, length_s, [*encoder, "-pass", "1", *log], passes=3, done_s=length_s, keep=False)
            self._encode(clip, length_s, [*encoder, "-pass", "2", *log], passes=3, done_s=2 * length_s)
            if self.out.stat().st_size <= self.target.max_bytes:
                return
        size, limit = self.out.stat().st_size, self.target.max_bytes
        raise RenderCheckFailed(reason=f"it has {size} bytes, and may have {limit}")

    def _encode(
        self, clip: RenderClip, length_s: float, encoder: list[str], *, passes: int, done_s: float, keep: bool = True
    ) -> None:
        """Run one pass over the picture; its progress counts from `done_s` of `passes` times the length."""
        graph = reel_graph([clip], self.target.picture)
        shown = "[video]"
        if self.last_filter:
            graph, shown = f"{graph};[video]{self.last_filter}[burned]", "[burned]"
        args = [KEEP_TIMES, *input_args(clip.path, clip.info, clip.start_s)]
        args += ["-i", str(clip.sound_file)] if clip.sound_file is not None else []
        args += ["-filter_complex", graph, "-map", shown, "-map", "[audio]", *encoder]
        args += [*audio_encoder(self.target.audio_bps), *MP4, str(self.out)] if keep else ["-f", "null", "-"]
        part = WorkContext(
            report=lambda done, total: self.context.report(done_s + done, passes * length_s),
            is_cancelled=self.context.is_cancelled,
        )
        self._ffmpeg(args, length_s, part)

    def _ffmpeg(self, args: list[str], total_s: float, context: WorkContext) -> None:
        run_ffmpeg(args, total_s=total_s, context=context, timeout_s=self.limit.left_s())


def render_frame(
    clip: RenderClip, *, width: int, height: int, last_filter: str = "", timeout_s: float | None, context: WorkContext
) -> bytes:
    """The first frame of a clip, in a frame of that size, as a JPEG.

    Args: as for `render_short`; width and height are even numbers of pixels.

    Raises RenderFailed, RenderTimeout, DiskFull, Cancelled.
    """
    target = RenderFormat(width, height, Fraction(30), 0, "ultrafast")
    first = replace(clip, end_s=clip.start_s + 0.02, audio_track=None, sound_file=None)
    with tempfile.TemporaryDirectory(prefix="heimdex-frame-") as folder:
        out = Path(folder) / "frame.jpg"
        [first] = with_one_clock([first], Path(folder), context)
        graph = reel_graph([first], target)
        shown = "[video]"
        if last_filter:
            graph, shown = f"{graph};[video]{last_filter}[burned]", "[burned]"
        args = [KEEP_TIMES, *input_args(first.path, first.info, first.start_s), "-filter_complex", graph]
        args += ["-map", "[audio]", "-f", "null", "-", "-map", shown, "-frames:v", "1", "-q:v", "3", "-f", "mjpeg"]
        run_ffmpeg([*args, str(out)], total_s=0.0, context=context, timeout_s=timeout_s)
        return out.read_bytes()
