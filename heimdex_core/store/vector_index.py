"""An opened vector index: the nearest scenes to a vector, scored by their keyframes, and the vectors themselves.

The index has one row a scene. Of the scenes that it finds, the vectors of their keyframes are read from a file that is
mapped into memory, so that a search scans one row a scene and reads only the candidates' keyframes.

It consists of segments (vector_segment.py), whose rows are numbered through in their order. Generations that are in a
segment's files but not in `keys` any more were removed from the index: their rows are never found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heimdex_core.errors import InvalidValue
from heimdex_core.store.keyframe_vectors import Floats, KeyframeMatch, Numbers, scene_scores
from heimdex_core.store.vector_segment import Key, Segment
from heimdex_core.types import Space


@dataclass(frozen=True)
class VectorIndex:
    """An opened revision. `len` is its number of rows, those of removed generations included."""

    space: Space
    revision: int
    segments: tuple[Segment, ...]
    homes: Mapping[Key, Segment]
    """The segment of each generation of the index, in the order of the generations; also of those without a row."""
    index_type: str

    @property
    def keys(self) -> tuple[Key, ...]:
        """The generations, also those without a row."""
        return tuple(self.homes)

    @cached_property
    def scene_ids(self) -> pa.ChunkedArray:
        """(n,) the scene of each row."""
        return pa.chunked_array([segment.scene_ids for segment in self.segments], pa.string())

    @cached_property
    def _offsets(self) -> Numbers:
        """(segments + 1,) where the rows of each segment begin."""
        return np.concatenate([[0], np.cumsum([len(segment) for segment in self.segments])]).astype(np.int64)

    @cached_property
    def _first_rows(self) -> dict[int, int]:
        """Where the rows of each segment begin, by its number."""
        return {segment.number: int(at) for segment, at in zip(self.segments, self._offsets, strict=False)}

    @cached_property
    def ranges(self) -> dict[Key, range]:
        """The rows of each generation that has any."""
        found: dict[Key, range] = {}
        for key, segment in self.homes.items():
            if own := segment.ranges.get(key):
                first = self._first_row(key)
                found[key] = range(own.start + first, own.stop + first)
        return found

    @cached_property
    def _numbers(self) -> dict[Key, int]:
        return {key: number for number, key in enumerate(self.homes)}

    @cached_property
    def _row_keys(self) -> npt.NDArray[np.int32]:
        """(n,) the number in `keys` of each row's generation; -1 for a generation that was removed."""
        found = np.full(len(self), -1, dtype=np.int32)
        for key, rows in self.ranges.items():
            found[rows.start : rows.stop] = self._numbers[key]
        return found

    def __len__(self) -> int:
        return int(self._offsets[-1])

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
        hits = [(s, float(score)) for s, score in zip(self._ids(found), scores, strict=True)]
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
        query = np.asarray(vector, dtype=np.float32)
        hits: list[KeyframeMatch] = []
        for segment, chosen, rows_there in self._by_segment(found):
            hits += _scored(segment, rows_there, scores[chosen], query, temperature)
        return sorted(hits, key=lambda hit: (-hit.score, hit.scene_id))

    def _nearest(self, vector: npt.ArrayLike, k: int, mask: npt.NDArray[np.bool_]) -> tuple[Floats, Numbers]:
        """(scores, rows) of the best `k` of the rows in the mask, best first."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        if query.shape[1] != self.space.dim:
            raise InvalidValue(
                name="vector", value=str(query.shape[1]), reason=f"{self.space.name} has {self.space.dim} dimensions"
            )
        parts = [
            (at, *segment.search(query, k, mask[at : at + len(segment)]))
            for segment, at in zip(self.segments, self._offsets, strict=False)
        ]
        scores = np.concatenate([np.zeros(0, np.float32), *(part for _, part, _ in parts)])
        rows = np.concatenate([np.zeros(0, np.int64), *(found + at for at, _, found in parts)])
        best = np.argsort(-scores, kind="stable")[: max(k, 0)]
        return scores[best], rows[best]

    def _by_segment(self, rows: Numbers) -> list[tuple[Segment, Numbers, Numbers]]:
        """The segments of these rows; of each, which of `rows` are its own, and their numbers in the segment."""
        homes = np.searchsorted(self._offsets, rows, side="right") - 1
        found = [(number, np.flatnonzero(homes == number)) for number in np.unique(homes)]
        return [(self.segments[number], own, rows[own] - self._offsets[number]) for number, own in found]

    def _ids(self, rows: Numbers) -> list[str]:
        """The scenes of these rows."""
        ids: list[str] = [""] * len(rows)
        for segment, chosen, rows_there in self._by_segment(rows):
            for position, scene_id in zip(
                chosen, segment.scene_ids.take(_indices(rows_there)).to_pylist(), strict=True
            ):
                ids[position] = scene_id
        return ids

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """The stored (d,) float32 vector of a scene in one generation; None if it has none."""
        found, vectors = self.vectors([(scene_id, key)])
        return vectors[0] if found else None

    def vectors(self, scenes: Iterable[tuple[str, Key]]) -> tuple[list[str], Floats]:
        """(n scene ids, (n, d) their vectors) of those scenes that have one."""
        found, rows = self._rows_of(scenes)
        return found, self._vectors_of(rows)

    def sample(self, count: int, rows: npt.NDArray[np.bool_] | None = None) -> Floats:
        """The vectors (n, d) of `count` rows at most, evenly spread over the index; of those in the mask `rows`."""
        is_indexed = self._row_keys >= 0
        found = np.flatnonzero(is_indexed if rows is None else is_indexed & rows)
        return self._vectors_of(found[np.linspace(0, len(found) - 1, min(count, len(found))).astype(np.int64)])

    def keyframe_vectors(self, scenes: Iterable[tuple[str, Key]]) -> dict[str, Floats]:
        """By scene: the (k, d) vectors of its keyframes, or its own (1, d); those without a vector are left out."""
        ids, rows = self._rows_of(scenes)
        found: dict[str, Floats] = {}
        for segment, places, rows_there in self._by_segment(rows):
            for place, row in zip(places, rows_there, strict=True):
                own = segment.keyframes[segment.starts[row] : segment.starts[row + 1]].astype(np.float32)
                found[ids[place]] = own if len(own) else segment.index.reconstruct(int(row)).reshape(1, -1)
        return found

    def _rows_of(self, scenes: Iterable[tuple[str, Key]]) -> tuple[list[str], Numbers]:
        """(n scene ids, (n,) their rows) of those scenes that have one."""
        found: list[tuple[str, int]] = []
        for scene_id, key in scenes:
            row = self._ids_of(key).get(scene_id)
            if row is not None:
                found.append((scene_id, row + self._first_row(key)))
        return [scene_id for scene_id, _ in found], np.array([row for _, row in found], dtype=np.int64)

    def _vectors_of(self, rows: Numbers) -> Floats:
        """(n, d) the vectors of these rows."""
        vectors = np.zeros((len(rows), self.space.dim), dtype=np.float32)
        for segment, places, rows_there in self._by_segment(rows):
            vectors[places] = segment.index.reconstruct_batch(rows_there)
        return vectors

    def rows_outside(self, other: VectorIndex) -> npt.NDArray[np.bool_]:
        """(n,) whether each row is of a scene that has no row in the `other` space's index, in the same generation."""
        mask = np.zeros(len(self), dtype=bool)
        for key, rows in self.ranges.items():
            own, known = self._ids_of(key), other._ids_of(key)
            mask[rows.start : rows.stop] = [scene_id not in known for scene_id in own]
        return mask

    def _ids_of(self, key: Key) -> Mapping[str, int]:
        """The rows of a generation in its segment, by scene and in order; none if it is not in the index."""
        segment = self.homes.get(key)
        return {} if segment is None else segment.rows_of(key)

    def _first_row(self, key: Key) -> int:
        """Where the rows of a generation's segment begin."""
        return self._first_rows[self.homes[key].number]

    def _mask(
        self, allowed: Iterable[Key], scene_ids: Collection[str] | None, rows: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.bool_]:
        mask = self.row_mask(allowed, scene_ids)
        return mask if rows is None else mask & rows

    def row_mask(self, allowed: Iterable[Key], scene_ids: Collection[str] | None = None) -> npt.NDArray[np.bool_]:
        """(n,) whether each row belongs to one of the `allowed` generations and, if given, to one of the scenes."""
        keys = [key for key in allowed if key in self._numbers]
        if scene_ids is None:
            wanted = np.zeros(len(self.keys) + 1, dtype=bool)  # a row of no generation takes the last one
            wanted[[self._numbers[key] for key in keys]] = True
            return wanted[self._row_keys]
        mask = np.zeros(len(self), dtype=bool)
        for key in keys:
            own, first = self._ids_of(key), self._first_row(key)
            mask[[own[scene_id] + first for scene_id in scene_ids if scene_id in own]] = True
        return mask


def _indices(rows: Numbers) -> pa.Int64Array:
    # by buffers: `pa.array` of an array would import pandas, half a second of a short search
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows.astype(np.int64))])


def _scored(
    segment: Segment, rows: Numbers, scores: Floats, query: Floats, temperature: float
) -> Sequence[KeyframeMatch]:
    """The scenes of these rows, scored by their keyframes where they have several; else by the given `scores`."""
    counts = segment.stored_counts[rows]
    several = counts > 0
    scores, best = scores.copy(), np.zeros(len(rows), dtype=np.int64)
    if several.any():
        starts = np.concatenate([[0], np.cumsum(counts[several])])
        stored = np.arange(starts[-1]) + np.repeat(segment.starts[rows][several] - starts[:-1], counts[several])
        cosines = segment.keyframes[stored].astype(np.float32) @ query
        scores[several], best[several] = scene_scores(cosines, starts, temperature)
    chosen = _indices(rows)
    ids, names = segment.scene_ids.take(chosen).to_pylist(), segment.names.take(chosen).to_pylist()
    return [
        KeyframeMatch(scene_id, float(score), own[position] if own else None)
        for scene_id, score, position, own in zip(ids, scores, best, names, strict=True)
    ]
