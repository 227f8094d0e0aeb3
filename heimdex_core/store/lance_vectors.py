"""The vectors of a space in a table of LanceDB: one row a scene, with the vectors of its keyframes beside its own."""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from cachetools import LRUCache

from heimdex_core.errors import InvalidValue
from heimdex_core.store.hits import Hits, KeyframeMatches, Keyframes
from heimdex_core.store.keyframe_vectors import Floats, VectorRows, by_scene, scene_scores
from heimdex_core.store.lance_tables import ListedScenes, Mask, Members, Numbers, OpenedTable
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.vector_methods import LIST_ROWS_PER_RESULT
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Json, Space

_ROWS_AT_ONCE = 10_000
_CACHED_SETS = 4
LEAST_PART = 1 / 50
"""Of a smaller part of the rows each is compared."""


def schema(space: Space) -> pa.Schema:
    """The columns of the table of a space."""
    return pa.schema(
        [
            pa.field("scene_id", pa.string(), nullable=False),
            pa.field("generation", pa.int64(), nullable=False),
            pa.field("vector", pa.list_(pa.float16(), space.dim), nullable=False),
            pa.field("keyframes", pa.large_binary(), nullable=False),  # (k, d) float16; empty for fewer than two
            pa.field("names", pa.list_(pa.string())),  # of the keyframes' files; null where they are not known
        ]
    )


def rows_of_generation(number: int, content: VectorRows, space: Space) -> pa.RecordBatch:
    """The rows of a generation in the table."""
    scenes = by_scene(content)
    vectors = np.asarray(scenes.vectors, dtype=np.float16).reshape(-1)
    halves = content.vectors.astype(np.float16)
    keyframes = [
        halves[own].tobytes() if names and len(names) > 1 else b""
        for own, names in zip(scenes.rows, scenes.names, strict=True)
    ]
    columns = [
        pa.array(scenes.scene_ids, pa.string()),
        pa.array(np.full(len(scenes.scene_ids), number), pa.int64()),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors, pa.float16()), space.dim),
        pa.array(keyframes, pa.large_binary()),
        pa.array(scenes.names, pa.list_(pa.string())),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema(space))


def probed(asked: Any, clusters: Json | None, count: int, part: float) -> Any:
    """The query, set to compare the vectors of as many clusters as are needed, or all vectors.

    Args:
        asked: a query of LanceDB for vectors.
        clusters: of the table, see TableEntry.
        count: how many rows are asked for.
        part: which part of all rows may be found, above 0 to 1.
    """
    if clusters is None or not clusters["probes"] or part < LEAST_PART:
        return asked.bypass_vector_index()
    lists, rows = clusters["lists"], clusters["rows"]
    probes = max(clusters["probes"], LIST_ROWS_PER_RESULT * count * lists / rows) / part
    return asked.minimum_nprobes(min(lists, math.ceil(probes))).maximum_nprobes(0)  # 0: more if there are too few


class LanceVectors:
    """See VectorSearch."""

    def __init__(self, opened: OpenedTable, space: Space) -> None:
        self.space = space
        self._opened = opened
        self._lock = threading.Lock()
        self._ids: _Identities | None = None
        self._outside: dict[tuple[str, int], Mask] = {}
        self._listed: LRUCache[tuple[str, int, frozenset[Key]], ListedScenes] = LRUCache(_CACHED_SETS)

    def search(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: Collection[str] | None = None,
        outside: LanceVectors | None = None,
        table: SceneTable | None = None,
    ) -> Hits:
        """See VectorSearch."""
        found = self._nearest(vector, k, allowed, self._members(scene_ids, outside, allowed))
        hits = Hits(found.column("scene_id").to_pylist(), _scores(found)).of_table(table)
        return hits.take(hits.best_first())

    def match(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: Collection[str] | None = None,
        temperature: float,
        table: SceneTable | None = None,
    ) -> KeyframeMatches:
        """See VectorSearch."""
        found = self._nearest(vector, k, allowed, self._members(scene_ids, None, allowed))
        query = np.asarray(vector, dtype=np.float32)
        stored = self._take(found.column("_rowid"), ["keyframes", "names"])
        scores = _scores(found).astype(np.float64)
        names: list[str | None] = []
        for at, row in enumerate(found.column("_rowid").to_pylist()):
            own, own_names = self._keyframes(stored[row]), stored[row]["names"]
            place = 0
            if len(own):
                # not `@`, which waits for its other threads
                cosines = np.einsum("ij,j->i", own, query)
                best, places = scene_scores(cosines, np.array([0, len(own)]), temperature)
                scores[at], place = best[0], int(places[0])
            names.append(own_names[place] if own_names else None)
        hits = Hits(found.column("scene_id").to_pylist(), scores)
        return KeyframeMatches(hits, Keyframes.of(names)).take(hits.best_first()).of_table(table)

    def has_outside(self, other: LanceVectors, *, allowed: frozenset[Key], scene_ids: SceneSet | None = None) -> bool:
        """See VectorSearch."""
        ids = self._identities
        rows = np.flatnonzero(self._rows_outside(other) & self._rows_allowed(allowed))
        if scene_ids is None:
            return bool(len(rows))
        parts = (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))
        return any(scene_ids.has(ids.scene_ids.take(pa.array(part)).to_pylist()).any() for part in parts)

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """See VectorSearch."""
        found, vectors = self.vectors([(scene_id, key)])
        return vectors[0] if found else None

    def vectors(self, scenes: Sequence[tuple[str, Key]]) -> tuple[list[str], Floats]:
        """See VectorSearch."""
        rows = self._opened.rows_of(scenes, ["vector"])
        found = [scene_id for scene_id, _ in scenes if scene_id in rows]
        return found, self._floats(rows[scene_id]["vector"] for scene_id in found)

    def vectors_at(self, table: SceneTable, rows: Numbers) -> tuple[Numbers, Floats]:
        """See VectorSearch."""
        scenes = list(zip(table.ids_at(rows), table.keys_at(rows), strict=True))
        found, vectors = self.vectors(scenes)
        has_vector = frozenset(found)
        return np.flatnonzero([scene_id in has_vector for scene_id, _ in scenes]), vectors

    def sample(self, count: int, *, outside: LanceVectors | None = None) -> Floats:
        """See VectorSearch."""
        table, total = self._opened.table, self._opened.entry.rows
        if outside is None:
            places = np.linspace(0, total - 1, min(count, total)).astype(np.int64)
            query = table.take_offsets(places.tolist())
        else:
            rows = self._identities.rows[self._rows_outside(outside)]
            places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)
            query = table.take_row_ids(rows[places].tolist())
        if not len(places):
            return self._floats(())
        with self._opened.errors():
            return self._floats(query.select(["vector"]).to_arrow().column("vector").to_pylist())

    def keyframe_vectors(self, scenes: Sequence[tuple[str, Key]]) -> dict[str, Floats]:
        """See VectorSearch."""
        rows = self._opened.rows_of(scenes, ["vector", "keyframes"])
        found = {scene_id: self._keyframes(row) for scene_id, row in rows.items()}
        return {
            scene_id: own if len(own) else self._floats([rows[scene_id]["vector"]]) for scene_id, own in found.items()
        }

    # --- parts ------------------------------------------------------------------------------------

    def _nearest(self, vector: npt.ArrayLike, k: int, allowed: frozenset[Key], members: Sequence[Members]) -> pa.Table:
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(-1)
        if len(query) != self.space.dim:
            raise InvalidValue(
                name="vector", value=str(len(query)), reason=f"{self.space.name} has {self.space.dim} dimensions"
            )

        def run(count: int, where: str | None, part: float) -> pa.Table:
            asked = self._opened.table.search(query, vector_column_name="vector").distance_type("dot").limit(count)
            asked = asked.select(["scene_id", "generation", "_distance"]).with_row_id(True)
            asked = probed(asked, self._opened.entry.clusters, count, part)
            return (asked if where is None else asked.where(where)).to_arrow()

        found = self._opened.best(run, k, allowed, members)
        return _NOTHING if found is None else found

    def _members(
        self, scene_ids: Collection[str] | None, outside: LanceVectors | None, allowed: frozenset[Key]
    ) -> list[Members]:
        members: list[Members] = []
        if isinstance(scene_ids, SceneSet):
            members.append(scene_ids)
        elif scene_ids is not None:
            members.append(ListedScenes(scene_ids, self._opened.entry.rows))
        if outside is not None:
            members.append(self._scenes_outside(outside, allowed))
        return members

    def _take(self, rows: pa.ChunkedArray, columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """By row id: these columns."""
        if not len(rows):
            return {}
        query = self._opened.table.take_row_ids(rows.to_pylist()).select(list(columns)).with_row_id()
        with self._opened.errors():
            return {row["_rowid"]: row for row in query.to_arrow().to_pylist()}

    def _keyframes(self, row: dict[str, Any]) -> Floats:
        """(k, d) the vectors of a scene's keyframes; (0, d) where it has no several."""
        return np.frombuffer(row["keyframes"], np.float16).reshape(-1, self.space.dim).astype(np.float32)

    def _floats(self, vectors: Iterable[Any]) -> Floats:
        """(n, d)"""
        return np.array(list(vectors), dtype=np.float32).reshape(-1, self.space.dim)

    @property
    def _identities(self) -> _Identities:
        """Read when it is first needed: for the scenes outside of another space."""
        with self._lock:
            if self._ids is None:
                query = self._opened.table.search().select(["scene_id", "generation"]).with_row_id(True).limit(None)
                with self._opened.errors():
                    self._ids = _Identities(query.to_arrow(), self._opened.entry.numbers)
            return self._ids

    def _rows_outside(self, other: LanceVectors) -> Mask:
        """(n,) whether each row is of a scene that has no vector in the other space, in the same generation."""
        at = other.space.name, other._opened.entry.version
        if at not in self._outside:
            own, there = self._identities.names, other._identities.names
            self._outside[at] = ~pc.is_in(own, value_set=there).to_numpy(zero_copy_only=False)
        return self._outside[at]

    def _rows_allowed(self, allowed: frozenset[Key]) -> Mask:
        """(n,) whether each row is of one of these generations."""
        numbers = [number for key, number in self._opened.entry.numbers.items() if key in allowed]
        return np.isin(self._identities.numbers, numbers)

    def _scenes_outside(self, other: LanceVectors, allowed: frozenset[Key]) -> ListedScenes:
        """The scenes of these generations without a vector in the other space; the last answers are kept."""
        at = other.space.name, other._opened.entry.version, allowed
        with self._lock:
            found = self._listed.get(at)
        if found is None:
            rows = pa.array(self._rows_outside(other) & self._rows_allowed(allowed))
            found = ListedScenes(self._identities.scene_ids.filter(rows).to_pylist(), self._opened.entry.rows)
            with self._lock:
                self._listed[at] = found
        return found


class _Identities:
    """Which scene of which generation each row of a table is."""

    def __init__(self, found: pa.Table, numbers: Mapping[Key, int]) -> None:
        found = found.combine_chunks()
        self.scene_ids: pa.Array = _one(found.column("scene_id"), pa.string())
        self.numbers: Numbers = found.column("generation").to_numpy()
        self.rows: Numbers = found.column("_rowid").to_numpy()
        generations = np.zeros(max(numbers.values(), default=0) + 1, dtype=np.int64)
        for (_, n), number in numbers.items():
            generations[number] = n
        of_rows = pa.array(generations[self.numbers]).cast(pa.string())
        self.names: pa.Array = pc.binary_join_element_wise(self.scene_ids, of_rows, "#")
        """(n,) the scene and the number of its generation."""


_NOTHING = pa.table(
    {
        "scene_id": pa.array([], pa.string()),
        "_distance": pa.array([], pa.float32()),
        "_rowid": pa.array([], pa.uint64()),
    }
)


def _one(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return pa.concat_arrays([pa.array([], kind), *column.chunks])


def _scores(found: pa.Table) -> npt.NDArray[np.float32]:
    """(n,) the inner products: the distance "dot" is one less them."""
    return np.float32(1) - found.column("_distance").to_numpy()
