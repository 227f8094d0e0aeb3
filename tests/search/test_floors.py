"""What a dense channel offers, by models whose floor is measured and by others. Numbers by hand."""

from __future__ import annotations

import pytest
from heimdex_core.search.channels.floors import floor_of, offered

from heimdex_core.search.fusion import fusion_method
from heimdex_core.types import Space

E5 = Space("text/multilingual-e5-small", "text", "e5", "1", 4)
MINI = Space("text/all-MiniLM-L6-v2", "text", "mini", "1", 4)
DESCRIBED = Space("caption/all-MiniLM-L6-v2", "text", "mini", "1", 4)

NARROW = [(f"s{i}", score) for i, score in enumerate((0.90, 0.82, 0.81, 0.80, 0.80, 0.79, 0.78, 0.77, 0.76))]


def test_a_measured_floor_holds_for_descriptions_by_the_same_model() -> None:
    assert floor_of(MINI) == floor_of(DESCRIBED) == 0.25
    assert floor_of(E5) is None


def test_below_a_measured_floor_nothing_is_offered() -> None:
    scenes = offered(MINI, [("a", 0.5), ("b", 0.25), ("c", 0.1)])
    assert (scenes.hits, scenes.base, scenes.unoffered, scenes.ordinary) == ((("a", 0.5),), 0.25, 2, None)


def test_an_ordinary_score_counts_nothing() -> None:
    scenes = offered(E5, NARROW)
    assert scenes.ordinary == pytest.approx(0.80)  # the fifth of nine
    assert len(scenes.hits) == 9  # all stay, with their ranks
    fused = fusion_method("minmax").fuse({"said": scenes}, {"said": 1.0})
    scores = [item.score for item in fused.ranking]
    assert scores == pytest.approx([1.0, 0.2, 0.1, 0, 0, 0, 0, 0, 0])
    assert [item.scene_id for item in fused.ranking] == [f"s{i}" for i in range(9)]


def test_of_few_scenes_the_middle_one_says_little() -> None:
    assert offered(E5, NARROW[:7]).ordinary is None


def test_where_most_are_as_near_as_the_nearest_they_are_told_from_the_rest() -> None:
    scenes = offered(E5, [*((f"n{i}", 0.9) for i in range(6)), ("x", 0.7), ("y", 0.7)])
    assert scenes.ordinary is None
    assert not scenes.is_flat


def test_opposite_directions_are_no_evidence() -> None:
    scenes = offered(E5, [(f"s{i}", 0.4 - 0.1 * i) for i in range(9)])  # .4 to -.4
    assert len(scenes.hits) == 4
    assert (scenes.base, scenes.ordinary) == (0.0, 0.0)
