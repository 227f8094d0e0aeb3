"""Clips with a moving target at known places, and how well a crop keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from heimdex_core.export.crop.tube import reversals
from heimdex_core.media.images import Image
from heimdex_core.types.crop import CropPath

FPS = 25
Places = Callable[[float], list[float]]
"""The middles of the targets at a time in seconds, as shares of the width."""
Draw = Callable[[Image, float, int], None]
"""Draws a target into a picture, given its middle as a share of the width and its number."""
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


def in_turn(time_s: float) -> list[float]:
    """One at the left for half of 16 s, after a cut another one at the right."""
    sway = 0.01 * float(np.sin(2 * np.pi * time_s / 3))
    return [0.22 + sway] if time_s < 8 else [0.76 + sway]


def hidden(time_s: float) -> list[float]:
    """Stays, is not there for 2 s, and is at the same place again."""
    return [] if 6 <= time_s < 8 else [0.7]


def nobody(time_s: float) -> list[float]:
    """Nothing moves."""
    return []


CLIPS: dict[str, Places] = {
    "smooth": smooth, "stops": with_stops, "two": two_movers, "cuts": with_cuts, "nobody": nobody,
}  # fmt: skip
FACE_CLIPS: dict[str, Places] = {
    "smooth": smooth, "stops": with_stops, "two": two_movers, "cuts": with_cuts, "in turn": in_turn, "hidden": hidden,
}  # fmt: skip
_SHOT_S: dict[Places, float] = {with_cuts: 4.0, in_turn: 8.0}
"""Length of the shots of clips with several."""


def draw_ellipse(image: Image, x: float, number: int) -> None:
    """A Draw: a patterned ellipse that stands on the ground."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    dx, dy = (columns - x * width) / (TARGET * width), (rows - height * 0.55) / (height * 0.3)
    inside = dx**2 + dy**2 <= 1
    stripes = (np.sin(dy * 9 + number) > 0)[..., None]
    image[inside] = np.where(stripes, (220, 60, 60), (250, 220, 180))[inside]


def make_clip(
    path: Path,
    places: Places,
    *,
    seconds: float = 16.0,
    size: tuple[int, int] = (640, 360),
    draw: Draw = draw_ellipse,
) -> Path:
    """A video of the targets before a background that is another one in every shot, with a little noise."""
    rng = np.random.default_rng(1)
    width, height = size
    grounds = [_ground(rng, width, height, level) for level in (60, 140, 90, 180, 110)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(round(seconds * FPS)):
            shot = int(n / FPS // _SHOT_S[places]) % 5 if places in _SHOT_S else 0
            image = grounds[shot].copy()
            for number, x in enumerate(places(n / FPS)):
                draw(image, x, number)
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
    at_edge: float
    """Part of the frames with targets in which the nearest one is cut by an edge of the crop."""
    reversals_per_s: float
    """Inside shots."""


def score(path: CropPath, places: Places, *, seconds: float, share: float) -> CropScore:
    """Compare a path with the known places; `share` is the width of the crop as a share of the picture's."""
    times_s = [n / FPS for n in range(round(seconds * FPS))]
    crops = [min(max(path.at(t)[0], share / 2), 1 - share / 2) for t in times_s]
    inside, empty, at_edge, counted = 0, 0, 0, 0
    for t, x in zip(times_s, crops, strict=True):
        targets = places(t)
        if targets:
            counted += 1
            inside += any(abs(place - x) <= share / 2 - TARGET for place in targets)
            empty += all(abs(place - x) > share / 2 for place in targets)
            at_edge += bool(share / 2 - TARGET < min(abs(place - x) for place in targets) < share / 2 + TARGET)
    cuts = [0.0, *(k.time_s for k in path.keyframes if k.cut), seconds]
    turned = sum(
        reversals(np.array([x for t, x in zip(times_s, crops, strict=True) if a <= t < b]), 0.01)
        for a, b in zip(cuts, cuts[1:], strict=False)
    )
    shares = (inside / counted, empty / counted, at_edge / counted) if counted else (1.0, 0.0, 0.0)
    return CropScore(*shares, turned / seconds)
