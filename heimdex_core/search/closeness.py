"""From which score on a channel calls a scene close to the query, and how close it is."""

from __future__ import annotations

from dataclasses import dataclass

from heimdex_core.search.coverage import Word
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.types import Strength


@dataclass(frozen=True, slots=True)
class Closeness:
    """The limits of one channel for one query."""

    close_at: float
    """The score from which a scene is close; infinite where none can be."""
    strong_at: float
    """The score from which it is strong; at least `close_at`."""
    words: tuple[Word, ...] = ()
    """If given, what is compared with the limits is not the score, but which share of them the scene has."""
    any_close: bool = False
    """Whether any of the scenes that the channel found has enough of `words`."""

    def strength(self, value: float) -> Strength:
        """How close a scene is by its score, or by its share of `words`; "weak" is not close."""
        if value < self.close_at:
            return "weak"
        return "strong" if value >= self.strong_at else "fair"

    def has_close(self, scenes: ScoredScenes) -> bool:
        """Whether any of the scenes that the channel found is close."""
        return self.any_close if self.words else bool(scenes.hits) and scenes.high >= self.close_at
