"""What a fusion method receives and returns, and the arithmetic that methods share.

A method makes one ranking out of the scored scenes of several channels. It is pure arithmetic: it uses no model
and no store, and returns the same ranking every time. Ties are ordered by the best rank in any channel, then by id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ScoredScenes:
    """The scenes that one channel found, with their scores, and what is known about the scenes that it left out."""

    hits: tuple[tuple[str, float], ...]
    """(scene_id, score), in any order; a higher score is better, and each id occurs once."""
    base: float | None = None
    """The score of the scenes that were examined and left out, if it is known: 0 for BM25, the threshold of a dense
    channel. None if only the scores of `hits` are known."""
    unoffered: int = 0
    """How many scenes were examined and left out."""
    background_score: float | None = None
    """The score of a scene that has nothing to do with the query, where that is not the lowest one. Scenes that score
    less keep their place in the ranking and contribute 0."""

    @property
    def low(self) -> float:
        """The score that contributes 0: the background score, else the lowest score that the channel gave."""
        if self.background_score is not None:
            return self.background_score
        lowest = min(score for _, score in self.hits)
        return lowest if self.base is None or self.unoffered == 0 else min(lowest, self.base)

    @property
    def high(self) -> float:
        """The highest score. There must be at least one hit."""
        return max(score for _, score in self.hits)

    @property
    def is_flat(self) -> bool:
        """Whether every scene has the same score, so that the channel cannot rank them."""
        spread = self.high - self.low
        return spread <= 1e-9 * max(1.0, abs(self.high), abs(self.low))

    def ranks(self) -> dict[str, int]:
        """{scene_id: rank}, best first from 1; equal scores share the better rank (1, 2, 2, 4).

        Otherwise the order of the ids would count as evidence.
        """
        ordered = sorted(self.hits, key=lambda hit: (-hit[1], hit[0]))
        found: dict[str, int] = {}
        rank, last = 0, None
        for position, (scene_id, score) in enumerate(ordered, start=1):
            if score != last:
                rank, last = position, score
            found[scene_id] = rank
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """One channel's part in the fused score of a scene."""

    normalised: float
    """The channel's score in the units of the method, before weighting."""
    contribution: float
    """What the channel adds to the fused score; never negative."""


@dataclass(frozen=True, slots=True)
class FusedScene:
    """A scene in the fused ranking."""

    scene_id: str
    score: float
    """The sum of the contributions."""
    parts: Mapping[str, Part]
    """By channel; a channel that did not find the scene has no part."""


@dataclass(frozen=True, slots=True)
class Fused:
    """A fused ranking."""

    ranking: tuple[FusedScene, ...]
    """Best first."""
    weights: Mapping[str, float]
    """The weight that each channel had in the end; they sum to 1, or are all 0 where nothing was found."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Channels that the method left out, with the reason (one of channels.base.REASONS)."""


class Fusion(Protocol):
    """A method that makes one ranking out of several."""

    name: str

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """One ranking of all scenes that a channel with a weight above 0 found.

        Args:
            channels: what each channel found, by its name.
            weights: by channel, 0 or more; only their proportions matter. Channels without hits are left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class FusionParams:
    """Parameters of the fusion methods; each method uses those that it needs."""

    rrf_k: int
    """The constant k of reciprocal rank fusion, at least 1."""


@dataclass(frozen=True, slots=True)
class FusionSpec:
    """A fusion method, registered in fusion/__init__.py."""

    name: str
    make: Callable[[FusionParams], Fusion]


def taking_part(channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> dict[str, ScoredScenes]:
    """The channels that found something and have a weight above 0."""
    return {name: scored for name, scored in channels.items() if scored.hits and weights.get(name, 0.0) > 0}


def share_out(weights: Mapping[str, float], names: Collection[str]) -> dict[str, float]:
    """The weights scaled so that those of the channels `names` sum to 1; the others get 0.

    Proportions are kept. If none of the channels has a weight above 0, all weights are 0.
    """
    total = math.fsum(value for name, value in weights.items() if name in names)
    if total <= 0:
        return dict.fromkeys(weights, 0.0)
    return {name: value / total if name in names else 0.0 for name, value in weights.items()}


def ranking(channels: Mapping[str, ScoredScenes], parts: Mapping[str, Mapping[str, Part]]) -> tuple[FusedScene, ...]:
    """The fused ranking.

    Args:
        channels: all channels that take part, those that were left out as flat included: scenes that only they
            found come last with a score of 0 instead of being dropped.
        parts: {channel: {scene_id: Part}} of the channels that contribute.
    """
    best_rank: dict[str, int] = {}
    for scored in channels.values():
        for scene_id, rank in scored.ranks().items():
            best_rank[scene_id] = min(rank, best_rank.get(scene_id, rank))
    fused = []
    for scene_id in best_rank:
        own = {name: by_scene[scene_id] for name, by_scene in parts.items() if scene_id in by_scene}
        # fsum is exactly rounded, so the score does not depend on the order of the channels.
        fused.append(FusedScene(scene_id, math.fsum(part.contribution for part in own.values()), own))
    fused.sort(key=lambda item: (-item.score, best_rank[item.scene_id], item.scene_id))
    return tuple(fused)


def fuse_scaled(
    channels: Mapping[str, ScoredScenes], weights: Mapping[str, float], scale: Callable[[ScoredScenes], float]
) -> Fused:
    """The weighted sum of (score - low) / scale.

    Flat channels are left out and their weight is divided among the others. Where all channels are flat, each scene
    that a channel found counts as 1.
    """
    offered = taking_part(channels, weights)
    # Where all are flat, the only evidence is which scenes were found.
    ranked = {name: scored for name, scored in offered.items() if not scored.is_flat} or offered
    left = {name: "flat" for name in offered if name not in ranked}
    shares = share_out(weights, ranked)
    parts = {name: _scaled(scored, shares[name], scale) for name, scored in ranked.items()}
    return Fused(ranking(offered, parts), shares, left)


def _scaled(scored: ScoredScenes, weight: float, scale: Callable[[ScoredScenes], float]) -> dict[str, Part]:
    if scored.is_flat:
        return {scene_id: Part(1.0, weight) for scene_id, _ in scored.hits}
    low, unit = scored.low, scale(scored)
    normalised = {scene_id: max(score - low, 0.0) / unit for scene_id, score in scored.hits}
    return {scene_id: Part(value, weight * value) for scene_id, value in normalised.items()}
