"""Z-score fusion: each channel's scores in standard deviations, then the weighted sum.

    normalised = (score - low) / standard deviation

This is the usual (score - mean) / standard deviation moved by a constant of the channel so that its
lowest score, and with it a scene that it does not offer, is at 0: the order is the same and no
contribution is negative. Mean and deviation are those of every scene that the channel looked at
(ScoredScenes.base); the deviation is the population's. Flat channels leave, as in min-max.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, ScoredScenes, fuse_scaled


class ZScore:
    name = "zscore"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        return fuse_scaled(channels, weights, _deviation)


def _deviation(scored: ScoredScenes) -> float:
    """The population's standard deviation over offered and, where known, unoffered scenes."""
    others = scored.unoffered if scored.base is not None else 0
    base = scored.base or 0.0
    count = len(scored.hits) + others
    mean = (math.fsum(score for _, score in scored.hits) + others * base) / count
    squares = math.fsum((score - mean) ** 2 for _, score in scored.hits) + others * (base - mean) ** 2
    return math.sqrt(squares / count)
