"""Nearly identical scenes become one card: the best one stands for the others, which are folded under it.

A scene is folded under a better one that looks the same if nothing that is said in it was looked for, or if the same is
said in both. So the scenes of a speaker in front of one camera stay apart where their words are what was looked for,
and are one card where only the picture was, or its tags. docs/decisions/search-keyframes.md has the measurements of
"looks the same".
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from heimdex_core.errors import HeimdexError, ViewOutdated
from heimdex_core.models.base import Vectors
from heimdex_core.search.fusion.base import Fused, FusedScene, ids_of, scenes_at
from heimdex_core.search.matching import match_spans
from heimdex_core.search.plan import Plan
from heimdex_core.store.ordering import Numbers
from heimdex_core.types import Space

if TYPE_CHECKING:
    from heimdex_core.store.view import View

log = logging.getLogger(__name__)

SAME = {"vision/palette": 0.96}
"""Least cosine of two scenes that look the same, by the name of the space."""
SAME_ELSEWHERE = 0.98
"""In the space of any other model: what fastdup calls nearly identical, whatever the model."""
MOST_CARDS = 200
"""Scenes are folded under the first so many cards, ten pages; what comes after them is left as it is. So the time is
limited too: it is spent again at every change of a weight."""
_BLOCK = 256
"""So many scenes are read and compared at once; fewer take nearly as long."""


@dataclass(frozen=True)
class Collapsed:
    """A ranking with one scene a card."""

    ranking: Sequence[FusedScene]
    duplicates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the scene of the card: the scenes that are folded under it, best first."""


def collapsed_by_plan(fused: Fused, view: View, plan: Plan, terms: Sequence[str]) -> Collapsed:
    """The ranking with nearly identical scenes folded, by the vectors of the first space of pictures.

    An index that cannot be read folds nothing: the channel that searches it says so.
    """
    space = next((slot.space for slot in plan.slots if slot.kind == "vision"), None)
    said = [slot.name for slot in plan.slots if slot.side not in ("seen", "words", "people")]
    words = [slot.name for slot in plan.slots if slot.side == "words"]
    try:
        return collapse(fused, view, space, said=said, words=words, terms=terms)
    except ViewOutdated:
        raise
    except HeimdexError as error:
        log.warning("nearly identical scenes are not folded: %s", error)
        return Collapsed(fused.ranking)


def collapse(
    fused: Fused,
    view: View,
    space: Space | None,
    *,
    said: Collection[str],
    words: Collection[str],
    terms: Sequence[str],
) -> Collapsed:
    """Fold nearly identical scenes.

    Args:
        fused: the ranking.
        view: the view that was searched.
        space: whose vectors say what looks the same; None folds nothing.
        said: the channels that look at what is said, by their names in the search.
        words: those that look words up, in tags and titles too.
        terms: the index terms of the query.

    Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
    """
    if space is None or len(fused.ranking) < 2:
        return Collapsed(fused.ranking)
    folding = _Folding(view, space, fused.ranking, frozenset(said), frozenset(words), tuple(terms))
    start, count = 0, len(fused.ranking)
    while start < count and len(folding.cards) < MOST_CARDS:
        stop = min(start + _BLOCK, count)
        folding.add(start, stop)
        start = stop
    kept = np.concatenate([*folding.kept, np.arange(start, count)])
    return Collapsed(scenes_at(fused.ranking, kept), folding.duplicates())


def threshold_of(space: Space) -> float:
    """The least cosine of two scenes that look the same in a space."""
    return SAME.get(space.name, SAME_ELSEWHERE)


class _Folding:
    """The cards so far, with the scenes that are folded under them. Scenes are places in the ranking."""

    def __init__(
        self,
        view: View,
        space: Space,
        ranking: Sequence[FusedScene],
        said: frozenset[str],
        words: frozenset[str],
        terms: tuple[str, ...],
    ) -> None:
        self._view = view
        self._space = space
        self._ranking = ranking
        self._said = said
        self._words = words
        self._terms = terms
        self._least = threshold_of(space)
        self._vectors: Vectors = np.zeros((0, space.dim), dtype=np.float32)
        """(cards, d)"""
        self.cards: list[int] = []
        """Those that have a vector."""
        self.kept: list[Numbers] = []
        """All cards, in order."""
        self._folded: dict[int, list[int]] = {}
        self._items: dict[int, FusedScene] = {}
        """Those that were looked at."""

    def duplicates(self) -> dict[str, tuple[str, ...]]:
        """By the scene of a card: those that are folded under it, best first."""
        cards = ids_of(scenes_at(self._ranking, np.array(list(self._folded), dtype=np.int64)))
        folded = [ids_of(scenes_at(self._ranking, np.array(places))) for places in self._folded.values()]
        return {card: tuple(under) for card, under in zip(cards, folded, strict=True)}

    def add(self, start: int, stop: int) -> None:
        """Divide the scenes from `start` to `stop` into cards and scenes under them. Called in their order."""
        places, vectors = self._view.vectors(self._space, ids_of(scenes_at(self._ranking, np.arange(start, stop))))
        places = start + places
        known = len(self.cards)
        everything = np.concatenate([self._vectors, vectors])
        same = vectors @ everything.T >= self._least
        is_card = np.ones(len(everything), dtype=bool)
        place_of = [*self.cards, *places.tolist()]
        for n in np.flatnonzero(same.sum(axis=1) > 1).tolist():  # each is like itself
            place = place_of[known + n]
            alike = [place_of[row] for row in np.flatnonzero(same[n, : known + n] & is_card[: known + n]).tolist()]
            card = next((card for card in alike if self._may_fold(self._item(place), self._item(card))), None)
            if card is not None:
                self._folded.setdefault(card, []).append(place)
                is_card[known + n] = False
        is_kept = np.ones(stop - start, dtype=bool)
        is_kept[places[~is_card[known:]] - start] = False
        self.kept.append(start + np.flatnonzero(is_kept))
        self.cards += places[is_card[known:]].tolist()
        self._vectors = everything[is_card]

    def _item(self, place: int) -> FusedScene:
        if place not in self._items:
            self._items[place] = self._ranking[place]
        return self._items[place]

    def _may_fold(self, item: FusedScene, card: FusedScene) -> bool:
        """Whether nothing that is said found the scene, or it says what the card's scene says."""
        text = self._transcript(item)
        is_said = _contributes(item, self._said) or (
            _contributes(item, self._words) and bool(match_spans(text, self._terms))
        )
        return not is_said or text == self._transcript(card)

    def _transcript(self, item: FusedScene) -> str:
        scene = self._view.scenes_by_id([item.scene_id]).get(item.scene_id)
        return " ".join(scene.transcript.casefold().split()) if scene is not None else item.scene_id


def _contributes(item: FusedScene, names: frozenset[str]) -> bool:
    return any(item.parts[name].contribution > 0 for name in names & item.parts.keys())
