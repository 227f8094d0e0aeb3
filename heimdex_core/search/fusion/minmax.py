"""Weighted min-max: each channel's scores stretched to 0..1, then the weighted sum (CombSUM, Fox & Shaw 1994).

    normalised = (score - low) / (high - low),   score = sum of weight x normalised

`low` is over every scene that the channel looked at, where it says so (ScoredScenes.base): the one
scene of a hundred that has the word is then told apart from the others. A scene that a channel does
not offer gets 0 from it. Flat channels leave and their weight is shared out; where all are flat,
each of their scenes counts as 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, ScoredScenes, fuse_scaled


class MinMax:
    name = "minmax"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        return fuse_scaled(channels, weights, lambda scored: scored.high - scored.low)
