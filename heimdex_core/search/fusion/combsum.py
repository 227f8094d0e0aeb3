"""CombSUM (Fox & Shaw, "Combination of Multiple Searches", TREC-2, 1994): the sum of the scores of all channels.

Scores are scaled to [0, 1] in each channel first (min-max; Lee, SIGIR 1997), because a sum of cosines and BM25 scores
means nothing. Every channel with a weight above 0 counts the same, as in the original; the weighted sum is minmax.py.
The sum is divided by the number of channels, so that scores are between 0 and 1; the order does not change.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import Fused, FusionSpec, ScoredScenes, fuse_scaled, taking_part


class CombSum:
    """Sum of scores scaled to [0, 1], all channels alike."""

    name = "combsum"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse. Weights only decide which channels take part."""
        equal = {name: float(name in taking_part(channels, weights)) for name in weights}
        return fuse_scaled(channels, equal, lambda scored: scored.high - scored.low)


SPEC = FusionSpec(CombSum.name, lambda params: CombSum())
