"""Brushes for the sample's scenes: gradients, noise, soft shapes and particles as float RGB arrays.

A picture is float32 (HEIGHT, WIDTH, 3), 0 to 1. X runs from 0 to 16/9 and Y from 0 (top) to 1, so
that lengths are the same both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FPS = 960, 540, 24
ASPECT = WIDTH / HEIGHT
Picture = npt.NDArray[np.float32]
Mask = npt.NDArray[np.float32]
Colour = tuple[float, float, float]

Y, X = (
    axis.astype(np.float32) / HEIGHT for axis in np.mgrid[0:HEIGHT, 0:WIDTH]
)  # both divided by the height: square units


def rgb(code: str) -> Colour:
    """'#rrggbb' as three floats."""
    return tuple(int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


def smooth(low: float, high: float, value: Mask) -> Mask:
    """0 below low, 1 above high, an S-curve between (either order)."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return (part * part * (3 - 2 * part)).astype(np.float32)


def ramp(value: Mask, stops: Sequence[tuple[float, str]]) -> Picture:
    """Colours along `value`: (position, '#rrggbb') stops, linear between."""
    places = [place for place, _ in stops]
    colours = np.array([rgb(code) for _, code in stops], dtype=np.float32)
    return np.stack([np.interp(value, places, colours[:, i]) for i in range(3)], axis=-1).astype(np.float32)


def over(below: Picture, colour: str | Picture, mask: Mask) -> Picture:
    """`colour` laid over a picture where the mask is 1."""
    top = np.asarray(rgb(colour), dtype=np.float32) if isinstance(colour, str) else colour
    return below + (top - below) * mask[..., None]


def add(below: Picture, colour: str, light: Mask) -> Picture:
    """Light of a colour added, rolling off towards white."""
    return 1 - (1 - below) * (1 - np.asarray(rgb(colour), dtype=np.float32) * np.clip(light, 0, 1)[..., None])


@lru_cache(maxsize=64)
def noise(seed: int, *, cells: float = 4, octaves: int = 5, stretch: float = 1.0, wide: float = 1.0) -> Mask:
    """Cloudy noise 0 to 1; `cells` per height, `stretch` > 1 draws it out sideways, `wide` screens across."""
    rng = np.random.default_rng(seed)
    width = int(WIDTH * wide)
    total = np.zeros((HEIGHT, width), dtype=np.float32)
    strength = 1.0
    for octave in range(octaves):
        rows = max(2, int(cells * 2**octave) + 1)
        columns = max(2, int(cells * 2**octave * ASPECT * wide / stretch) + 1)
        grid = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
        total += strength * np.asarray(grid.resize((width, HEIGHT), Image.Resampling.BICUBIC))
        strength *= 0.5
    return (total - total.min()) / (total.max() - total.min())


def slide(field: Mask, dx: float, dy: float = 0.0) -> Mask:
    """A wide noise field seen through the frame, moved by whole and part pixels, wrapping around."""
    moved = np.roll(field, (int(dy), -int(dx)), axis=(0, 1))[:, :WIDTH]
    ahead = np.roll(field, (int(dy), -int(dx) - 1), axis=(0, 1))[:, :WIDTH]
    part = dx - int(dx)
    return moved * (1 - part) + ahead * part


def rise(field: Mask, dx: float, dy: float) -> Mask:
    """A noise field moving upwards without end; mirrored at its edges, so that no seam shows."""
    tall = np.concatenate([field, field[::-1]])
    whole, part = int(np.floor(dy)), dy - np.floor(dy)
    rows = (np.arange(HEIGHT) + whole) % len(tall)
    columns = slice(int(dx), int(dx) + WIDTH)
    return (tall[rows, columns] * (1 - part) + tall[(rows + 1) % len(tall), columns] * part).astype(np.float32)


def disc(cx: float, cy: float, radius: float, soft: float = 0.003) -> Mask:
    return smooth(radius + soft, radius - soft, np.hypot(X - cx, Y - cy))


def glow(cx: float, cy: float, radius: float) -> Mask:
    return np.exp(-((X - cx) ** 2 + (Y - cy) ** 2) / radius**2).astype(np.float32)


def below_line(heights: npt.NDArray[np.floating]) -> Mask:
    """1 below a profile: `heights` is Y of the line for every column."""
    return np.clip((Y - heights[None, :].astype(np.float32)) * HEIGHT, 0, 1)


def ridge(seed: int, base: float, rough: float, cells: float = 3) -> npt.NDArray[np.float32]:
    """A mountain or hill line, Y for every column."""
    rng = np.random.default_rng(seed)
    line = np.zeros(WIDTH, dtype=np.float32)
    for octave in range(7):
        knots = rng.random(int(cells * 2**octave) + 2)
        line += np.interp(np.linspace(0, len(knots) - 1, WIDTH), np.arange(len(knots)), knots) * 0.5**octave
    return base - rough * (line - line.mean())


def canvas(scale: int = 2) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty RGBA canvas `scale` times as large, to be brought down smooth by `lay`."""
    image = Image.new("RGBA", (WIDTH * scale, HEIGHT * scale), (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)


def lay(below: Picture, image: Image.Image, opacity: float = 1.0) -> Picture:
    """A drawn canvas over a picture, smoothed down to its size."""
    # RGBa is premultiplied: averaging it leaves no dark seams at the edges.
    small = image.convert("RGBa").resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    layer = np.asarray(small, dtype=np.float32) / 255 * opacity
    return below * (1 - layer[..., 3:]) + layer[..., :3]


def points(*pairs: tuple[float, float], scale: int = 2) -> list[tuple[float, float]]:
    """(X, Y) places as pixels of a canvas."""
    return [(x * HEIGHT * scale, y * HEIGHT * scale) for x, y in pairs]


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> list[tuple[float, float]]:
    """A turned ellipse as a polygon of canvas pixels."""
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    x, y = rx * np.cos(turn), ry * np.sin(turn)
    cos, sin = np.cos(angle), np.sin(angle)
    return points(*zip(cx + x * cos - y * sin, cy + x * sin + y * cos, strict=True))


def sparkle(below: Picture, spots: npt.NDArray[np.floating], colour: str) -> Picture:
    """Soft round lights: rows of (X, Y, radius, strength)."""
    light = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    for x, y, radius, strength in spots:
        reach = max(2, int(radius * HEIGHT * 2.5) + 1)
        px, py = int(x * HEIGHT), int(y * HEIGHT)
        x0, x1 = max(px - reach, 0), min(px + reach + 1, WIDTH)
        y0, y1 = max(py - reach, 0), min(py + reach + 1, HEIGHT)
        if x0 >= x1 or y0 >= y1:
            continue
        near = (X[y0:y1, x0:x1] - x) ** 2 + (Y[y0:y1, x0:x1] - y) ** 2
        light[y0:y1, x0:x1] += strength * np.exp(-near / radius**2)
    return add(below, colour, light)


def write(
    below: Picture, text: str, cx: float, cy: float, size: float, colour: str, font: Path, alpha: float
) -> Picture:
    """Text centred at (cx, cy), `size` as a share of the height."""
    image, draw = canvas()
    red, green, blue = (round(255 * part) for part in rgb(colour))
    face = ImageFont.truetype(str(font), round(size * HEIGHT * 2))
    draw.text(points((cx, cy))[0], text, font=face, fill=(red, green, blue, 255), anchor="mm")
    return lay(below, image, alpha)


VIGNETTE = (1 - 0.28 * np.clip(np.hypot((X - ASPECT / 2) / ASPECT, Y - 0.5) - 0.25, 0, 1) ** 1.5)[..., None]
# A still, faint grain keeps gradients from banding and costs the encoder nothing after the first frame.
GRAIN = np.random.default_rng(5).normal(0, 0.0045, (HEIGHT, WIDTH, 1)).astype(np.float32)


def finish(picture: Picture) -> npt.NDArray[np.uint8]:
    """The picture as 8-bit RGB, with the edges a little darker."""
    return (np.clip(picture * VIGNETTE + GRAIN, 0, 1) * 255 + 0.5).astype(np.uint8)
