"""The waveform of a stretch of a video, for pages: how loud the chosen track is at most in each of its parts."""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path

import numpy as np

from heimdex_core.media.audio import write_sound
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.types import Interval, Json, MediaInfo, WorkContext, to_json

_RATE_HZ = 8000
MAX_BUCKETS = 4000


def peaks(
    path: Path, info: MediaInfo, part: Interval, buckets: int, *, filename: str, limits: ChildLimits, scratch: Path
) -> list[float]:
    """The largest magnitude of a sample in each of `buckets` equal parts of a stretch, 0 to 1; 0 without sound.

    Args:
        path: the video. It is read in a child process.
        info: what `probe` returned for it.
        part: the stretch, in player time.
        buckets: 1 to MAX_BUCKETS.
        filename: of the video, for messages.
        limits: when the child is ended.
        scratch: a folder for the sound while it is measured.

    Raises FileUnreadable, NotAVideo, DecoderFailed, DiskFull.
    """
    asked = {
        "path": str(path.absolute()),
        "info": to_json(info),
        "part": to_json(part),
        "buckets": buckets,
        "scratch": str(scratch.absolute()),
    }
    found = run_in_child(f"{__name__}:measure", asked, filename=filename, limits=limits, scratch=scratch)
    return [float(value) for value in found]


def measure(asked: Json, work: WorkContext) -> list[float]:
    """In the child."""
    part, buckets = Interval(**asked["part"]), int(asked["buckets"])
    with tempfile.TemporaryDirectory(dir=asked["scratch"]) as folder:
        wav = Path(folder) / "sound.wav"
        write_sound(
            Path(asked["path"]), MediaInfo.from_json(asked["info"]), wav,
            start_s=part.start_s, end_s=part.end_s, rate_hz=_RATE_HZ, context=work,
        )  # fmt: skip
        with wave.open(str(wav)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    loudest = np.abs(samples.astype(np.float32)).max(axis=1) / 32768.0
    edges = np.linspace(0, len(loudest), buckets + 1).astype(int)
    return [round(float(loudest[a:b].max()), 3) if b > a else 0.0 for a, b in zip(edges[:-1], edges[1:], strict=True)]
