"""Hits as rows: ids are made when they are asked for, and everything is as it is with a list of ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.store.hits import (
    Hits,
    KeyframeMatch,
    KeyframeMatches,
    Keyframes,
    SceneRows,
    joined,
    no_hits,
    rows_in,
    table_of,
    taken,
)
from heimdex_core.store.ordering import Numbers, distinct
from heimdex_core.store.scene_set import SceneTable
from tests.support.searched import table_with


@pytest.fixture
def table() -> SceneTable:
    return table_with("b", "a")


IDS = [f"{video_id}_{start}_{start + 2000}" for video_id in "ba" for start in (0, 2000, 4000)]


def test_rows_are_a_sequence_of_ids(table: SceneTable, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    ids_at = SceneTable.ids_at

    def note(self: SceneTable, rows: Numbers) -> list[str]:
        made.append(len(rows))
        return ids_at(self, rows)

    monkeypatch.setattr(SceneTable, "ids_at", note)
    scenes = SceneRows(table, np.array([4, 0, 3]))
    assert (len(scenes), made) == (3, [])
    assert (scenes[1], made) == (IDS[0], [1])
    assert (scenes[1:], made) == ([IDS[0], IDS[3]], [1, 2])
    assert (list(scenes), scenes[0], scenes[:2], made) == (
        [IDS[4], IDS[0], IDS[3]],
        IDS[4],
        [IDS[4], IDS[0]],
        [1, 2, 3],
    )
    assert list(scenes.take(np.array([2, 0]))) == [IDS[3], IDS[4]]
    assert scenes == [IDS[4], IDS[0], IDS[3]]
    assert scenes != [IDS[4]]


@pytest.mark.parametrize("is_table", [False, True])
def test_hits_are_ordered_by_score_and_then_by_id(table: SceneTable, *, is_table: bool) -> None:
    """The table has video b before a, so rows are not in the order of ids."""
    scenes: Sequence[str] = SceneRows(table, np.arange(6)) if is_table else IDS
    hits = Hits(scenes, [0.5, 0.9, 0.5, 0.5, 0.5, 0.1])
    assert [IDS[place] for place in hits.best_first()] == [IDS[1], IDS[3], IDS[4], IDS[0], IDS[2], IDS[5]]
    assert hits.take(hits.best_first()[:2]) == [(IDS[1], 0.9), (IDS[3], 0.5)]
    assert (hits[1], hits[4:]) == ((IDS[1], 0.9), [(IDS[4], 0.5), (IDS[5], 0.1)])
    assert no_hits(table).best_first().tolist() == []


def test_ids_of_one_video_are_in_the_order_of_text() -> None:
    """As texts "a_10000_12000" comes before "a_2000_4000"."""
    table = table_with("a", texts="abcdef")
    hits = Hits(SceneRows(table, np.arange(6)), np.ones(6))
    ids = table.ids_at(np.arange(6))
    assert [ids[place] for place in hits.best_first()] == sorted(ids) != ids


def test_hits_become_rows_of_a_table(table: SceneTable) -> None:
    hits = Hits(["a_2000_4000", "gone_0_2000", "b_0_2000"], [3.0, 2.0, 1.0])
    assert hits.of_table(None) is hits
    found = hits.of_table(table)
    assert found == [("a_2000_4000", 3.0), ("b_0_2000", 1.0)]
    assert table_of(found.scenes) is table
    assert rows_in(table, found.scenes).tolist() == [4, 0]
    other = table_with("c", "b")
    assert rows_in(other, found.scenes).tolist() == [-1, 3], "rows of another table are looked up by their ids"
    assert found.of_table(other) == [("b_0_2000", 1.0)]
    assert table_of(["a_2000_4000"]) is None
    assert list(taken(["x", "y", "z"], np.array([2, 0]))) == ["z", "x"]


def test_hits_of_several_parts(table: SceneTable) -> None:
    rows = [Hits(SceneRows(table, np.array([0, 4])), [0.5, 0.25]), Hits(SceneRows(table, np.array([2])), [1.0])]
    found = joined(rows)
    assert found == [(IDS[0], 0.5), (IDS[4], 0.25), (IDS[2], 1.0)]
    assert table_of(found.scenes) is table
    mixed = joined([rows[0], Hits(["x_0_1"], [2.0])])
    assert mixed == [(IDS[0], 0.5), (IDS[4], 0.25), ("x_0_1", 2.0)]
    assert joined([]) == []


def test_keyframes_stay_with_their_hits(table: SceneTable) -> None:
    hits = Hits([IDS[1], "gone_0_2000", IDS[5]], [3.0, 2.0, 1.0])
    matches = KeyframeMatches(hits, Keyframes.of(["1.webp", "x.webp", None]))
    assert matches[0] == KeyframeMatch(IDS[1], 3.0, "1.webp")
    assert matches.take(np.array([2, 0])) == [KeyframeMatch(IDS[5], 1.0, None), KeyframeMatch(IDS[1], 3.0, "1.webp")]
    found = matches.of_table(table)
    assert found == [KeyframeMatch(IDS[1], 3.0, "1.webp"), KeyframeMatch(IDS[5], 1.0, None)]
    assert len(found.keyframes) == 2


@given(st.lists(st.integers(-3, 3)))
def test_distinct_numbers_are_ascending(numbers: list[int]) -> None:
    assert distinct(np.array(numbers, dtype=np.int64)).tolist() == sorted(set(numbers))
