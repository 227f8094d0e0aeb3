"""Pools: what the runs found, without a word of which run."""

from __future__ import annotations

from heimdex_core.evaluation.pooling import pool
from heimdex_core.types import SetQuery

QUERIES = (SetQuery("a bird", "q1"), SetQuery("a sea", "q2"))
RUNS = (
    {"q1": tuple((f"s{n}", 1.0 - n / 100) for n in range(30)), "q2": (("s5", 1.0),)},
    {"q1": (("s3", 0.9), ("t", 0.8), ("u", 0.7))},
)


def pooled(judge: str = "ann", depth: int = 2, grades=None):
    return pool(QUERIES, RUNS, depth=depth, judge=judge, grades=grades or {})


def test_the_top_of_every_run_once():
    found = pooled()
    assert {item.scene_id for item in found if item.query_id == "q1"} == {"s0", "s1", "s3", "t"}
    assert [item.scene_id for item in found if item.query_id == "q2"] == ["s5"]
    assert [item.query_id for item in found] == ["q1"] * 4 + ["q2"]


def test_the_order_tells_nothing_and_stays():
    by_rank = [f"s{n}" for n in range(20)]
    first = [item.scene_id for item in pooled(depth=20) if item.query_id == "q1"]
    assert first == [item.scene_id for item in pooled(depth=20) if item.query_id == "q1"]
    assert [scene for scene in first if scene in by_rank] != by_rank
    assert first != [item.scene_id for item in pooled("ben", depth=20) if item.query_id == "q1"]
    # a scene that a deeper pool adds comes in between; the others keep their order
    shallow = [item.scene_id for item in pooled(depth=10) if item.query_id == "q1"]
    assert [scene for scene in first if scene in shallow] == shallow


def test_what_the_judge_has_said_is_there():
    found = pooled(grades={("a bird", "s3"): 2, ("a sea", "s3"): 1})
    assert {(item.query_id, item.scene_id): item.grade for item in found}["q1", "s3"] == 2
    assert sum(item.grade is not None for item in found) == 1
