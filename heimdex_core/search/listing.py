"""A query of filters alone: no channel ranks its scenes, and all that pass are listed, which may be a million.

A listing is a ranking whose scenes are made when they are looked at; until then it is rows of the user's table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import overload

import numpy as np

from heimdex_core.search.filters import Selection
from heimdex_core.search.fusion.base import FusedScene, ids_of
from heimdex_core.store.scene_set import Numbers, SceneTable
from heimdex_core.types import Sort


class Listing(Sequence[FusedScene]):
    """Scenes of a table in some order, each with a score of 0. Immutable."""

    def __init__(self, table: SceneTable, rows: Numbers) -> None:
        """`rows` are (n,) rows of the table."""
        self.table = table
        self.rows = rows

    @classmethod
    def of(cls, table: SceneTable, selection: Selection) -> Listing:
        """The selected scenes, video by video, newest video first."""
        mask = np.ones(len(table), dtype=bool)
        if selection.scenes is not None:
            mask = selection.scenes.mask
        elif selection.video_ids is not None:
            mask = table.of_videos(selection.video_ids)
        rows = np.flatnonzero(mask)
        return cls(table, rows[np.argsort(table.video_numbers[rows], kind="stable")])

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> FusedScene: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[FusedScene]: ...

    def __getitem__(self, at: int | slice) -> FusedScene | Sequence[FusedScene]:
        if isinstance(at, slice):
            return [FusedScene(scene_id, 0.0, {}) for scene_id in self.table.ids_at(self.rows[at])]
        return FusedScene(self.table.ids_at(self.rows[[at]])[0], 0.0, {})

    @property
    def video_count(self) -> int:
        """How many videos the scenes are from."""
        return len(np.unique(self.table.video_numbers[self.rows]))

    def ordered(self, sort: Sort, first: Collection[str]) -> Listing:
        """As `order.ordered`. The scenes of a video stand together in each of its orders."""
        rows = self.rows
        if sort == "time":
            numbers, table = self.table.video_numbers[rows], self.table
            rows = rows[np.lexsort((table.durations_s[rows], table.starts_ms[rows], -numbers))]
        if first:
            rows = rows[np.argsort(~self.table.of_videos(first)[rows], kind="stable")]
        return Listing(self.table, rows)


def rows_in(table: SceneTable, ranking: Sequence[FusedScene]) -> Numbers:
    """The row of each scene of a ranking in the user's table; -1 for one that is not in it."""
    return ranking.rows if isinstance(ranking, Listing) else table.rows_of(ids_of(ranking))
