"""Looking into media that the code under test has written."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from heimdex_core.media.probe import probe
from heimdex_core.types import MediaInfo


def info_of(path: Path) -> MediaInfo:
    """What is known of a file after it was measured."""
    return probe(path, max_bytes=2**30, max_duration_s=600)


def pictures(path: Path) -> tuple[list[float], np.ndarray]:
    """(times in s, RGB pictures (n, height, width, 3) uint8) of every frame of the file."""
    times: list[float] = []
    images: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            times.append(float(frame.time or 0.0))
            images.append(frame.to_ndarray(format="rgb24"))
    return times, np.stack(images)


def centres(path: Path) -> np.ndarray:
    """(n, 3): the colour in the middle of every frame."""
    _, images = pictures(path)
    height, width = images.shape[1:3]
    return images[:, height // 2, width // 2, :].astype(int)


def sound(path: Path) -> tuple[np.ndarray, int]:
    """(mono float samples from the start of the sound, their rate)."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].codec_context.sample_rate
        resampler = av.AudioResampler(format="flt", layout="mono")
        chunks = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(chunks), rate


def loudness(samples: np.ndarray, rate: int, start_s: float, end_s: float) -> float:
    """Root mean square of a stretch of sound, 0 to 1."""
    part = samples[round(start_s * rate) : round(end_s * rate)]
    return float(np.sqrt(np.mean(np.square(part))))


def is_colour(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 30) -> bool:
    """Whether an RGB pixel is a colour, as far as 4:2:0 and H.264 keep it."""
    return bool(np.max(np.abs(pixel.astype(int) - np.asarray(colour))) <= tolerance)
