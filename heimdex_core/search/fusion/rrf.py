"""Reciprocal rank fusion (Cormack, Clarke & Buettcher, SIGIR 2009): score = sum of 1 / (k + rank).

Ranks start at 1 and equal scores share one. Every channel with a weight above 0 counts the same: only the order of
its scenes matters.
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
from heimdex_core.search.fusion.parts import ChannelParts


class ReciprocalRank:
    """Sum of reciprocal ranks."""

    name = "rrf"

    def __init__(self, k: int) -> None:
        """`k`, at least 1: the larger it is, the less the first ranks stand out."""
        self.k = k

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse. Weights only decide which channels take part."""
        offered = taking_part(channels, weights)
        shares = share_out(dict.fromkeys(weights, 1.0), offered)
        parts = {name: reciprocal_ranks(scored, self.k, 1.0) for name, scored in offered.items()}
        return Fused(ranking(offered, parts, shares), shares)


def reciprocal_ranks(scored: ScoredScenes, k: int, weight: float) -> ChannelParts:
    """Parts with 1 / (k + rank) as the normalised score and weight times that as the contribution."""
    normalised = 1.0 / (k + scored.rank_of)
    return ChannelParts(scored.scene_ids, normalised, weight * normalised)


SPEC = FusionSpec(ReciprocalRank.name, lambda params: ReciprocalRank(params.rrf_k))
