"""Every index type answers the same: exact inner products, filtered by generation, in a stable order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue, SpaceMismatch, UnknownName
from heimdex_core.store import vectors
from heimdex_core.store.keyframe_vectors import Floats
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Space

SPACE = Space("text/made-up", "text", "made-up", "1", 8)
ONE, TWO, NEW_TWO = ("video-1", 1), ("video-2", 1), ("video-2", 2)


def content() -> dict[Key, tuple[list[str], Floats]]:
    eye = np.eye(8, dtype=np.float32)
    return {
        ONE: (["1a", "1b"], eye[[0, 1]]),
        TWO: (["2a", "2b"], eye[[2, 0]]),
        NEW_TWO: (["2a", "2c"], eye[[3, 4]]),
    }


@pytest.fixture(params=sorted(vectors.INDEX_TYPES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(folder: Path, kind: str, keys: list[Key]) -> VectorIndex:
    vectors.sync(folder, SPACE, keys, content().get, index_type=kind)
    index = vectors.open_index(folder, SPACE)
    assert index is not None
    return index


def test_best_first_and_equal_scores_by_name(tmp_path: Path, kind: str) -> None:
    index = build(tmp_path, kind, [ONE, TWO])
    query = np.array([0.5, 0.25, 0, 0, 0, 0, 0, 0])
    assert index.search(query, k=3, allowed=[ONE, TWO]) == [("1a", 0.5), ("2b", 0.5), ("1b", 0.25)]


def test_only_allowed_generations(tmp_path: Path, kind: str) -> None:
    index = build(tmp_path, kind, [ONE, TWO, NEW_TWO])
    query = np.eye(8)[0]
    assert [s for s, _ in index.search(query, k=9, allowed=[ONE])] == ["1a", "1b"]
    assert index.search(np.eye(8)[2], k=1, allowed=[NEW_TWO]) == [("2a", 0.0)]
    assert index.search(query, k=9, allowed=[]) == []
    assert index.search(query, k=9, allowed=[("unknown", 1)]) == []
    assert index.search(query, k=9, allowed=[ONE, TWO], scene_ids=["2b", "none"]) == [("2b", 1.0)]


def test_generations_are_added_and_removed(tmp_path: Path, kind: str) -> None:
    build(tmp_path, kind, [ONE, TWO])
    index = build(tmp_path, kind, [NEW_TWO, ONE])
    assert set(index.keys) == {ONE, NEW_TWO}
    vector = index.vector("2c", NEW_TWO)
    assert vector is not None
    assert np.allclose(vector, np.eye(8)[4])
    assert index.vector("2a", TWO) is None
    assert index.search(np.eye(8)[3], k=1, allowed=[NEW_TWO, ONE]) == [("2a", 1.0)]


def test_nothing_is_written_when_nothing_changes(tmp_path: Path, kind: str) -> None:
    build(tmp_path, kind, [ONE])
    assert vectors.sync(tmp_path, SPACE, [ONE], content().get) is False


def test_an_opened_revision_stays_as_it_was(tmp_path: Path, kind: str) -> None:
    opened = build(tmp_path, kind, [ONE])
    for keys in ([ONE, TWO], [TWO], [NEW_TWO]):
        build(tmp_path, kind, keys)
    assert opened.search(np.eye(8)[1], k=1, allowed=[ONE]) == [("1b", 1.0)]
    # The segments of this revision and of the one before; others are removed.
    assert sorted(p.name for p in tmp_path.glob("index-*")) == ["index-2.faiss", "index-4.faiss"]


def test_a_generation_without_vectors_is_in_the_index(tmp_path: Path, kind: str) -> None:
    empty: tuple[list[str], Floats] = ([], np.empty((0, 8), np.float32))
    vectors.sync(tmp_path, SPACE, [ONE], lambda key: empty, index_type=kind)
    index = vectors.open_index(tmp_path, SPACE)
    assert index is not None
    assert set(index.keys) == {ONE}
    assert index.search(np.eye(8)[0], k=3, allowed=[ONE]) == []


def test_a_damaged_index_is_rebuilt(tmp_path: Path, kind: str) -> None:
    build(tmp_path, kind, [ONE])
    (tmp_path / "index-1.faiss").write_bytes(b"rubbish")
    index = build(tmp_path, kind, [ONE])
    assert index.search(np.eye(8)[0], k=1, allowed=[ONE]) == [("1a", 1.0)]


@pytest.mark.parametrize(
    "other",
    [
        Space("text/made-up", "text", "another", "1", 8),
        Space("text/made-up", "text", "made-up", "2", 8),
        Space("text/made-up", "text", "made-up", "1", 16),
    ],
    ids=["model", "revision", "width"],
)
def test_another_space_is_refused(tmp_path: Path, kind: str, other: Space) -> None:
    build(tmp_path, kind, [ONE])
    with pytest.raises(SpaceMismatch):
        vectors.open_index(tmp_path, other)
    with pytest.raises(SpaceMismatch):
        vectors.sync(tmp_path, other, [ONE, TWO], content().get)


def test_a_query_of_another_width_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InvalidValue):
        build(tmp_path, kind, [ONE]).search(np.ones(7), k=1, allowed=[ONE])


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        vectors.sync(tmp_path, SPACE, [ONE], content().get, index_type="Best")


def test_scores_are_those_of_the_vectors_as_given(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(7)
    array = rng.normal(size=(200, 8)).astype(np.float32)
    array /= np.linalg.norm(array, axis=1, keepdims=True)
    names = [f"{i:03d}" for i in range(200)]
    vectors.sync(tmp_path, SPACE, [ONE], lambda key: (names, array), index_type=kind)
    index = vectors.open_index(tmp_path, SPACE)
    assert index is not None
    exact = array @ array[17]
    for name, score in index.search(array[17], k=10, allowed=[ONE]):
        assert abs(score - exact[int(name)]) < 1e-3
    assert index.search(array[17], k=1, allowed=[ONE])[0][0] == "017"
