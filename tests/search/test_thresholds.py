"""What a dense channel returns, for models with and without a measured threshold. Numbers by hand."""

from __future__ import annotations

import pytest

from heimdex_core.search.channels.thresholds import above_threshold, threshold_of
from heimdex_core.search.fusion import fusion_method
from heimdex_core.types import Space
from tests.search.fakes import hits_of

E5 = Space("text/multilingual-e5-small", "text", "e5", "1", 4)
MINI = Space("text/all-MiniLM-L6-v2", "text", "mini", "1", 4)
CAPTION = Space("caption/all-MiniLM-L6-v2", "text", "mini", "1", 4)

NARROW = [(f"s{i}", score) for i, score in enumerate((0.90, 0.82, 0.81, 0.80, 0.80, 0.79, 0.78, 0.77, 0.76))]


def test_captions_have_the_threshold_of_the_text_model() -> None:
    assert threshold_of(MINI) == threshold_of(CAPTION) == 0.25
    assert threshold_of(E5) is None


def test_scenes_at_or_below_a_measured_threshold_are_left_out() -> None:
    scenes = above_threshold(MINI, hits_of([("a", 0.5), ("b", 0.25), ("c", 0.1)]))
    assert (scenes.hits, scenes.base, scenes.unoffered, scenes.background_score) == ((("a", 0.5),), 0.25, 2, None)


def test_the_background_score_contributes_nothing() -> None:
    scenes = above_threshold(E5, hits_of(NARROW))
    assert scenes.background_score == pytest.approx(0.80)  # the fifth of nine
    assert len(scenes.hits) == 9  # all stay, with their ranks
    fused = fusion_method("minmax").fuse({"transcript": scenes}, {"transcript": 1.0})
    scores = [item.score for item in fused.ranking]
    assert scores == pytest.approx([1.0, 0.2, 0.1, 0, 0, 0, 0, 0, 0])
    assert [item.scene_id for item in fused.ranking] == [f"s{i}" for i in range(9)]


def test_seven_scenes_are_too_few_for_a_background_score() -> None:
    assert above_threshold(E5, hits_of(NARROW[:7])).background_score is None


def test_the_best_score_is_no_background_score() -> None:
    scenes = above_threshold(E5, hits_of([*((f"n{i}", 0.9) for i in range(6)), ("x", 0.7), ("y", 0.7)]))
    assert scenes.background_score is None
    assert not scenes.is_flat


def test_opposite_directions_are_no_evidence() -> None:
    around_zero = [(f"s{i}", 0.4 - 0.1 * i) for i in range(9)]  # .4 to -.4
    scenes = above_threshold(E5, hits_of(around_zero))
    assert len(scenes.hits) == 4
    assert (scenes.base, scenes.background_score, scenes.lowest) == (0.0, 0.0, 0.0)
    # damping moves the 0
    scenes = above_threshold(E5, hits_of([(name, score - 0.15) for name, score in around_zero]), is_damped=True)
    assert len(scenes.hits) == 9
    assert (scenes.base, scenes.lowest) == (None, None)
    assert scenes.background_score == pytest.approx(-0.15)
