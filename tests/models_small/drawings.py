"""Drawings of one or two coloured shapes and the captions that say what they show.

`draw` makes a new drawing at every call: position, size, turn, shade and background come from the generator that is
given to it. The small open_clip model is trained on these, and tests make pictures and videos out of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""
Plane = npt.NDArray[np.float32]

# hue in degrees, saturation and value: each drawing takes a shade from these ranges
SHADES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-8, 6), (0.85, 1.0), (0.75, 1.0)),
    "orange": ((24, 34), (0.85, 1.0), (0.92, 1.0)),
    "yellow": ((51, 60), (0.8, 1.0), (0.9, 1.0)),
    "green": ((100, 145), (0.7, 1.0), (0.5, 0.85)),
    "blue": ((212, 240), (0.75, 1.0), (0.65, 1.0)),
    "purple": ((272, 292), (0.65, 0.95), (0.5, 0.8)),
    "black": ((0, 360), (0.0, 0.1), (0.0, 0.1)),
    "white": ((0, 360), (0.0, 0.04), (0.95, 1.0)),
}
RELATIONS = ("above", "below", "left of", "right of", "inside")
# what the same drawing is called when its second thing is named first
OPPOSITES = {"below": "above", "right of": "left of"}
# a thing can lie inside these and still be seen as a whole
ROOMY = ("circle", "square", "triangle")
SUPERSAMPLING = 3
HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Thing:
    """One coloured shape."""

    colour: str
    shape: str

    def __post_init__(self) -> None:
        if self.colour not in SHADES or self.shape not in SHAPES:
            raise ValueError(f"no drawing of a {self.colour} {self.shape}: colours {[*SHADES]}, shapes {[*SHAPES]}")

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Caption:
    """What a drawing shows: one thing, or two and how they lie to each other."""

    first: Thing
    relation: str | None = None
    second: Thing | None = None

    def __post_init__(self) -> None:
        if (self.relation is None) != (self.second is None):
            raise ValueError("a relation and a second thing go together")
        if self.relation is not None and self.relation not in RELATIONS:
            raise ValueError(f"unknown relation {self.relation!r}: one of {RELATIONS}")
        if self.relation == "inside" and self.second is not None and self.second.shape not in ROOMY:
            raise ValueError(f"nothing is drawn inside a {self.second.shape}: only inside {ROOMY}")
        if self.relation == "inside" and self.second is not None and self.second.colour == self.first.colour:
            raise ValueError(f"a {self.first} inside a {self.second} would not be seen")

    @classmethod
    def of(cls, text: str) -> Caption:
        """Reads "green triangle above a red circle" or "a blue star"; ValueError for anything else."""
        words = [word for word in text.lower().split() if word not in ("a", "an", "the")]
        middle = " ".join(words[2:-2])
        if len(words) == 2:
            return cls(Thing(*words))
        if middle not in RELATIONS:
            raise ValueError(f"not a caption: {text!r}")
        return cls(Thing(*words[:2]), middle, Thing(*words[-2:]))

    def __str__(self) -> str:
        if self.second is None:
            return str(self.first)
        article = "an" if self.second.colour[0] in "aeiou" else "a"
        return f"{self.first} {self.relation} {article} {self.second}"

    def meaning(self) -> Caption:
        """The one caption that stands for all captions of the same drawing."""
        if self.second is None or self.relation not in OPPOSITES:
            return self
        return Caption(self.second, OPPOSITES[self.relation], self.first)

    def turned(self) -> Caption:
        """The same drawing named from its other thing; itself where there is no other way to say it."""
        back = {name: opposite for opposite, name in OPPOSITES.items()} | OPPOSITES
        if self.second is None or self.relation not in back:
            return self
        return Caption(self.second, back[self.relation], self.first)


def held_out(caption: Caption) -> bool:
    """Whether these two things are never drawn together in training, however they lie to each other."""
    if caption.second is None:
        return False
    pair = " + ".join(sorted((str(caption.first), str(caption.second))))
    if pair == "green triangle + red circle":
        return True
    return zlib.crc32(pair.encode()) % 1000 < HELD_OUT_SHARE * 1000


def things() -> tuple[Thing, ...]:
    return tuple(Thing(colour, shape) for colour, shape in product(SHADES, SHAPES))


def pair_captions() -> Iterator[Caption]:
    """Every drawing of two different things once, as its `meaning`."""
    for first, second in permutations(things(), 2):
        for relation in ("above", "left of", "inside"):
            if relation != "inside" or (second.shape in ROOMY and second.colour != first.colour):
                yield Caption(first, relation, second)


def _star(x: Plane, y: Plane) -> npt.NDArray[np.bool_]:
    """Five points of radius 1, notches of radius 0.45, one point up."""
    turn = np.arctan2(x, -y) % (2 * np.pi / 5)
    turn = np.minimum(turn, 2 * np.pi / 5 - turn)
    radius = np.hypot(x, y)
    notch = 0.45 * np.array([np.cos(np.pi / 5), np.sin(np.pi / 5)])
    across, along = radius * np.sin(turn), radius * np.cos(turn)
    # on the inner side of the straight edge from the point (1, 0) to the notch
    return (notch[0] - 1) * across - notch[1] * (along - 1) >= 0


# each takes coordinates in units of the shape's radius, y downwards
SHAPES: dict[str, Callable[[Plane, Plane], npt.NDArray[np.bool_]]] = {
    "circle": lambda x, y: x**2 + y**2 <= 0.9,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) <= 0.85,
    "triangle": lambda x, y: (y <= 0.75) & (np.abs(x) <= (y + 1) * 0.57),
    "star": _star,
    "cross": lambda x, y: (np.minimum(np.abs(x), np.abs(y)) <= 0.3) & (np.maximum(np.abs(x), np.abs(y)) <= 0.95),
    "ring": lambda x, y: (x**2 + y**2 <= 1) & (x**2 + y**2 >= 0.33),
}


@dataclass(frozen=True)
class _Place:
    """Centre as parts of width and height, radius as a part of the height."""

    x: float
    y: float
    radius: float


def _places(caption: Caption, rng: np.random.Generator, aspect: float) -> list[_Place]:
    if caption.second is None:
        radius = rng.uniform(0.18, 0.4)
        return [_Place(rng.uniform(radius / aspect, 1 - radius / aspect), rng.uniform(radius, 1 - radius), radius)]
    if caption.relation == "inside":
        outer = rng.uniform(0.36, 0.46)
        x, y = rng.uniform(outer / aspect, 1 - outer / aspect), rng.uniform(outer, 1 - outer)
        # the middle of a triangle's room lies below the middle of its radius
        lower = 0.25 if caption.second.shape == "triangle" else rng.uniform(-0.08, 0.08)
        inner = _Place(
            x + rng.uniform(-0.08, 0.08) * outer / aspect, y + lower * outer, outer * rng.uniform(0.36, 0.46)
        )
        return [inner, _Place(x, y, outer)]
    near, far = rng.uniform(0.23, 0.28), rng.uniform(0.72, 0.77)
    radii = rng.uniform(0.16, 0.22, 2)
    if caption.relation in ("above", "below"):
        along = rng.uniform(0.25, 0.75)
        across = along + rng.uniform(-0.12, 0.12, 2)
        places = [_Place(across[0], near, radii[0]), _Place(across[1], far, radii[1])]
    else:
        across = rng.uniform(0.34, 0.66) + rng.uniform(-0.12, 0.12, 2)
        places = [_Place(near, across[0], radii[0]), _Place(far, across[1], radii[1])]
    return places if caption.relation in ("above", "left of") else places[::-1]


def _shade(colour: str, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    hue, saturation, value = (rng.uniform(*limits) for limits in SHADES[colour])
    return np.array(hsv_to_rgb(hue / 360 % 1, saturation, value), dtype=np.float32)


def _background(rng: np.random.Generator, width: int, height: int) -> Plane:
    """A dull colour that no thing has, lighter on one side, (height, width, 3)."""
    colour = np.array(hsv_to_rgb(rng.uniform(), rng.uniform(0, 0.2), rng.uniform(0.35, 0.7)), dtype=np.float32)
    slope = rng.uniform(-0.1, 0.1, 2)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    return colour + (slope[0] * x + slope[1] * y)[:, :, None].astype(np.float32)


def _paint(
    canvas: Plane, thing: Thing, place: _Place, colour: npt.NDArray[np.float32], turn: float, aspect: float
) -> None:
    """Lays one shape over (height, width, 3), each pixel by the part of it that the shape covers."""
    height, width = canvas.shape[:2]
    reach_x, reach_y = place.radius * 1.3 / aspect * width, place.radius * 1.3 * height
    left, right = max(0, int(place.x * width - reach_x)), min(width, int(place.x * width + reach_x) + 2)
    top, bottom = max(0, int(place.y * height - reach_y)), min(height, int(place.y * height + reach_y) + 2)
    n = SUPERSAMPLING
    columns = (left + (np.arange((right - left) * n, dtype=np.float32) + 0.5) / n) / width
    rows = (top + (np.arange((bottom - top) * n, dtype=np.float32) + 0.5) / n) / height
    across, down = np.meshgrid((columns - place.x) * aspect / place.radius, (rows - place.y) / place.radius)
    x, y = across * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - across * np.sin(turn)
    covered = SHAPES[thing.shape](x, y).reshape(bottom - top, n, right - left, n).mean((1, 3), dtype=np.float32)
    part = covered[:, :, None]
    canvas[top:bottom, left:right] = canvas[top:bottom, left:right] * (1 - part) + colour * part


def draw(
    caption: Caption | str,
    rng: np.random.Generator,
    *,
    width: int = 96,
    height: int = 96,
    aspect: float | None = None,
) -> Picture:
    """A new drawing of what the caption says, RGB of shape (height, width, 3).

    `aspect` is the drawing's width over its height as it was before it was squeezed into width x height; left out,
    pixels are square. Raises ValueError for a caption that cannot be read.
    """
    if isinstance(caption, str):
        caption = Caption.of(caption)
    aspect = width / height if aspect is None else aspect
    canvas = _background(rng, width, height)
    named = [caption.first] if caption.second is None else [caption.first, caption.second]
    painted = list(zip(named, _places(caption, rng, aspect), strict=True))
    # the largest first, so that what lies inside is on top
    for thing, place in sorted(painted, key=lambda item: -item[1].radius):
        _paint(canvas, thing, place, _shade(thing.colour, rng), rng.uniform(-0.2, 0.2), aspect)
    canvas += rng.normal(0, rng.uniform(0, 0.025), canvas.shape).astype(np.float32)
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
