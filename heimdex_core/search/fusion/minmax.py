"""Weighted min-max: each channel's scores scaled to [0, 1], then the weighted sum (CombSUM; Fox & Shaw, TREC-2, 1994).

    normalised = (score - low) / (high - low),   score = sum of weight * normalised

`low` covers every scene that the channel examined, where it reports their score (ScoredScenes.base): the one scene in
a hundred that contains the word then scores 1 and not 0. A scene that a channel did not find gets 0 from it. Flat
channels are left out and their weight is divided among the others; where all channels are flat, each of their scenes
counts as 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, FusionSpec, ScoredScenes, fuse_scaled


class MinMax:
    """Weighted sum of scores scaled to [0, 1]."""

    name = "minmax"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse. Scores are between 0 and 1."""
        return fuse_scaled(channels, weights, lambda scored: scored.high - scored.low)


SPEC = FusionSpec(MinMax.name, lambda params: MinMax())
