"""What unrelated scenes score: the tail of a channel's scores, fitted to background queries, and limits made of it.

A nearest scene always exists, and the more scenes are searched, the better the best unrelated one is by chance. So a
score says something only against what scenes get that have nothing to do with the query. That is estimated from the
scores of the library's own scenes for background queries (channels/background.py), which are about ordinary things.

The fit is robust, because some of these queries are about what the library has: the centre is the median, and the scale
the distance of the 95th percentile from it in units of that of the standard normal distribution, 1.645. Both are
quantile estimates (Hampel, JASA 1974); the scores of right scenes, which are fewer than 1 in 20, lie above and do not
count. It is the upper side that is measured because scores are skewed. Above, the tail is taken as normal. The chance
that the best of n unrelated scenes scores more than x is 1 - (1 - P(score > x))^n (Šidák, JASA 1967), for the n scenes
that are searched after filters.

docs/decisions/search-calibration.md has the measurements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from heimdex_core.search.closeness import Closeness

CLOSE_CHANCE = 0.02
"""A scene is close if in so many searches the best of all unrelated scenes would score as much."""
STRONG_CHANCE = 1e-4
"""The same for a strong one."""
MIN_SCORES = 1000
"""Of fewer scores nothing is fitted: about 6 scenes for 164 background queries."""

_STANDARD = NormalDist()
_UPPER = 0.95


@dataclass(frozen=True, slots=True)
class Tail:
    """The distribution of the scores of scenes that have nothing to do with the query."""

    centre: float
    scale: float
    """Standard deviation, above 0."""

    def chance(self, score: float) -> float:
        """The chance that one unrelated scene scores more, 0 to 1."""
        return 0.5 * math.erfc((score - self.centre) / (self.scale * math.sqrt(2)))

    def chance_of_best(self, score: float, scenes: int) -> float:
        """The chance that the best of so many unrelated scenes scores more, 0 to 1."""
        single = self.chance(score)
        return 1.0 if single >= 1 else -math.expm1(scenes * math.log1p(-single))

    def score_of_best(self, chance: float, scenes: int) -> float:
        """The score that the best of `scenes` (at least 1) unrelated scenes exceeds with this chance, in (0, 1)."""
        single = -math.expm1(math.log1p(-chance) / max(scenes, 1))
        # by the lower tail, because 1 - single would be rounded to 1
        return self.centre - self.scale * _STANDARD.inv_cdf(single)


def fit_tail(scores: npt.NDArray[np.floating]) -> Tail | None:
    """The tail of scores, of any shape, of scenes for background queries; None where they do not differ."""
    values = np.asarray(scores, dtype=np.float64).ravel()
    if not len(values):
        return None
    centre, upper = (float(value) for value in np.quantile(values, [0.5, _UPPER]))
    scale = (upper - centre) / _STANDARD.inv_cdf(_UPPER)
    return Tail(centre, scale) if scale > 1e-9 else None


def closeness_of(tail: Tail | None, scenes: int, floor: float | None) -> Closeness | None:
    """The limits of a dense channel.

    Args:
        tail: what unrelated scenes score; None if it is not known.
        scenes: how many scenes are searched, after filters.
        floor: a measured score below which nothing is close, however few scenes there are; None if there is none.

    Returns None if neither is known.
    """
    if tail is None:
        return None if floor is None else Closeness(floor, math.inf)
    close_at = tail.score_of_best(CLOSE_CHANCE, scenes)
    strong_at = tail.score_of_best(STRONG_CHANCE, scenes)
    if floor is not None:
        close_at, strong_at = max(close_at, floor), max(strong_at, floor)
    return Closeness(close_at, strong_at)
