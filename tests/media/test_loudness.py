"""Sound is measured after EBU R 128, and brought to -14 LUFS without peaks above -1 dBTP in the encoded file."""

import math
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.media.graph import AUDIO_ENCODER, SAMPLE_RATE_HZ
from heimdex_core.media.loudness import (
    MAX_TRUE_PEAK_DBTP,
    NOTE_SILENT,
    TARGET_LUFS,
    TOLERANCE_LU,
    gain_filters,
    measure_loudness,
    normalise,
)
from heimdex_core.types import WorkContext


def write(path: Path, samples: np.ndarray) -> Path:
    """Mono samples, -1 to 1, as a stereo file."""
    both = np.repeat(np.clip(samples, -1, 1)[:, None], 2, axis=1)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE_HZ)
        wav.writeframes((both * 32767).astype("<i2").tobytes())
    return path


def tone(amplitude: float, seconds: float = 2.0) -> np.ndarray:
    return amplitude * np.sin(2 * math.pi * 997 * np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)


def test_a_tone_of_known_loudness(tmp_path: Path) -> None:
    """997 Hz at full scale on one channel is -3.01 LUFS (BS.1770-4), so -20 dBFS on both is -20 + 3.01 - 3.01."""
    found = measure_loudness(write(tmp_path / "a.wav", tone(0.1)), context=WorkContext())
    assert found.integrated_lufs == pytest.approx(-20.0, abs=0.1)
    assert found.true_peak_dbtp == pytest.approx(-20.0, abs=0.1)


def peaky(seconds: float = 4.0) -> np.ndarray:
    """Noise at -40 dBFS with loud bursts twice a second: as loud as asked, its peaks would be far above full scale."""
    count = round(seconds * SAMPLE_RATE_HZ)
    samples = 0.03 * np.random.default_rng(1).uniform(-1, 1, count)
    for start in range(0, count, SAMPLE_RATE_HZ // 2):
        samples[start : start + 400] += tone(0.9)[: len(samples[start : start + 400])]
    return samples


@pytest.mark.parametrize("make", [lambda: tone(0.02), lambda: tone(0.99), peaky], ids=["quiet", "loud", "peaky"])
def test_sound_is_brought_to_the_target_in_the_encoded_file(make: Callable[[], np.ndarray], tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    made = normalise(write(tmp_path / "a.wav", make()), out, encoder=AUDIO_ENCODER, context=WorkContext())
    assert made.note is None
    assert made.loudness.integrated_lufs == pytest.approx(TARGET_LUFS, abs=TOLERANCE_LU)
    assert made.loudness.true_peak_dbtp is not None
    assert made.loudness.true_peak_dbtp <= MAX_TRUE_PEAK_DBTP
    assert out.is_file()
    assert not out.with_suffix(".m4a").exists()


@pytest.mark.parametrize("amplitude", [0.0, 0.0003], ids=["digital silence", "noise floor"])
def test_silence_is_left_alone_and_said(amplitude: float, tmp_path: Path) -> None:
    made = normalise(
        write(tmp_path / "a.wav", tone(amplitude)),
        tmp_path / "out.wav",
        encoder=AUDIO_ENCODER,
        context=WorkContext(),
    )
    assert (made.note, made.gain_db) == (NOTE_SILENT, 0.0)


def test_a_limiter_is_only_used_where_it_is_needed() -> None:
    assert gain_filters(3.0, limit_dbtp=None) == "volume=3.00dB"
    assert "alimiter=limit=0.794328:" in gain_filters(3.0, limit_dbtp=-2.0)
