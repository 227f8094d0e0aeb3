"""One segment of a vector index: an immutable part of it, as its files and opened.

index-<n>.faiss has one row a scene, rows-<n>.parquet says where each row is from (scene_id, video_id, generation and
the names of its keyframes), and keyframes-<n>.npy (float16) has the vectors of scenes with several keyframes, in the
order of the rows. codes-<n>.faiss is there if the segment is searched by codes (vector_methods.py). The rows of a
generation follow each other. The generations of a segment, those without a row too, are in the metadata of
rows-<n>.parquet. The files of vectors are mapped into memory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store.keyframe_vectors import Floats, Numbers
from heimdex_core.store.parquet import read_about, read_table
from heimdex_core.store.scene_set import SceneTable
from heimdex_core.store.vector_methods import Found, Mask, Method, open_method
from heimdex_core.types import Space

Key = tuple[str, int]
"""(video_id, generation)"""

Halves = npt.NDArray[np.float16]

NAMES_TYPE = pa.list_(pa.string())
GENERATIONS = b"heimdex.generations"
COUNTS = b"heimdex.counts"
"""Of the rows of each generation, in their order, so that nobody has to read all rows to know them."""

_NOT_COMPARED: Numbers = np.zeros(0, dtype=np.int64)
_BLOCK_SCENES = 2048
"""So many scenes are looked for at a time."""


@dataclass(frozen=True, eq=False)
class Segment:
    """An opened segment; `keys` has also the generations without a row. Two are equal only if they are the same one."""

    number: int
    sha256: str | None
    """Of the file of vectors; None in an index of an older version. A number is used again after a repair."""
    keys: frozenset[Key]
    ranges: Mapping[Key, range]
    """The rows of each generation that has any, in the order of the rows."""
    method: Method
    keyframes: Halves
    """(m, d)"""
    rows_file: Path
    space_name: str
    _within: WeakKeyDictionary[Segment, Mask] = field(default_factory=WeakKeyDictionary, repr=False)
    _places: dict[Key, Numbers | None] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.method.count

    def load(self) -> None:
        """Read the ids of the scenes and the names of their keyframes, if that has not been done.

        Otherwise it is done when they are needed. Raises LibraryDamaged, FileNotFoundError.
        """
        _ = self._rows

    @cached_property
    def _rows(self) -> tuple[pa.StringArray, pa.Array, Numbers]:
        """The ids, the names, and where the vectors of the keyframes begin."""
        table = _read_rows(self.rows_file, self.space_name, None)
        names = _names(table)
        starts = np.concatenate([[0], np.cumsum(stored_counts(names))]).astype(np.int64)
        if table.num_rows != len(self) or len(self.keyframes) != starts[-1]:
            raise LibraryDamaged(
                what=f"the index of {self.space_name}", reason="its keyframes are not those of its rows"
            )
        return _one_chunk(table.column("scene_id").cast(pa.string())), names, starts

    @property
    def scene_ids(self) -> pa.StringArray:
        """(n,)"""
        return self._rows[0]

    @property
    def names(self) -> pa.Array:
        """n lists of the file names of each scene's keyframes; null where they are not known."""
        return self._rows[1]

    @property
    def starts(self) -> Numbers:
        """(n + 1,) where each row's vectors begin in `keyframes`; none are stored for a scene with one keyframe."""
        return self._rows[2]

    def in_table(self, table: SceneTable, removed: Collection[Key]) -> Numbers:
        """(n,) the row in the table of the scene of each row; -1 for one of no scene there, or of a removed generation.

        Most generations have their scenes in one order here and there, so they are moved as a whole.
        """
        keys = list(self.ranges)
        videos = np.fromiter(map(table.generations.get, keys, repeat(-1)), np.int64, len(keys))
        if removed:
            videos[[key in removed for key in keys]] = -1
        is_there = videos >= 0
        firsts = np.zeros(len(keys), dtype=np.int64)
        firsts[is_there] = table.first_rows[videos[is_there]]
        own = np.cumsum(self.counts) - self.counts
        rows = np.repeat(firsts - own, self.counts) + np.arange(len(self))
        rows[np.repeat(~is_there, self.counts)] = -1
        for number in np.flatnonzero(is_there).tolist():
            key = keys[number]
            if self._places.get(key, _NOT_COMPARED) is None:
                continue
            places = self.places_of(key, table.parts[videos[number]].scene_ids)
            if places is not None:
                start, stop = self.ranges[key].start, self.ranges[key].stop
                rows[start:stop] = np.where(places >= 0, places + firsts[number], -1)
        return rows

    def places_of(self, key: Key, scene_ids: pa.ChunkedArray) -> Numbers | None:
        """Which of the generation's scenes each of its rows is of, -1 for none of them; None where row i is of scene i.

        Args:
            key: a generation that has rows here.
            scene_ids: all scenes of the generation, always the same.
        """
        if key not in self._places:
            own = self.ranges[key]
            ids = self.scene_ids.slice(own.start, len(own))
            found = None
            if len(ids) != len(scene_ids) or not scene_ids.equals(pa.chunked_array([ids])):
                places = {scene_id: place for place, scene_id in enumerate(scene_ids.to_pylist())}
                found = np.array([places.get(scene_id, -1) for scene_id in ids.to_pylist()], dtype=np.int64)
            self._places[key] = found
        return self._places[key]

    @cached_property
    def stored_counts(self) -> Numbers:
        """(n,) how many vectors of keyframes each row has."""
        counts: Numbers = np.diff(self.starts)
        return counts

    @cached_property
    def counts(self) -> Numbers:
        """How many rows each generation of `ranges` has."""
        return np.array([len(own) for own in self.ranges.values()], dtype=np.int64)

    @cached_property
    def generations(self) -> Numbers:
        """(n,) the position in `ranges` of each row's generation."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def mask_of(self, keys: Collection[Key]) -> Mask:
        """(n,) whether each row is of one of these generations. A set is fast."""
        return np.repeat(np.array([key in keys for key in self.ranges], dtype=bool), self.counts)

    def rows_in(self, keys: Iterable[Key]) -> int:
        """How many rows these generations have."""
        return sum(len(self.ranges.get(key, ())) for key in keys)

    def find(self, scene_ids: Sequence[str], keys: Sequence[Key]) -> Numbers:
        """(k,) the rows of k scenes in the generations `keys`; -1 for a scene that has none."""
        found = np.full(len(scene_ids), -1, dtype=np.int64)
        for at in range(0, len(scene_ids), _BLOCK_SCENES):
            ids = strings(scene_ids[at : at + _BLOCK_SCENES])
            own = [self.ranges.get(key, range(0)) for key in keys[at : at + _BLOCK_SCENES]]
            counts = np.array([len(rows) for rows in own], dtype=np.int64)
            ends = np.cumsum(counts)
            first = np.array([rows.start for rows in own], dtype=np.int64) - (ends - counts)
            rows = np.arange(ends[-1], dtype=np.int64) + np.repeat(first, counts)
            scenes = np.repeat(np.arange(len(own), dtype=np.int64), counts)
            is_same = pc.equal(self.scene_ids.take(indices(rows)), ids.take(indices(scenes)))
            same = true_at(is_same)
            found[at + scenes[same]] = rows[same]
        return found

    def rows_within(self, other: Segment) -> Mask:
        """(n,) whether each row's scene has a row in the `other` segment too, in the same generation.

        The answer is kept: a new revision of an index has most of the segments of the one before.
        """
        found = self._within.get(other)
        if found is None:
            found = self._within[other] = self._compare(other)
        return found

    def _compare(self, other: Segment) -> Mask:
        if self.keys.isdisjoint(other.keys) or not len(other):
            return np.zeros(len(self), dtype=bool)
        places = {key: place for place, key in enumerate(other.ranges)}
        own_place = np.array([places.get(key, -1) for key in self.ranges], dtype=np.int64)[self.generations]
        rows, is_there = numbers_or_null(pc.index_in(self.scene_ids, value_set=other.scene_ids))
        is_found = is_there & (own_place >= 0)
        is_within = is_found & (other.generations[rows] == own_place)
        # The other segment may have a scene in several generations, of which the first was found.
        unsure = np.flatnonzero(is_found & ~is_within)
        if len(unsure):
            keys = list(self.ranges)
            ids = self.scene_ids.take(indices(unsure)).to_pylist()
            again = other.find(ids, [keys[place] for place in self.generations[unsure]])
            is_within[unsure] = again >= 0
        return is_within

    def search(self, query: Floats, count: int, chosen: Mask | None) -> Found:
        """(scores, rows) of the best `count` rows in the mask (n,) at most, None for all, for a (1, d) query."""
        of_mask = len(self) if chosen is None else int(np.count_nonzero(chosen))
        count = min(count, of_mask)
        if count <= 0:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        return self.method.search(query, count, None if of_mask == len(self) else chosen)


def files_of(number: int) -> tuple[str, str, str, str]:
    """The names of a segment's files: vectors, rows, keyframes, codes."""
    return f"index-{number}.faiss", f"rows-{number}.parquet", f"keyframes-{number}.npy", f"codes-{number}.faiss"


CHECKSUMS = ("sha256", "rows_sha256", "keyframes_sha256", "codes_sha256")
"""Of these files, in the segment's entry of the manifest."""
SIZES = ("bytes", None, "keyframes_bytes", "codes_bytes")
"""Of those of these files that are mapped."""


def open_segment(folder: Path, space: Space, entry: Mapping[str, Any]) -> Segment:
    """Open a segment. Raises LibraryDamaged; FileNotFoundError if a file is missing.

    Args:
        folder: the index's folder.
        space: the space of the vectors.
        entry: the segment's entry in the manifest, as `write_segment` returned it.
    """
    number = int(entry["number"])
    paths = [folder / name for name in files_of(number)]
    try:
        for path, size in zip(paths, SIZES, strict=True):
            # Reading behind the end of a mapped file would kill the process.
            if size is not None and size in entry and path.stat().st_size != entry[size]:
                raise LibraryDamaged(what=f"the index of {space.name}", reason=f"{path.name} is not what was written")
        paths[0].stat()  # FAISS raises RuntimeError for a missing file
        method = open_method(paths[0], entry, paths[3])
        keyframes: Halves = np.zeros((0, space.dim), np.float16)
        if entry.get("keyframe_count"):
            keyframes = np.load(paths[2], mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, RuntimeError) as error:
        raise LibraryDamaged(what=f"the index of {space.name}", reason=str(error)[-200:]) from error
    if keyframes.shape != (entry.get("keyframe_count") or 0, space.dim) or keyframes.dtype != np.float16:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its keyframes are not those of its rows")
    count, about = _about_rows(paths[1], space.name)
    if not (method.count == count == entry["rows"]) or method.dim != space.dim:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its row counts do not agree")
    if COUNTS in about:
        ranges = _ranges_of(json.loads(about[COUNTS]))
    else:
        ranges = _ranges(_read_rows(paths[1], space.name, ["video_id", "generation"]))
    if sum(map(len, ranges.values())) != count:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its generations are not those of its rows")
    return Segment(
        number=number,
        sha256=entry.get("sha256"),
        keys=_keys(about, entry),
        ranges=ranges,
        method=method,
        keyframes=keyframes,
        rows_file=paths[1],
        space_name=space.name,
    )


def _read_rows(path: Path, space_name: str, columns: Sequence[str] | None) -> pa.Table:
    """Columns of rows-<n>.parquet, None for all. Raises LibraryDamaged, FileNotFoundError."""
    with _damage(space_name):
        return read_table(path, columns=columns)


def _about_rows(path: Path, space_name: str) -> tuple[int, Mapping[bytes, bytes]]:
    with _damage(space_name):
        return read_about(path)


@contextmanager
def _damage(space_name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LibraryDamaged(what=f"the index of {space_name}", reason=str(error)[-200:]) from error


def _keys(about: Mapping[bytes, bytes], entry: Mapping[str, Any]) -> frozenset[Key]:
    generations = entry.get("generations")  # of a segment that was the whole index of a version before segments
    if generations is None:
        generations = json.loads(about[GENERATIONS])
    return frozenset((video_id, int(n)) for video_id, own in generations.items() for n in own)


def _ranges_of(counts: Sequence[tuple[str, int, int]]) -> dict[Key, range]:
    """The rows of each generation, from (video_id, generation, number of rows) in the order of the rows."""
    ends = np.cumsum([count for _, _, count in counts]).tolist()
    return {(video_id, n): range(end - count, end) for (video_id, n, count), end in zip(counts, ends, strict=True)}


def _ranges(table: pa.Table) -> dict[Key, range]:
    """The rows of each generation, which follow each other."""
    if not table.num_rows:  # joining no chunks would import pandas, half a second of a short search
        return {}
    videos = _one_chunk(table.column("video_id").cast(pa.string()).dictionary_encode())
    video_ids: list[str] = videos.dictionary.to_pylist()
    codes = numbers(videos.indices)
    generations = numbers(_one_chunk(table.column("generation").cast(pa.int32())))
    changes = np.flatnonzero((np.diff(codes) != 0) | (np.diff(generations) != 0)) + 1
    edges = [0, *changes.tolist(), len(codes)]
    ranges: dict[Key, range] = {}
    for start, stop in zip(edges, edges[1:], strict=False):
        key = (video_ids[codes[start]], int(generations[start]))
        if key in ranges:
            raise LibraryDamaged(what="a vector index", reason="the rows of a generation do not follow each other")
        ranges[key] = range(start, stop)
    return ranges


def _names(table: pa.Table) -> pa.Array:
    """n lists of file names; null in the rows of indexes that versions before keyframes had vectors wrote."""
    if "keyframes" not in table.column_names:
        return pa.nulls(table.num_rows, NAMES_TYPE)
    return _one_chunk(table.column("keyframes").cast(NAMES_TYPE))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined


def stored_counts(names: pa.Array) -> Numbers:
    """(n,) how many keyframes of each row have a vector besides the row's own: all if there are several."""
    # offsets are equal around a null
    counts = np.diff(offsets(names)).astype(np.int64)
    return np.where(counts > 1, counts, 0)


# --- Arrow arrays without pandas, whose import takes half a second of a short search ----------------


def indices(rows: Numbers) -> pa.Int64Array:
    """(n,) the same numbers."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows.astype(np.int64))])


def strings(values: Sequence[str]) -> pa.StringArray:
    """(n,) the same texts."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])


def numbers(array: pa.Array) -> npt.NDArray[np.int32]:
    """(n,) the same whole numbers of 32 bits; undefined where one is null."""
    if not len(array):
        return np.zeros(0, dtype=np.int32)
    return np.frombuffer(array.buffers()[1], np.int32, count=len(array), offset=4 * array.offset)


def numbers_or_null(array: pa.Array) -> tuple[npt.NDArray[np.int32], Mask]:
    """(n,) whole numbers of 32 bits, 0 for null; (n,) whether each is not null."""
    is_there = np.zeros(len(array), dtype=bool)
    is_there[true_at(array.is_valid())] = True
    return np.where(is_there, numbers(array), 0), is_there


def true_at(array: pa.BooleanArray) -> Numbers:
    """The positions of the true values, ascending."""
    found = pc.indices_nonzero(array)
    if not len(found):
        return np.zeros(0, dtype=np.int64)
    return np.frombuffer(found.buffers()[1], np.uint64, count=len(found), offset=8 * found.offset).astype(np.int64)


def offsets(lists: pa.Array) -> npt.NDArray[np.int32]:
    """(n + 1,) where each list begins in `lists.values`."""
    return np.frombuffer(lists.buffers()[1], np.int32, count=len(lists) + 1, offset=4 * lists.offset)
