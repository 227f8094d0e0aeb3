"""The last 2.5 s of samples with their inner products, and the pairs of samples between which the picture changes along
a straight line. With the products a pair costs some arithmetic on numbers, not on pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heimdex_core.ingest.samples import BLACK, CELLS, Sample, unchanged

_SPANS = np.array([6, 8, 10, 13, 16, 20, 25, 31, 38, 46, 54, 63])
LONGEST = int(_SPANS[-1])
"""Steps between the two samples of the longest pair."""

# All distances and deviations below are of cells from 0 to 1.
_LEAST_DISTANCE = 0.05
_MOST_CORRELATION = 0.7
_PLAIN = 0.022
_BARS_FORGOTTEN = 0.97
_MOST_OFF_LINE = 0.31
_LARGEST_STEP = 0.5
_LARGEST_STEP_BACK = 0.1
_PAIRS_EVERY = 2

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """A pair of steps that a line joins; the picture is half-way at `middle`, a fraction of steps.

    `distance` is the root mean square difference of the two (0 to 1), `off_line` that of the pictures between from
    the line, in parts of `distance`; `unchanged` is the share of the picture that has stayed as it was.
    """

    first: int
    last: int
    middle: float
    distance: float
    off_line: float
    unchanged: float

    @property
    def length(self) -> int:
        return self.last - self.first


class Lines:
    """Fed with even samples; the questions are about the last one."""

    def __init__(self) -> None:
        count = LONGEST + 1
        self.step = -1
        self._cells = np.zeros((count, CELLS[0] * CELLS[1] * 3), np.float32)
        self._products = np.zeros((count, count), np.float64)
        self._sums = np.zeros((count, 3), np.float64)
        self._brightest = np.zeros(CELLS[0] * CELLS[1], np.float32)
        self._count = 1

    def see(self, sample: Sample) -> None:
        """Take the next sample."""
        self.step += 1
        at = self.step % len(self._cells)
        cells = sample.cells.reshape(-1, 3)
        self._cells[at] = cells.reshape(-1)
        # not with @: its threads would take the cores from the decoder
        self._products[at] = self._products[:, at] = np.einsum("ij,j->i", self._cells, self._cells[at])
        self._sums[at] = cells.sum(axis=0)
        # black bars count for nothing: they would make all pictures alike
        np.maximum(self._brightest * np.float32(_BARS_FORGOTTEN), cells.max(axis=1), out=self._brightest)
        self._count = max(1, int(np.count_nonzero(self._brightest > BLACK)))

    @property
    def spread(self) -> float:
        """The standard deviation of the cells of the last sample, within each channel."""
        return float(np.sqrt(max(0.0, self._variance(np.array([self.step % len(self._cells)]))[0])))

    @property
    def is_plain(self) -> bool:
        """Whether the last sample is of one colour."""
        return self.spread < _PLAIN

    def spans(self) -> list[Span]:
        """The pairs that end with the last sample and look nothing alike."""
        lengths = _SPANS[self.step >= _SPANS]
        if not len(lengths) or self.step % _PAIRS_EVERY:
            return []
        g, at = self._products, self.step % len(self._cells)
        first = (self.step - lengths) % len(self._cells)
        squares = g[at, at] + g[first, first] - 2 * g[first, at]
        before, now = self._variance(first), self._variance(np.array([at]))
        shared = (g[first, at] - self._sums[first] @ self._sums[at] / self._count) / (3 * self._count)
        differ = (squares > 3 * self._count * _LEAST_DISTANCE**2) & (before > _PLAIN**2) & (now > _PLAIN**2)
        differ &= shared < _MOST_CORRELATION * np.sqrt(np.maximum(before * now, 0.0))
        found = (self._span(int(length)) for length in lengths[differ])
        return [span for span in found if span is not None]

    def is_line(self, length: int) -> bool:
        """Whether the samples since `length` steps ago change along a line, in small steps."""
        return self._line(length) is not None

    def _span(self, length: int) -> Span | None:
        line = self._line(length)
        if line is None or self._has_plain(length):
            return None
        share, off_line, square = line
        after = int(np.argmax(share >= 0.5))
        half = after - 1 + (0.5 - share[after - 1]) / (share[after] - share[after - 1])
        distance = float(np.sqrt(square / (3 * self._count)))
        first, last = self.step - length, self.step
        stayed = unchanged(self._cells[first % len(self._cells)], self._cells[last % len(self._cells)])
        return Span(first, last, float(first + half), distance, off_line, stayed)

    def _line(self, length: int) -> tuple[Doubles, float, float] | None:
        """Where the samples lie on the line from the first to the last (0 to 1), how far off it, and its squared
        length; None if they do not."""
        count = len(self._cells)
        first, last = (self.step - length) % count, self.step % count
        g = self._products
        square = float(g[first, first] + g[last, last] - 2 * g[first, last])
        if square < 1e-6:
            return None
        # one in the middle is enough to refuse nearly everything that moves
        middle = np.array([(self.step - length // 2) % count])
        if self._places(middle, first, last, square)[1][0] > 2 * _MOST_OFF_LINE**2:
            return None
        share, off = self._places(np.arange(self.step - length + 1, self.step) % count, first, last, square)
        share = np.concatenate(([0.0], share, [1.0]))
        steps = np.diff(share)
        off_line = float(np.sqrt(off.mean()))
        if off_line > _MOST_OFF_LINE or steps.max() > _LARGEST_STEP or steps.min() < -_LARGEST_STEP_BACK:
            return None
        return share, off_line, square

    def _places(self, at: Indices, first: int, last: int, square: float) -> tuple[Doubles, Doubles]:
        """Where samples lie along the line, and their squared distance from it in parts of its squared length."""
        g = self._products
        share = (g[at, last] - g[at, first] - g[first, last] + g[first, first]) / square
        off = (g[at, at] + g[first, first] - 2 * g[at, first]) / square - np.square(share)
        return share, np.maximum(off, 0.0)

    def _variance(self, at: Indices) -> Doubles:
        """Of the cells of samples, within each channel."""
        squares = self._products[at, at] - np.square(self._sums[at]).sum(axis=1) / self._count
        return np.asarray(squares / (3 * self._count))

    def _has_plain(self, length: int) -> bool:
        """Whether one of the samples between is of one colour: then this is a fade."""
        between = np.arange(self.step - length + 1, self.step) % len(self._cells)
        return bool(self._variance(between).min() < _PLAIN**2)
