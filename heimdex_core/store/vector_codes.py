"""Comparing some of the rows of a FAISS index, where they lie in memory.

FAISS searches a part of an index by testing each of its rows against a selector, which for a million rows takes as long
as comparing several thousand. Where few rows are wanted, only these are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from heimdex_core.store.keyframe_vectors import Floats, Numbers

BLOCK_ROWS = 2048
"""So many rows of an inverted file are compared at a time."""
PIECE_ROWS = 512
"""They are copied so many at a time: for more than a megabyte the allocator asks the system for memory each time, which
takes longer than the copying, and for fewer than 500 NumPy lets no other thread run."""

Found = tuple[Floats, Numbers]
"""Scores and rows, best first."""
NOTHING: Found = (np.zeros(0, np.float32), np.zeros(0, np.int64))


def best_of(faiss: Any, index: Any, query: Floats, count: int, rows: Numbers) -> Found:
    """The best `count` of some rows (n,) of a flat index for a (1, d) query, best first.

    FAISS refines what another index has found: it compares those rows exactly. Here the other index has only these
    rows, each as a vector of one number, 0, so it finds all of them whatever the query is.

    Args:
        faiss: the module.
        index: one that stores vectors one after the other.
        query: what the rows are compared with.
        count: at least 1.
        rows: each once.
    """
    if not len(rows):
        return NOTHING
    to_zero = faiss.LinearTransform(index.d, 1, False)
    to_zero.A.resize(index.d)
    to_zero.is_trained = True
    zeros = faiss.IndexFlatIP(1)
    given = faiss.IndexIDMap(faiss.IndexPreTransform(to_zero, zeros))
    zeros.codes.resize(4 * len(rows))
    zeros.ntotal = len(rows)
    faiss.copy_array_to_vector(rows, given.id_map)
    given.ntotal = index.ntotal  # FAISS checks that both have the same rows
    count = min(count, len(rows))
    params = faiss.IndexRefineSearchParameters(k_factor=(len(rows) + 0.5) / count)  # it is multiplied and rounded down
    scores, found = faiss.IndexRefine(given, index).search(query, count, params=params)
    return scores[0], found[0]


@dataclass(frozen=True, eq=False)
class ListCodes:
    """The stored vectors of an inverted file, as bytes."""

    faiss: Any
    """The module."""
    index: Any
    """What has the vectors; it is kept because the memory is its own."""
    memory: npt.NDArray[np.void]
    """At each byte: the vector that would begin there."""
    starts: Numbers
    """(lists,) the byte at which each list of vectors begins."""
    homes: Numbers
    """(n,) of each row its list, in the upper half of the number, and its place in that."""

    @classmethod
    def of(cls, faiss: Any, index: Any) -> Self:
        """Those of an inverted file.

        Args:
            faiss: the module.
            index: one with a scalar quantizer that does not store residuals, and a direct map that is an array.
        """
        size = int(index.code_size)
        lists = [n for n in range(index.nlist) if index.invlists.list_size(n)]
        codes = {n: index.invlists.get_codes(n) for n in lists}
        starts = np.zeros(index.nlist, dtype=np.int64)
        starts[lists] = [int(codes[n]) for n in lists]
        first = min(lists, key=starts.__getitem__)
        end = max(int(starts[n]) + index.invlists.list_size(n) * size for n in lists)
        memory = _memory(faiss, codes[first], end - int(starts[first]), size)
        homes = faiss.rev_swig_ptr(index.direct_map.array.data(), index.ntotal)
        return cls(faiss, index, memory, starts - starts[first], homes)

    def lists_of(self, rows: Numbers) -> Numbers:
        """(len(rows),) the lists that these rows are in."""
        return self.homes[rows] >> 32

    def search(self, query: Floats, count: int, rows: Numbers) -> Found:
        """The best `count` of some rows (n,) for a (1, d) query, best first.

        They are copied out: an inverted file compares whole lists only.
        """
        size, most = self.memory.itemsize, min(BLOCK_ROWS, len(rows))
        block = self.faiss.IndexScalarQuantizer(self.index.d, self.index.sq.qtype, self.index.metric_type)
        block.codes.resize(most * size)
        copied = _memory(self.faiss, block.codes.data(), most * size, size)[::size]
        parts = [NOTHING]
        for start in range(0, len(rows), BLOCK_ROWS):
            own = rows[start : start + BLOCK_ROWS]
            block.ntotal = len(own)
            self._copy(own, copied[: len(own)])
            scores, found = block.search(query, min(count, len(own)))
            parts.append((scores[0], own[found[0]]))
        scores = np.concatenate([scores for scores, _ in parts])
        best = np.argsort(-scores, kind="stable")[:count]
        return scores[best], np.concatenate([found for _, found in parts])[best]

    def _copy(self, rows: Numbers, to: npt.NDArray[np.void]) -> None:
        """Copy the vectors of these rows into `to`, (len(rows),)."""
        for at in range(0, len(rows), PIECE_ROWS):
            to[at : at + PIECE_ROWS] = self.memory[self._places(rows[at : at + PIECE_ROWS])]

    def _places(self, rows: Numbers) -> Numbers:
        """(len(rows),) the bytes at which the vectors of these rows begin."""
        home = self.homes[rows]
        return self.starts[home >> 32] + (home & 0xFFFFFFFF) * self.memory.itemsize


def _memory(faiss: Any, start: Any, count: int, size: int) -> npt.NDArray[np.void]:
    """The `count` bytes of memory from a pointer on: at each that has so many behind it, an item of `size` bytes."""
    found = faiss.rev_swig_ptr(start, count)
    return np.ndarray((max(count - size + 1, 0),), np.dtype((np.void, size)), buffer=found, strides=(1,))
