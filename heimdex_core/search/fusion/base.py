"""What a fusion method receives and returns, and the arithmetic that methods share.

A method makes one ranking out of the scored scenes of several channels. It is pure arithmetic: it uses no model
and no store, and returns the same ranking every time. Ties are ordered by the best rank in any channel, then by id.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol, overload

import numpy as np
import numpy.typing as npt

from heimdex_core.search.fusion.numbering import Numbering, numbering, places_in
from heimdex_core.search.fusion.parts import ChannelParts, Floats, Part, Parts, PartsByNumber, PartsOf, as_arrays
from heimdex_core.store.hits import Hits, keys_by_id, taken
from heimdex_core.store.ordering import Numbers, best_first, distinct

_LAST = 1 << 62
"""Behind every rank."""


@dataclass(frozen=True)
class ScoredScenes:
    """The scenes that one channel found, with their scores, and what is known about the scenes that it left out.

    What is computed from it is kept, because a search is fused again at every change of a weight.
    """

    hits: Sequence[tuple[str, float]]
    """(scene_id, score), in any order; a higher score is better, and each id occurs once. Hits of one table of scenes
    are the fastest."""
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
    missing: Collection[str] = frozenset()
    """Scenes of other channels that this one has nothing of, such as scenes without speech. They were not examined."""
    close_at: float | None = None
    """The score from which a scene is close to the query, which is where certainty begins; None if it is not known."""
    strong_at: float | None = None
    """The score from which it certainly is; at least `close_at`."""

    @cached_property
    def certainties(self) -> Floats:
        """(n,) how certain the channel is of each of `hits`: 0 up to `close_at`, 1 from `strong_at` on."""
        if self.close_at is None or self.strong_at is None:
            return np.zeros(len(self.hits))
        if self.strong_at <= self.close_at:
            return (self.values >= self.strong_at).astype(np.float64)
        return np.clip((self.values - self.close_at) / (self.strong_at - self.close_at), 0.0, 1.0)

    @cached_property
    def scene_ids(self) -> Sequence[str]:
        """(n,) the scenes of `hits`, in order."""
        return self.hits.scenes if isinstance(self.hits, Hits) else [scene_id for scene_id, _ in self.hits]

    def positions(self, scene_ids: Sequence[str]) -> Numbers:
        """(len(scene_ids),) the position in `hits` of each of some scenes; -1 for one that was not found."""
        names = numbering((self.scene_ids, scene_ids))
        return places_in(names.of(self.scene_ids), names.of(scene_ids))

    @cached_property
    def values(self) -> Floats:
        """(n,) the scores of `hits`, in order."""
        return self.hits.scores if isinstance(self.hits, Hits) else np.array([s for _, s in self.hits], np.float64)

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
        return dict(zip(self.scene_ids, self.rank_of.tolist(), strict=True))


class FusedScene(NamedTuple):
    """A scene in the fused ranking."""

    scene_id: str
    score: float
    """The sum of the contributions."""
    parts: Mapping[str, Part]
    """By channel; a channel that did not find the scene has no part."""


class LazyRanking(Sequence[FusedScene]):
    """A ranking whose scenes are made when they are asked for: a page shows twenty of thousands."""

    scene_ids: Sequence[str]

    @abstractmethod
    def take(self, places: Numbers) -> LazyRanking:
        """The scenes at these places, in this order."""


class Ranking(LazyRanking):
    """Fused scenes, best first."""

    __slots__ = ("_numbers", "_parts", "_scores", "scene_ids")

    def __init__(self, scene_ids: Sequence[str], scores: Floats, numbers: Numbers, parts: PartsByNumber) -> None:
        """`scores` and `numbers` (n,) are those of the n `scene_ids`."""
        self.scene_ids = scene_ids
        self._scores = scores
        self._numbers = numbers
        self._parts = parts

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> FusedScene: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[FusedScene, ...]: ...
    def __getitem__(self, index: int | slice) -> FusedScene | tuple[FusedScene, ...]:
        if isinstance(index, slice):
            return tuple(self.take(np.arange(len(self))[index]))
        return self._scene(self.scene_ids[index], self._scores[index], self._numbers[index])

    def __iter__(self) -> Iterator[FusedScene]:
        return map(self._scene, self.scene_ids, self._scores, self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, places: Numbers) -> Ranking:
        """See LazyRanking."""
        return Ranking(taken(self.scene_ids, places), self._scores[places], self._numbers[places], self._parts)

    def _scene(self, scene_id: str, score: float, number: int) -> FusedScene:
        return FusedScene(scene_id, float(score), PartsOf(int(number), self._parts))


def ids_of(ranking: Sequence[FusedScene]) -> Sequence[str]:
    """The ids of the scenes of a ranking."""
    return ranking.scene_ids if isinstance(ranking, LazyRanking) else [item.scene_id for item in ranking]


def scenes_at(ranking: Sequence[FusedScene], places: Numbers) -> Sequence[FusedScene]:
    """The scenes at these places of a ranking, in this order."""
    if isinstance(ranking, LazyRanking):
        return ranking.take(places)
    return tuple(ranking[place] for place in places.tolist())


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


def ranking(channels: Mapping[str, ScoredScenes], parts: Parts, shares: Mapping[str, float] | None = None) -> Ranking:
    """The fused ranking.

    Args:
        channels: all channels that take part, those that were left out as flat included: scenes that only they
            found come last with a score of 0 instead of being dropped.
        parts: {channel: its parts, as arrays or as {scene_id: Part}} of the channels that contribute.
        shares: the weights of the channels, which sum to 1. If given, scenes that a channel has nothing of are not
            punished for it when another one is certain of them (`without_missing`).
    """
    arrays = {name: as_arrays(own) for name, own in parts.items()}
    groups = [scene_ids for one in channels.values() for scene_ids in (one.scene_ids, one.missing)]
    names = numbering([*groups, *(own.scene_ids for own in arrays.values())])
    found = {name: names.of(scored.scene_ids) for name, scored in channels.items()}
    if shares is not None:
        arrays = without_missing(channels, arrays, shares, names)
    numbers = {name: names.of(own.scene_ids) for name, own in arrays.items()}
    every = distinct(np.concatenate([np.zeros(0, dtype=np.int64), *found.values()]))
    best_rank = np.full(len(every), _LAST)
    for name, own in found.items():
        at = np.searchsorted(every, own)
        best_rank[at] = np.minimum(best_rank[at], channels[name].rank_of)
    scores = np.zeros(len(every))
    for name in sorted(arrays):  # in one order, so that the rounding does not depend on that of the channels
        scores[np.searchsorted(every, numbers[name])] += arrays[name].contributions
    order = best_first(scores, keys_by_id(names.scenes(every)), best_rank)
    every = every[order]
    return Ranking(names.scenes(every), scores[order], every, PartsByNumber(numbers, arrays))


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
    channels: Mapping[str, ScoredScenes],
    parts: dict[str, ChannelParts],
    shares: Mapping[str, float],
    names: Numbering,
) -> dict[str, ChannelParts]:
    """The parts of all channels, where scenes that a channel has nothing of are not punished for it.

    A sum takes what is missing for a score of 0: a scene in which nobody speaks could at most get the weight of what is
    seen. So if another channel is certain of such a scene, the weights of the channels that have nothing of it go to
    those that have: their contributions are multiplied by

        1 + certainty * (1 / (1 - weights of the channels that have nothing) - 1)

    which is a weighted mean over what the scene has where the certainty is 1, and the plain sum where it is 0. This is
    the renormalisation by which Gower's coefficient (Biometrics 1971) treats missing values.
    """
    missing = {name: names.of(channels[name].missing) for name in parts}
    some = distinct(np.concatenate([np.zeros(0, dtype=np.int64), *missing.values()]))
    if not len(some):
        return parts
    lost, certainty = np.zeros(len(some)), np.zeros(len(some))
    for name in parts:
        places = places_in(names.of(channels[name].scene_ids), some)
        is_found = places >= 0
        lost += np.where(~is_found & np.isin(some, missing[name]), shares[name], 0.0)
        certainty[is_found] = np.maximum(certainty[is_found], channels[name].certainties[places[is_found]])
    is_lifted = (certainty > 0) & (lost > 0) & (lost < 1)
    factors = np.ones(len(some))
    factors[is_lifted] += certainty[is_lifted] * (1 / (1 - lost[is_lifted]) - 1)
    scaled: dict[str, ChannelParts] = {}
    for name, own in parts.items():
        places = places_in(names.of(own.scene_ids), some)
        scaled[name] = own.scaled(places[places >= 0], factors[places >= 0])
    return scaled


def _scaled(scored: ScoredScenes, weight: float, scale: Callable[[ScoredScenes], float]) -> ChannelParts:
    if scored.is_flat:
        ones = np.ones(len(scored.hits))
        return ChannelParts(scored.scene_ids, ones, weight * ones)
    values = scored.above_low / scale(scored)
    return ChannelParts(scored.scene_ids, values, weight * values)
