"""An opened vector index: the nearest scenes to a vector, scored by their keyframes, and the vectors themselves.

The index has one row a scene. Of the scenes that it finds, the vectors of their keyframes are read from a file that is
mapped into memory, so that a search scans one row a scene and reads only the candidates' keyframes.

It consists of segments (vector_segment.py), whose rows are numbered through in their order. Generations that are in a
segment's files but marked as removed are not in the index any more: their rows are never found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.errors import InvalidValue
from heimdex_core.store.hits import Hits, KeyframeMatches, Keyframes, SceneRows
from heimdex_core.store.keyframe_vectors import Floats, Numbers, scene_scores
from heimdex_core.store.ordering import distinct
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.vector_methods import Mask, decoded
from heimdex_core.store.vector_segment import Key, Segment, indices, offsets, strings, true_at
from heimdex_core.types import Space

_KEPT_MASKS = 16
RUNS_SHARE = 1 / 64
"""Runs of rows are copied one by one if there are at most so many for each row; otherwise each row is looked up."""
NARROW_SHARE = 1 / 16
"""Of a smaller part of the scenes each is looked up, of a larger part each row of the index."""


@dataclass(frozen=True, eq=False)
class _InTable:
    """Where the rows of an index are in a table of scenes; -1 for what is not there."""

    rows: Numbers
    """(n,) the row in the table of each row of the index."""
    back: Numbers
    """(len(table),) the row of the index of each row of the table."""
    runs: Numbers
    """(r,) the places in `rows` at which runs of consecutive numbers begin."""

    def of_rows(self, mask: Mask) -> Mask:
        """(n,) whether the scene of each row of the index is in a mask of the table, (len(table),)."""
        if len(self.runs) > len(self.rows) * RUNS_SHARE:
            return np.append(mask, False).take(self.rows)  # -1 is the last one
        found = np.zeros(len(self.rows), dtype=bool)
        for start, end in pairwise([*self.runs.tolist(), len(self.rows)]):
            first = int(self.rows[start])
            if first >= 0:
                found[start:end] = mask[first : first + end - start]
        return found


@dataclass(frozen=True)
class VectorIndex:
    """An opened revision. `len` is its number of rows, those of removed generations included."""

    space: Space
    revision: int
    segments: tuple[Segment, ...]
    removed: tuple[frozenset[Key], ...]
    """Of each segment: its generations that are not in the index any more."""
    index_type: str
    _masks: dict[frozenset[Key], Mask | None] = field(default_factory=dict, compare=False, repr=False)
    _in_tables: WeakKeyDictionary[SceneTable, _InTable] = field(
        default_factory=WeakKeyDictionary, compare=False, repr=False
    )

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The generations, also those without a row."""
        return tuple(sorted(self.homes))

    @cached_property
    def scene_ids(self) -> pa.ChunkedArray:
        """(n,) the scene of each row."""
        return pa.chunked_array([segment.scene_ids for segment in self.segments], pa.string())

    @cached_property
    def offsets(self) -> Numbers:
        """(segments + 1,) where the rows of each segment begin."""
        return np.concatenate([[0], np.cumsum([len(segment) for segment in self.segments])]).astype(np.int64)

    @cached_property
    def homes(self) -> dict[Key, int]:
        """The position in `segments` of each generation's segment; also of those without a row."""
        parts = zip(self.segments, self.removed, strict=True)
        return {
            key: place
            for place, (segment, removed) in enumerate(parts)
            for key in (segment.keys - removed if removed else segment.keys)
        }

    @cached_property
    def ranges(self) -> dict[Key, range]:
        """The rows of each generation that has any."""
        parts = zip(self.segments, self.removed, self.offsets.tolist(), strict=False)
        return {
            key: range(own.start + first, own.stop + first)
            for segment, removed, first in parts
            for key, own in segment.ranges.items()
            if key not in removed
        }

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def search(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: Iterable[Key],
        scene_ids: Collection[str] | None = None,
        rows: Mask | None = None,
    ) -> Hits:
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
        scores, found = self._nearest(vector, k, self._chosen(allowed, scene_ids, rows))
        hits = Hits(SceneRows(self, found), scores)
        return hits.take(hits.best_first())

    def match(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: Iterable[Key],
        scene_ids: Collection[str] | None = None,
        rows: Mask | None = None,
        temperature: float,
    ) -> KeyframeMatches:
        """As `search`, scored by the scenes' keyframes (keyframe_vectors.py) where they have several.

        The `k` candidates are those that `search` finds.
        """
        scores, found = self._nearest(vector, k, self._chosen(allowed, scene_ids, rows))
        query = np.asarray(vector, dtype=np.float32)
        best = np.zeros(len(found), dtype=np.int64)
        for segment, places, rows_there in self._by_segment(found):
            scores[places], best[places] = _scored(segment, rows_there, scores[places], query, temperature)
        hits = Hits(SceneRows(self, found), scores)
        keyframes = Keyframes(partial(self._names_at, found, best), np.arange(len(found)))
        return KeyframeMatches(hits, keyframes).take(hits.best_first())

    def _nearest(self, vector: npt.ArrayLike, k: int, mask: Mask | None) -> tuple[Floats, Numbers]:
        """(scores, rows) of the best `k` of the rows in the mask, best first."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        if query.shape[1] != self.space.dim:
            raise InvalidValue(
                name="vector", value=str(query.shape[1]), reason=f"{self.space.name} has {self.space.dim} dimensions"
            )
        parts = [
            (at, *segment.search(query, k, None if mask is None else mask[at : at + len(segment)]))
            for segment, at in zip(self.segments, self.offsets.tolist(), strict=False)
        ]
        scores = np.concatenate([np.zeros(0, np.float32), *(part for _, part, _ in parts)])
        rows = np.concatenate([np.zeros(0, np.int64), *(found + at for at, _, found in parts)])
        best = np.argsort(-scores, kind="stable")[: max(k, 0)]
        return scores[best], rows[best]

    def _by_segment(self, rows: Numbers) -> list[tuple[Segment, Numbers, Numbers]]:
        """The segments of these rows; of each, which of `rows` are its own, and their numbers in the segment."""
        homes = np.searchsorted(self.offsets, rows, side="right") - 1
        found = [(number, np.flatnonzero(homes == number)) for number in distinct(homes)]
        return [(self.segments[number], own, rows[own] - self.offsets[number]) for number, own in found]

    def ids_at(self, rows: Numbers) -> list[str]:
        """The ids of the scenes of these rows."""
        ids: list[str] = [""] * len(rows)
        for segment, chosen, rows_there in self._by_segment(rows):
            for position, scene_id in zip(chosen, segment.scene_ids.take(indices(rows_there)).to_pylist(), strict=True):
                ids[position] = scene_id
        return ids

    def _names_at(self, rows: Numbers, best: Numbers, places: Numbers) -> list[str | None]:
        """The file names of the keyframes `best` of `rows`, of those at some `places`."""
        names: list[str | None] = [None] * len(places)
        for segment, own, rows_there in self._by_segment(rows[places]):
            for place, name in zip(own.tolist(), _names_at(segment, rows_there, best[places[own]]), strict=True):
                names[place] = name
        return names

    # --- tables of scenes -------------------------------------------------------------------------

    def rows_in(self, table: SceneTable, rows: Numbers) -> Numbers:
        """(len(rows),) the row in the table of each row's scene; -1 for one that it does not have."""
        return self._in_table(table).rows[rows]

    def rows_from(self, table: SceneTable, rows: Numbers) -> Numbers:
        """(len(rows),) the row here of the scene of each row of the table; -1 for one that has none."""
        return self._in_table(table).back[rows]

    def mask_of(self, scenes: SceneSet) -> Mask:
        """(n,) whether each row is of one of the scenes."""
        if scenes.share < NARROW_SHARE:
            rows = self.rows_from(scenes.table, np.flatnonzero(scenes.mask))
            mask = np.zeros(len(self), dtype=bool)
            mask[rows[rows >= 0]] = True
            return mask
        return self._in_table(scenes.table).of_rows(scenes.mask)

    def _in_table(self, table: SceneTable) -> _InTable:
        found = self._in_tables.get(table)
        if found is None:
            rows = self._rows_in_table(table)
            back = np.full(len(table) + 1, -1, dtype=np.int64)
            back[rows] = np.arange(len(rows))  # -1 is the last place, which no row of the table has
            runs = np.flatnonzero(np.diff(rows, prepend=rows[:1]) != 1)
            found = self._in_tables.setdefault(table, _InTable(rows, back[:-1], runs))
        return found

    def _rows_in_table(self, table: SceneTable) -> Numbers:
        parts = zip(self.segments, self.removed, strict=True)
        return np.concatenate(
            [np.zeros(0, dtype=np.int64), *(segment.in_table(table, removed) for segment, removed in parts)]
        )

    # --- vectors ----------------------------------------------------------------------------------

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """The stored (d,) float32 vector of a scene in one generation; None if it has none."""
        found, vectors = self.vectors([(scene_id, key)])
        return vectors[0] if found else None

    def vectors(self, scenes: Iterable[tuple[str, Key]]) -> tuple[list[str], Floats]:
        """(n scene ids, (n, d) their vectors) of those scenes that have one."""
        found, rows = self._rows_of(scenes)
        return found, self._vectors_of(rows)

    def vectors_at(self, table: SceneTable, rows: Numbers) -> tuple[Numbers, Floats]:
        """((m,) those of the places in `rows` whose scenes have a vector, (m, d) the vectors).

        Args:
            table: a table of scenes.
            rows: (n,) rows of it.
        """
        found = self.rows_from(table, rows)
        places = np.flatnonzero(found >= 0)
        return places, self._vectors_of(found[places])

    def sample(self, count: int, rows: Mask | None = None) -> Floats:
        """The vectors (n, d) of `count` rows at most, evenly spread over the index; of those in the mask `rows`."""
        is_indexed = self._rows_of_generations(self._all)
        chosen = _both(is_indexed, rows)
        found = np.arange(len(self)) if chosen is None else np.flatnonzero(chosen)
        return self._vectors_of(found[np.linspace(0, len(found) - 1, min(count, len(found))).astype(np.int64)])

    def keyframe_vectors(self, scenes: Iterable[tuple[str, Key]]) -> dict[str, Floats]:
        """By scene: the (k, d) vectors of its keyframes, or its own (1, d); those without a vector are left out."""
        ids, rows = self._rows_of(scenes)
        found: dict[str, Floats] = {}
        for segment, places, rows_there in self._by_segment(rows):
            for place, row in zip(places, rows_there, strict=True):
                own = segment.keyframes[segment.starts[row] : segment.starts[row + 1]].astype(np.float32)
                found[ids[place]] = own if len(own) else segment.method.vectors(np.array([row]))
        return found

    def _rows_of(self, scenes: Iterable[tuple[str, Key]]) -> tuple[list[str], Numbers]:
        """(n scene ids, (n,) their rows) of those scenes that have one."""
        asked = list(scenes)
        rows = self._find(asked)
        has_row = np.flatnonzero(rows >= 0)
        return [asked[place][0] for place in has_row], rows[has_row]

    def _find(self, asked: Sequence[tuple[str, Key]]) -> Numbers:
        """(n,) the row of each scene; -1 for one that has none."""
        homes = np.array([self.homes.get(key, -1) for _, key in asked], dtype=np.int64)
        rows = np.full(len(asked), -1, dtype=np.int64)
        for home in distinct(homes[homes >= 0]).tolist():
            own = np.flatnonzero(homes == home)
            chosen = [asked[place] for place in own.tolist()]
            found = self.segments[home].find([scene_id for scene_id, _ in chosen], [key for _, key in chosen])
            rows[own] = np.where(found >= 0, found + self.offsets[home], -1)
        return rows

    def _vectors_of(self, rows: Numbers) -> Floats:
        """(n, d) the vectors of these rows."""
        vectors = np.zeros((len(rows), self.space.dim), dtype=np.float32)
        for segment, places, rows_there in self._by_segment(rows):
            vectors[places] = segment.method.vectors(rows_there)
        return vectors

    def rows_outside(self, other: VectorIndex) -> Mask:
        """(n,) whether each row is of a scene that has no row in the `other` space's index, in the same generation.

        Rows of removed generations count as outside of nothing.
        """
        parts = [
            _outside(segment, other) & ~segment.mask_of(removed) if removed else _outside(segment, other)
            for segment, removed in zip(self.segments, self.removed, strict=True)
        ]
        return np.concatenate([np.zeros(0, dtype=bool), *parts])

    # --- which rows -------------------------------------------------------------------------------

    def row_mask(self, allowed: Iterable[Key], scene_ids: Collection[str] | None = None) -> Mask:
        """(n,) whether each row belongs to one of the `allowed` generations and, if given, to one of the scenes.

        The answer is kept, and is not to be changed. The same frozenset as before takes no time.
        """
        mask = self._chosen(allowed, scene_ids, None)
        return np.ones(len(self), dtype=bool) if mask is None else mask

    def _chosen(self, allowed: Iterable[Key], scene_ids: Collection[str] | None, rows: Mask | None) -> Mask | None:
        """(n,) the rows to search in; None for all."""
        mask = self._rows_of_generations(allowed if isinstance(allowed, frozenset) else frozenset(allowed))
        if scene_ids is not None:
            wanted = pc.is_in(self.scene_ids, value_set=strings(list(scene_ids)))
            is_wanted = np.zeros(len(self), dtype=bool)
            is_wanted[true_at(wanted)] = True
            mask = _both(mask, is_wanted)
        return _both(mask, rows)

    def _rows_of_generations(self, allowed: frozenset[Key]) -> Mask | None:
        """(n,) whether each row is of one of these generations; None if all are."""
        try:
            return self._masks[allowed]
        except KeyError:
            pass
        if len(self._masks) >= _KEPT_MASKS:
            self._masks.clear()
        parts = [
            segment.mask_of(allowed - removed if removed else allowed)
            for segment, removed in zip(self.segments, self.removed, strict=True)
        ]
        mask = np.concatenate([np.zeros(0, dtype=bool), *parts])
        found = self._masks[allowed] = None if mask.all() else mask
        return found

    @cached_property
    def _all(self) -> frozenset[Key]:
        return frozenset(self.homes)


def _both(mask: Mask | None, other: Mask | None) -> Mask | None:
    """The rows that are in both masks; None is all rows."""
    if mask is None or other is None:
        return other if mask is None else mask
    return mask & other


def _outside(segment: Segment, other: VectorIndex) -> Mask:
    """(n,) whether each row of a segment is of a scene that has no row in another index, in the same generation."""
    outside = np.ones(len(segment), dtype=bool)
    for there, removed in zip(other.segments, other.removed, strict=True):
        within = segment.rows_within(there)
        outside &= ~(within & ~segment.mask_of(removed)) if removed else ~within
    return outside


def _scored(
    segment: Segment, rows: Numbers, scores: Floats, query: Floats, temperature: float
) -> tuple[Floats, Numbers]:
    """(scores, the best keyframe of each): by their keyframes where rows have several, else the given `scores`."""
    counts = segment.stored_counts[rows]
    several = counts > 0
    scores, best = scores.copy(), np.zeros(len(rows), dtype=np.int64)
    if several.any():
        starts = np.concatenate([[0], np.cumsum(counts[several])])
        stored = np.arange(starts[-1]) + np.repeat(segment.starts[rows][several] - starts[:-1], counts[several])
        # not `@`, which waits for its other threads: on busy cores 46 ms for 3,000 x 768 instead of 3
        cosines = np.einsum("ij,j->i", decoded(segment.keyframes[stored]), query)
        scores[several], best[several] = scene_scores(cosines, starts, temperature)
    return scores, best


def _names_at(segment: Segment, rows: Numbers, best: Numbers) -> list[str | None]:
    """The file name of one keyframe of each row; None where no names are known."""
    starts = offsets(segment.names)
    has_names = starts[rows + 1] > starts[rows]
    names: list[str | None] = [None] * len(rows)
    places = np.flatnonzero(has_names)
    found = segment.names.values.take(indices(starts[rows[places]] + best[places])).to_pylist()
    for place, name in zip(places.tolist(), found, strict=True):
        names[place] = name
    return names
