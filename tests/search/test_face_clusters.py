"""Groups of faces: always the same, whatever the order of blocks, and no chain through one face in between."""

from __future__ import annotations

import numpy as np
import pytest

from heimdex_core.search import face_clusters
from heimdex_core.search.face_clusters import cluster


def around(axis: int, count: int, spread: float, seed: int) -> np.ndarray:
    """Vectors of length 1 near an axis of 128 dimensions."""
    found = np.eye(128)[axis] + np.random.default_rng(seed).normal(0, spread, (count, 128)) / np.sqrt(128)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_nobody_and_one_face() -> None:
    assert cluster(np.zeros((0, 128), np.float32), 0.363).tolist() == []
    assert cluster(around(0, 1, 0.1, 1), 0.363).tolist() == [0]


def test_people_are_told_apart() -> None:
    vectors = np.concatenate([around(axis, 5, 0.5, axis) for axis in (3, 9, 27)])
    assert cluster(vectors, 0.363).tolist() == [0] * 5 + [1] * 5 + [2] * 5
    mixed = np.random.default_rng(5).permutation(15)
    labels = cluster(vectors[mixed], 0.363)
    assert len(set(labels[np.isin(mixed, range(5))].tolist())) == 1
    assert labels[0] == 0, "numbered in the order of their first faces"


def test_one_face_in_between_does_not_join_two_people() -> None:
    one, other = around(0, 4, 0.1, 1), around(1, 4, 0.1, 2)
    between = np.zeros((1, 128), np.float32)
    between[0, :2] = np.sqrt(0.5)
    labels = cluster(np.concatenate([one, other, between]), 0.75)
    assert len({int(labels[0]), int(labels[4])}) == 2


def test_many_faces_are_grouped_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_clusters, "_BLOCK", 40)
    vectors = np.concatenate([around(axis, 30, 0.4, axis) for axis in range(5)])
    mixed = np.random.default_rng(1).permutation(len(vectors))
    labels = cluster(vectors[mixed], 0.363)
    groups = {axis: set(labels[(mixed >= 30 * axis) & (mixed < 30 * axis + 30)].tolist()) for axis in range(5)}
    assert all(len(found) == 1 for found in groups.values())
    assert len(set().union(*groups.values())) == 5
    assert labels.tolist() == cluster(vectors[mixed], 0.363).tolist()
