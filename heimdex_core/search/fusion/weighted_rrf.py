"""Weighted reciprocal rank fusion: score = sum of weight / (k + rank), with weights that sum to 1.

With equal weights the order is that of reciprocal rank fusion (rrf.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import (
    Fused,
    FusionSpec,
    ScoredScenes,
    ranking,
    share_out,
    taking_part,
)
from heimdex_core.search.fusion.rrf import reciprocal_ranks


class WeightedReciprocalRank:
    """Weighted sum of reciprocal ranks."""

    name = "weighted_rrf"

    def __init__(self, k: int) -> None:
        """`k`, at least 1: the larger it is, the less the first ranks stand out."""
        self.k = k

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse."""
        offered = taking_part(channels, weights)
        shares = share_out(weights, offered)
        parts = {name: reciprocal_ranks(scored, self.k, shares[name]) for name, scored in offered.items()}
        return Fused(ranking(offered, parts, shares), shares)


SPEC = FusionSpec(WeightedReciprocalRank.name, lambda params: WeightedReciprocalRank(params.rrf_k))
