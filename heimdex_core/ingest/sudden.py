"""Corrects ContentDetector's cuts where it is known to be wrong about a sudden change.

A flash looks like two cuts, and a lamp or a title that comes at once like one; a cut that changes nothing but the hue
goes unseen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from heimdex_core.ingest.samples import Floats, Sample, still_seen, unchanged

FLASH_S = 0.5
"""A picture that has returned by then to what it was has not been cut."""
_MOST_LEFT = 0.35
_MOST_MOVED = 0.7

_LEAST_CHROMA = 0.12
_SAME_THINGS = 0.6
_MOST_UNCHANGED = 0.5
_LEAST_DETAIL_KEPT = 0.25
_SUDDEN = 3.0
_LEAST_AMOUNT = 0.08
_PLAIN = 0.03
# ITU-R BT.601, for BGR
_LUMA = np.array([0.114, 0.587, 0.299], np.float32)
_CHROMA_SCALE = np.array([0.564, 0.713], np.float32)


@dataclass
class Change:
    """From the frame before to this one; `is_cut` may be set or taken back while it waits."""

    time_s: float
    sample: Sample
    is_cut: bool
    is_sudden: bool = False
    """Whether the frames before and after change much less."""
    is_flash: bool = False
    """Whether it belongs to a flash: it is no cut then, whatever else is found."""
    amount: float = 0.0
    """Mean difference of the cells from the frame before, 0 to 1."""


@dataclass
class SuddenChanges:
    """Fed with every frame; corrects `is_cut` of it and of those before."""

    _recent: deque[Change] = field(default_factory=lambda: deque(maxlen=3))
    _open: list[tuple[Change, Floats, deque[Change]]] = field(default_factory=list)

    def see(self, change: Change) -> None:
        """Look at the next frame."""
        for flash, cells, since in list(self._open):
            since.append(change)
            if change.time_s - flash.time_s > FLASH_S + 1e-6:
                self._open = [one for one in self._open if one[0] is not flash]
            elif _has_returned(cells, flash.sample.cells, change.sample.cells):
                for one in since:
                    one.is_cut, one.is_flash = False, True
                self._open = [one for one in self._open if one[0] is not flash]
        self._recent.append(change)
        if len(self._recent) > 1:
            change.amount = float(np.abs(change.sample.cells - self._recent[-2].sample.cells).mean())
        if change.is_cut and len(self._recent) > 1:
            before = self._recent[-2]
            if still_seen(before.sample, change.sample) > _SAME_THINGS:
                change.is_cut = False  # the same things in another light
            elif _has_kept_its_detail(before.sample, change.sample):
                change.is_cut = False  # words over a part of the picture
            elif change.amount < _LEAST_AMOUNT and max(before.sample.spread, change.sample.spread) < _PLAIN:
                change.is_cut = False  # in nearly black pictures hue and saturation jump
            else:
                self._watch(change, before)
        self._judge_the_one_before()

    def _watch(self, change: Change, before: Change, *later: Change) -> None:
        self._open.append((change, before.sample.cells, deque([change, *later])))

    def _judge_the_one_before(self) -> None:
        """What can be said only with the frame after it: whether it was sudden, and a cut between hues."""
        if len(self._recent) < 3:
            return
        before, change, after = self._recent
        change.is_sudden = change.amount > _SUDDEN * max(before.amount, after.amount)
        if change.is_cut or change.is_flash or not change.is_sudden:
            return
        if _chroma_change(before.sample.cells, change.sample.cells) < _LEAST_CHROMA:
            return
        # coloured light on the same things is no cut
        if still_seen(before.sample, change.sample) <= _SAME_THINGS:
            change.is_cut = True
            self._watch(change, before, after)


def _has_kept_its_detail(one: Sample, other: Sample) -> bool:
    """Whether most of the picture stayed, and that not only as a plain background."""
    return (
        unchanged(one.cells, other.cells) > _MOST_UNCHANGED
        and unchanged(one.cells, other.cells, one.detail_by_cell) > _LEAST_DETAIL_KEPT
    )


def _has_returned(before: Floats, at: Floats, now: Floats) -> bool:
    """Whether little is left of the step from `before` to `at`, whatever else moves."""
    step, rest = (at - before).ravel(), (now - before).ravel()
    square = float(step @ step)
    return float(rest @ step) < _MOST_LEFT * square and float(rest @ rest) < _MOST_MOVED**2 * square


def _chroma_change(one: Floats, other: Floats) -> float:
    """Mean distance in the plane of Cb and Cr, in parts of the range of a channel."""
    change = other - one
    luma = change @ _LUMA
    chroma = (change[..., ::2] - luma[..., None]) * _CHROMA_SCALE
    return float(np.linalg.norm(chroma, axis=-1).mean())
