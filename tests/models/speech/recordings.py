"""Recordings for recognisers: speech by espeak-ng with silence around it, and WAV files of samples."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from tests.support.media import ffmpeg, speech_wav

SPEECH_START_S = 1.0
VOICE = "en-us+f3"


def speech_at_16k(path: Path, text: str, *, start_s: float = SPEECH_START_S) -> Path:
    """`text` spoken from `start_s` on, and 1 s of silence after it."""
    raw = speech_wav(path.with_name(f"{path.stem}-22k.wav"), text, voice=VOICE)
    delay = f"adelay={round(start_s * 1000)}:all=1,apad=pad_dur=1"
    ffmpeg("-i", raw, "-af", delay, "-ar", "16000", "-ac", "1", "-c:a", "pcm_s16le", path)
    raw.unlink()
    return path


def write_wav(path: Path, samples: np.ndarray, *, rate_hz: int = 16_000, channels: int = 1) -> Path:
    """Samples -1 to 1 as a 16-bit WAV."""
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes((np.repeat(samples, channels) * 32767).astype("<i2").tobytes())
    return path
