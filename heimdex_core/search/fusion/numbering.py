"""Numbers instead of ids for the scenes of several channels: arithmetic on thousands of scenes is done on arrays.

Scenes that all channels have found as rows of one table keep the numbers of their rows; others are counted through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import numpy as np

from heimdex_core.store.hits import RowSource, SceneRows
from heimdex_core.store.ordering import Numbers


class Numbering(Protocol):
    """Which number a scene has."""

    def of(self, scene_ids: Collection[str]) -> Numbers:
        """(n,) the numbers of the scenes of a group, one for each."""

    def scenes(self, numbers: Numbers) -> Sequence[str]:
        """The ids of the scenes that have these numbers."""


class _Rows:
    def __init__(self, source: RowSource) -> None:
        self._source = source

    def of(self, scene_ids: Collection[str]) -> Numbers:
        # what is no rows has no scene, else they would be counted
        return scene_ids.rows if isinstance(scene_ids, SceneRows) else np.zeros(0, dtype=np.int64)

    def scenes(self, numbers: Numbers) -> Sequence[str]:
        return SceneRows(self._source, numbers)


class _Counted:
    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []

    def of(self, scene_ids: Collection[str]) -> Numbers:
        asked = list(scene_ids)
        for scene_id in asked:
            if scene_id not in self._numbers:
                self._numbers[scene_id] = len(self._ids)
                self._ids.append(scene_id)
        return np.fromiter(map(self._numbers.__getitem__, asked), np.int64, len(asked))

    def scenes(self, numbers: Numbers) -> Sequence[str]:
        return [self._ids[number] for number in numbers.tolist()]


def numbering(groups: Iterable[Collection[str]]) -> Numbering:
    """Numbers for the scenes of some groups, each of which has a scene once at most."""
    some = [scene_ids for scene_ids in groups if len(scene_ids)]
    sources = {id(one.source): one.source for one in some if isinstance(one, SceneRows)}
    if len(sources) == 1 and all(isinstance(one, SceneRows) for one in some):
        return _Rows(next(iter(sources.values())))
    return _Counted()


def places_in(own: Numbers, wanted: Numbers) -> Numbers:
    """(len(wanted),) where each of the numbers is in `own`, which has each once; -1 for one that is not in it."""
    if not len(own):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(own)
    at = order[np.minimum(np.searchsorted(own, wanted, sorter=order), len(own) - 1)]
    return np.where(own[at] == wanted, at, -1)
