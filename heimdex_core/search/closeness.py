"""From which score on a channel calls a scene close to the query, and how close it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.types import Strength


@dataclass(frozen=True, slots=True)
class Closeness:
    """The limits of one channel for one query."""

    close_at: float
    """The score from which a scene is close; infinite where none can be."""
    strong_at: float
    """The score from which it is strong; at least `close_at`."""
    measures: Mapping[str, float] | None = None
    """By scene_id, what is compared with the limits instead of the score."""

    def strength(self, scene_id: str, score: float) -> Strength:
        """How close a scene that the channel found is; "weak" is not close."""
        value = score if self.measures is None else self.measures.get(scene_id, -math.inf)
        if value < self.close_at:
            return "weak"
        return "strong" if value >= self.strong_at else "fair"

    def has_close(self, scenes: ScoredScenes) -> bool:
        """Whether any of the scenes that the channel found is close."""
        if self.measures is None:
            return bool(scenes.hits) and scenes.high >= self.close_at
        return any(self.strength(scene_id, score) != "weak" for scene_id, score in scenes.hits)
