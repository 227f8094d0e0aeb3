"""Clips with a moving target at known places, and how well a crop keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from heimdex_core.export.crop.tube import reversals
from heimdex_core.types.crop import CropPath

FPS = 25
Places = Callable[[float], list[float]]
"""The middles of the targets at a time in seconds, as shares of the width."""
TARGET = 0.06
"""Half of a target's width, as a share of the picture's."""


def smooth(time_s: float) -> list[float]:
    """There and back in 16 s."""
    return [0.5 + 0.35 * float(np.sin(2 * np.pi * time_s / 16))]


def with_stops(time_s: float) -> list[float]:
    """Stays 3 s, moves for 2 s, four times."""
    stops = [0.25, 0.45, 0.7, 0.85, 0.85]
    n, rest = divmod(time_s, 5.0)
    n = min(int(n), 3)
    share = min(max((rest - 3.0) / 2.0, 0.0), 1.0)
    return [stops[n] + share * (stops[n + 1] - stops[n])]


def two_movers(time_s: float) -> list[float]:
    """One moves slowly on the left, a second passes at the right for a while."""
    first = 0.25 + 0.1 * float(np.sin(2 * np.pi * time_s / 14))
    return [first, 0.95 - 0.02 * (time_s - 4)] if 4 <= time_s < 9 else [first]


def with_cuts(time_s: float) -> list[float]:
    """Another place in every shot of 4 s."""
    start = [0.2, 0.75, 0.4, 0.8, 0.3][int(time_s // 4) % 5]
    return [start + 0.02 * (time_s % 4)]


def nobody(time_s: float) -> list[float]:
    """Nothing moves."""
    return []


CLIPS: dict[str, Places] = {
    "smooth": smooth, "stops": with_stops, "two": two_movers, "cuts": with_cuts, "nobody": nobody,
}  # fmt: skip


def make_clip(path: Path, places: Places, *, seconds: float = 16.0, size: tuple[int, int] = (640, 360)) -> Path:
    """A video of the targets: patterned ellipses before a background that is another one in every shot of `with_cuts`,
    with a little noise."""
    rng = np.random.default_rng(1)
    width, height = size
    grounds = [_ground(rng, width, height, level) for level in (60, 140, 90, 180, 110)]
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(round(seconds * FPS)):
            shot = int(n / FPS // 4) % 5 if places is with_cuts else 0
            image = grounds[shot].copy()
            for number, x in enumerate(places(n / FPS)):
                dx, dy = (columns - x * width) / (TARGET * width), (rows - height * 0.55) / (height * 0.3)
                inside = dx**2 + dy**2 <= 1
                stripes = (np.sin(dy * 9 + number) > 0)[..., None]
                image[inside] = np.where(stripes, (220, 60, 60), (250, 220, 180))[inside]
            noisy = image.astype(np.int16) + rng.integers(-3, 4, (height, width, 1))
            frame = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _ground(rng: np.random.Generator, width: int, height: int, level: int) -> np.ndarray:
    coarse = rng.integers(level - 30, level + 30, (10, 18, 3)).astype(np.float32)
    rows = np.linspace(0, 9, height).astype(int)
    columns = np.linspace(0, 17, width).astype(int)
    return coarse[rows[:, None], columns[None, :]].astype(np.uint8)


@dataclass(frozen=True)
class CropScore:
    """How a crop path keeps the targets."""

    inside: float
    """Part of the frames with targets in which one of them is wholly inside."""
    empty: float
    """Part of the frames with targets in which the middle of none is inside."""
    reversals_per_s: float
    """Inside shots."""


def score(path: CropPath, places: Places, *, seconds: float, share: float) -> CropScore:
    """Compare a path with the known places; `share` is the width of the crop as a share of the picture's."""
    times_s = [n / FPS for n in range(round(seconds * FPS))]
    crops = [min(max(path.at(t)[0], share / 2), 1 - share / 2) for t in times_s]
    inside, empty, counted = 0, 0, 0
    for t, x in zip(times_s, crops, strict=True):
        targets = places(t)
        if targets:
            counted += 1
            inside += any(abs(place - x) <= share / 2 - TARGET for place in targets)
            empty += all(abs(place - x) > share / 2 for place in targets)
    cuts = [0.0, *(k.time_s for k in path.keyframes if k.cut), seconds]
    turned = sum(
        reversals(np.array([x for t, x in zip(times_s, crops, strict=True) if a <= t < b]), 0.01)
        for a, b in zip(cuts, cuts[1:], strict=False)
    )
    return CropScore(inside / counted if counted else 1.0, empty / counted if counted else 0.0, turned / seconds)
