"""The fusion methods against numbers worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from heimdex_core.search.fusion import ScoredScenes, fusion_method, fusion_names


def scored(**scores: float) -> ScoredScenes:
    return ScoredScenes(tuple(scores.items()))


def as_scores(fused):
    return {item.scene_id: item.score for item in fused.ranking}


def test_minmax_by_hand():
    # transcript: low .2, high .6 -> a 1, b .5, c 0. lexical: low 2, high 10 -> b 1, d .25, c 0.
    fused = fusion_method("minmax").fuse(
        {"transcript": scored(a=0.6, b=0.4, c=0.2), "lexical": scored(b=10.0, d=4.0, c=2.0)},
        {"transcript": 0.6, "lexical": 0.4},
    )
    assert as_scores(fused) == pytest.approx({"b": 0.6 * 0.5 + 0.4, "a": 0.6, "d": 0.1, "c": 0.0})
    assert [item.scene_id for item in fused.ranking] == ["b", "a", "d", "c"]
    assert fused.ranking[0].parts["transcript"].normalised == pytest.approx(0.5)
    assert fused.ranking[0].parts["lexical"].contribution == pytest.approx(0.4)


def test_minmax_divides_the_weight_of_an_empty_channel():
    fused = fusion_method("minmax").fuse(
        {"transcript": scored(), "vision": scored(a=0.4, b=0.3, c=0.2), "lexical": scored(a=1.0, b=3.0)},
        {"transcript": 0.45, "vision": 0.35, "lexical": 0.20},
    )
    assert fused.weights == pytest.approx({"transcript": 0, "vision": 0.35 / 0.55, "lexical": 0.2 / 0.55})
    assert as_scores(fused)["a"] == pytest.approx(0.35 / 0.55)
    assert as_scores(fused)["b"] == pytest.approx(0.5 * 0.35 / 0.55 + 0.2 / 0.55)


def test_minmax_leaves_out_a_flat_channel_and_reports_it():
    fused = fusion_method("minmax").fuse(
        {"vision": scored(a=0.9, b=0.5), "lexical": scored(b=2.0, c=2.0)}, {"vision": 0.5, "lexical": 0.5}
    )
    assert fused.left == {"lexical": "flat"}
    assert fused.weights == {"vision": 1.0, "lexical": 0.0}
    # c, which only the flat channel found, comes last and is not dropped; b has the better rank of the two.
    assert [(item.scene_id, item.score) for item in fused.ranking] == [("a", 1.0), ("b", 0.0), ("c", 0.0)]


def test_minmax_counts_which_scenes_were_found_if_all_channels_are_flat():
    fused = fusion_method("minmax").fuse(
        {"vision": scored(a=0.9), "lexical": scored(a=2.0, b=2.0)}, {"vision": 0.75, "lexical": 0.25}
    )
    assert as_scores(fused) == pytest.approx({"a": 1.0, "b": 0.25})
    assert fused.left == {}


def test_minmax_a_single_scene_with_the_word_is_not_flat():
    # Nine scenes do not have the word: their score is known to be 0, so the lowest score is 0 and not 4.2.
    lexical = ScoredScenes((("b", 4.2),), base=0.0, unoffered=9)
    fused = fusion_method("minmax").fuse(
        {"vision": scored(a=0.9, b=0.5, c=0.1), "lexical": lexical}, {"vision": 0.6, "lexical": 0.4}
    )
    assert fused.left == {}
    assert as_scores(fused) == pytest.approx({"b": 0.6 * 0.5 + 0.4, "a": 0.6, "c": 0.0})


def test_minmax_a_base_without_unoffered_scenes_changes_nothing():
    lexical = ScoredScenes((("a", 4.0), ("b", 2.0)), base=0.0, unoffered=0)
    fused = fusion_method("minmax").fuse({"lexical": lexical}, {"lexical": 1.0})
    assert as_scores(fused) == {"a": 1.0, "b": 0.0}


def test_rrf_by_hand():
    fused = fusion_method("rrf").fuse(
        {"transcript": scored(a=0.9, b=0.8, c=0.7), "vision": scored(c=0.5, b=0.4)},
        {"transcript": 0.9, "vision": 0.1},
    )
    # The weights do not count: c is 3rd and 1st, b 2nd and 2nd, a 1st in one only.
    assert as_scores(fused) == pytest.approx({"c": 1 / 63 + 1 / 61, "b": 2 / 62, "a": 1 / 61})
    assert [item.scene_id for item in fused.ranking] == ["c", "b", "a"]
    assert fused.weights == {"transcript": 0.5, "vision": 0.5}


def test_rrf_takes_another_k():
    fused = fusion_method("rrf", rrf_k=1).fuse({"vision": scored(a=0.9, b=0.8)}, {"vision": 1.0})
    assert as_scores(fused) == pytest.approx({"a": 1 / 2, "b": 1 / 3})


def test_rrf_equal_scores_share_a_rank():
    fused = fusion_method("rrf").fuse({"lexical": scored(a=2.0, b=2.0, c=1.0)}, {"lexical": 1.0})
    assert as_scores(fused) == pytest.approx({"a": 1 / 61, "b": 1 / 61, "c": 1 / 63})


def test_weighted_rrf_by_hand():
    fused = fusion_method("weighted_rrf").fuse(
        {"transcript": scored(a=0.9, b=0.8), "vision": scored(b=0.5, a=0.4)},
        {"transcript": 0.3, "vision": 0.1},
    )
    assert as_scores(fused) == pytest.approx({"a": 0.75 / 61 + 0.25 / 62, "b": 0.75 / 62 + 0.25 / 61})
    assert [item.scene_id for item in fused.ranking] == ["a", "b"]


def test_zscore_by_hand():
    # transcript 3, 2, 1: deviation sqrt(2/3); vision 0.2, 0.6: deviation 0.2.
    fused = fusion_method("zscore").fuse(
        {"transcript": scored(a=3.0, b=2.0, c=1.0), "vision": scored(c=0.2, b=0.6)},
        {"transcript": 0.5, "vision": 0.5},
    )
    unit = 1 / math.sqrt(2 / 3)
    assert as_scores(fused) == pytest.approx({"b": 0.5 * unit + 0.5 * 2, "a": 0.5 * 2 * unit, "c": 0.0})


def test_zscore_counts_the_scenes_without_the_word():
    # 1 of 4 scenes scores 2, the others 0: mean 0.5, deviation sqrt(3)/2, so 2 lies 4/sqrt(3) above the low.
    lexical = ScoredScenes((("a", 2.0),), base=0.0, unoffered=3)
    fused = fusion_method("zscore").fuse({"lexical": lexical}, {"lexical": 1.0})
    assert as_scores(fused) == pytest.approx({"a": 4 / math.sqrt(3)})


@pytest.mark.parametrize("seed", range(5))
def test_many_scenes_are_ranked_as_the_definition_says(seed):
    """By score, then by the best rank in any channel, then by id, with scores of which many are equal."""
    rng = np.random.default_rng(seed)
    found = {
        name: {f"v{n}": round(float(rng.random()), 1) for n in rng.permutation(60)[:40]}
        for name in ("transcript", "vision")
    }
    weights = {"transcript": 0.5, "vision": 0.5}
    fused = fusion_method("minmax").fuse({name: scored(**scores) for name, scores in found.items()}, weights)
    sums = dict.fromkeys((key for one in found.values() for key in one), 0.0)
    best_rank: dict[str, int] = {}
    for name, scores in found.items():
        low, high = min(scores.values()), max(scores.values())
        for key, score in scores.items():
            sums[key] += weights[name] * ((score - low) / (high - low))
            rank = 1 + sum(other > score for other in scores.values())
            best_rank[key] = min(rank, best_rank.get(key, rank))
            assert fused_part(fused, key, name) == pytest.approx((score - low) / (high - low))
    expected = sorted(sums, key=lambda key: (-sums[key], best_rank[key], key))
    assert [(item.scene_id, item.score) for item in fused.ranking] == [(key, sums[key]) for key in expected]


def fused_part(fused, scene_id, channel):
    return next(item.parts[channel].normalised for item in fused.ranking if item.scene_id == scene_id)


def test_ties_go_to_the_better_rank_before_the_id():
    # z: 1st in vision (weight .5 -> .5). a: 2nd in both, .25 + .25. Equal scores, z has the better rank.
    fused = fusion_method("minmax").fuse(
        {"vision": scored(z=1.0, a=0.5, m=0.0), "transcript": scored(n=1.0, a=0.5, m=0.0)},
        {"vision": 0.5, "transcript": 0.5},
    )
    assert [item.scene_id for item in fused.ranking] == ["n", "z", "a", "m"]
    assert [item.score for item in fused.ranking] == pytest.approx([0.5, 0.5, 0.5, 0.0])


TWO = {"transcript": scored(a=0.6, b=0.4, c=0.2), "lexical": scored(b=10.0, d=4.0, c=2.0)}
"""Scaled: transcript a 1, b .5, c 0; lexical b 1, d .25, c 0."""


def test_combsum_by_hand():
    fused = fusion_method("combsum").fuse(TWO, {"transcript": 0.9, "lexical": 0.1})
    # the weights do not count; sums 1, 1.5, 0 and .25, divided by two channels
    assert as_scores(fused) == pytest.approx({"b": 0.75, "a": 0.5, "d": 0.125, "c": 0.0})
    assert fused.weights == {"transcript": 0.5, "lexical": 0.5}


def test_combmnz_by_hand():
    fused = fusion_method("combmnz").fuse(TWO, {"transcript": 0.9, "lexical": 0.1})
    # b is found by two channels, a and d by one; c scores 0 in both
    assert as_scores(fused) == pytest.approx({"b": 2 * 0.75, "a": 0.5, "d": 0.125, "c": 0.0})
    assert fused.ranking[0].parts["lexical"].normalised == pytest.approx(1.0)
    assert fused.ranking[0].parts["lexical"].contribution == pytest.approx(1.0)


def test_combmnz_moves_up_what_several_channels_found():
    # sums: a 1, b .55 + .4 = .95; with CombMNZ b counts twice
    channels = {"vision": scored(a=1.0, b=0.55, c=0.0), "lexical": scored(d=1.0, b=0.4, c=0.0)}
    assert fusion_method("combsum").fuse(channels, {"vision": 1, "lexical": 1}).ranking[0].scene_id == "a"
    assert fusion_method("combmnz").fuse(channels, {"vision": 1, "lexical": 1}).ranking[0].scene_id == "b"


def test_convex_scales_from_the_lowest_possible_score():
    channels = {
        "vision": ScoredScenes((("a", 0.45), ("b", 0.25)), lowest=0.05),
        "lexical": ScoredScenes((("b", 10.0), ("d", 4.0)), lowest=0.0),
    }
    fused = fusion_method("convex").fuse(channels, {"vision": 0.5, "lexical": 0.5})
    # vision: a 1, b .5 (min-max: 0); lexical: b 1, d .4 (min-max: 0)
    assert as_scores(fused) == pytest.approx({"b": 0.75, "a": 0.5, "d": 0.2})


@pytest.mark.parametrize(("score", "factor"), [(0.9, 2.5), (0.5, 1.75), (0.15, 1.0)])
def test_a_scene_without_speech_is_not_punished_when_another_channel_is_certain(score, factor):
    vision = ScoredScenes((("a", score), ("b", 0.5), ("c", 0.1)), base=0.1, unoffered=1, close_at=0.2, strong_at=0.8)
    transcript = ScoredScenes((("b", 1.0), ("c", 0.0)), missing=frozenset("a"))
    weights = {"transcript": 0.6, "vision": 0.4}
    plain = fusion_method("minmax").fuse(
        {"transcript": replace(transcript, missing=frozenset()), "vision": vision}, weights
    )
    fused = fusion_method("minmax").fuse({"transcript": transcript, "vision": vision}, weights)
    # certainty 1, 1/2 and 0; the transcript's .6 are lost: up to 1 / (1 - .6) = 2.5
    assert as_scores(fused)["a"] == pytest.approx(as_scores(plain)["a"] * factor)
    assert {k: v for k, v in as_scores(fused).items() if k != "a"} == {
        k: v for k, v in as_scores(plain).items() if k != "a"
    }


def test_a_channel_of_weight_zero_is_not_missed():
    vision = ScoredScenes((("a", 0.9), ("b", 0.1)), close_at=0.2, strong_at=0.8)
    channels = {"transcript": ScoredScenes((("b", 1.0),), missing=frozenset("a")), "vision": vision}
    for name in fusion_names():
        fused = fusion_method(name).fuse(channels, {"transcript": 0.0, "vision": 1.0})
        alone = fusion_method(name).fuse({"vision": vision}, {"vision": 1.0})
        assert as_scores(fused) == as_scores(alone)
