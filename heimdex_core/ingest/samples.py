"""What the detectors of cuts look at besides the frame itself: cells of colour, and the detail of its brightness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

STEP_S = 0.04
"""Gradual transitions are looked for so often, whatever the frame rate."""
CELLS = (32, 18)
DETAIL = (64, 36)

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_FINE_PX = 2.0
_AROUND_PX = 3.0
_NOISE_VARIANCE = 4.0
_LEAST_STRUCTURE = 50.0
"""All the structure of a plain picture may be a line of rounding errors at its edge (about 10), which says nothing;
pictures of something have 600 to 2300."""
BLACK = 0.03
"""Of 1; what is always darker is a bar beside the picture."""


@dataclass
class Sample:
    """One frame, reduced.

    `cells` is (18, 32, 3) BGR float32 from 0 to 1, each the mean of its part of the picture; `light` is its brightness,
    (36, 64) uint8. Whatever the shape of the picture, it is squeezed into these.
    """

    cells: Floats
    light: Pixels

    @staticmethod
    def of(image: Pixels) -> Sample:
        """The sample of a BGR picture, (height, width, 3) uint8, of any size."""
        import cv2

        detail = cv2.resize(image, DETAIL, interpolation=cv2.INTER_AREA)
        cells = cv2.resize(detail, CELLS, interpolation=cv2.INTER_AREA)
        return Sample(
            np.asarray(cells, np.float32) / np.float32(255),
            np.asarray(cv2.cvtColor(detail, cv2.COLOR_BGR2GRAY), np.uint8),
        )

    @cached_property
    def fine(self) -> Floats:
        """Its detail: the brightness without what is larger than a few pixels; 0 in black bars."""
        import cv2

        fine = np.zeros(self.light.shape, np.float32)
        inside = _without_bars(self.light)
        light = self.light[inside].astype(np.float32)
        if light.size:
            fine[inside] = light - cv2.GaussianBlur(light, (0, 0), _FINE_PX)
        return fine

    @cached_property
    def structure(self) -> Floats:
        """Its detail at one contrast everywhere, so that light on a part of the picture does not change it much."""
        import cv2

        around = cv2.GaussianBlur(self.fine * self.fine, (0, 0), _AROUND_PX)
        return np.asarray(self.fine / np.sqrt(around + _NOISE_VARIANCE), np.float32)

    @property
    def spread(self) -> float:
        """The standard deviation of the cells, within each channel."""
        return float(np.sqrt(self.cells.reshape(-1, 3).var(axis=0).mean()))

    @property
    def detail_by_cell(self) -> Floats:
        """(18, 32): the energy of its detail in each cell."""
        (columns, rows), (wide, high) = CELLS, DETAIL
        squares = np.square(self.fine).reshape(rows, high // rows, columns, wide // columns)
        return np.asarray(squares.sum(axis=(1, 3)), np.float32)

    @property
    def contrast(self) -> float:
        """The energy of its detail."""
        return float(np.square(self.fine).mean())


def _without_bars(light: Pixels) -> tuple[slice, slice]:
    """The part within black bars, whose edges are in every picture."""

    def between(lines: Pixels) -> slice:
        seen = np.flatnonzero(lines > 255 * BLACK)
        if not seen.size:
            return slice(0, 0)
        first, last = int(seen[0]), int(seen[-1]) + 1
        # the line where a bar ends is a mixture
        return slice(first + (first > 0), last - (last < len(lines)))

    return between(light.max(axis=1)), between(light.max(axis=0))


def still_seen(one: Sample, other: Sample) -> float:
    """How far the structure of one picture is in the other, at most 1.

    The largest normalised correlation over all shifts, so that a moving camera does not matter. Unrelated
    pictures reach about 0.12.
    """
    a, b = one.structure, other.structure
    products = np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), s=a.shape)
    energy = np.sqrt(float(np.square(a).sum()) * float(np.square(b).sum()))
    return float(products.max() / (energy + _LEAST_STRUCTURE))


def unchanged(one: Floats, other: Floats, weights: Floats | None = None) -> float:
    """The share of the cells that have stayed as they were (0 to 1), black bars not counted.

    A cell has if its change is less than a quarter of the root mean square over all cells. `weights` (18, 32) say how
    much each cell counts; all the same without.
    """
    before, now = one.reshape(-1, 3), other.reshape(-1, 3)
    seen = np.maximum(before, now).max(axis=1) > BLACK
    change = np.linalg.norm(now - before, axis=1)[seen]
    if not change.size:
        return 1.0
    counts = np.ones_like(change) if weights is None else weights.ravel()[seen] + np.float32(1e-6)
    return float(np.average(change < 0.25 * np.sqrt(np.square(change).mean()), weights=counts))


class EvenSampler:
    """Turns frames at any times into samples every STEP_S, each what a player shows at that time."""

    def __init__(self, longest_gap: int) -> None:
        """`longest_gap`: a frame that stays longer than so many steps is repeated only so often."""
        self._longest_gap = longest_gap
        self._next = 0
        self._shown: Sample | None = None

    def see(self, time_s: float, sample: Sample) -> Iterator[tuple[float, Sample]]:
        """The (time in seconds, sample) of the steps before a frame, which shows from `time_s` on."""
        yield from self._until(time_s)
        self._shown = sample

    def finish(self, end_s: float) -> Iterator[tuple[float, Sample]]:
        """The steps that are left, up to and with the last frame."""
        yield from self._until(end_s + STEP_S)

    def _until(self, time_s: float) -> Iterator[tuple[float, Sample]]:
        due = int(np.ceil(time_s / STEP_S - 1e-6))
        if self._shown is None:
            self._next = due
            return
        self._next = max(self._next, due - self._longest_gap)
        for step in range(self._next, due):
            yield step * STEP_S, self._shown
        self._next = max(self._next, due)
