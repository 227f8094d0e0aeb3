"""Z-score fusion: each channel's scores in standard deviations, then the weighted sum.

    normalised = (score - low) / standard deviation

This is the usual (score - mean) / standard deviation, shifted by a constant per channel so that the channel's lowest
score is 0, which is also what a scene gets that the channel did not find. The order stays the same and no contribution
is negative. Mean and deviation cover every scene that the channel examined (ScoredScenes.base); the deviation is that
of the population. Flat channels are left out, as in min-max.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, FusionSpec, ScoredScenes, fuse_scaled


class ZScore:
    """Weighted sum of scores in standard deviations."""

    name = "zscore"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse."""
        return fuse_scaled(channels, weights, _deviation)


def _deviation(scored: ScoredScenes) -> float:
    """The standard deviation of the population: the scenes that were found and, where known, those left out."""
    others = scored.unoffered if scored.base is not None else 0
    base = scored.base or 0.0
    count = len(scored.hits) + others
    mean = (math.fsum(score for _, score in scored.hits) + others * base) / count
    squares = math.fsum((score - mean) ** 2 for _, score in scored.hits) + others * (base - mean) ** 2
    return math.sqrt(squares / count)


SPEC = FusionSpec(ZScore.name, lambda params: ZScore())
