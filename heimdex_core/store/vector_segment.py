"""One segment of a vector index: an immutable part of it, as its files and opened.

index-<n>.faiss has one row a scene, rows-<n>.parquet says where each row is from (scene_id, video_id, generation and
the names of its keyframes), and keyframes-<n>.npy (float16) has the vectors of scenes with several keyframes, in the
order of the rows. The rows of a generation follow each other. The generations of a segment, those without a row too,
are in the metadata of rows-<n>.parquet.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged, UnknownName
from heimdex_core.files import atomic_write, disk_errors, is_disk_full
from heimdex_core.store.keyframe_vectors import Floats, Numbers, VectorRows, by_scene
from heimdex_core.store.parquet import read_table
from heimdex_core.types import Space

if TYPE_CHECKING:
    import faiss

Key = tuple[str, int]
"""(video_id, generation)"""

Halves = npt.NDArray[np.float16]

THREADS = 1
"""Threads of one search. Several searches run at the same time, and more threads on busy cores are slower."""

_SLAB_ROWS = 16_384
_NAMES_TYPE = pa.list_(pa.string())
_GENERATIONS = b"heimdex.generations"


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


INDEX_TYPES: Mapping[str, Callable[[int], faiss.Index]] = {"SQfp16": _half, "Flat": _flat}
"""Constructors by type. All search exactly what they store, take an id selector, and keep the order of rows."""


# --- opened ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """An opened segment; `keys` has also the generations without a row."""

    number: int
    sha256: str | None
    """Of the file of vectors; None in an index of an older version. A number is used again after a repair."""
    keys: tuple[Key, ...]
    ranges: Mapping[Key, range]
    """The rows of each generation that has any, in the order of the rows."""
    scene_ids: pa.StringArray
    """(n,)"""
    index: Any
    names: pa.Array
    """n lists of the file names of each scene's keyframes; null where they are not known."""
    starts: Numbers
    """(n + 1,) where each row's vectors begin in `keyframes`; none are stored for a scene with one keyframe."""
    keyframes: Halves
    """(m, d)"""
    _rows: dict[Key, dict[str, int]] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.scene_ids)

    def rows_of(self, key: Key) -> dict[str, int]:
        """The rows of one generation by scene; none if it has none."""
        if key not in self._rows:
            own = self.ranges.get(key, range(0))
            ids = self.scene_ids.slice(own.start, len(own)).to_pylist()
            self._rows[key] = dict(zip(ids, own, strict=True))
        return self._rows[key]

    @cached_property
    def stored_counts(self) -> Numbers:
        """(n,) how many vectors of keyframes each row has."""
        counts: Numbers = np.diff(self.starts)
        return counts

    def search(self, query: Floats, count: int, mask: npt.NDArray[np.bool_]) -> tuple[Floats, Numbers]:
        """(scores, rows) of the best `count` rows in the mask (n,) at most, for a (1, d) query."""
        count = min(count, int(mask.sum()))
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


def files_of(number: int) -> tuple[str, str, str]:
    """The names of a segment's files: vectors, rows, keyframes."""
    return f"index-{number}.faiss", f"rows-{number}.parquet", f"keyframes-{number}.npy"


def open_segment(folder: Path, space: Space, entry: Mapping[str, Any]) -> Segment:
    """Open a segment. Raises LibraryDamaged; FileNotFoundError if a file is missing.

    Args:
        folder: the index's folder.
        space: the space of the vectors.
        entry: the segment's entry in the manifest, as `write_segment` returned it.
    """
    faiss = load_faiss()
    number = int(entry["number"])
    vectors_file, rows_file, keyframes_file = (folder / name for name in files_of(number))
    try:
        table = read_table(rows_file)
        vectors_file.stat()  # FAISS raises RuntimeError for a missing file
        index = faiss.read_index(str(vectors_file))
        keyframes: Halves = np.zeros((0, space.dim), np.float16)
        if entry.get("keyframe_count"):
            keyframes = np.load(keyframes_file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, pa.ArrowException, RuntimeError) as error:
        raise LibraryDamaged(what=f"the index of {space.name}", reason=str(error)[-200:]) from error
    names = _names(table)
    starts = np.concatenate([[0], np.cumsum(_stored_counts(names))]).astype(np.int64)
    if keyframes.shape != (starts[-1], space.dim) or keyframes.dtype != np.float16:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its keyframes are not those of its rows")
    if not (index.ntotal == table.num_rows == entry["rows"]) or index.d != space.dim:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its row counts do not agree")
    return Segment(
        number=number,
        sha256=entry.get("sha256"),
        keys=_keys(table, entry),
        ranges=_ranges(table),
        scene_ids=_one_chunk(table.column("scene_id").cast(pa.string())),
        index=index,
        names=names,
        starts=starts,
        keyframes=keyframes,
    )


def _keys(table: pa.Table, entry: Mapping[str, Any]) -> tuple[Key, ...]:
    generations = entry.get("generations")  # of a segment that was the whole index of a version before segments
    if generations is None:
        generations = json.loads((table.schema.metadata or {})[_GENERATIONS])
    return tuple(sorted((video_id, int(n)) for video_id, numbers in generations.items() for n in numbers))


def _ranges(table: pa.Table) -> dict[Key, range]:
    """The rows of each generation, which follow each other."""
    if not table.num_rows:  # joining no chunks would import pandas, half a second of a short search
        return {}
    videos = _one_chunk(table.column("video_id").cast(pa.string()).dictionary_encode())
    video_ids: list[str] = videos.dictionary.to_pylist()
    codes = np.frombuffer(videos.indices.buffers()[1], np.int32, count=len(videos), offset=4 * videos.indices.offset)
    numbers = _one_chunk(table.column("generation").cast(pa.int32()))
    generations = np.frombuffer(numbers.buffers()[1], np.int32, count=len(numbers), offset=4 * numbers.offset)
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
        return pa.nulls(table.num_rows, _NAMES_TYPE)
    return _one_chunk(table.column("keyframes").cast(_NAMES_TYPE))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined


def _stored_counts(names: pa.Array) -> Numbers:
    """(n,) how many keyframes of each row have a vector besides the row's own: all if there are several."""
    # from the offsets, which are equal around a null: `to_numpy` would import pandas, half a second of a short search
    offsets = np.frombuffer(names.buffers()[1], np.int32, count=len(names) + 1, offset=4 * names.offset)
    counts = np.diff(offsets).astype(np.int64)
    return np.where(counts > 1, counts, 0)


# --- written --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Rows of one generation that are to be written: new ones, or those of another segment."""

    key: Key
    scene_ids: Sequence[str]
    """n"""
    vectors: Floats
    """(n, d)"""
    names: Sequence[list[str] | None]
    """n"""
    keyframes: Callable[[], Iterator[Halves]]
    """Makes the vectors of the keyframes of those scenes that have several, in order."""


def new_rows(key: Key, content: VectorRows) -> Rows:
    """The rows of a generation as it was read from its files."""
    scenes = by_scene(content)
    several = [part for part, own in zip(scenes.rows, scenes.names, strict=True) if own and len(own) > 1]
    return Rows(key, scenes.scene_ids, scenes.vectors, scenes.names, partial(_halves, content.vectors, several))


def rows_again(segment: Segment, key: Key) -> Rows:
    """The rows of a generation as they are in a segment."""
    own = segment.ranges.get(key, range(0))
    vectors = segment.index.reconstruct_n(own.start, len(own)) if own else np.zeros((0, segment.index.d), np.float32)
    names = segment.names.slice(own.start, len(own)).to_pylist()
    stored = slice(int(segment.starts[own.start]), int(segment.starts[own.stop]))
    slabs = [slice(at, min(at + _SLAB_ROWS, stored.stop)) for at in range(stored.start, stored.stop, _SLAB_ROWS)]
    ids = segment.scene_ids.slice(own.start, len(own)).to_pylist()
    return Rows(key, ids, vectors, names, partial(_halves, segment.keyframes, slabs))


def _halves(vectors: npt.NDArray[np.floating], parts: Iterable[slice]) -> Iterator[Halves]:
    for part in parts:
        yield np.asarray(vectors[part]).astype(np.float16, copy=False)


def write_segment(folder: Path, space: Space, number: int, kind: str, generations: Sequence[Rows]) -> dict[str, Any]:
    """Write the files of a segment and return its entry for the manifest.

    Args:
        folder: the index's folder, which exists.
        space: the space of the vectors.
        number: a number that no file in the folder has.
        kind: a key of INDEX_TYPES.
        generations: what to write, each generation once; those without rows too.

    Raises UnknownName for an unknown kind; DiskFull. After an error no file of it is left.
    """
    if kind not in INDEX_TYPES:
        raise UnknownName(kind="index type", name=kind, known=", ".join(sorted(INDEX_TYPES)))
    paths = [folder / name for name in files_of(number)]
    names = pa.array([name for rows in generations for name in rows.names], _NAMES_TYPE)
    stored = int(_stored_counts(names).sum())
    index = INDEX_TYPES[kind](space.dim)
    for rows in generations:
        if len(rows.scene_ids):
            index.add(np.ascontiguousarray(rows.vectors, dtype=np.float32))
    entry: dict[str, Any] = {"number": number, "type": kind, "rows": len(names)}
    try:
        with disk_errors(f"the index of {space.name}", folder), atomic_write(paths[0]) as file:
            # Through a Python file: FAISS's own writer only prints a message if closing fails on a full disk.
            entry["sha256"] = _write_index(index, file)
        files.crash_point("index-written")
        if stored:
            entry |= {
                "keyframe_count": stored,
                "keyframes_sha256": _write_keyframes(paths[2], space, generations, stored),
            }
        with disk_errors(f"the index of {space.name}", folder), atomic_write(paths[1]) as file:
            entry["rows_sha256"] = _write_rows(_rows_table(generations, names), file)
        files.crash_point("rows-written")
    except BaseException:
        remove_segment(folder, number)
        raise
    return entry


def remove_segment(folder: Path, number: int) -> None:
    """Remove the files of a segment; opened ones stay readable."""
    for name in files_of(number):
        (folder / name).unlink(missing_ok=True)


def _rows_table(generations: Sequence[Rows], names: pa.Array) -> pa.Table:
    keys: dict[str, list[int]] = {}
    for rows in generations:
        keys.setdefault(rows.key[0], []).append(rows.key[1])
    counts = [len(rows.scene_ids) for rows in generations]
    table = pa.table(
        {
            "scene_id": pa.array([scene_id for rows in generations for scene_id in rows.scene_ids], pa.string()),
            "video_id": _repeated([rows.key[0] for rows in generations], counts, pa.string()).dictionary_encode(),
            "generation": _repeated([rows.key[1] for rows in generations], counts, pa.int32()),
            "keyframes": names,
        }
    )
    return table.replace_schema_metadata({_GENERATIONS: json.dumps(keys).encode()})


def _write_rows(table: pa.Table, file: Any) -> str:
    """Write the table; returns the SHA-256 of its bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = sink.getvalue()
    file.write(content)
    return hashlib.sha256(content).hexdigest()


def _repeated(values: Sequence[Any], counts: Sequence[int], kind: pa.DataType) -> pa.Array:
    return pa.array([value for value, count in zip(values, counts, strict=True) for _ in range(count)], kind)


def _write_index(index: Any, file: Any) -> str:
    """Write the index; returns the SHA-256 of its bytes."""
    faiss = load_faiss()
    digest = hashlib.sha256()

    def write(data: bytes) -> int:
        digest.update(data)
        return int(file.write(data))

    try:
        faiss.write_index(index, faiss.PyCallbackIOWriter(write))
    except RuntimeError as error:
        if is_disk_full(error):
            raise
        raise LibraryDamaged(what="a vector index", reason=str(error)[-200:]) from error
    return digest.hexdigest()


def _write_keyframes(path: Path, space: Space, generations: Sequence[Rows], count: int) -> str:
    """Write the vectors of the keyframes as .npy; returns the SHA-256 of the file."""
    header = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
    np.lib.format.write_array_header_1_0(header, {**about, "shape": (count, space.dim)})
    digest = hashlib.sha256(header.getvalue())
    with disk_errors(f"the index of {space.name}", path.parent), atomic_write(path) as file:
        file.write(header.getvalue())
        for rows in generations:
            for block in rows.keyframes():
                data = block.tobytes()
                digest.update(data)
                file.write(data)
    return digest.hexdigest()
