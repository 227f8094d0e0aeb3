"""What a fusion method takes and gives.

A method makes one ranking out of the channels' scored scenes. It is pure arithmetic: no model, no
store, the same answer every time. Ties are ordered by the best rank in any channel, then by id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from heimdex_core.search.weights import share_out


@dataclass(frozen=True, slots=True)
class ScoredScenes:
    """What one channel offers: (scene_id, score), higher is better, in any order, each id once.

    `base` is the score of the scenes that the channel looked at and does not offer, where it is
    known: BM25 gives 0 to a scene without any of the words, a dense channel its threshold. `unoffered`
    says how many those are. With base None only the offered scores are known.

    `background_score` is the score of a scene that has nothing to do with the query, where that
    is not the lowest: what lies below it is offered and ranked, and counts as little.
    """

    hits: tuple[tuple[str, float], ...]
    base: float | None = None
    unoffered: int = 0
    background_score: float | None = None

    @property
    def low(self) -> float:
        """The score that counts 0: the background score, else the lowest that the channel is known to have given."""
        if self.background_score is not None:
            return self.background_score
        lowest = min(score for _, score in self.hits)
        return lowest if self.base is None or self.unoffered == 0 else min(lowest, self.base)

    @property
    def high(self) -> float:
        return max(score for _, score in self.hits)

    @property
    def is_flat(self) -> bool:
        """True where every scene got the same score, so that the channel tells nothing apart."""
        spread = self.high - self.low
        return spread <= 1e-9 * max(1.0, abs(self.high), abs(self.low))

    def ranks(self) -> dict[str, int]:
        """{scene_id: rank}, best first from 1; equal scores share the better rank (1, 2, 2, 4).

        Otherwise the order of ids would count as evidence.
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
    """One channel's part in a fused score; `contribution` is in the units of that score."""

    normalised: float
    contribution: float


@dataclass(frozen=True, slots=True)
class FusedScene:
    """`score` is the sum of the contributions; a channel that does not offer the scene has no part."""

    scene_id: str
    score: float
    parts: Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class Fused:
    """The ranking, the weight that each channel had in it, and why a channel left."""

    ranking: tuple[FusedScene, ...]
    weights: Mapping[str, float]
    left: Mapping[str, str] = field(default_factory=dict)


class Fusion(Protocol):
    """A way to make one ranking out of several."""

    name: str

    def fuse(self, channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> Fused:
        """One ranking of every scene that a channel of weight above 0 offers.

        `weights` name the channels and need not sum to 1; empty channels leave.
        """
        ...


def taking_part(channels: Mapping[str, ScoredScenes], weights: Mapping[str, float]) -> dict[str, ScoredScenes]:
    """The channels that offer something and have a weight above 0."""
    return {name: scored for name, scored in channels.items() if scored.hits and weights.get(name, 0.0) > 0}


def drop_flat(channels: Mapping[str, ScoredScenes]) -> tuple[dict[str, ScoredScenes], dict[str, str]]:
    """(the channels that tell scenes apart, why the others left).

    Where none does, all stay: then being found at all is the only evidence there is.
    """
    telling = {name: scored for name, scored in channels.items() if not scored.is_flat}
    if not telling:
        return dict(channels), {}
    return telling, {name: "flat" for name in channels if name not in telling}


def effective_weights(weights: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Shares over the channels that take part, summing to 1, the others at 0."""
    return share_out(weights, set(names))


def ranking(channels: Mapping[str, ScoredScenes], parts: Mapping[str, Mapping[str, Part]]) -> tuple[FusedScene, ...]:
    """The fused order from each channel's {scene_id: Part}.

    `channels` are all that take part, also those that left for being flat: what only they found
    comes last with a score of 0 rather than not at all.
    """
    best_rank: dict[str, int] = {}
    for scored in channels.values():
        for scene_id, rank in scored.ranks().items():
            best_rank[scene_id] = min(rank, best_rank.get(scene_id, rank))
    fused = []
    for scene_id in best_rank:
        own = {name: by_scene[scene_id] for name, by_scene in parts.items() if scene_id in by_scene}
        # fsum is exactly rounded, so equal evidence gives equal scores whatever the channels' order.
        fused.append(FusedScene(scene_id, math.fsum(part.contribution for part in own.values()), own))
    fused.sort(key=lambda item: (-item.score, best_rank[item.scene_id], item.scene_id))
    return tuple(fused)


def fuse_scaled(
    channels: Mapping[str, ScoredScenes], weights: Mapping[str, float], scale: Callable[[ScoredScenes], float]
) -> Fused:
    """The weighted sum of (score - low) / scale, where flat channels leave and share out their weight."""
    offered = taking_part(channels, weights)
    telling, left = drop_flat(offered)
    shares = effective_weights(weights, telling)
    parts = {name: _scaled(scored, shares[name], scale) for name, scored in telling.items()}
    return Fused(ranking(offered, parts), shares, left)


def _scaled(scored: ScoredScenes, weight: float, scale: Callable[[ScoredScenes], float]) -> dict[str, Part]:
    if scored.is_flat:
        return {scene_id: Part(1.0, weight) for scene_id, _ in scored.hits}
    low, unit = scored.low, scale(scored)
    normalised = {scene_id: max(score - low, 0.0) / unit for scene_id, score in scored.hits}
    return {scene_id: Part(value, weight * value) for scene_id, value in normalised.items()}
