"""Weighted reciprocal rank fusion: score = sum of weight / (k + rank), weights summing to 1.

With equal weights the order is that of RRF.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, ScoredScenes, effective_weights, ranking, taking_part
from heimdex_core.search.fusion.rrf import reciprocal_ranks


class WeightedReciprocalRank:
    name = "weighted_rrf"

    def __init__(self, k: int = 60) -> None:
        self.k = k

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        offered = taking_part(channels, weights)
        shares = effective_weights(weights, offered)
        parts = {name: reciprocal_ranks(scored, self.k, shares[name]) for name, scored in offered.items()}
        return Fused(ranking(offered, parts), shares)
