"""The score that a scene must exceed to count as found, per model.

A nearest neighbour always exists, so without a threshold a dense channel would return scenes that have nothing
to do with the query. The values were measured as docs/decisions/search-thresholds.md describes. A model without
a value has the threshold 0, because opposite directions are never evidence, and none where hubs are damped (limits.py),
which moves the 0. Its scores are compared with the median score, which is taken as that of a scene that has nothing to
do with the query.
"""

from __future__ import annotations

import numpy as np

from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.hits import Hits
from heimdex_core.types import Space

THRESHOLDS: dict[str, float] = {
    "text/all-MiniLM-L6-v2": 0.25,
    "text/use-multilingual-3": 0.16,
    "vision/palette": 0.05,
}
"""Cosine similarity by the name of the space."""

NAMED_PROPERTIES = frozenset({"vision/palette"})
"""Spaces whose axes are named properties: whether a scene is close is a question of whether the model knows at least
half of the query's words, and of the threshold; their scores have no common tail."""

MIN_SCENES_FOR_BACKGROUND = 8
"""With fewer scenes, the median does not estimate the background score well enough."""


def threshold_of(space: Space) -> float | None:
    """The measured threshold (cosine similarity) of a space's model; None where there is none."""
    # Captions have a space of their own, embedded by the model whose text space has the same name.
    return THRESHOLDS.get(f"{space.kind}/{space.name.partition('/')[2]}")


def above_threshold(space: Space, nearest: Hits, *, is_damped: bool = False) -> ScoredScenes:
    """The scenes that a dense channel returns, in the order in which they are given.

    Args:
        space: the space that was searched.
        nearest: the nearest scenes with their cosine similarities, in any order.
        is_damped: whether the scores are cosines with the damped vector of the query.
    """
    measured = threshold_of(space)
    threshold = 0.0 if measured is None else measured
    scores = nearest.scores
    kept = nearest if is_damped or (scores > threshold).all() else nearest.take(np.flatnonzero(scores > threshold))
    lowest = None if is_damped else threshold
    background_score = None
    if measured is None and len(nearest) >= MIN_SCENES_FOR_BACKGROUND and kept:
        middle = float(np.median(scores))
        middle = middle if lowest is None else max(middle, lowest)
        # Where half of the scenes score as high as the best one, the median is no background score.
        background_score = middle if middle < scores.max() else None
    if len(kept) < len(nearest):
        # The scenes below are known to score at most the threshold, so the fusion counts them with it.
        return ScoredScenes(kept, threshold, len(nearest) - len(kept), background_score, lowest=lowest)
    return ScoredScenes(kept, background_score=background_score, lowest=lowest)
