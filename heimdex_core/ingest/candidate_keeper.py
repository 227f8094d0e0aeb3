"""Which frames of a running picture are kept as candidates for keyframes, with bounded memory.

About one a second is kept. A shot shorter than three of those steps gets the frames nearest to the
middles of its thirds instead. How long a shot is becomes known only at its end, so its first frames are
held back (at most a dozen pictures) until it either ends or turns out to be long.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Generic, TypeVar

Picture = TypeVar("Picture")

EARLY_STEPS = 4
"""Frames held back per step while a shot is young."""
_LONG_AFTER_STEPS = 3


class CandidateKeeper(Generic[Picture]):
    """Asks for the frames it wants and hands on the ones it keeps, in order of time within a shot."""

    def __init__(self, interval_s: float, keep: Callable[[float, Picture], None]) -> None:
        self._interval_s = interval_s
        # a little under the step: frames do not fall on it exactly
        self._early_s = 0.9 * interval_s / EARLY_STEPS
        self._keep = keep
        self._start_s: float | None = None
        self._due_s = 0.0
        self._young = True
        self._held: list[tuple[float, Picture]] = []

    def wants(self, time_s: float) -> bool:
        """Whether the frame shown at `time_s` should be given to `take`."""
        return self._start_s is None or time_s >= self._due_s - 1e-6

    def take(self, time_s: float, picture: Picture) -> None:
        """A frame that was wanted."""
        if self._start_s is None:
            self._start_s = time_s
        if self._young and time_s - self._start_s >= _LONG_AFTER_STEPS * self._interval_s - 1e-6:
            middles = [self._start_s + (n + 0.5) * self._interval_s for n in range(_LONG_AFTER_STEPS)]
            self._release(self._held, middles)
            self._young, self._held = False, []
            self._due_s = self._start_s + (_LONG_AFTER_STEPS + 0.5) * self._interval_s
        if self._young:
            self._held.append((time_s, picture))
            self._due_s = time_s + self._early_s
        elif self.wants(time_s):
            self._keep(time_s, picture)
            steps = floor((time_s - self._start_s) / self._interval_s - 0.5 + 1e-6)
            self._due_s = self._start_s + (steps + 1.5) * self._interval_s

    def cut(self, time_s: float) -> None:
        """A new shot begins at `time_s`, which may lie some frames back."""
        before = [h for h in self._held if h[0] < time_s - 1e-6]
        after = [h for h in self._held if h[0] >= time_s - 1e-6]
        self._end_shot(before, time_s)
        self._start_s, self._young, self._held = time_s, True, after
        self._due_s = after[-1][0] + self._early_s if after else time_s

    def finish(self, end_s: float) -> None:
        """The picture ends at `end_s`."""
        self._end_shot(self._held, end_s)
        self._held = []

    def _end_shot(self, held: list[tuple[float, Picture]], end_s: float) -> None:
        if self._start_s is not None and self._young:
            length_s = end_s - self._start_s
            self._release(held, [self._start_s + length_s * (2 * n + 1) / 6 for n in range(3)])

    def _release(self, held: list[tuple[float, Picture]], targets_s: list[float]) -> None:
        """Keep the held frames nearest to the targets, each once."""
        nearest = {min(range(len(held)), key=lambda n: abs(held[n][0] - t)) for t in targets_s} if held else set()
        for n in sorted(nearest):
            self._keep(*held[n])
