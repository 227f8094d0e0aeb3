"""The sound of a reel: cut from the sources, evened between clips, joined without clicks, and encoded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heimdex_core.errors import RenderFailed
from heimdex_core.files import allocate_file
from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.decoded_sound import with_decoded_sound
from heimdex_core.media.graph import AUDIO_ENCODER, KEEP_TIMES, SAMPLE_RATE_HZ, input_args, rebase_audio
from heimdex_core.media.levels import integrated_loudness
from heimdex_core.media.loudness import (
    MAX_TRUE_PEAK_DBTP,
    NOTE_NOT_REACHED,
    SILENT_BELOW_LUFS,
    TARGET_LUFS,
    TOLERANCE_LU,
    Loudness,
    gain_filters,
    measure_loudness,
)
from heimdex_core.types import WorkContext

Samples = NDArray[np.float32]
"""(n, 2): stereo samples at SAMPLE_RATE_HZ, full scale -1 to 1."""
RunFFmpeg = Callable[[list[str], float], object]
"""Runs ffmpeg with these arguments for an output of so many seconds."""

MAX_EVENING_DB = 20.0
"""The most that a clip is made louder or quieter: what needs more is meant to be quiet."""

_RAW = ("-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "2")
_FADE_S = 0.008
_LIMIT_DBTP = -2.0
_LIMIT_FROM_DB = -4.0
"""Sample peaks from which on the limiter runs: peaks between samples are seldom 2 dB higher."""
_ATTEMPTS = 3


@dataclass(frozen=True)
class ReelSound:
    """An encoded sound, and what was measured in it; nothing was where clips were not evened."""

    path: Path
    loudness: Loudness | None = None
    notes: tuple[str, ...] = ()


def make_sound(reel: Arrangement, folder: Path, run: RunFFmpeg, context: WorkContext, *, even: bool) -> ReelSound:
    """Write the sound of a reel into `folder`, as AAC.

    Args:
        reel: its clips.
        folder: for the sound and what is made on the way.
        run: runs ffmpeg.
        context: asked for cancellation.
        even: whether to bring the clips to one loudness, TARGET_LUFS.

    Raises what `run` raises, and what `with_decoded_sound` does.
    """
    raw, joined = folder / "clips.f32", folder / "joined.f32"
    try:
        run(_cut_args(reel, raw), reel.duration_s)
    except RenderFailed:
        # a track that changes or breaks where ffmpeg's filters cannot follow fails the whole graph
        if all(clip.audio_track is None or clip.sound_file is not None for clip in reel.clips):
            raise
        decoded = tuple(with_decoded_sound(reel.clips, folder, context, every=True))
        reel = Arrangement(decoded, reel.fps, reel.crossfade, reel.title)
        run(_cut_args(reel, raw), reel.duration_s)
    peak = join(reel, raw, joined, even=even)
    raw.unlink()
    return _encode(joined, folder, reel.samples(reel.frames), peak, run, context, even=even)


def _cut_args(reel: Arrangement, out: Path) -> list[str]:
    """Arguments that write the samples of all clips, one after the other."""
    args, parts, files = [KEEP_TIMES], [], 0
    for clip in reel.clips:
        args += ["-vn", *input_args(clip.path, clip.info, clip.start_s)]
    for n, (clip, (start, end)) in enumerate(zip(reel.clips, _stretches(reel), strict=True)):
        track = clip.audio_track
        source = f"[{n}:{track.stream_index}]{rebase_audio(clip.info, clip.start_s)}" if track else ""
        if clip.sound_file is not None:
            source = f"[{len(reel.clips) + files}:0]asetpts=PTS-STARTPTS"
            args, files = [*args, "-i", str(clip.sound_file)], files + 1
        source = source or f"anullsrc=r={SAMPLE_RATE_HZ}:cl=stereo"
        shape = f"aresample={SAMPLE_RATE_HZ},aformat=sample_fmts=flt:channel_layouts=stereo"
        parts.append(f"{source},{shape},apad,atrim=end_sample={end - start}[a{n}]")
    inputs = "".join(f"[a{n}]" for n in range(len(reel.clips)))
    parts.append(f"{inputs}concat=n={len(reel.clips)}:v=0:a=1[sound]")
    return [*args, "-filter_complex", ";".join(parts), "-map", "[sound]", *_RAW, str(out)]


def _stretches(reel: Arrangement) -> list[tuple[int, int]]:
    """(first, end) sample of each clip in the reel; those that fade into each other overlap."""
    pairs = zip(reel.starts, reel.lengths, strict=True)
    return [(reel.samples(start), reel.samples(start + length)) for start, length in pairs]


def join(reel: Arrangement, raw: Path, out: Path, *, even: bool) -> float:
    """Write the clips at their places, with fades at both ends, and evened if asked for; returns the highest sample.

    Args:
        raw: the samples of all clips, one after the other.
        out: the file of samples to write.
    """
    clips: Samples = np.memmap(raw, np.float32, "r").reshape(-1, 2)
    samples = reel.samples(reel.frames)
    allocate_file(out, samples * 2 * np.dtype(np.float32).itemsize)
    whole: Samples = np.memmap(out, np.float32, "r+", shape=(samples, 2))
    overlap = reel.samples(reel.crossfade)
    place, peak = 0, 0.0
    for n, (start, end) in enumerate(_stretches(reel)):
        sound = np.array(clips[place : place + end - start])
        place += end - start
        if even:
            sound *= 10 ** (_evening_db(sound) / 20)
        _fade(sound, overlap if n or reel.title else 0)
        _fade(sound[::-1], overlap if n + 1 < len(reel.clips) else 0)
        whole[start : start + len(sound)] += sound
        peak = max(peak, float(np.abs(whole[start : start + len(sound)]).max(initial=0.0)))
    whole.flush()  # type: ignore[attr-defined]
    return peak


def _evening_db(sound: Samples) -> float:
    loudness = integrated_loudness(sound, SAMPLE_RATE_HZ)
    if loudness is None or loudness < SILENT_BELOW_LUFS:
        return 0.0
    return min(max(TARGET_LUFS - loudness, -MAX_EVENING_DB), MAX_EVENING_DB)


def _fade(sound: Samples, overlap: int) -> None:
    """Fade in, in place: with constant power over a crossfade, else in a few milliseconds against clicks."""
    count = min(overlap or round(_FADE_S * SAMPLE_RATE_HZ), len(sound))
    rise = np.arange(count, dtype=np.float32) / max(1, count)
    sound[:count] *= (np.sin(rise * np.pi / 2) if overlap else rise)[:, None]


def _encode(
    joined: Path, folder: Path, samples: int, peak: float, run: RunFFmpeg, context: WorkContext, *, even: bool
) -> ReelSound:
    out = folder / "sound.m4a"
    source, length_s = [*_RAW, "-i", str(joined)], samples / SAMPLE_RATE_HZ
    if not even:
        run([*source, *AUDIO_ENCODER, str(out)], length_s)
        return ReelSound(out)
    gain_db, limit_dbtp, is_limited, found = 0.0, _LIMIT_DBTP, False, Loudness(None, None)
    for _ in range(_ATTEMPTS):
        is_limited = is_limited or peak * 10 ** (gain_db / 20) > 10 ** (_LIMIT_FROM_DB / 20)
        change = gain_filters(gain_db, limit_dbtp=limit_dbtp if is_limited else None)
        # resampling for the limiter may change the length by a sample
        run([*source, "-af", f"{change},apad,atrim=end_sample={samples}", *AUDIO_ENCODER, str(out)], length_s)
        found = measure_loudness(out, context=context)
        off_lu = 0.0 if found.is_silent else TARGET_LUFS - (found.integrated_lufs or 0.0)
        over_db = (found.true_peak_dbtp if found.true_peak_dbtp is not None else -99.0) - MAX_TRUE_PEAK_DBTP
        if over_db <= 0 and abs(off_lu) <= TOLERANCE_LU:
            return ReelSound(out, found)
        if over_db > 0:
            limit_dbtp, is_limited = limit_dbtp - over_db - 0.2, True
        gain_db += off_lu if abs(off_lu) > TOLERANCE_LU else 0.0
    return ReelSound(out, found, (NOTE_NOT_REACHED,))
