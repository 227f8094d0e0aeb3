"""Faces that look like one person: average-linkage clustering of their vectors by cosine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heimdex_core.store.faces import Floats

_BLOCK = 1500
"""Vectors that are clustered at once: the time and the memory that it takes grow with the square."""


def cluster(vectors: Floats, threshold: float) -> npt.NDArray[np.int64]:
    """(n,) the number of each vector's cluster, from 0 on in the order of their first vectors; always the same.

    Of more vectors than fit in a block, blocks are clustered first, then the means of their clusters, in the order of
    the direction in which they differ most.

    Args:
        vectors: (n, d), of length 1.
        threshold: the least mean cosine between two clusters that become one.
    """
    labels = np.arange(len(vectors), dtype=np.int64)
    order, count = np.arange(len(vectors)), len(vectors)
    while count:
        means = _means(vectors, labels, count)
        if _BLOCK < count < len(vectors):
            order = np.argsort(_main_direction(means), kind="stable")
        merged = np.empty(count, dtype=np.int64)
        found = 0
        for start in range(0, count, _BLOCK):
            rows = order[start : start + _BLOCK]
            own = _of_block(means[rows], threshold)
            merged[rows] = own + found
            found += int(own.max()) + 1
        labels = merged[labels]
        if count <= _BLOCK or found == count:
            break
        order, count = np.arange(found), found
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers].astype(np.int64)


def _of_block(vectors: Floats, threshold: float) -> npt.NDArray[np.int64]:
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    from scipy.cluster.hierarchy import average, fcluster
    from scipy.spatial.distance import squareform

    distances = 1.0 - np.clip(vectors @ vectors.T, -1.0, 1.0).astype(np.float64)
    np.fill_diagonal(distances, 0.0)
    tree = average(squareform(distances, checks=False))
    return np.asarray(fcluster(tree, 1.0 - threshold, criterion="distance"), np.int64) - 1


def _means(vectors: Floats, labels: npt.NDArray[np.int64], count: int) -> Floats:
    if count == len(vectors):
        return vectors
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    found: Floats = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return found


def _main_direction(vectors: Floats) -> Floats:
    """(n,) how far each vector is along the direction in which they differ most."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    found: Floats = centred @ axes[:, -1]
    return found
