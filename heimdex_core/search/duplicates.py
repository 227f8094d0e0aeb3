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
import numpy.typing as npt

from heimdex_core.errors import HeimdexError, ViewOutdated
from heimdex_core.search.fusion.base import Fused, FusedScene, Ranking, ids_of
from heimdex_core.search.matching import match_spans
from heimdex_core.search.plan import Plan
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
_BLOCK = 64
_READ = 4 * _BLOCK
"""Scenes whose vectors are read at once, since reading some takes nearly as long."""


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
    ranking = fused.ranking
    folding = _Folding(view, space, frozenset(said), frozenset(words), tuple(terms))
    cards: list[FusedScene] = []
    for start in range(0, len(ranking), _BLOCK):
        block = ranking[start : start + _BLOCK]
        if len(folding.cards) >= MOST_CARDS:
            rest = ranking.after(cards, start) if isinstance(ranking, Ranking) else (*cards, *ranking[start:])
            return Collapsed(rest, folding.duplicates())
        if start % _READ == 0:
            folding.read(ids_of(ranking)[start : start + _READ])
        cards += folding.add(block)
    return Collapsed(tuple(cards), folding.duplicates())


def threshold_of(space: Space) -> float:
    """The least cosine of two scenes that look the same in a space."""
    return SAME.get(space.name, SAME_ELSEWHERE)


class _Folding:
    """The cards so far, with the scenes that are folded under them."""

    def __init__(
        self, view: View, space: Space, said: frozenset[str], words: frozenset[str], terms: tuple[str, ...]
    ) -> None:
        self._view = view
        self._space = space
        self._said = said
        self._words = words
        self._terms = terms
        self._least = threshold_of(space)
        self._vectors = np.zeros((0, space.dim), dtype=np.float32)
        self._places: dict[str, int] = {}
        self._read = self._vectors
        self.cards: list[FusedScene] = []
        """Those that have a vector, in the order of `_vectors`."""
        self._folded: dict[str, list[str]] = {}

    def duplicates(self) -> dict[str, tuple[str, ...]]:
        return {scene_id: tuple(folded) for scene_id, folded in self._folded.items()}

    def read(self, scene_ids: Sequence[str]) -> None:
        """Read the vectors of the scenes that `add` is given next."""
        ids, self._read = self._view.vectors(self._space, scene_ids)
        self._places = {scene_id: place for place, scene_id in enumerate(ids)}

    def add(self, block: Sequence[FusedScene]) -> list[FusedScene]:
        """The scenes of the block that become cards."""
        ids = [item.scene_id for item in block if item.scene_id in self._places]
        vectors = self._read[[self._places[scene_id] for scene_id in ids]]
        number = {scene_id: n for n, scene_id in enumerate(ids)}
        known = len(self.cards)
        everything = np.concatenate([self._vectors, vectors])
        same: npt.NDArray[np.bool_] = vectors @ everything.T >= self._least
        has_alike = same.sum(axis=1) > 1  # each is like itself
        rows = list(range(known))
        """Of `everything`, that are cards."""
        card_of = np.full(len(everything), -1)
        """The number of the card of each row, -1 for other rows. Indexing with `rows` would copy the list each time."""
        card_of[:known] = rows
        cards: list[FusedScene] = []
        for item in block:
            n = number.get(item.scene_id)
            if n is None:
                cards.append(item)
                continue
            alike = (self.cards[at] for at in card_of[same[n]] if at >= 0) if has_alike[n] else ()
            card = next((card for card in alike if self._may_fold(item, card)), None)
            if card is not None:
                self._folded.setdefault(card.scene_id, []).append(item.scene_id)
                continue
            rows.append(known + n)
            card_of[known + n] = len(self.cards)
            self.cards.append(item)
            cards.append(item)
        self._vectors = everything[rows]
        return cards

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
