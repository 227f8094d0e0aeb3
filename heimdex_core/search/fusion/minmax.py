"""Weighted min-max: each channel's scores stretched to 0..1, then the weighted sum (CombSUM, Fox & Shaw 1994).

    normalised = (score - low) / (high - low),   score = sum of weight x normalised

`low` is over every scene that the channel looked at, where it says so (ScoredScenes.base): the one
scene of a hundred that has the word is then told apart from the others. A scene that a channel does
not offer gets 0 from it. Flat channels leave and their weight is shared out; where all are flat,
each of their scenes counts as 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import (
    Fused,
    Part,
    ScoredScenes,
    drop_flat,
    effective_weights,
    ranking,
    taking_part,
)


class MinMax:
    name = "minmax"

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        offered = taking_part(channels, weights)
        telling, left = drop_flat(offered)
        shares = effective_weights(weights, telling)
        parts = {name: _parts(scored, shares[name]) for name, scored in telling.items()}
        return Fused(ranking(offered, parts), shares, left)


def _parts(scored: ScoredScenes, weight: float) -> dict[str, Part]:
    if scored.is_flat:
        return {scene_id: Part(1.0, weight) for scene_id, _ in scored.hits}
    low, spread = scored.low, scored.high - scored.low
    found = {}
    for scene_id, score in scored.hits:
        normalised = (score - low) / spread
        found[scene_id] = Part(normalised, weight * normalised)
    return found
