"""How near is near at all, for each model: below its threshold a dense channel has nothing to say.

A nearest neighbour always exists, so without a threshold a channel would put its weight behind scenes
that have nothing to do with the query. The values are measured; docs/decisions/search-thresholds.md
says how. A model without an entry gets 0 (opposite directions are never evidence), and a score counts
from that of the middle scene on.
"""

from __future__ import annotations

from statistics import median

from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.types import Space

THRESHOLDS: dict[str, float] = {
    "text/all-MiniLM-L6-v2": 0.25,
    "vision/palette": 0.05,
}

ENOUGH = 8
"""From so many scenes on the middle one tells what a background score is."""


def threshold_of(space: Space) -> float | None:
    """The cosine that a scene must exceed to count as found in this space; None where nobody has measured it."""
    # Descriptions lie in a space of their own, made by the model whose text space has the same name.
    return THRESHOLDS.get(f"{space.kind}/{space.name.partition('/')[2]}")


def offered(space: Space, found: list[tuple[str, float]]) -> ScoredScenes:
    """What a channel offers of the nearest scenes, (scene_id, cosine), that it looked at."""
    measured = threshold_of(space)
    threshold = 0.0 if measured is None else measured
    kept = tuple((scene_id, float(score)) for scene_id, score in found if score > threshold)
    background_score = None
    if measured is None and len(found) >= ENOUGH and kept:
        middle = max(median(score for _, score in found), threshold)
        # Where half the scenes are as near as the nearest there is nothing to tell apart from them.
        background_score = middle if middle < max(score for _, score in kept) else None
    if len(kept) < len(found):
        # Those below are known to lie there, and count as the base.
        return ScoredScenes(kept, base=threshold, unoffered=len(found) - len(kept), background_score=background_score)
    return ScoredScenes(kept, background_score=background_score)
