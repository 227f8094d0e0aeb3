"""CombMNZ (Fox & Shaw, "Combination of Multiple Searches", TREC-2, 1994): CombSUM times the channels that agree.

    score = number of channels with a score above 0 for the scene * sum of the scaled scores

It prefers scenes that several channels found. As in combsum.py, scores are scaled to [0, 1], every channel with a
weight above 0 counts the same, and the sum is divided by the number of channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from heimdex_core.search.fusion.base import (
    Fused,
    FusionSpec,
    ScoredScenes,
    ranking,
    scaled_parts,
    taking_part,
)
from heimdex_core.search.fusion.numbering import numbering, places_in


class CombMnz:
    """Sum of scores scaled to [0, 1], times the number of channels that contribute to it."""

    name = "combmnz"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """See Fusion.fuse. Weights only decide which channels take part."""
        offered = taking_part(channels, weights)
        equal = {name: float(name in offered) for name in weights}
        parts, shares, left = scaled_parts(offered, equal, lambda scored: scored.high - scored.low)
        names = numbering(one.scene_ids for one in offered.values())
        numbers = {name: names.of(one.scene_ids) for name, one in parts.items()}
        agreeing = np.concatenate(
            [np.zeros(0, np.int64), *(numbers[n][one.normalised > 0] for n, one in parts.items())]
        )
        every, counts = np.unique(agreeing, return_counts=True)
        counts = np.append(counts, 0)  # a scene that no channel scores above 0 is at the last place
        multiplied = {
            name: replace(one, contributions=one.contributions * counts[places_in(every, numbers[name])])
            for name, one in parts.items()
        }
        return Fused(ranking(offered, multiplied, shares), shares, left)


SPEC = FusionSpec(CombMnz.name, lambda params: CombMnz())
