"""Making the index of a large segment: an inverted file where the vectors form clusters, else codes beside them.

Whether an inverted file finds enough is measured when it is made, with queries of two kinds: vectors of the segment,
and means of two of them, which lie outside the clusters as the vectors of texts do among those of pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heimdex_core.store.keyframe_vectors import Floats, Numbers
from heimdex_core.store.vector_methods import (
    INDEX_TYPES,
    LIST_ROWS_PER_RESULT,
    Compressed,
    Inverted,
    Method,
    load_faiss,
)
from heimdex_core.store.vector_writing import SLAB_ROWS
from heimdex_core.types import Json, WorkContext

if TYPE_CHECKING:
    import faiss

log = logging.getLogger(__name__)

REQUIRED_RECALL = 0.98
"""Of the 10 best rows; a method that finds fewer of them is not taken."""
DEPTH = 1000
"""How many rows a search asks for: HEIMDEX_CHANNEL_DEPTH as it is unless set."""

SAMPLE_ROWS_PER_LIST = 50
TRAINING_ROUNDS = 10
SCANNED_SHARE = 1 / 16
"""An inverted file that has to scan more of its lists than this is no faster than codes."""
TRIAL_ROWS, TRIAL_RECALL = 40_000, 0.9
"""An inverted file of so many rows is made first. If it finds less than this, one of all would not find enough, and
most of the time that an index takes is saved."""
PROBES = (8, 16, 32, 64)
"""Numbers of clusters to try."""
FEWEST_ROWS_PER_RESULT = 8
"""Rows to scan for each result, tried before LIST_ROWS_PER_RESULT: half of the time where the clusters are distinct."""
AXES = (1 / 4, 3 / 8, 1 / 2, 1)
"""Shares of the dimensions along which codes are made, to try."""
CANDIDATES = (4, 8)
"""How many rows are compared for each result, where codes choose them; the second with all axes only, as for a filter
that leaves half of the rows twice as many are compared."""

_QUERIES = 128
_SEED = 20_260


@dataclass(frozen=True)
class Vectors:
    """The vectors that an index is to be made of, read where they are."""

    count: int
    dim: int
    read: Callable[[Numbers], Floats]
    """Gives (k, d) the vectors of k rows."""

    def slabs(self, work: WorkContext) -> Iterator[Floats]:
        """All of them, in order. Raises Cancelled."""
        for at in range(0, self.count, SLAB_ROWS):
            work.check()
            yield np.ascontiguousarray(self.read(np.arange(at, min(at + SLAB_ROWS, self.count))), np.float32)

    def spread(self, count: int) -> Vectors:
        """`count` of them at most, evenly spread."""
        rows = np.linspace(0, self.count - 1, min(count, self.count)).astype(np.int64)
        return Vectors(len(rows), self.dim, lambda chosen: self.read(rows[chosen]))

    def all(self) -> Floats:
        """(n, d)"""
        return self.read(np.arange(self.count))


@dataclass(frozen=True)
class LargeIndex:
    """An index that has been made. `about` goes into the manifest: its method and what it found of an exact search."""

    about: Json
    index: Any
    codes: Any = None


def list_count(rows: int) -> int:
    """The number of clusters: the power of 2 nearest to twice the square root of the rows, 2,048 for a million."""
    return 1 << max(0, round(np.log2(2 * rows**0.5)))


def build(vectors: Vectors, work: WorkContext) -> LargeIndex:
    """The fastest index that finds what an exact search does: by clusters, else by codes, else by all rows.

    Raises Cancelled.
    """
    queries = _queries(vectors)
    depth = min(DEPTH, vectors.count)
    lost = 1.0
    if vectors.count > 2 * TRIAL_ROWS:
        lost = _by_clusters(vectors.spread(TRIAL_ROWS), queries, 10, work)[1][0]
    if lost >= TRIAL_RECALL:
        large, found = _by_clusters(vectors, queries, depth, work)
        if found[0] >= REQUIRED_RECALL:
            return large
        lost = found[0]
        del large
    best = _Best(queries, depth)
    exact = _exact(vectors, best, work)
    for axes in sorted({max(1, int(share * vectors.dim)) for share in AXES}):
        codes = _codes(vectors, axes, work)
        for candidates in CANDIDATES if axes == vectors.dim else CANDIDATES[:1]:
            found = recall(Compressed(exact, codes, candidates), queries, best.rows, depth)
            if found[0] >= REQUIRED_RECALL:
                log.info("clusters have only %.3f of the 10 best rows, so codes are used (%.3f)", lost, found[0])
                return LargeIndex(_about("PQ", found, depth, axes=axes, candidates=candidates), exact, codes)
    log.warning("clusters (%.3f) and codes (%.3f) do not find the best rows, so all are searched", lost, found[0])
    return LargeIndex(_about("exact", (1.0, 1.0), depth), exact)


def recall(method: Method, queries: Floats, best: Numbers, depth: int) -> tuple[float, float]:
    """Which share of the 10 and of the `depth` best rows a search for `depth` rows finds.

    Args:
        method: what is searched.
        queries: (q, d)
        best: (q, depth) rows, best first.
        depth: from 1 to the number of rows.
    """
    near = deep = 0.0
    for query, truth in zip(queries, best, strict=True):
        _, rows = method.search(query.reshape(1, -1), depth, None)
        near += float(np.isin(truth[:10], rows[:10]).mean())
        deep += float(np.isin(truth, rows).mean())
    return near / len(queries), deep / len(queries)


def _about(method: str, found: tuple[float, float], depth: int, **more: int) -> Json:
    return {"method": method, **more, "recall_at_10": round(found[0], 4), f"recall_at_{depth}": round(found[1], 4)}


def _queries(vectors: Vectors) -> Floats:
    """(q, d) vectors of length 1."""
    rng = np.random.default_rng(_SEED)
    own, first, second = np.split(vectors.read(rng.integers(0, vectors.count, 3 * (_QUERIES // 2))), 3)
    queries = np.concatenate([own, first + second]).astype(np.float32)
    return np.asarray(queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-9), np.float32)


def _by_clusters(
    vectors: Vectors, queries: Floats, depth: int, work: WorkContext
) -> tuple[LargeIndex, tuple[float, float]]:
    """An inverted file that searches as few of its lists as are enough, and what it finds (see `recall`)."""
    best = _Best(queries, depth)
    index = _inverted(vectors, best, work)
    most = max(1, int(index.nlist * SCANNED_SHARE))
    probes = [*(n for n in PROBES if n < most), most]
    for rows, nprobe in ((FEWEST_ROWS_PER_RESULT, probes[0]), *((LIST_ROWS_PER_RESULT, n) for n in probes)):
        found = recall(Inverted(index, nprobe, rows), queries, best.rows, depth)
        if found[0] >= REQUIRED_RECALL:
            break
    about = _about("IVF", found, depth, lists=index.nlist, nprobe=nprobe, rows_per_result=rows)
    return LargeIndex(about, index), found


def _inverted(vectors: Vectors, best: _Best, work: WorkContext) -> faiss.IndexIVF:
    """An inverted file of the vectors, with a direct map; they are added to `best` too."""
    faiss = load_faiss()
    lists = list_count(vectors.count)
    quantizer = faiss.IndexFlatIP(vectors.dim)
    # by_residual is False, so that a vector is stored as in any other segment
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, vectors.dim, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.spherical, index.cp.niter, index.cp.min_points_per_centroid = True, TRAINING_ROUNDS, 1
    index.train(vectors.spread(lists * SAMPLE_ROWS_PER_LIST).all())
    for slab in vectors.slabs(work):
        best.add(slab)
        index.add(slab)
    index.make_direct_map()
    return index


def _exact(vectors: Vectors, best: _Best, work: WorkContext) -> faiss.Index:
    """The vectors as they are; they are added to `best` too."""
    index = INDEX_TYPES["SQfp16"](vectors.dim)
    for slab in vectors.slabs(work):
        best.add(slab)
        index.add(slab)
    return index


def _codes(vectors: Vectors, axes: int, work: WorkContext) -> faiss.Index:
    """Codes of 4 bits for every 2 coordinates along so many axes: those along which the vectors extend most.

    They are product quantizers (Jégou et al., 2011) that are scanned in registers (André et al., arXiv 1812.09162). The
    axes are principal ones about the origin, since inner products are estimated: the mean is not subtracted. A long and
    a short axis share a code, so that the codes say about as much each, as with the eigenvalue allocation of optimized
    product quantization (Ge et al., CVPR 2013).
    """
    faiss = load_faiss()
    sample = vectors.spread(SLAB_ROWS).all()
    principal = np.linalg.eigh(sample.T @ sample)[1].T[::-1][:axes]
    parts = axes
    if axes % 2 == 0:
        parts = axes // 2
        principal = np.stack([principal[:parts], principal[parts:][::-1]], axis=1).reshape(axes, -1)
    rotation = faiss.LinearTransform(vectors.dim, axes, False)
    faiss.copy_array_to_vector(np.ascontiguousarray(principal, np.float32).ravel(), rotation.A)
    rotation.is_trained = True
    index = faiss.IndexPreTransform(rotation, faiss.IndexPQFastScan(axes, parts, 4, faiss.METRIC_INNER_PRODUCT))
    index.train(sample)
    for slab in vectors.slabs(work):
        index.add(slab)
    return index


class _Best:
    """The best rows of some queries among vectors that come in slabs."""

    def __init__(self, queries: Floats, count: int) -> None:
        self._queries = queries
        self._count = count
        self._seen = 0
        self._scores = np.zeros((len(queries), 0), np.float32)
        self._rows = np.zeros((len(queries), 0), np.int64)

    def add(self, slab: Floats) -> None:
        numbers = np.broadcast_to(np.arange(self._seen, self._seen + len(slab)), (len(self._queries), len(slab)))
        scores = np.concatenate([self._scores, self._queries @ slab.T], axis=1)
        rows = np.concatenate([self._rows, numbers], axis=1)
        self._seen += len(slab)
        kept = min(self._count, scores.shape[1])
        best = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
        self._scores, self._rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)

    @property
    def rows(self) -> Numbers:
        """(q, count) the rows, best first."""
        return np.take_along_axis(self._rows, np.argsort(-self._scores, axis=1, kind="stable"), 1)
