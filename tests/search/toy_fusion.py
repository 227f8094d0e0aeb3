"""A fusion method in one file: the Borda count. Each channel gives its n-th best of N scenes N - n + 1 points."""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import (
    Fused,
    FusionSpec,
    Part,
    ScoredScenes,
    ranking,
    share_out,
    taking_part,
)


class Borda:
    """Weighted sum of Borda points."""

    name = "borda"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse."""
        offered = taking_part(channels, weights)
        shares = share_out(weights, offered)
        parts = {}
        for name, scored in offered.items():
            points = {scene_id: float(len(scored.hits) - rank + 1) for scene_id, rank in scored.ranks.items()}
            parts[name] = {scene_id: Part(value, shares[name] * value) for scene_id, value in points.items()}
        return Fused(ranking(offered, parts), shares)


SPEC = FusionSpec(Borda.name, lambda params: Borda())
