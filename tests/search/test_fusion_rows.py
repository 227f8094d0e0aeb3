"""Fusing scenes as rows of a table gives what fusing their ids gives, whatever the method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdex_core.search.fusion import METHODS, fusion_method
from heimdex_core.search.fusion.base import Fused, ScoredScenes, ids_of, scenes_at
from heimdex_core.store.hits import Hits, SceneRows, table_of
from heimdex_core.store.scene_set import SceneTable
from tests.support.searched import table_with

WEIGHTS = {"transcript": 0.3, "vision": 0.5, "lexical": 0.2}


@pytest.fixture(scope="module")
def table() -> SceneTable:
    return table_with("d", "b", "c", "a")


def channel(table: SceneTable, rng: np.random.Generator, missing: list[int]) -> ScoredScenes:
    """Some scenes with scores of which several are equal."""
    rows = rng.permutation(np.setdiff1d(np.arange(len(table)), missing))[: rng.integers(1, 9)]
    hits = Hits(SceneRows(table, rows), rng.integers(0, 4, len(rows)) / 4)
    own = SceneRows(table, np.array(missing, dtype=np.int64))
    return ScoredScenes(hits, base=0.0, unoffered=3, lowest=0.0, missing=own, close_at=0.25, strong_at=0.75)


def as_ids(scored: ScoredScenes) -> ScoredScenes:
    return replace(scored, hits=tuple(scored.hits), missing=frozenset(scored.missing))


def told(fused: Fused) -> list[tuple[str, float, dict[str, tuple[float, float]]]]:
    return [(item.scene_id, item.score, {**item.parts}) for item in fused.ranking]


@pytest.mark.parametrize("name", [spec.name for spec in METHODS])
def test_rows_and_ids_are_fused_alike(table: SceneTable, name: str) -> None:
    for seed in range(5):
        check_alike(table, name, np.random.default_rng(seed))


def check_alike(table: SceneTable, name: str, rng: np.random.Generator) -> None:
    missing = sorted(rng.choice(len(table), 3, replace=False).tolist())
    channels = {
        "transcript": channel(table, rng, missing),
        "vision": channel(table, rng, []),
        "lexical": channel(table, rng, missing[:1]),
    }
    method = fusion_method(name)
    rows = method.fuse(channels, WEIGHTS)
    assert table_of(ids_of(rows.ranking)) is table
    assert told(rows) == told(method.fuse({name: as_ids(one) for name, one in channels.items()}, WEIGHTS))
    mixed = method.fuse({**channels, "lexical": as_ids(channels["lexical"])}, WEIGHTS)
    assert told(mixed) == told(rows), "a channel of ids beside channels of rows"
    assert told(replace(rows, ranking=scenes_at(rows.ranking, np.array([2, 0])))) == [told(rows)[2], told(rows)[0]]


def test_where_scenes_are_among_hits(table: SceneTable) -> None:
    scored = ScoredScenes(Hits(SceneRows(table, np.array([7, 2, 5])), [3.0, 2.0, 1.0]))
    ids = table.ids_at(np.array([5, 0, 7]))
    assert scored.positions(SceneRows(table, np.array([5, 0, 7]))).tolist() == [2, -1, 0]
    assert scored.positions(ids).tolist() == [2, -1, 0]
    assert as_ids(scored).positions(ids).tolist() == [2, -1, 0]
    assert scored.positions([]).tolist() == []
    assert ScoredScenes(()).positions(ids).tolist() == [-1, -1, -1]
