"""How the rows of one segment are searched: all of them, those of near clusters, or those with near codes.

All methods take a mask of rows, answer with inner products of what is stored, and give the vectors of rows back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from heimdex_core.store.keyframe_vectors import Floats, Numbers
from heimdex_core.store.vector_codes import Found, ListCodes, best_of

if TYPE_CHECKING:
    import faiss

Mask = npt.NDArray[np.bool_]

THREADS = 1
"""Threads of one search. Several searches run at the same time, and more threads on busy cores are slower."""

LIST_ROWS_PER_RESULT = 16
"""An inverted file scans at least so many rows for each result that is asked for, unless fewer were found enough."""

LEAST_CANDIDATES = 1000
CANDIDATE_SHARE, LEAST_SHARE = 1 / 16, 1 / 8
"""Codes choose so many rows at least, and at most this share of all, from masks with at least that share; otherwise to
compare all takes no longer."""

GATHERED_SHARE = 1 / 16
"""Of an inverted file the rows of a mask with at most this share are copied and compared (vector_codes.py): to test all
rows of near lists takes longer."""
LOOKED_UP_SHARE, ALWAYS_TESTED = 1 / 32, 20_000
"""Of another segment FAISS tests so many rows against a mask as quickly as it looks up a few. Rows of a mask that has
at most this share of the rows beyond those are looked up one by one."""


def load_faiss() -> Any:
    """The faiss module, set to THREADS in the calling thread."""
    import faiss

    faiss.omp_set_num_threads(THREADS)  # OpenMP keeps it for each calling thread, so it is set each time
    return faiss


def _flat(dim: int) -> faiss.Index:
    return load_faiss().IndexFlatIP(dim)


def _half(dim: int) -> faiss.Index:
    faiss = load_faiss()
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def decoded(halves: npt.NDArray[np.float16]) -> Floats:
    """(n, d) the same numbers; as `astype`, faster."""
    faiss = load_faiss()
    quantizer = faiss.ScalarQuantizer(halves.shape[1], faiss.ScalarQuantizer.QT_fp16)
    return np.asarray(quantizer.decode(np.ascontiguousarray(halves).view(np.uint8)), np.float32)


INDEX_TYPES: Mapping[str, Callable[[int], faiss.Index]] = {"SQfp16": _half, "Flat": _flat}
"""Constructors by type. All search exactly what they store, take an id selector, and keep the order of rows."""


class Method(Protocol):
    """A way of searching the vectors of one segment."""

    @property
    def count(self) -> int:
        """The number of rows."""

    @property
    def dim(self) -> int:
        """The width of the vectors."""

    def search(self, query: Floats, count: int, chosen: Mask | None) -> Found:
        """The best rows of the mask (n,), None for all, for a (1, d) query.

        `count` is positive and at most the number of rows in the mask.
        """

    def vectors(self, rows: Numbers) -> Floats:
        """(n, d) the vectors of these rows."""


class Exact:
    """Every row in the mask is compared with the query."""

    def __init__(self, index: faiss.Index) -> None:
        self.index: Any = index

    @property
    def count(self) -> int:
        return int(self.index.ntotal)

    @property
    def dim(self) -> int:
        return int(self.index.d)

    def search(self, query: Floats, count: int, chosen: Mask | None) -> Found:
        if chosen is not None and np.count_nonzero(chosen) <= (self.count - ALWAYS_TESTED) * LOOKED_UP_SHARE:
            return self._compare(query, count, np.flatnonzero(chosen))
        params = None if chosen is None else load_faiss().SearchParameters(sel=_selector(chosen))
        return _of_query(self.index.search(query, count, params=params))

    def vectors(self, rows: Numbers) -> Floats:
        load_faiss()
        return np.asarray(self.index.reconstruct_batch(rows), np.float32)

    def _compare(self, query: Floats, count: int, rows: Numbers) -> Found:
        """The best of these rows."""
        return best_of(load_faiss(), self.index, query, count, rows)


class Inverted(Exact):
    """The rows of the clusters nearest to the query are compared: an inverted file (IVF).

    Args:
        index: the IVF, with a direct map.
        nprobe: the least number of clusters.
        rows_per_result: how many rows at least are scanned for each result that is asked for.
    """

    def __init__(self, index: faiss.IndexIVF, nprobe: int, rows_per_result: int = LIST_ROWS_PER_RESULT) -> None:
        super().__init__(index)
        self._nprobe = nprobe
        self._rows_per_result = rows_per_result

    def search(self, query: Floats, count: int, chosen: Mask | None) -> Found:
        wanted = max(self._nprobe, self._rows_per_result * count * self.index.nlist / self.count)
        if chosen is not None:
            # As many chosen rows are compared as without a mask; a very narrow one is searched in all lists.
            share = np.count_nonzero(chosen) / self.count
            if share <= GATHERED_SHARE:
                enough = int(np.ceil(wanted * self.count / self.index.nlist))
                return self._compare(query, count, self._near(query, np.flatnonzero(chosen), enough))
            wanted /= share
        nprobe = min(self.index.nlist, int(np.ceil(wanted)))
        found = self._probe(query, count, chosen, nprobe)
        if len(found[1]) < count and nprobe < self.index.nlist:
            return self._probe(query, count, chosen, self.index.nlist)
        return found

    def _compare(self, query: Floats, count: int, rows: Numbers) -> Found:
        load_faiss()
        return self._codes.search(query, count, rows)

    @cached_property
    def _codes(self) -> ListCodes:
        return ListCodes.of(load_faiss(), self.index)

    def _near(self, query: Floats, rows: Numbers, count: int) -> Numbers:
        """Those of the rows that are in the clusters nearest to the query: of so many clusters that they are enough."""
        if len(rows) <= count:
            return rows
        _, (nearest,) = self.index.quantizer.search(query, self.index.nlist)
        lists = self._codes.lists_of(rows)
        sums = np.cumsum(np.bincount(lists, minlength=self.index.nlist)[nearest])
        is_near = np.zeros(self.index.nlist, dtype=bool)
        is_near[nearest[: np.searchsorted(sums, count) + 1]] = True
        return rows[is_near[lists]]

    def _probe(self, query: Floats, count: int, chosen: Mask | None, nprobe: int) -> Found:
        params = load_faiss().SearchParametersIVF(nprobe=nprobe, sel=None if chosen is None else _selector(chosen))
        return _of_query(self.index.search(query, count, params=params))


class Compressed(Exact):
    """The rows with the nearest codes are compared; of a narrow mask all rows.

    Args:
        index: the vectors, not compressed.
        codes: the codes of the same rows. FAISS searches them without a selector.
        candidates: how many rows are compared for each result that is asked for.
    """

    def __init__(self, index: faiss.Index, codes: faiss.Index, candidates: int) -> None:
        super().__init__(index)
        self._codes: Any = codes
        self._refined = load_faiss().IndexRefine(codes, index)
        self._candidates = candidates

    def search(self, query: Floats, count: int, chosen: Mask | None) -> Found:
        share = 1.0 if chosen is None else np.count_nonzero(chosen) / self.count
        candidates = int(np.ceil(max(self._candidates * count, LEAST_CANDIDATES) / share))
        if share < LEAST_SHARE or candidates > self.count * CANDIDATE_SHARE:
            return super().search(query, count, chosen)
        if chosen is None:
            params = load_faiss().IndexRefineSearchParameters(k_factor=candidates / count)
            return _of_query(self._refined.search(query, count, params=params))
        load_faiss()
        _, rows = _of_query(self._codes.search(query, candidates))
        rows = rows[chosen[rows]]
        return self._compare(query, count, rows) if len(rows) >= count else super().search(query, count, chosen)


def open_method(path: Path, entry: Mapping[str, Any], codes_path: Path) -> Method:
    """The vectors of a segment, mapped into memory. Raises RuntimeError for a file that is not an index.

    Args:
        path: the file of the vectors; it exists.
        entry: the segment's entry in the manifest.
        codes_path: the file of the codes, where the entry says that there are any.
    """
    faiss = load_faiss()
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    if not isinstance(index, faiss.IndexFlat | faiss.IndexScalarQuantizer | faiss.IndexIVFScalarQuantizer):
        raise RuntimeError(f"{path.name} is an index of another kind: {type(index).__name__}")
    large = entry.get("large") or {}
    if large.get("method") == "IVF":
        return Inverted(index, int(large["nprobe"]), int(large.get("rows_per_result", LIST_ROWS_PER_RESULT)))
    if large.get("method") == "PQ":
        codes = faiss.read_index(str(codes_path), faiss.IO_FLAG_MMAP_IFC)
        return Compressed(index, codes, int(large["candidates"]))
    return Exact(index)


def _selector(chosen: Mask) -> Any:
    return load_faiss().IDSelectorBitmap(np.packbits(chosen, bitorder="little"))


def _of_query(found: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]) -> Found:
    """The answer to the only query, without the places that were not filled."""
    scores, rows = found[0][0], found[1][0]
    is_row = rows >= 0
    return scores[is_row], rows[is_row]
