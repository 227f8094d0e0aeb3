"""The tail of unrelated scores, its correction for the number of scenes, and the limits made of it. Numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heimdex_core.search.calibration import CLOSE_CHANCE, STRONG_CHANCE, Tail, closeness_of, fit_tail
from heimdex_core.search.channels.base import ChannelResult
from heimdex_core.search.closeness import Closeness
from heimdex_core.search.fusion import ScoredScenes
from heimdex_core.search.strength import nothing_close, strengths

NO_VIEW: Any = None
"""Scores alone are compared."""


def found(close_at: float | None, strong_at: float = math.inf, **scores: float) -> ChannelResult:
    limits = None if close_at is None else Closeness(close_at, strong_at)
    return ChannelResult(ScoredScenes(tuple(scores.items())), closeness=limits)


def test_the_chance_of_one_scene_is_the_upper_tail_of_the_normal_distribution() -> None:
    tail = Tail(centre=2.0, scale=0.5)
    assert tail.chance(2.0) == pytest.approx(0.5)
    assert tail.chance(2.0 + 0.5 * 1.959964) == pytest.approx(0.025, rel=1e-5)
    assert tail.chance(2.0 - 0.5 * 1.959964) == pytest.approx(0.975, rel=1e-5)


def test_the_best_of_several_scenes_is_corrected_as_by_sidak() -> None:
    tail = Tail(0.0, 1.0)
    # 1 - .975^2 = .049375
    assert tail.chance_of_best(1.959964, 2) == pytest.approx(0.049375, rel=1e-4)
    # the critical value of two comparisons at 5 % is 1.9545, that of one 1.6449
    assert tail.score_of_best(0.05, 1) == pytest.approx(1.6449, abs=1e-4)
    assert tail.score_of_best(0.05, 2) == pytest.approx(1.9545, abs=1e-4)
    assert Tail(3.0, 0.1).score_of_best(0.05, 2) == pytest.approx(3.19545, abs=1e-5)


def test_small_chances_among_many_scenes_are_not_rounded_away() -> None:
    # one in a million among a million scenes is 1e-12 for each: 7.0345 standard deviations
    assert Tail(0.0, 1.0).score_of_best(1e-6, 1_000_000) == pytest.approx(7.0345, abs=1e-3)
    assert Tail(0.0, 1.0).chance_of_best(7.0345, 1_000_000) == pytest.approx(1e-6, rel=1e-2)
    assert Tail(0.0, 1.0).chance_of_best(-50.0, 10) == 1.0


@pytest.mark.parametrize("scenes", [1, 40, 4000, 10**6])
def test_the_score_of_the_best_has_the_chance_that_was_asked_for(scenes: int) -> None:
    tail = Tail(0.1, 0.07)
    assert tail.chance_of_best(tail.score_of_best(0.005, scenes), scenes) == pytest.approx(0.005, rel=1e-6)


def test_what_the_library_has_does_not_move_the_fit() -> None:
    # of 0, 1, ..., 100 the median is 50 and the 95th percentile 95: 45 / 1.644854 = 27.358
    scores = np.arange(101.0)
    expected = (50.0, pytest.approx(27.358, abs=1e-3))
    tail = fit_tail(scores)
    assert tail is not None
    assert (tail.centre, tail.scale) == expected
    scores[97:] = 1000.0
    tail = fit_tail(scores)
    assert tail is not None
    assert (tail.centre, tail.scale) == expected


def test_normal_scores_are_fitted_by_their_mean_and_deviation() -> None:
    scores = np.random.default_rng(5).normal(0.2, 0.05, (400, 100)).astype(np.float32)
    tail = fit_tail(scores)
    assert tail is not None
    assert tail.centre == pytest.approx(0.2, abs=0.001)
    assert tail.scale == pytest.approx(0.05, abs=0.001)


def test_nothing_is_fitted_to_no_scores_or_to_equal_ones() -> None:
    assert fit_tail(np.zeros((0, 8))) is None
    assert fit_tail(np.full(50, 0.3)) is None


def test_limits_rise_with_the_number_of_scenes_and_are_never_below_the_floor() -> None:
    tail = Tail(0.0, 0.1)
    few, many = closeness_of(tail, 40, None), closeness_of(tail, 4000, None)
    assert few is not None
    assert many is not None
    assert few.close_at == pytest.approx(tail.score_of_best(CLOSE_CHANCE, 40))
    assert few.strong_at == pytest.approx(tail.score_of_best(STRONG_CHANCE, 40))
    assert few.close_at < many.close_at < few.strong_at < many.strong_at
    assert closeness_of(tail, 40, 0.45) == Closeness(0.45, few.strong_at)
    assert closeness_of(tail, 40, 0.9) == Closeness(0.9, 0.9)


def test_a_floor_alone_says_what_is_close_and_nothing_is_known_without_either() -> None:
    assert closeness_of(None, 40, 0.25) == Closeness(0.25, math.inf)
    assert closeness_of(None, 40, None) is None


def test_strength_by_the_score_or_by_another_measure() -> None:
    by_score = Closeness(0.5, 0.8)
    assert [by_score.strength(score) for score in (0.49, 0.5, 0.79, 0.8)] == ["weak", "fair", "fair", "strong"]
    by_words = Closeness(0.5, 1.0, ((("bread",),), (("wolf",),)), any_close=True)
    assert [by_words.strength(share) for share in (1.0, 0.5, 0.25)] == ["strong", "fair", "weak"]
    hits = ScoredScenes((("a", 9.0),))
    assert by_words.has_close(hits)
    assert not replace(by_words, any_close=False).has_close(hits)


def test_a_hit_is_as_strong_as_its_share_of_the_words_says() -> None:
    shares = {"a": 1.0, "b": 0.5, "c": 0.25}
    asked = []

    class Words:
        def word_coverage(self, words: Any, *, scene_ids: Any, user_id: str, least: float) -> dict[str, float]:
            asked.append((words, list(scene_ids), user_id))
            return {scene_id: shares[scene_id] for scene_id in scene_ids if scene_id in shares}

    words = ((("bread",),),)
    scenes = ScoredScenes(tuple((scene_id, 9.0) for scene_id in "abcd"))
    results = {"lexical": ChannelResult(scenes, closeness=Closeness(0.5, 1.0, words))}
    view: Any = Words()
    assert strengths(view, "me", results, {"lexical": 1.0}, ["a", "b", "c", "d", "e"]) == {
        "a": "strong",
        "b": "fair",
        "c": "weak",
        "d": "weak",
        "e": None,
    }
    assert asked == [(words, ["a", "b", "c", "d"], "me")]  # in one question, and not about what was not found


def test_a_hit_is_as_strong_as_the_best_channel_with_a_weight_says() -> None:
    results = {
        "transcript": found(3.0, 5.0, a=4.0, b=2.9),
        "vision": found(0.2, 0.3, a=0.4, b=0.1),
        "lexical": found(None, c=2.0),
    }
    assert strengths(NO_VIEW, "me", results, {"transcript": 0.5, "vision": 0.5, "lexical": 0.1}, "abc") == {
        "a": "strong",
        "b": "weak",
        "c": None,  # found only by a channel that cannot tell
    }
    assert strengths(NO_VIEW, "me", results, {"transcript": 1.0, "vision": 0.0}, "a") == {"a": "fair"}


@pytest.mark.parametrize(
    ("results", "is_said"),
    [
        ({"transcript": found(3.0, a=2.0), "lexical": found(3.0)}, True),
        ({"transcript": found(3.0, a=3.0), "lexical": found(3.0)}, False),
        ({"transcript": found(3.0, a=2.0), "vision": found(0.1, a=0.2)}, True),  # vision has the weight 0
        ({"transcript": found(3.0, a=2.0), "lexical": found(None, b=1.0)}, False),  # it cannot tell
        ({"transcript": ChannelResult(reason="no_matches")}, True),
    ],
)
def test_nothing_is_close_when_no_channel_with_a_weight_has_a_close_scene(
    results: dict[str, ChannelResult], is_said: bool
) -> None:
    assert nothing_close(results, {"transcript": 0.6, "lexical": 0.4, "vision": 0.0}) is is_said
