"""Convex combination with weights fitted on judgements.

Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 42(1), 2023.

    normalised = (score - lowest) / (high - lowest),   score = sum of weight * normalised

`lowest` is the lowest score that the channel can give to any scene ("theoretical min-max" in the paper), so it does not
change with what else was found, as the low end of min-max does; `high` is the highest score found. The paper finds that
few judged queries are enough to fit the weights and that they carry over to other collections. A sweep with this method
fits them: it tries weights on judged queries and checks the best on others (library/evaluation_sweeps.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from heimdex_core.search.fusion.base import Fused, FusionSpec, ScoredScenes, fuse_scaled


class Convex:
    """Weighted sum of scores scaled from the lowest possible one."""

    name = "convex"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse. Scores are between 0 and 1."""
        from_lowest = {
            # a background score says better what contributes nothing
            name: replace(scored, background_score=scored.lowest) if scored.background_score is None else scored
            for name, scored in channels.items()
        }
        return fuse_scaled(from_lowest, weights, lambda scored: scored.high - scored.low)


SPEC = FusionSpec(Convex.name, lambda params: Convex())
