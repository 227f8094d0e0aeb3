"""What every fusion method does, whatever its arithmetic."""

import math

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from heimdex_core.errors import UnknownName
from heimdex_core.search.channels import channel_names
from heimdex_core.search.fusion import ScoredScenes, fusion_method, fusion_names

CHANNELS = channel_names()
every_method = pytest.mark.parametrize("name", fusion_names())


def scored(**scores: float) -> ScoredScenes:
    return ScoredScenes(tuple(scores.items()))


@st.composite
def channels(draw):
    found = {}
    for name in CHANNELS:
        scores = draw(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 30.0), max_size=8))
        unoffered = draw(st.integers(0, 20))
        base = draw(st.sampled_from([None, 0.0]))
        found[name] = ScoredScenes(tuple(scores.items()), base=base, unoffered=unoffered)
    return found


weights = st.fixed_dictionaries({name: st.sampled_from([0.0, 0.2, 0.5, 1.0]) for name in CHANNELS})


def check_ranking(name, offered, weights):
    """Every scene of a weighted channel is ranked once, by the sum of its contributions; weights sum to 1."""
    fused = fusion_method(name).fuse(offered, weights)
    for item in fused.ranking:
        assert item.score == pytest.approx(sum(part.contribution for part in item.parts.values()))
        assert all(part.contribution >= 0 for part in item.parts.values())
    ids = [item.scene_id for item in fused.ranking]
    assert len(ids) == len(set(ids))
    assert set(ids) == {scene for channel, s in offered.items() if weights[channel] > 0 for scene, _ in s.hits}
    scores = [item.score for item in fused.ranking]
    assert scores == sorted(scores, reverse=True)
    for channel, share in fused.weights.items():
        if not offered[channel].hits or weights[channel] == 0 or channel in fused.left:
            assert share == 0
    assert math.fsum(fused.weights.values()) == pytest.approx(1.0 if fused.ranking else 0.0)


@given(offered=channels(), weights=weights)
def test_a_ranking_is_complete_and_its_numbers_add_up(offered, weights):
    for name in fusion_names():
        note(name)
        check_ranking(name, offered, weights)


@settings(max_examples=40)
@given(offered=channels(), weights=weights, factor=st.sampled_from([0.25, 0.5]))
def test_only_proportions_of_weights_matter(offered, weights, factor):
    smaller = {channel: weight * factor for channel, weight in weights.items()}
    for name in fusion_names():
        method = fusion_method(name)
        assert [item.scene_id for item in method.fuse(offered, weights).ranking] == [
            item.scene_id for item in method.fuse(offered, smaller).ranking
        ], name


@settings(max_examples=40)
@given(offered=channels(), weights=weights, order=st.permutations(CHANNELS))
def test_the_order_of_channels_and_hits_does_not_matter(offered, weights, order):
    turned = {
        channel: ScoredScenes(offered[channel].hits[::-1], offered[channel].base, offered[channel].unoffered)
        for channel in order
    }
    for name in fusion_names():
        method = fusion_method(name)
        first, second = method.fuse(offered, weights).ranking, method.fuse(turned, weights).ranking
        assert [(item.scene_id, item.score) for item in first] == [(item.scene_id, item.score) for item in second], name


@every_method
def test_a_single_channel_keeps_its_own_order(name):
    fused = fusion_method(name).fuse({"vision": scored(a=0.2, b=0.9, c=0.5)}, {"vision": 1.0})
    assert [item.scene_id for item in fused.ranking] == ["b", "c", "a"]


@every_method
def test_the_only_hit_of_the_only_channel_is_returned(name):
    fused = fusion_method(name).fuse({"lexical": scored(a=3.2), "vision": scored()}, {"lexical": 0.2, "vision": 0.8})
    assert [item.scene_id for item in fused.ranking] == ["a"]
    assert fused.ranking[0].score > 0
    assert fused.weights == {"lexical": 1.0, "vision": 0.0}
    assert fused.left == {}


@every_method
def test_equal_scores_are_ordered_by_id(name):
    fused = fusion_method(name).fuse({"vision": scored(c=0.5, a=0.5, b=0.5)}, {"vision": 1.0})
    assert [item.scene_id for item in fused.ranking] == ["a", "b", "c"]


@every_method
def test_a_channel_of_weight_zero_adds_nothing(name):
    fused = fusion_method(name).fuse(
        {"vision": scored(a=0.9, b=0.1), "lexical": scored(b=9.0, z=8.0)}, {"vision": 1.0, "lexical": 0.0}
    )
    assert [item.scene_id for item in fused.ranking] == ["a", "b"]
    assert all(set(item.parts) == {"vision"} for item in fused.ranking)


@every_method
def test_nothing_offered_gives_nothing(name):
    fused = fusion_method(name).fuse({"vision": scored()}, {"vision": 1.0})
    assert fused.ranking == ()


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName) as caught:
        fusion_method("borda")
    assert caught.value.details == {
        "kind": "fusion",
        "name": "borda",
        "known": "minmax, rrf, weighted_rrf, zscore, combsum, combmnz, convex",
    }
