"""A query of filters alone: no channel ranks its scenes, and all that pass are listed, which may be a million.

A listing is a ranking whose scenes are made when they are looked at; until then it is rows of the user's table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import overload

import numpy as np

from heimdex_core.search.filters import Selection
from heimdex_core.search.fusion.base import FusedScene, LazyRanking
from heimdex_core.store.hits import SceneRows
from heimdex_core.store.scene_set import Numbers, SceneTable
from heimdex_core.types import Sort


class Listing(LazyRanking):
    """Scenes of a table in some order, each with a score of 0. Immutable."""

    def __init__(self, table: SceneTable, rows: Numbers) -> None:
        """`rows` are (n,) rows of the table."""
        self.table = table
        self.rows = rows
        self.scene_ids = SceneRows(table, rows)

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
            return [FusedScene(scene_id, 0.0, {}) for scene_id in self.scene_ids[at]]
        return FusedScene(self.scene_ids[at], 0.0, {})

    def take(self, places: Numbers) -> Listing:
        """See LazyRanking."""
        return Listing(self.table, self.rows[places])

    def ordered(self, sort: Sort, first: Collection[str]) -> Listing:
        """As `order.ordered`. The scenes of a video stand together in each of its orders."""
        rows = self.rows
        if sort == "time":
            numbers, table = self.table.video_numbers[rows], self.table
            rows = rows[np.lexsort((table.durations_s[rows], table.starts_ms[rows], -numbers))]
        if first:
            rows = rows[np.argsort(~self.table.of_videos(first)[rows], kind="stable")]
        return Listing(self.table, rows)
