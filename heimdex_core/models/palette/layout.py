"""What the dimensions of the vector mean, for images and queries alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from heimdex_core.models.palette.colours import FAMILY_NAMES, NAMES, Floats
from heimdex_core.types import Space

REVISION = "1"
"""Libraries are pinned to it: anything that changes a vector is a new revision."""
GRID = 3
"""Rows and columns of cells in which an image is measured."""
CELLS = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))

LIGHT_STEPS = ("black", "very dark", "dark", "dim", "medium", "light", "bright", "white")
"""Steps of L*, with centres at 0, 100/7, ... 100."""
CHROMA_STEPS = ("none", "faint", "muted", "strong", "vivid")
CHROMA_CENTRES = (0.0, 10.0, 25.0, 45.0, 70.0)
ORIENTATIONS = ("horizontal", "rising", "vertical", "falling")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A measure of the whole image; the feature is tanh((value - neutral) / scale)."""

    name: str
    neutral: float
    scale: float


SCALARS: tuple[Scalar, ...] = (
    # light, in L* (0 to 100) or shares (0 to 1)
    Scalar("lightness", 45, 18),
    Scalar("contrast", 22, 10),
    Scalar("dark_share", 0.30, 0.25),
    Scalar("bright_share", 0.15, 0.18),
    Scalar("glow", 0.05, 0.1),
    Scalar("top_light", 6, 16),
    Scalar("centre_light", 3, 13),
    # warmth, in b* and shares
    Scalar("warmth", 6, 11),
    Scalar("warm_share", 0.30, 0.25),
    Scalar("cool_share", 0.18, 0.22),
    # saturation, in C*
    Scalar("chroma", 20, 12),
    Scalar("vivid_share", 0.12, 0.16),
    Scalar("grey_share", 0.35, 0.28),
    Scalar("variety", 0.65, 0.15),
    # texture, of L* at 160 px
    Scalar("edges", 0.25, 0.15),
    Scalar("fine", 2.3, 1.2),
    Scalar("medium", 3.3, 1.6),
    Scalar("coarse", 4.5, 2.2),
    Scalar("smooth", 0.25, 0.25),
    Scalar("flat", 0.25, 0.25),
    Scalar("two_tone", 0.45, 0.25),
    Scalar("columns", 0.2, 0.2),
    Scalar("rows", 0.25, 0.2),
    Scalar("bottom_detail", 0.08, 0.25),
    Scalar("centre_detail", 0.08, 0.2),
)
"""Neutral is the value of an ordinary image, scale a large difference from it. Both are estimates, not fitted."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive dimensions of one kind, and the weight by which an image's features are scaled."""

    name: str
    parts: tuple[str, ...]
    weight: float


BLOCKS: tuple[Block, ...] = (
    Block("colour", NAMES, 0.7),
    Block("family", FAMILY_NAMES, 1.0),
    Block("accent", FAMILY_NAMES, 1.0),
    Block("cell", tuple(f"{family}@{cell}" for cell in CELLS for family in FAMILY_NAMES), 0.58),
    Block("light", LIGHT_STEPS, 0.5),
    Block("saturation", CHROMA_STEPS, 0.5),
    Block("cell_light", CELLS, 0.25),
    Block("cell_chroma", CELLS, 0.2),
    Block("cell_detail", CELLS, 0.2),
    Block("orientation", ORIENTATIONS, 0.4),
    Block("scalar", tuple(scalar.name for scalar in SCALARS), 0.3),
)


_ENDS = list(itertools.accumulate(len(block.parts) for block in BLOCKS))
SLICES = {block.name: slice(end - len(block.parts), end) for block, end in zip(BLOCKS, _ENDS, strict=True)}
BODY = _ENDS[-1]
DIM = BODY + 1
"""The last dimension gives every image the same length (see `descriptor`); in queries it is 0."""

SPACE = Space(name="vision/palette", kind="vision", model="palette", revision=REVISION, dim=DIM)

LENGTH = 2.6
"""Length of an image's features before scaling: longer ones are scaled down, the last dimension fills up others."""


def _unit(*rows: list[float]) -> Floats:
    cells = np.array(rows, dtype=np.float32).ravel()
    return np.asarray(cells / np.linalg.norm(cells), dtype=np.float32)


REGIONS = {
    "top": _unit([1, 1, 1], [0, 0, 0], [0, 0, 0]),
    "middle": _unit([0, 0, 0], [1, 1, 1], [0, 0, 0]),
    "bottom": _unit([0, 0, 0], [0, 0, 0], [1, 1, 1]),
    "upper": _unit([1, 1, 1], [0.6, 0.6, 0.6], [0, 0, 0]),
    "lower": _unit([0, 0, 0], [0.6, 0.6, 0.6], [1, 1, 1]),
    "left": _unit([1, 0.3, 0], [1, 0.3, 0], [1, 0.3, 0]),
    "right": _unit([0, 0.3, 1], [0, 0.3, 1], [0, 0.3, 1]),
    "centre": _unit([0, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 0]),
    "surround": _unit([1, 0.6, 1], [1, 0, 1], [1, 0.6, 1]),
    "all": _unit([1, 1, 1], [1, 1, 1], [1, 1, 1]),
}
"""Weights of the cells by region, unit vectors (9,)."""

_PREFIXES = {"light": "step:", "saturation": "sat:", "orientation": "orient:", "scalar": ""}


def _measures() -> dict[str, tuple[slice, Floats]]:
    found = {}
    for block in BLOCKS:
        if block.name in _PREFIXES:
            start = SLICES[block.name].start
            for n, part in enumerate(block.parts, start):
                found[f"{_PREFIXES[block.name]}{part}"] = (slice(n, n + 1), np.ones(1, dtype=np.float32))
    for kind in ("light", "chroma", "detail"):
        found |= {f"{kind}:{region}": (SLICES[f"cell_{kind}"], cells) for region, cells in REGIONS.items()}
    return found


MEASURES = _measures()
"""By the names that the vocabulary has for them: the dimensions of a measure, and its weights in them."""
