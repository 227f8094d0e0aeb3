"""Audio without speech: hours of silence, and music."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from heimdex_core.models.speech import windows as speech_windows
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.types import WorkContext
from tests.models.speech.recordings import write_wav

WHISPER = Path(__file__).parents[2] / "models_small" / "whisper"
RATE_HZ = 16_000
Samples = npt.NDArray[np.float64]

_CHILD = """
import json, resource, sys
from pathlib import Path
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.types import WorkContext

name, wav = sys.argv[1:]
model = Whisper(name)
seen = []
context = WorkContext(report=lambda done, total: seen.append(done))
found = model.transcribe(Path(wav), language="auto", context=context)
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"lines": len(found.segments), "dropped": found.dropped, "peak_mb": peak_mb, "steps": len(set(seen))}))
"""


def silence(path: Path, minutes: float) -> Path:
    """A sparse WAV file of silence, which takes no space on the disk."""
    length = round(minutes * 60 * RATE_HZ) * 2
    header = b"RIFF" + struct.pack("<I", 36 + length) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16) + b"data" + struct.pack("<I", length)
    path.write_bytes(header)
    os.truncate(path, len(header) + length)
    return path


def heard(name: str, wav: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _CHILD, name, str(wav)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", ["tiny.en", str(WHISPER)])
def test_long_silence_takes_no_more_memory_than_short(tmp_path: Path, name: str) -> None:
    short = heard(name, silence(tmp_path / "short.wav", 10))
    long = heard(name, silence(tmp_path / "long.wav", 40))
    assert (short["lines"], long["lines"], long["dropped"]) == (0, 0, {})
    assert long["peak_mb"] < short["peak_mb"] + 50, "the samples alone would take 115 MB more as float32"
    assert long["steps"] >= 10, "progress is reported in silence too"


def test_the_model_is_not_run_on_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Whisper(str(WHISPER))
    model.load()
    assert model._model is not None

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the model was run on silence")

    monkeypatch.setattr(model._model, "transcribe", refuse)
    found = model.transcribe(silence(tmp_path / "silence.wav", 6), language="auto", context=WorkContext())
    assert (found.segments, found.language, found.notes) == ((), None, ())


def melody(seconds: float) -> Samples:
    """A voice of five harmonics with vibrato, four notes a second."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    notes = np.random.default_rng(3).integers(0, 13, round(seconds * 4))
    pitch_hz = 220 * 2 ** (np.repeat(notes, RATE_HZ // 4) / 12) * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * time_s))
    phase = np.cumsum(2 * np.pi * pitch_hz / RATE_HZ)
    return np.asarray(0.25 * sum(np.sin(k * phase) / k for k in range(1, 6)))


def drums(seconds: float) -> Samples:
    """Two beats a second: a low tone, then a burst of noise."""
    out = np.zeros(round(seconds * RATE_HZ))
    beat = np.arange(round(0.15 * RATE_HZ))
    fading = np.exp(-beat / (0.03 * RATE_HZ))
    low = 0.8 * np.sin(2 * np.pi * 60 * beat / RATE_HZ)
    rng = np.random.default_rng(3)
    for n in range(round(seconds * 2)):
        at = n * RATE_HZ // 2
        out[at : at + len(beat)] += (rng.normal(0, 0.4, len(beat)) if n % 2 else low) * fading
    return out


MUSIC = {
    "melody": melody,
    "drums": drums,
    "both": lambda seconds: 0.5 * (melody(seconds) + drums(seconds)),
    "noise": lambda seconds: np.random.default_rng(3).normal(0, 0.1, round(seconds * RATE_HZ)),
}


KINDS = ["both", *(pytest.param(kind, marks=pytest.mark.long) for kind in MUSIC if kind != "both")]


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper(str(WHISPER))


@pytest.mark.parametrize("kind", KINDS)
def test_music_has_no_words(tmp_path: Path, whisper: Whisper, kind: str) -> None:
    path = write_wav(tmp_path / "music.wav", np.clip(MUSIC[kind](40.0), -1, 1))
    assert whisper.transcribe(path, language="auto", context=WorkContext()).segments == ()


@pytest.mark.parametrize("kind", KINDS)
def test_music_mistaken_for_speech_is_dropped_and_counted(
    tmp_path: Path, whisper: Whisper, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the detector is wrong, the model itself reports that there is no speech."""
    monkeypatch.setattr(speech_windows, "speech_in", lambda samples: [(0.5, 25.0), (29.0, 39.0)])
    path = write_wav(tmp_path / "music.wav", np.clip(MUSIC[kind](40.0), -1, 1))
    found = whisper.transcribe(path, language="auto", context=WorkContext())
    assert found.segments == ()
    assert found.dropped == {"no_speech": 2}
