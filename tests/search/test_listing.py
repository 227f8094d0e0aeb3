"""A listing is in the same order as a ranking of the same scenes, and counts the same."""

from __future__ import annotations

import numpy as np
import pytest

from heimdex_core.search.facets import FACETS, count_choices
from heimdex_core.search.filters import Selection
from heimdex_core.search.fusion.base import FusedScene, ids_of
from heimdex_core.search.listing import Listing
from heimdex_core.search.order import ordered, video_count
from heimdex_core.store.hits import rows_in
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.scene_set import Part, SceneSet, SceneTable
from heimdex_core.store.sidecar import scenes_table
from heimdex_core.types import Sort, VisibleVideo
from tests.search.fakes import scene

SCENES = {
    name: [scene(name, n, "said" if n % 2 else "", language=("en", "ko")[n % 2], tags=(name, "all")) for n in range(3)]
    for name in ("a", "b", "c")
}


@pytest.fixture
def table() -> SceneTable:
    """Videos b, c, a, newest first; the files have a and b in one, and c in another."""
    one = SceneColumns.of(scenes_table([*SCENES["a"], *SCENES["b"]]))
    two = SceneColumns.of(scenes_table(SCENES["c"]))
    parts = [Part(one, range(3, 6)), Part(two, range(3)), Part(one, range(3))]
    return SceneTable([VisibleVideo(v, "me", 1, v, deleted=False) for v in ("b", "c", "a")], parts)


def listing_of(table: SceneTable, *, scenes: bool) -> Listing:
    if not scenes:
        return Listing.of(table, Selection(("a", "b"), None, 6))
    mask = np.array([scene_id.endswith(("_10000", "_30000")) for scene_id in table.ids_at(np.arange(9))])
    return Listing.of(table, Selection(None, SceneSet(table, mask), 6))


@pytest.mark.parametrize("scenes", [False, True], ids=["videos", "scenes"])
@pytest.mark.parametrize("sort", ["score", "time", "newest"])
@pytest.mark.parametrize("first", [(), ("a",)])
def test_the_order_is_that_of_a_ranking(table: SceneTable, scenes: bool, sort: Sort, first: tuple[str, ...]) -> None:
    listing = listing_of(table, scenes=scenes)
    plain = tuple(listing)
    assert all(item.score == 0.0 for item in plain)
    for group_by_video in (False, True):
        expected = ordered(plain, table.videos, sort=sort, group_by_video=group_by_video, first=first)
        found = ordered(listing, table.videos, sort=sort, group_by_video=group_by_video, first=first)
        assert tuple(found) == expected
        assert found[2:4] == list(expected[2:4])
        assert found[1] == expected[1]


def test_all_scenes_come_video_by_video(table: SceneTable) -> None:
    listing = Listing.of(table, Selection(None, None, 9))
    expected = [one.scene_id for name in ("b", "c", "a") for one in SCENES[name]]
    assert [item.scene_id for item in listing] == expected
    assert listing[-1] == FusedScene(expected[-1], 0.0, {})


@pytest.mark.parametrize("scenes", [False, True], ids=["videos", "scenes"])
def test_counts_are_those_of_a_ranking(table: SceneTable, scenes: bool) -> None:
    listing = listing_of(table, scenes=scenes)
    assert video_count(listing) == video_count(tuple(listing)) == (3 if scenes else 2)
    for facet in FACETS:
        counts = count_choices(table, rows_in(table, ids_of(listing)), facet)
        assert counts == count_choices(table, rows_in(table, ids_of(tuple(listing))), facet)
        assert sum(counts.values()) == (12 if facet == "tags" else 6)
