"""Reciprocal rank fusion (Cormack, Clarke & Buettcher, SIGIR 2009): score = sum of 1 / (k + rank).

Ranks start at 1 and equal scores share one. Every channel of weight above 0 counts the same: only the order matters.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, Part, ScoredScenes, effective_weights, ranking, taking_part


class ReciprocalRank:
    name = "rrf"

    def __init__(self, k: int = 60) -> None:
        self.k = k

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        offered = taking_part(channels, weights)
        shares = effective_weights({name: float(name in offered) for name in weights}, offered)
        parts = {name: reciprocal_ranks(scored, self.k, 1.0) for name, scored in offered.items()}
        return Fused(ranking(offered, parts), shares)


def reciprocal_ranks(scored: ScoredScenes, k: int, weight: float) -> dict[str, Part]:
    """{scene_id: Part}: normalised 1 / (k + rank), contribution weight times that."""
    found = {}
    for scene_id, rank in scored.ranks().items():
        normalised = 1.0 / (k + rank)
        found[scene_id] = Part(normalised, weight * normalised)
    return found
