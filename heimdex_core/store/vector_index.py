"""An opened vector index: the nearest scenes to a vector, scored by their keyframes, and the vectors themselves.

The index has one row a scene. Of the scenes that it finds, the vectors of their keyframes are read from a file that is
mapped into memory, so that a search scans one row a scene and reads only the candidates' keyframes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heimdex_core.errors import InvalidValue
from heimdex_core.store.keyframe_vectors import Floats, KeyframeMatch, Numbers, scene_scores
from heimdex_core.types import Space

Key = tuple[str, int]
"""(video_id, generation)"""

Halves = npt.NDArray[np.float16]

THREADS = 1
"""Threads of one search. Several searches run at the same time, and more threads on busy cores are slower."""


def load_faiss() -> Any:
    """The faiss module, set to THREADS in the calling thread."""
    import faiss

    faiss.omp_set_num_threads(THREADS)  # OpenMP keeps it for each calling thread, so it is set each time
    return faiss


@dataclass(frozen=True)
class VectorIndex:
    """An opened revision. `keys[row_keys[i]]` is the generation of row i, `scene_ids[i]` its scene.

    `keys` has also the generations without a row.
    """

    space: Space
    revision: int
    keys: tuple[Key, ...]
    row_keys: npt.NDArray[np.int32]
    scene_ids: tuple[str, ...]
    index: Any
    index_type: str
    names: pa.Array
    """n lists of the file names of each scene's keyframes; null where they are not known."""
    starts: Numbers
    """(n + 1,) where each row's vectors begin in `keyframes`; none are stored for a scene with one keyframe."""
    keyframes: Halves
    """(m, d)"""

    @cached_property
    def _numbers(self) -> dict[Key, int]:
        return {key: number for number, key in enumerate(self.keys)}

    @cached_property
    def _rows(self) -> dict[tuple[str, int], int]:
        return {(s, int(k)): row for row, (s, k) in enumerate(zip(self.scene_ids, self.row_keys, strict=True))}

    def __len__(self) -> int:
        return len(self.scene_ids)

    def search(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: Iterable[Key],
        scene_ids: Collection[str] | None = None,
        rows: npt.NDArray[np.bool_] | None = None,
    ) -> list[tuple[str, float]]:
        """The best scenes of the `allowed` generations.

        Args:
            vector: (d,) float.
            k: the number of results at most.
            allowed: the generations to search in.
            scene_ids: if given, only these scenes are searched.
            rows: (n,) if given, only these rows are searched.

        Returns (scene_id, inner product), best first; equal scores are ordered by scene_id. Raises InvalidValue for a
        vector of another width.
        """
        scores, found = self._nearest(vector, k, self._mask(allowed, scene_ids, rows))
        hits = [(self.scene_ids[r], float(s)) for s, r in zip(scores, found, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def match(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: Iterable[Key],
        scene_ids: Collection[str] | None = None,
        rows: npt.NDArray[np.bool_] | None = None,
        temperature: float,
    ) -> list[KeyframeMatch]:
        """As `search`, scored by the scenes' keyframes (keyframe_vectors.py) where they have several.

        The `k` candidates are those that `search` finds.
        """
        scores, found = self._nearest(vector, k, self._mask(allowed, scene_ids, rows))
        counts = self.starts[found + 1] - self.starts[found]
        several = counts > 0
        best = np.zeros(len(found), dtype=np.int64)
        if several.any():
            starts = np.concatenate([[0], np.cumsum(counts[several])])
            stored = np.arange(starts[-1]) + np.repeat(self.starts[found][several] - starts[:-1], counts[several])
            cosines = self.keyframes[stored].astype(np.float32) @ np.asarray(vector, dtype=np.float32)
            scores[several], best[several] = scene_scores(cosines, starts, temperature)
        # by buffers: `pa.array` of an array would import pandas, half a second of a short search
        chosen = pa.Array.from_buffers(pa.int64(), len(found), [None, pa.py_buffer(found.astype(np.int64))])
        names = self.names.take(chosen).to_pylist() if len(found) else []
        hits = [
            KeyframeMatch(self.scene_ids[row], float(score), own[position] if own else None)
            for row, score, position, own in zip(found, scores, best, names, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.scene_id))

    def _nearest(self, vector: npt.ArrayLike, k: int, mask: npt.NDArray[np.bool_]) -> tuple[Floats, Numbers]:
        """(scores, rows) of the best `k` of the rows in the mask, in the order of the index."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        if query.shape[1] != self.space.dim:
            raise InvalidValue(
                name="vector", value=str(query.shape[1]), reason=f"{self.space.name} has {self.space.dim} dimensions"
            )
        count = min(k, int(mask.sum()))
        if count <= 0:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        faiss = load_faiss()
        params = None
        if not mask.all():
            bits = np.packbits(mask, bitorder="little")
            params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        scores, found = self.index.search(query, count, params=params)
        is_row = found[0] >= 0
        return scores[0][is_row], found[0][is_row]

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """The stored (d,) float32 vector of a scene in one generation; None if it has none."""
        number = self._numbers.get(key)
        row = None if number is None else self._rows.get((scene_id, number))
        return None if row is None else np.asarray(self.index.reconstruct(row), dtype=np.float32)

    def vectors(self, scenes: Iterable[tuple[str, Key]]) -> tuple[list[str], Floats]:
        """(n scene ids, (n, d) their vectors) of those scenes that have one."""
        found = self._rows_of(scenes)
        rows = np.array([row for _, row in found], dtype=np.int64)
        vectors = self.index.reconstruct_batch(rows) if found else np.zeros((0, self.space.dim), np.float32)
        return [scene_id for scene_id, _ in found], vectors

    def sample(self, count: int, rows: npt.NDArray[np.bool_] | None = None) -> Floats:
        """The vectors (n, d) of `count` rows at most, evenly spread over the index; of those in the mask `rows`."""
        found = np.arange(len(self)) if rows is None else np.flatnonzero(rows)
        chosen = found[np.linspace(0, len(found) - 1, min(count, len(found))).astype(np.int64)]
        vectors = self.index.reconstruct_batch(chosen) if len(chosen) else np.zeros((0, self.space.dim))
        return np.asarray(vectors, dtype=np.float32)

    def keyframe_vectors(self, scenes: Iterable[tuple[str, Key]]) -> dict[str, Floats]:
        """By scene: the (k, d) vectors of its keyframes, or its own (1, d); those without a vector are left out."""
        found: dict[str, Floats] = {}
        for scene_id, row in self._rows_of(scenes):
            own = self.keyframes[self.starts[row] : self.starts[row + 1]].astype(np.float32)
            found[scene_id] = own if len(own) else self.index.reconstruct(row).reshape(1, -1)
        return found

    def _rows_of(self, scenes: Iterable[tuple[str, Key]]) -> list[tuple[str, int]]:
        numbered = [(scene_id, self._numbers.get(key)) for scene_id, key in scenes]
        found = [(scene_id, self._rows.get((scene_id, n))) for scene_id, n in numbered if n is not None]
        return [(scene_id, row) for scene_id, row in found if row is not None]

    def rows_outside(self, other: VectorIndex) -> npt.NDArray[np.bool_]:
        """(n,) whether each row is of a scene that has no row in the `other` space's index, in the same generation."""
        known = {(scene_id, other.keys[key]) for scene_id, key in zip(other.scene_ids, other.row_keys, strict=True)}
        own = zip(self.scene_ids, self.row_keys, strict=True)
        return np.array([(scene_id, self.keys[key]) not in known for scene_id, key in own], dtype=bool)

    def _mask(
        self, allowed: Iterable[Key], scene_ids: Collection[str] | None, rows: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.bool_]:
        mask = self.row_mask(allowed, scene_ids)
        return mask if rows is None else mask & rows

    def row_mask(self, allowed: Iterable[Key], scene_ids: Collection[str] | None = None) -> npt.NDArray[np.bool_]:
        """(n,) whether each row belongs to one of the `allowed` generations and, if given, to one of the scenes."""
        wanted = np.zeros(len(self.keys), dtype=bool)
        numbers = [n for n in (self._numbers.get(key) for key in allowed) if n is not None]
        wanted[numbers] = True
        mask = wanted[self.row_keys] if len(self) else np.zeros(0, dtype=bool)
        if scene_ids is not None:
            chosen = np.zeros(len(self), dtype=bool)
            rows = self._rows
            chosen[[rows[s, n] for s in scene_ids for n in numbers if (s, n) in rows]] = True
            mask &= chosen
        return mask
