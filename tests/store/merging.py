"""Made-up vectors, in clusters and without, and indexes of them that are merged into large segments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.store import vector_large, vector_merging, vectors
from heimdex_core.store.keyframe_vectors import Floats, VectorRows
from heimdex_core.store.locks import index_lock
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Space, WorkContext

DIM, SCENES = 32, 100
SPACE = Space("text/made-up", "text", "made-up", "1", DIM)
KEYS: list[Key] = [(f"{video:02}", 1) for video in range(20)]
ALL = frozenset(KEYS)


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which 2,000 scenes are many."""
    monkeypatch.setattr(vector_merging, "EXACT_ROWS", 1000)
    monkeypatch.setattr(vector_large, "DEPTH", 20)
    monkeypatch.setattr(vector_large, "SCANNED_SHARE", 1 / 4)


def unit(array: np.ndarray) -> Floats:
    return np.asarray(array / np.linalg.norm(array, axis=-1, keepdims=True), np.float32)


def clustered(key: Key) -> VectorRows:
    """A hundred scenes near 10 of 40 directions; the first one has two keyframes."""
    rng = np.random.default_rng(int(key[0]))
    directions = unit(np.random.default_rng(99).normal(size=(40, DIM)))
    near = directions[np.arange(SCENES + 1) % 10 + int(key[0]) % 4 * 10]
    array = unit(near + rng.normal(size=(SCENES + 1, DIM)) * 0.03)
    names = [f"{number}.webp" for number in range(SCENES + 1)]
    ids = [f"{key[0]}-{key[1]}-{max(0, number - 1):03}" for number in range(SCENES + 1)]
    return VectorRows(ids, array, names)


def scattered(key: Key) -> VectorRows:
    """A hundred scenes in all directions."""
    array = unit(np.random.default_rng(int(key[0])).normal(size=(SCENES, DIM)))
    return VectorRows([f"{key[0]}-{number:03}" for number in range(SCENES)], array, None)


def write(folder: Path, keys: list[Key] = KEYS, load: Callable[[Key], VectorRows] = clustered) -> VectorIndex:
    for count in range(len(keys) // 2, len(keys) + 1, len(keys) // 4):
        vectors.sync(folder, SPACE, keys[:count], load)
    return opened(folder)


def opened(folder: Path) -> VectorIndex:
    index = vectors.open_index(folder, SPACE)
    assert index is not None
    return index


def merge(folder: Path, work: WorkContext | None = None) -> bool:
    return vector_merging.merge(folder, SPACE, index_lock(folder.parent / "index.lock"), work or WorkContext())


def large_of(folder: Path) -> list[dict[str, Any]]:
    manifest = vectors.read_manifest(folder)
    assert manifest is not None
    return [entry["large"] for entry in manifest["segments"] if entry.get("large")]


def assert_same(index: VectorIndex, expected: VectorIndex, keys: list[Key]) -> None:
    """Both have the same scenes, vectors and keyframes, and find the same."""
    allowed = frozenset(keys)
    assert index.keys == expected.keys == tuple(sorted(keys))
    scenes = [(f"{key[0]}-{key[1]}-{number:03}", key) for key in keys for number in (0, 57)]
    assert index.vectors(scenes)[0] == expected.vectors(scenes)[0] == [scene_id for scene_id, _ in scenes]
    assert np.array_equal(index.vectors(scenes)[1], expected.vectors(scenes)[1])
    looks = expected.keyframe_vectors(scenes)
    assert all(np.array_equal(own, looks[name]) for name, own in index.keyframe_vectors(scenes).items())
    for key in keys[::4]:
        query = clustered(key).vectors[7]
        best = expected.match(query, k=10, allowed=allowed, temperature=0.1)
        found = index.match(query, k=10, allowed=allowed, temperature=0.1)
        assert [hit.scene_id for hit in found] == [hit.scene_id for hit in best]
        assert [hit.keyframe for hit in found] == [hit.keyframe for hit in best]
        assert np.allclose([hit.score for hit in found], [hit.score for hit in best], atol=1e-5)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
