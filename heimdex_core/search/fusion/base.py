"""What a fusion method receives and returns, and the arithmetic that methods share.

A method makes one ranking out of the scored scenes of several channels. It is pure arithmetic: it uses no model
and no store, and returns the same ranking every time. Ties are ordered by the best rank in any channel, then by id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple, Protocol, overload

import numpy as np
import numpy.typing as npt

from heimdex_core.search.fusion.parts import ChannelParts, Floats, Part, PartsOf, as_arrays
from heimdex_core.store.ordering import best_first

_LAST = 1 << 62
"""Behind every rank."""


@dataclass(frozen=True)
class ScoredScenes:
    """The scenes that one channel found, with their scores, and what is known about the scenes that it left out.

    What is computed from it is kept, because a search is fused again at every change of a weight.
    """

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
    lowest: float | None = None
    """The lowest score that the channel gives to any scene of any query: 0 for BM25, the threshold of a dense channel.
    None if it has none."""
    missing: frozenset[str] = frozenset()
    """Scenes of other channels that this one has nothing of, such as scenes without speech. They were not examined."""
    close_at: float | None = None
    """The score from which a scene is close to the query, which is where certainty begins; None if it is not known."""
    strong_at: float | None = None
    """The score from which it certainly is; at least `close_at`."""

    def certainty(self, score: float) -> float:
        """How certain the channel is of a scene with this score: 0 up to `close_at`, 1 from `strong_at` on."""
        if self.close_at is None or self.strong_at is None or score < self.close_at:
            return 0.0
        if score >= self.strong_at:
            return 1.0
        return (score - self.close_at) / (self.strong_at - self.close_at)

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """{scene_id: score}."""
        return dict(self.hits)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """{scene_id: its position in `hits`}, in order."""
        return {scene_id: position for position, (scene_id, _) in enumerate(self.hits)}

    @cached_property
    def values(self) -> Floats:
        """(n,) the scores of `hits`, in order."""
        return np.array([score for _, score in self.hits], dtype=np.float64)

    @cached_property
    def low(self) -> float:
        """The score that contributes 0: the background score, else the lowest score that the channel gave."""
        if self.background_score is not None:
            return self.background_score
        lowest = float(self.values.min())
        return lowest if self.base is None or self.unoffered == 0 else min(lowest, self.base)

    @cached_property
    def above_low(self) -> Floats:
        """(n,) score - low of `hits`, at least 0."""
        return np.maximum(self.values - self.low, 0.0)

    @cached_property
    def high(self) -> float:
        """The highest score. There must be at least one hit."""
        return float(self.values.max())

    @cached_property
    def is_flat(self) -> bool:
        """Whether every scene has the same score, so that the channel cannot rank them."""
        low, high = self.low, self.high
        return high - low <= 1e-9 * max(1.0, abs(high), abs(low))

    @cached_property
    def rank_of(self) -> npt.NDArray[np.int64]:
        """(n,) the rank of each of `hits`, best first from 1; equal scores share the better rank (1, 2, 2, 4).

        Otherwise the order of the ids would count as evidence.
        """
        worse = -self.values
        return np.searchsorted(np.sort(worse), worse).astype(np.int64) + 1

    @property
    def ranks(self) -> Mapping[str, int]:
        """{scene_id: rank}."""
        return dict(zip(self.positions, self.rank_of.tolist(), strict=True))


class FusedScene(NamedTuple):
    """A scene in the fused ranking."""

    scene_id: str
    score: float
    """The sum of the contributions."""
    parts: Mapping[str, Part]
    """By channel; a channel that did not find the scene has no part."""


class Ranking(Sequence[FusedScene]):
    """Fused scenes, best first, each made when it is asked for: a page shows twenty of thousands."""

    __slots__ = ("_parts", "_scores", "scene_ids")

    def __init__(
        self, scene_ids: Sequence[str], scores: Sequence[float], parts: Mapping[str, Mapping[str, Part]]
    ) -> None:
        """`scores` are those of `scene_ids`; `parts` are {channel: {scene_id: Part}}."""
        self.scene_ids = scene_ids
        self._scores = scores
        self._parts = parts

    def __len__(self) -> int:
        return len(self.scene_ids)

    @overload
    def __getitem__(self, index: int) -> FusedScene: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[FusedScene, ...]: ...
    def __getitem__(self, index: int | slice) -> FusedScene | tuple[FusedScene, ...]:
        if isinstance(index, slice):
            return tuple(map(self._scene, self.scene_ids[index], self._scores[index]))
        return self._scene(self.scene_ids[index], self._scores[index])

    def __iter__(self) -> Iterator[FusedScene]:
        return map(self._scene, self.scene_ids, self._scores)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def after(self, first: Sequence[FusedScene], start: int) -> Ranking:
        """Some of the scenes before `start`, and all from there on."""
        scene_ids = [*(item.scene_id for item in first), *self.scene_ids[start:]]
        return Ranking(scene_ids, [*(item.score for item in first), *self._scores[start:]], self._parts)

    def _scene(self, scene_id: str, score: float) -> FusedScene:
        return FusedScene(scene_id, score, PartsOf(scene_id, self._parts))


def ids_of(ranking: Sequence[FusedScene]) -> Sequence[str]:
    """The ids of the scenes of a ranking."""
    return ranking.scene_ids if isinstance(ranking, Ranking) else [item.scene_id for item in ranking]


@dataclass(frozen=True, slots=True)
class Fused:
    """A fused ranking."""

    ranking: Sequence[FusedScene]
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


def ranking(
    channels: Mapping[str, ScoredScenes],
    parts: Mapping[str, Mapping[str, Part]],
    shares: Mapping[str, float] | None = None,
) -> Ranking:
    """The fused ranking.

    Args:
        channels: all channels that take part, those that were left out as flat included: scenes that only they
            found come last with a score of 0 instead of being dropped.
        parts: {channel: {scene_id: Part}} of the channels that contribute.
        shares: the weights of the channels, which sum to 1. If given, scenes that a channel has nothing of are not
            punished for it when another one is certain of them (`without_missing`).
    """
    if shares is not None and any(channels[name].missing for name in parts):
        parts = without_missing(channels, parts, shares)
    scene_ids = list(dict.fromkeys(chain.from_iterable(scored.positions for scored in channels.values())))
    row_of = {scene_id: row for row, scene_id in enumerate(scene_ids)}

    def rows(of_channel: Mapping[str, int]) -> npt.NDArray[np.int64]:
        return np.fromiter(map(row_of.__getitem__, of_channel), dtype=np.int64, count=len(of_channel))

    best_rank = np.full(len(scene_ids), _LAST)
    rows_of = {name: rows(scored.positions) for name, scored in channels.items()}
    for name, own in rows_of.items():
        best_rank[own] = np.minimum(best_rank[own], channels[name].rank_of)
    scores = np.zeros(len(scene_ids))
    for name in sorted(parts):  # in one order, so that the rounding does not depend on that of the channels
        found = as_arrays(parts[name])
        own = rows_of[name] if found.positions is channels[name].positions else rows(found.positions)
        scores[own] += found.contributions
    order = best_first(scores, scene_ids, best_rank)
    ranked = [scene_ids[row] for row in order]
    return Ranking(ranked, scores[order].tolist(), parts)


def fuse_scaled(
    channels: Mapping[str, ScoredScenes], weights: Mapping[str, float], scale: Callable[[ScoredScenes], float]
) -> Fused:
    """The weighted sum of (score - low) / scale.

    Flat channels are left out and their weight is divided among the others. Where all channels are flat, each scene
    that a channel found counts as 1.
    """
    offered = taking_part(channels, weights)
    parts, shares, left = scaled_parts(offered, weights, scale)
    return Fused(ranking(offered, parts, shares), shares, left)


def scaled_parts(
    offered: Mapping[str, ScoredScenes], weights: Mapping[str, float], scale: Callable[[ScoredScenes], float]
) -> tuple[dict[str, ChannelParts], dict[str, float], dict[str, str]]:
    """(the parts of a weighted sum of (score - low) / scale, the weights in the end, the channels left out as flat).

    `offered` are the channels that take part.
    """
    # Where all are flat, the only evidence is which scenes were found.
    ranked = {name: scored for name, scored in offered.items() if not scored.is_flat} or offered
    left = {name: "flat" for name in offered if name not in ranked}
    shares = share_out(weights, ranked)
    return {name: _scaled(scored, shares[name], scale) for name, scored in ranked.items()}, shares, left


def without_missing(
    channels: Mapping[str, ScoredScenes], parts: Mapping[str, Mapping[str, Part]], shares: Mapping[str, float]
) -> dict[str, Mapping[str, Part]]:
    """The parts of all channels, where scenes that a channel has nothing of are not punished for it.

    A sum takes what is missing for a score of 0: a scene in which nobody speaks could at most get the weight of what is
    seen. So if another channel is certain of such a scene, the weights of the channels that have nothing of it go to
    those that have: their contributions are multiplied by

        1 + certainty * (1 / (1 - weights of the channels that have nothing) - 1)

    which is a weighted mean over what the scene has where the certainty is 1, and the plain sum where it is 0. This is
    the renormalisation by which Gower's coefficient (Biometrics 1971) treats missing values.
    """
    factors: dict[str, dict[str, float]] = {name: {} for name in parts}
    for scene_id in frozenset().union(*(channels[name].missing for name in parts)):
        found = [name for name in parts if scene_id in parts[name]]
        absent = [name for name in parts if name not in found and scene_id in channels[name].missing]
        certainty = max((channels[name].certainty(channels[name].scores[scene_id]) for name in found), default=0.0)
        lost = math.fsum(shares[name] for name in absent)
        if certainty > 0 and 0 < lost < 1:
            for name in found:
                factors[name][scene_id] = 1 + certainty * (1 / (1 - lost) - 1)
    return {name: as_arrays(by_scene).scaled(factors[name]) for name, by_scene in parts.items()}


def _scaled(scored: ScoredScenes, weight: float, scale: Callable[[ScoredScenes], float]) -> ChannelParts:
    if scored.is_flat:
        ones = np.ones(len(scored.hits))
        return ChannelParts(scored.positions, ones, weight * ones)
    values = scored.above_low / scale(scored)
    return ChannelParts(scored.positions, values, weight * values)
