"""Labelled clips for the detectors of cuts: moving textured shots, and what joins or disturbs them.

Every clip is made frame by frame, as a camera and an editing program would: each shot has its own texture with edges,
moving objects, a camera that stands still, pans, zooms or shakes, and grain on top. What lies between two shots is
mixed from both while they go on moving. A seed gives always the same clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
"""(height, width, 3) BGR, 0 to 255."""
Frame = npt.NDArray[np.uint8]
Camera = str
"""still, pan, zoom or shake; with "fast " before it where it is quick."""

WIDTH, HEIGHT = 256, 144
_MARGIN = 2.0
"""The texture is so many times as wide as the picture."""


@dataclass(frozen=True)
class Clip:
    """Frames with their rate, and the boundaries that should be found in them.

    `boundaries` holds (seconds of the middle, seconds it may be off) of each.
    """

    name: str
    fps: float
    make: Callable[[], Iterator[Image]]
    boundaries: tuple[tuple[float, float], ...] = ()

    def frames(self) -> Iterator[tuple[float, Frame]]:
        """(time in seconds, BGR uint8) of every frame."""
        for n, image in enumerate(self.make()):
            yield n / self.fps, np.clip(image + 0.5, 0, 255).astype(np.uint8)


@dataclass
class _Object:
    texture: Image
    mask: Image
    at: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float64]


@dataclass
class Shot:
    """One take; `frame(t)` is what it shows at `t` seconds."""

    rng: np.random.Generator
    camera: Camera = "still"
    objects: int = 2
    mean: float | None = None
    contrast: float | None = None
    grain: float | None = None
    _scene: Image = field(init=False)

    def __post_init__(self) -> None:
        rng = self.rng
        colour = rng.uniform(40, 190, 3) if self.mean is None else np.full(3, self.mean) + rng.uniform(-15, 15, 3)
        contrast = rng.uniform(25, 55) if self.contrast is None else self.contrast
        size = (round(WIDTH * _MARGIN), round(HEIGHT * _MARGIN))
        self._scene = _texture(rng, size, colour, contrast)
        _draw_edges(self._scene, rng, contrast)
        self._objects = [self._new_object(contrast) for _ in range(self.objects)]
        fast = self.camera.startswith("fast")
        angle = rng.uniform(0, 2 * np.pi)
        self._pan = np.array([np.cos(angle), np.sin(angle) * 0.4]) * (
            rng.uniform(80, 160) if fast else rng.uniform(8, 40)
        )
        self._zoom = float(rng.choice([-1, 1]) * (rng.uniform(0.15, 0.3) if fast else rng.uniform(0.02, 0.08)))
        self._phase = rng.uniform(0, 6, 6)
        grain = rng.uniform(1, 6) if self.grain is None else self.grain
        self._grains = [rng.normal(0, grain, (HEIGHT, WIDTH, 3)).astype(np.float32) for _ in range(5)]

    def _new_object(self, contrast: float) -> _Object:
        rng = self.rng
        size = (int(rng.integers(24, 70)), int(rng.integers(24, 70)))
        mask = np.zeros((size[1], size[0], 1), np.float32)
        cv2.ellipse(mask, (size[0] // 2, size[1] // 2), (size[0] // 2 - 1, size[1] // 2 - 1), 0, 0, 360, 1.0, -1)
        mask = np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.float32)[..., None]
        angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(10, 70)
        start = rng.uniform([0, 0], [WIDTH, HEIGHT])
        return _Object(
            _texture(rng, size, rng.uniform(20, 220, 3), contrast * 0.7),
            mask.astype(np.float32),
            start,
            np.array([np.cos(angle), np.sin(angle) * 0.5]) * speed,
        )

    def frame(self, t: float) -> Image:
        scale, x, y = 1.0, WIDTH * (_MARGIN - 1) / 2, HEIGHT * (_MARGIN - 1) / 2
        if self.camera.endswith("pan"):
            x, y = _bounced(x + self._pan[0] * t, WIDTH), _bounced(y + self._pan[1] * t, HEIGHT)
        elif self.camera.endswith("zoom"):
            scale = float(np.clip(np.exp(self._zoom * t), 0.55, 3.0))
        elif self.camera.endswith("shake"):
            a = self._phase
            x += 4 * np.sin(3.1 * t + a[0]) + 2 * np.sin(9.7 * t + a[1])
            y += 3 * np.sin(2.7 * t + a[2]) + 2 * np.sin(11.3 * t + a[3])
        middle_x, middle_y = x + WIDTH / 2, y + HEIGHT / 2
        # from picture to scene
        matrix = np.array(
            [[1 / scale, 0, middle_x - WIDTH / 2 / scale], [0, 1 / scale, middle_y - HEIGHT / 2 / scale]], np.float32
        )
        size, flags = (WIDTH, HEIGHT), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        image = np.asarray(cv2.warpAffine(self._scene, matrix, size, flags=flags), np.float32)
        for one in self._objects:
            _place(image, one, t)
        light = np.float32(1 + 0.01 * np.sin(5 * t + self._phase[4]))
        return np.clip(image * light + self._grains[int(t * 1000) % 5], 0, 255)


def _bounced(value: float, limit: float) -> float:
    """To and fro between 0 and `limit`."""
    value = value % (2 * limit)
    return min(value, 2 * limit - value)


def _place(image: Image, one: _Object, t: float) -> None:
    height, width = one.mask.shape[:2]
    x = round(_bounced(one.at[0] + one.speed[0] * t, WIDTH) - width / 2)
    y = round(_bounced(one.at[1] + one.speed[1] * t, HEIGHT) - height / 2)
    left, top, right, bottom = max(0, x), max(0, y), min(WIDTH, x + width), min(HEIGHT, y + height)
    if left >= right or top >= bottom:
        return
    part = np.s_[top - y : bottom - y, left - x : right - x]
    under = image[top:bottom, left:right]
    image[top:bottom, left:right] = under + one.mask[part] * (one.texture[part] - under)


def _texture(
    rng: np.random.Generator, size: tuple[int, int], colour: npt.NDArray[np.float64], contrast: float
) -> Image:
    """Noise of several scales, as surfaces have it; (height, width, 3) for a (width, height)."""
    width, height = size
    found = np.zeros((height, width, 3), np.float32)
    weight, total = 1.0, 0.0
    fall = rng.uniform(0.55, 0.8)
    for cells in (3, 6, 12, 24, 48, 96):
        grid = rng.normal(0, 1, (max(2, round(cells * height / width)), cells, 1)).astype(np.float32)
        tint = rng.normal(0, 0.35, (grid.shape[0], cells, 3)).astype(np.float32)
        found += weight * cv2.resize(grid + tint, (width, height), interpolation=cv2.INTER_CUBIC)
        total += weight**2
        weight *= fall
    return np.clip(colour + contrast * found / np.sqrt(total), 3, 252).astype(np.float32)


def _draw_edges(scene: Image, rng: np.random.Generator, contrast: float) -> None:
    """Things with hard edges, each with the texture under it showing."""
    height, width = scene.shape[:2]
    for _ in range(int(rng.integers(4, 14))):
        centre = rng.uniform([0, 0], [width, height])
        corners = centre + rng.uniform(-1, 1, (4, 2)) * rng.uniform(15, 80)
        mask = np.zeros((height, width, 1), np.float32)
        cv2.fillConvexPoly(mask, cv2.convexHull(corners.astype(np.int32)), 1.0)
        scene += mask.reshape(height, width, 1) * rng.normal(0, contrast, 3).astype(np.float32)
    np.clip(scene, 3, 252, out=scene)


def mixed(one: Image, other: Image, share: float, gamma: float = 1.0) -> Image:
    """`share` of `other`, the rest of `one`; with `gamma` in linear light, as some programs do it."""
    if gamma == 1.0:
        return one + np.float32(share) * (other - one)
    light = [(np.maximum(image, 0) / 255) ** np.float32(gamma) for image in (one, other)]
    both = light[0] + np.float32(share) * (light[1] - light[0])
    return np.asarray(both ** np.float32(1 / gamma) * 255, np.float32)


def dissolve(
    a: Shot, b: Shot, *, at_s: float, length: int, total_s: float, fps: float, gamma: float = 1.0
) -> Iterator[Image]:
    """Shot a, then `length` mixed frames around `at_s`, then shot b."""
    first = round(at_s * fps - length / 2)
    for n in range(round(total_s * fps)):
        share = (n - first + 1) / (length + 1)
        if share <= 0:
            yield a.frame(n / fps)
        elif share >= 1:
            yield b.frame(n / fps)
        else:
            yield mixed(a.frame(n / fps), b.frame(n / fps), share, gamma)


def through(
    a: Shot | None,
    b: Shot | None,
    *,
    out_s: tuple[float, float],
    in_s: tuple[float, float],
    total_s: float,
    fps: float,
    colour: float = 4.0,
) -> Iterator[Image]:
    """Fades out within `out_s` to one colour and in again within `in_s`."""
    plain = np.full((HEIGHT, WIDTH, 3), colour, np.float32)
    for n in range(round(total_s * fps)):
        t = n / fps
        before = min(1.0, max(0.0, (t - out_s[0]) / max(out_s[1] - out_s[0], 1e-6)))
        after = min(1.0, max(0.0, (t - in_s[0]) / max(in_s[1] - in_s[0], 1e-6)))
        if a is not None and t < out_s[1]:
            yield mixed(a.frame(t), plain, before)
        elif b is not None and t >= in_s[0]:
            yield mixed(plain, b.frame(t), after)
        else:
            yield plain
