"""Comparing some of the rows of a FAISS index, where they lie in memory.

FAISS searches a part of an index by testing each of its rows against a selector, which for a million rows takes as long
as comparing several thousand. Where few rows are wanted, their bytes are copied out and FAISS compares the copies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from heimdex_core.store.keyframe_vectors import Floats, Numbers

BLOCK_ROWS = 2048
"""So many rows are compared at a time."""
PIECE_ROWS = 512
"""Rows of an inverted file are copied so many at a time: for more than a megabyte the allocator asks the system for
memory each time, which takes longer than the copying, and for fewer than 500 NumPy lets no other thread run."""

Found = tuple[Floats, Numbers]
"""Scores and rows, best first."""


@dataclass(frozen=True, eq=False)
class Codes:
    """The stored vectors of an index, as bytes."""

    faiss: Any
    """The module."""
    index: Any
    """What has the vectors; it is kept because the memory is its own."""
    make: Callable[[], Any]
    """Makes an empty index that compares such vectors."""
    memory: npt.NDArray[np.void]
    """At each byte: the vector that would begin there."""
    starts: Numbers
    """(lists,) the byte at which each list of vectors begins; a flat index is one list."""
    homes: Numbers | None = None
    """(n,) of each row its list, in the upper half of the number, and its place in that; None for a flat index."""

    @classmethod
    def of(cls, faiss: Any, index: Any, make: Callable[[], Any]) -> Self:
        """Those of an index that stores vectors as they are.

        Args:
            faiss: the module.
            index: a flat one, or an inverted file with a direct map that is an array.
            make: makes an empty flat index that stores vectors as this one does.
        """
        size = int(index.code_size)
        if not isinstance(index, faiss.IndexIVF):
            memory = _memory(faiss, index.codes.data(), index.ntotal * size, size)
            return cls(faiss, index, make, memory, np.zeros(1, dtype=np.int64))
        lists = [n for n in range(index.nlist) if index.invlists.list_size(n)]
        codes = {n: index.invlists.get_codes(n) for n in lists}
        starts = np.zeros(index.nlist, dtype=np.int64)
        starts[lists] = [int(codes[n]) for n in lists]
        first = min(lists, key=starts.__getitem__)
        end = max(int(starts[n]) + index.invlists.list_size(n) * size for n in lists)
        memory = _memory(faiss, codes[first], end - int(starts[first]), size)
        homes = faiss.rev_swig_ptr(index.direct_map.array.data(), index.ntotal)
        return cls(faiss, index, make, memory, starts - starts[first], homes)

    def lists_of(self, rows: Numbers) -> Numbers:
        """(len(rows),) the lists that these rows are in."""
        return np.zeros(len(rows), dtype=np.int64) if self.homes is None else self.homes[rows] >> 32

    def search(self, query: Floats, count: int, rows: Numbers) -> Found:
        """The best `count` of some rows (n,) for a (1, d) query, best first."""
        size, most = self.memory.itemsize, min(BLOCK_ROWS, len(rows))
        block = self.make()
        block.codes.resize(most * size)
        copied = _memory(self.faiss, block.codes.data(), most * size, size)[::size]
        parts: list[Found] = [(np.zeros(0, np.float32), np.zeros(0, np.int64))]
        for start in range(0, len(rows), BLOCK_ROWS):
            own = rows[start : start + BLOCK_ROWS]
            self._copy(own, copied[: len(own)])
            block.ntotal = len(own)
            scores, found = block.search(query, min(count, len(own)))
            parts.append((scores[0], own[found[0]]))
        scores = np.concatenate([scores for scores, _ in parts])
        best = np.argsort(-scores, kind="stable")[:count]
        return scores[best], np.concatenate([found for _, found in parts])[best]

    def vectors(self, rows: Numbers) -> Floats:
        """(n, d) the vectors of these rows."""
        codes = self.memory[self._places(rows)].view(np.uint8).reshape(len(rows), self.memory.itemsize)
        return np.asarray(self.make().sa_decode(codes), np.float32)

    def _copy(self, rows: Numbers, to: npt.NDArray[np.void]) -> None:
        """Copy the vectors of these rows into `to`, (len(rows),)."""
        if self.homes is None:
            np.take(self.memory[:: self.memory.itemsize], rows, out=to, mode="clip")
            return
        for at in range(0, len(rows), PIECE_ROWS):
            to[at : at + PIECE_ROWS] = self.memory[self._places(rows[at : at + PIECE_ROWS])]

    def _places(self, rows: Numbers) -> Numbers:
        """(len(rows),) the bytes at which the vectors of these rows begin."""
        if self.homes is None:
            return rows * self.memory.itemsize
        home = self.homes[rows]
        return self.starts[home >> 32] + (home & 0xFFFFFFFF) * self.memory.itemsize


def _memory(faiss: Any, start: Any, count: int, size: int) -> npt.NDArray[np.void]:
    """The `count` bytes of memory from a pointer on: at each that has so many behind it, an item of `size` bytes."""
    found = faiss.rev_swig_ptr(start, count)
    return np.ndarray((max(count - size + 1, 0),), np.dtype((np.void, size)), buffer=found, strides=(1,))
