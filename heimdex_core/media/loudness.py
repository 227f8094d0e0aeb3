"""Loudness of sound: measured after EBU R 128 and ITU-R BS.1770-4, and brought to a target in two passes.

The first pass measures the whole sound, the second applies one gain to it (no compression that varies with time) and a
limiter where peaks would be too high. The encoder adds peaks of its own, so what is measured in the end is the encoded
sound, and what does not meet the limits there is made again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import RenderFailed
from heimdex_core.media.ffmpeg import run_ffmpeg
from heimdex_core.media.graph import KEEP_TIMES, SAMPLE_RATE_HZ, RenderClip, input_args, rebase_audio
from heimdex_core.types import WorkContext

TARGET_LUFS = -14.0
"""Integrated loudness of what is exported, as large video platforms play it."""
TOLERANCE_LU = 1.0
"""How far from the target an exported file may be."""
MAX_TRUE_PEAK_DBTP = -1.0
"""The highest true peak of an exported file."""
SILENT_BELOW_LUFS = -60.0
"""Quieter sound is noise, which nobody wants to hear louder."""

NOTE_SILENT = "sound_silent"
NOTE_NOT_REACHED = "loudness_not_reached"

_LIMIT_DBTP = -2.0
"""The limiter's first limit: AAC adds some tenths of a decibel, seldom more than one."""
_NEAR_LU = 0.4
"""Near enough to the target to stop."""
_ATTEMPTS = 5
_MAX_GAIN_DB = 46.0
_OVERSAMPLED_HZ = 4 * SAMPLE_RATE_HZ
"""Peaks between samples become samples at four times the rate (BS.1770-4, annex 2)."""
_SUMMARY = re.compile(r"^(I|Peak):\s+(-?inf|nan|-?[\d.]+) (?:LUFS|dBFS)$")
_GATE_LUFS = -70.0
"""What the meter says of sound in which no block passes its absolute gate."""


@dataclass(frozen=True)
class Loudness:
    """What a meter says of a sound."""

    integrated_lufs: float | None
    """Integrated loudness in LUFS; None for silence, and for less than 0.4 s of sound."""
    true_peak_dbtp: float | None
    """Highest true peak of all channels, in dB relative to full scale; None for digital silence."""

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing that could be made louder."""
        return self.integrated_lufs is None or self.integrated_lufs < SILENT_BELOW_LUFS


@dataclass(frozen=True)
class NormalisedSound:
    """What `normalise` made."""

    loudness: Loudness
    """Measured in the encoded sound."""
    gain_db: float
    note: str | None
    """NOTE_SILENT, NOTE_NOT_REACHED or None."""


def measure_loudness(path: Path, *, context: WorkContext, timeout_s: float | None = None) -> Loudness:
    """Measure the first sound track of a file of ours, decoded. Raises RenderFailed, RenderTimeout, Cancelled."""
    return _measured(["-i", f"file:{path.resolve()}", "-map", "0:a:0"], [], context, timeout_s)


def measure_clip(clip: RenderClip, *, context: WorkContext, timeout_s: float | None = None) -> Loudness:
    """Measure the sound of a clip as it is in its source. Raises RenderFailed, RenderTimeout, Cancelled."""
    if clip.sound_file is not None:
        return measure_loudness(clip.sound_file, context=context, timeout_s=timeout_s)
    if clip.audio_track is None:
        return Loudness(None, None)
    source = [KEEP_TIMES, *input_args(clip.path, clip.info, clip.start_s), "-map", f"0:{clip.audio_track.stream_index}"]
    cut = [rebase_audio(clip.info, clip.start_s), f"atrim=end={clip.duration_s:.6f}"]
    return _measured(source, cut, context, timeout_s)


def _measured(source: list[str], filters: list[str], context: WorkContext, timeout_s: float | None) -> Loudness:
    chain = ",".join([*filters, "ebur128=peak=true:framelog=quiet"])
    silent = WorkContext(is_cancelled=context.is_cancelled)
    lines = run_ffmpeg(
        ["-loglevel", "info", *source, "-vn", "-af", chain, "-f", "null", "-"],
        total_s=0.0,
        context=silent,
        timeout_s=timeout_s,
    )
    found = {match[1]: float(match[2]) for match in map(_SUMMARY.match, lines) if match}
    if "I" not in found:
        raise RenderFailed(reason="the loudness could not be measured")
    loudness, peak = found["I"], found.get("Peak", -math.inf)
    return Loudness(loudness if loudness > _GATE_LUFS else None, peak if math.isfinite(peak) else None)


def gain_filters(gain_db: float, *, limit_dbtp: float | None = _LIMIT_DBTP) -> str:
    """Filters that change the level by `gain_db`, with true peaks limited to `limit_dbtp`; None for no limiter."""
    gain = f"volume={gain_db:.2f}dB"
    if limit_dbtp is None:
        return gain
    limit = 10 ** (limit_dbtp / 20)
    limiter = f"alimiter=limit={limit:.6f}:level=false:latency=true"
    return f"{gain},aresample={_OVERSAMPLED_HZ},{limiter},aresample={SAMPLE_RATE_HZ}"


def normalise(
    sound: Path, out: Path, *, encoder: Sequence[str], context: WorkContext, timeout_s: float | None = None
) -> NormalisedSound:
    """Bring a sound to TARGET_LUFS with true peaks of at most MAX_TRUE_PEAK_DBTP, measured once it is encoded.

    Args:
        sound: a WAV file at SAMPLE_RATE_HZ.
        out: the WAV file to write; resampling may make it a sample longer or shorter. Silence stays as it is.
        encoder: ffmpeg's options for the audio encoder of the file that the sound is for.
        context: asked for cancellation.
        timeout_s: limit of each run of ffmpeg in seconds.

    Raises RenderFailed, RenderTimeout, DiskFull, Cancelled.
    """
    before = measure_loudness(sound, context=context, timeout_s=timeout_s)
    if before.is_silent:
        encoded = _apply(sound, out, "anull", encoder, context, timeout_s)
        return NormalisedSound(encoded, 0.0, NOTE_SILENT)
    gain_db, limit_dbtp = TARGET_LUFS - _lufs(before), _LIMIT_DBTP
    best: tuple[float, float, float | None, Loudness] | None = None
    for _ in range(_ATTEMPTS):
        needs_limit = (before.true_peak_dbtp or 0.0) + gain_db > limit_dbtp
        limit = limit_dbtp if needs_limit else None
        found = _apply(sound, out, gain_filters(gain_db, limit_dbtp=limit), encoder, context, timeout_s)
        off_lu, over_db = TARGET_LUFS - _lufs(found), (found.true_peak_dbtp or -math.inf) - MAX_TRUE_PEAK_DBTP
        if over_db <= 0 and (best is None or abs(off_lu) < best[0]):
            best = (abs(off_lu), gain_db, limit, found)
        if over_db <= 0 and abs(off_lu) <= _NEAR_LU:
            break
        if over_db > 0:
            limit_dbtp -= over_db + 0.2
        gain_db = min(gain_db + off_lu, _MAX_GAIN_DB)
    if best is None:  # no attempt got below the peak: quieter as a whole
        gain_db = gain_db - 6.0
        found = _apply(sound, out, gain_filters(gain_db, limit_dbtp=limit_dbtp - 3.0), encoder, context, timeout_s)
        return NormalisedSound(found, gain_db, NOTE_NOT_REACHED)
    off, gain_db, limit, loudness = best
    if loudness is not found:
        _apply(sound, out, gain_filters(gain_db, limit_dbtp=limit), encoder, context, timeout_s)
    return NormalisedSound(loudness, gain_db, NOTE_NOT_REACHED if off > TOLERANCE_LU else None)


def _lufs(loudness: Loudness) -> float:
    return _GATE_LUFS if loudness.integrated_lufs is None else loudness.integrated_lufs


def _apply(
    sound: Path, out: Path, filters: str, encoder: Sequence[str], context: WorkContext, timeout_s: float | None
) -> Loudness:
    """Write `out`, and measure it as encoded."""
    encoded = out.with_suffix(".m4a")
    silent = WorkContext(is_cancelled=context.is_cancelled)
    run_ffmpeg(
        ["-i", str(sound), "-af", filters, "-c:a", "pcm_f32le", "-ar", str(SAMPLE_RATE_HZ), str(out)],
        total_s=0.0,
        context=silent,
        timeout_s=timeout_s,
    )
    try:
        run_ffmpeg(["-i", str(out), *encoder, str(encoded)], total_s=0.0, context=silent, timeout_s=timeout_s)
        return measure_loudness(encoded, context=context, timeout_s=timeout_s)
    finally:
        encoded.unlink(missing_ok=True)
