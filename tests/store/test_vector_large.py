"""What a large segment of a vector index finds, and by which method."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.store import vector_large, vector_merging, vector_methods, vectors
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.store.vector_segment import Key
from tests.store.merging import (
    ALL,
    DIM,
    KEYS,
    SCENES,
    SPACE,
    assert_same,
    clustered,
    large_of,
    make_small,
    merge,
    names_in,
    opened,
    scattered,
    unit,
    write,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def test_clusters_are_searched_by_clusters(tmp_path: Path) -> None:
    before = write(tmp_path / "index")
    assert vector_merging.is_due(tmp_path / "index")
    assert merge(tmp_path / "index")
    assert not vector_merging.is_due(tmp_path / "index")
    assert merge(tmp_path / "index") is False, "there is nothing more to merge"
    index = opened(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert large["method"] == "IVF"
    assert large["nprobe"] < large["lists"]
    assert large["rows_per_result"] == vector_large.FEWEST_ROWS_PER_RESULT
    assert large["recall_at_10"] >= vector_large.REQUIRED_RECALL
    assert len(index.segments) == 1
    assert_same(index, before, KEYS)
    assert set(vectors.check(tmp_path / "index", SPACE)) == ALL


def test_as_many_rows_are_scanned_as_were_found_to_be_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_large, "FEWEST_ROWS_PER_RESULT", 0)
    monkeypatch.setattr(vector_large, "PROBES", (1,))
    real = vector_large.recall

    def recall(method: Any, *asked: Any) -> tuple[float, float]:
        return real(method, *asked) if method._rows_per_result else (0.5, 0.5)

    monkeypatch.setattr(vector_large, "recall", recall)
    write(tmp_path / "index")
    merge(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert large["rows_per_result"] == vector_methods.LIST_ROWS_PER_RESULT, "fewer did not find enough"
    (segment,) = opened(tmp_path / "index").segments
    assert isinstance(segment.method, vector_methods.Inverted)
    assert segment.method._rows_per_result == vector_methods.LIST_ROWS_PER_RESULT
    path = tmp_path / "index" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["segments"][0]["large"]["rows_per_result"]  # as versions before it wrote
    path.write_text(json.dumps(manifest))
    (segment,) = opened(tmp_path / "index").segments
    assert isinstance(segment.method, vector_methods.Inverted)
    assert segment.method._rows_per_result == vector_methods.LIST_ROWS_PER_RESULT


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_a_filter_of_rows_reaches_an_inverted_file(tmp_path: Path, share: float) -> None:
    write(tmp_path / "index")
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    rows = np.random.default_rng(3).random(len(index)) < share
    everything = index._vectors_of(np.arange(len(index)))
    query = clustered(KEYS[3]).vectors[7]
    best = np.flatnonzero(rows)[np.argsort(-(everything[rows] @ query), kind="stable")][:10]
    ids = index.scene_ids.to_pylist()
    found = index.search(query, k=10, allowed=ALL, rows=rows)
    assert {scene_id for scene_id, _ in found} == {ids[row] for row in best}
    everything_there = index.search(query, k=10_000, allowed=ALL, rows=rows)
    assert len(everything_there) == rows.sum(), "also where few clusters have enough rows"


def test_vectors_without_clusters_are_searched_by_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(vector_large, "CANDIDATES", (4,))
    monkeypatch.setattr(vector_methods, "LEAST_CANDIDATES", 100)
    monkeypatch.setattr(vector_methods, "CANDIDATE_SHARE", 0.4)
    before = write(tmp_path / "index", load=scattered)
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert large["method"] == "PQ"
    assert large["recall_at_10"] >= vector_large.REQUIRED_RECALL
    assert "so codes are used" in caplog.text
    query = unit(np.random.default_rng(1).normal(size=DIM))
    half = frozenset(KEYS[::2])
    for allowed in (ALL, half, frozenset(KEYS[:1])):
        best = [scene_id for scene_id, _ in before.search(query, k=10, allowed=allowed)]
        assert len({*best, *(scene_id for scene_id, _ in index.search(query, k=10, allowed=allowed))}) <= 11
    assert set(vectors.check(tmp_path / "index", SPACE)) == ALL
    assert "codes-4.faiss" in names_in(tmp_path / "index")


@pytest.mark.parametrize("extent", [DIM // 2, DIM])
def test_codes_are_made_along_half_of_the_axes_where_these_tell_scenes_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extent: int
) -> None:
    monkeypatch.setattr(vector_large, "CANDIDATES", (4,))
    monkeypatch.setattr(vector_large, "SCANNED_SHARE", 0)
    monkeypatch.setattr(vector_methods, "LEAST_CANDIDATES", 20)
    rotation = np.linalg.qr(np.random.default_rng(8).normal(size=(DIM, DIM)))[0]
    lengths = np.where(np.arange(DIM) < extent, 1.0, 0.01)

    def load(key: Key) -> VectorRows:
        array = unit(np.random.default_rng(int(key[0])).normal(size=(SCENES, DIM)) * lengths @ rotation)
        return VectorRows([f"{key[0]}-{number:03}" for number in range(SCENES)], array, None)

    before = write(tmp_path / "index", load=load)
    merge(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert (large["method"], large["axes"]) == ("PQ", extent)
    query = load(KEYS[3]).vectors[7]
    best = {scene_id for scene_id, _ in before.search(query, k=10, allowed=ALL)}
    found = opened(tmp_path / "index").search(query, k=10, allowed=ALL)
    assert len(best.difference(scene_id for scene_id, _ in found)) <= 1


def test_codes_are_enough_where_most_of_the_best_rows_are_filtered_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_large, "CANDIDATES", (8,))
    monkeypatch.setattr(vector_large, "SCANNED_SHARE", 0)
    monkeypatch.setattr(vector_methods, "LEAST_CANDIDATES", 20)
    monkeypatch.setattr(vector_methods, "CANDIDATE_SHARE", 0.4)
    before = write(tmp_path / "index", load=scattered)
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    query = scattered(KEYS[3]).vectors[7]
    near = {scene_id for scene_id, _ in before.search(query, k=50, allowed=ALL)}
    rows = np.array([n % 2 == 0 and scene_id not in near for n, scene_id in enumerate(index.scene_ids.to_pylist())])
    monkeypatch.setattr(vector_methods.Exact, "search", None)  # all rows need not be compared
    assert len(index.search(query, k=20, allowed=ALL, rows=rows)) == 20


def test_where_nothing_faster_finds_enough_all_rows_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_large, "CANDIDATES", ())
    before = write(tmp_path / "index", load=scattered)
    merge(tmp_path / "index")
    assert [large["method"] for large in large_of(tmp_path / "index")] == ["exact"]
    query = unit(np.random.default_rng(1).normal(size=DIM))
    assert opened(tmp_path / "index").search(query, k=50, allowed=ALL) == before.search(query, k=50, allowed=ALL)


def test_a_sample_without_clusters_saves_the_inverted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_large, "TRIAL_ROWS", 500)
    made: list[int] = []
    really = vector_large._inverted

    def counting(vectors: vector_large.Vectors, *others: Any) -> Any:
        made.append(vectors.count)
        return really(vectors, *others)

    monkeypatch.setattr(vector_large, "_inverted", counting)
    write(tmp_path / "scattered", load=scattered)
    merge(tmp_path / "scattered")
    write(tmp_path / "clustered")
    merge(tmp_path / "clustered")
    assert made == [500, 500, 2000]


def test_a_reader_keeps_what_it_has_opened(tmp_path: Path) -> None:
    before = write(tmp_path / "index")
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    vectors.sync(tmp_path / "index", SPACE, [*KEYS, ("20", 1)], clustered)
    later = vectors.open_index(tmp_path / "index", SPACE, index)
    assert later is not None
    assert later.segments[0] is index.segments[0]
    assert_same(before, index, KEYS)
