"""What holds for every search, whatever the scores are."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heimdex_core.search.fusion import fusion_method, fusion_names
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.search.order import ordered
from heimdex_core.types import Query
from tests.search.conftest import Bench

SCORES = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=8, max_size=8)
WEIGHTS = st.fixed_dictionaries(
    {name: st.sampled_from([0, 0.1, 0.25, 0.5]) for name in ("transcript", "vision", "lexical")}
)
FUSIONS = st.sampled_from(fusion_names())


def bench_with(scores: list[float]) -> Bench:
    """Four scenes with these cosines: said, then seen."""
    bench = Bench()
    for space, some in (("text/fake", scores[:4]), ("vision/fake", scores[4:])):
        bench.reader.vectors[space] = dict(zip(bench.ids, some, strict=True))
    return bench


def ranking(bench: Bench, weights: dict[str, float], fusion: str, **query: object) -> list[tuple[str, float]]:
    asked = Query("bread wolf", weights=weights, fusion=fusion, **query)  # type: ignore[arg-type]
    return [
        (hit.scene_id, cast(Any, pytest.approx(hit.score))) for hit in bench.searcher().search(asked, user_id="local")
    ]


@given(SCORES, WEIGHTS, FUSIONS, st.randoms())
@settings(deadline=None, max_examples=20)
def test_the_order_does_not_depend_on_the_order_of_insertion(
    scores: list[float], weights: dict[str, float], fusion: str, shuffling: random.Random
) -> None:
    assume(any(weights.values()))
    bench, other = bench_with(scores), bench_with(scores)
    shuffling.shuffle(other.reader.all)
    for space, cosines in other.reader.vectors.items():
        items = list(cosines.items())
        shuffling.shuffle(items)
        other.reader.vectors[space] = dict(items)
    assert ranking(bench, weights, fusion) == ranking(other, weights, fusion)


@given(SCORES, WEIGHTS, FUSIONS, st.sampled_from([0.125, 0.5, 2.0]))
@settings(deadline=None, max_examples=20)
def test_only_the_proportions_of_weights_matter(
    scores: list[float], weights: dict[str, float], fusion: str, factor: float
) -> None:
    assume(any(weights.values()))
    bench = bench_with(scores)
    scaled = {name: value * factor for name, value in weights.items()}
    assert ranking(bench, weights, fusion) == ranking(bench, scaled, fusion)


@given(SCORES, WEIGHTS, FUSIONS)
@settings(deadline=None, max_examples=20)
def test_a_weight_of_zero_equals_a_channel_that_is_not_named(
    scores: list[float], weights: dict[str, float], fusion: str
) -> None:
    named = {name: value for name, value in weights.items() if value}
    assume(named)
    assert ranking(bench_with(scores), weights, fusion) == ranking(bench_with(scores), named, fusion)


@given(SCORES, WEIGHTS, FUSIONS, st.integers(1, 3), st.sampled_from(["score", "time", "newest"]), st.booleans())
@settings(deadline=None, max_examples=20)
def test_pages_neither_repeat_nor_skip(
    scores: list[float], weights: dict[str, float], fusion: str, size: int, sort: str, together: bool
) -> None:
    assume(any(weights.values()))
    bench = bench_with(scores)
    order = {"sort": sort, "group_by_video": together}
    whole = ranking(bench, weights, fusion, limit=10, **order)
    pages = [ranking(bench, weights, fusion, limit=size, offset=at, **order) for at in range(0, 6, size)]
    assert [hit for page in pages for hit in page] == whole
    assert len({scene_id for scene_id, _ in whole}) == len(whole)


SCENE_IDS = [f"{video}_{start}_{start + 1000}" for video in ("a", "b", "c") for start in (0, 1000, 2000)]


@given(st.lists(st.tuples(st.sampled_from(SCENE_IDS), st.floats(0, 1)), unique_by=lambda hit: hit[0]), st.randoms())
@settings(max_examples=40)
@pytest.mark.parametrize("name", fusion_names())
def test_every_fusion_ignores_the_order_of_the_hits(
    name: str, hits: list[tuple[str, float]], shuffling: random.Random
) -> None:
    shuffled = list(hits)
    shuffling.shuffle(shuffled)
    method = fusion_method(name, rrf_k=60)
    rankings = [
        method.fuse({"x": ScoredScenes(tuple(some)), "y": ScoredScenes(tuple(some))}, {"x": 0.25, "y": 0.75})
        for some in (hits, shuffled)
    ]
    assert rankings[0].ranking == rankings[1].ranking


@given(st.permutations(SCENE_IDS), st.sampled_from(["score", "time", "newest"]), st.booleans())
@settings(max_examples=40)
def test_every_order_keeps_all_scenes(ids: list[str], sort: str, together: bool) -> None:
    fused = fusion_method("minmax", rrf_k=60).fuse(
        {"x": ScoredScenes(tuple((scene_id, float(-n)) for n, scene_id in enumerate(ids)))}, {"x": 1.0}
    )
    found = ordered(fused.ranking, (), sort=sort, group_by_video=together, first=("b",))  # type: ignore[arg-type]
    assert sorted(item.scene_id for item in found) == sorted(SCENE_IDS)
    videos = [item.scene_id[0] for item in found]
    assert videos[:3] == ["b"] * 3
    if together:
        assert videos == sorted(videos, key=list(dict.fromkeys(videos)).index)
