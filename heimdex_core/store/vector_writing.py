"""Writing the files of a segment of a vector index: new rows, or those of other segments again."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged, UnknownName
from heimdex_core.files import atomic_write, disk_errors, is_disk_full
from heimdex_core.store.keyframe_vectors import Floats, VectorRows, by_scene
from heimdex_core.store.vector_methods import INDEX_TYPES, load_faiss
from heimdex_core.store.vector_segment import (
    COUNTS,
    GENERATIONS,
    NAMES_TYPE,
    SIZES,
    Halves,
    Key,
    Segment,
    files_of,
    stored_counts,
)
from heimdex_core.types import Space

if TYPE_CHECKING:
    import faiss

SLAB_ROWS = 16_384
"""So many vectors are in memory at a time."""

FILE_NAME = re.compile(r"(?:index|rows|keyframes|codes)-(\d+)\.(?:faiss|parquet|npy)")


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
    names = segment.names.slice(own.start, len(own)).to_pylist()
    ids = segment.scene_ids.slice(own.start, len(own)).to_pylist()
    return Rows(
        key, ids, segment.method.vectors(np.arange(own.start, own.stop)), names, partial(halves_again, segment, own)
    )


def halves_again(segment: Segment, rows: range) -> Iterator[Halves]:
    """The vectors of the keyframes of rows that follow each other."""
    stored = slice(int(segment.starts[rows.start]), int(segment.starts[rows.stop]))
    slabs = [slice(at, min(at + SLAB_ROWS, stored.stop)) for at in range(stored.start, stored.stop, SLAB_ROWS)]
    return _halves(segment.keyframes, slabs)


def _halves(vectors: npt.NDArray[np.floating], parts: Iterable[slice]) -> Iterator[Halves]:
    for part in parts:
        yield np.asarray(vectors[part]).astype(np.float16, copy=False)


@dataclass(frozen=True)
class Content:
    """What is stored of the rows of a segment besides their vectors."""

    generations: Sequence[tuple[Key, int]]
    """In the order of the rows, and how many each has; those without rows too."""
    scene_ids: pa.Array
    """(n,)"""
    names: pa.Array
    """n lists of the file names of each scene's keyframes, or null."""
    keyframes: Callable[[], Iterator[Halves]]
    """Makes the vectors of the keyframes of those scenes that have several, in order."""


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
    index = INDEX_TYPES[kind](space.dim)
    for rows in generations:
        if len(rows.scene_ids):
            index.add(np.ascontiguousarray(rows.vectors, dtype=np.float32))
    content = Content(
        [(rows.key, len(rows.scene_ids)) for rows in generations],
        pa.array([scene_id for rows in generations for scene_id in rows.scene_ids], pa.string()),
        pa.array([name for rows in generations for name in rows.names], NAMES_TYPE),
        lambda: (block for rows in generations for block in rows.keyframes()),
    )
    return write_files(folder, space, number, {"type": kind}, content, index)


def write_files(
    folder: Path,
    space: Space,
    number: int,
    about: Mapping[str, Any],
    content: Content,
    index: faiss.Index,
    codes: faiss.Index | None = None,
) -> dict[str, Any]:
    """Write an index that has been made, and what belongs to its rows; the entry for the manifest, with `about`.

    See `write_segment`; `codes` are written to a file of their own.
    """
    paths = [folder / name for name in files_of(number)]
    stored = int(stored_counts(content.names).sum())
    entry: dict[str, Any] = {"number": number, **about, "rows": len(content.names)}
    try:
        with disk_errors(f"the index of {space.name}", folder):
            with atomic_write(paths[0]) as file:
                # Through a Python file: FAISS's own writer only prints a message if closing fails on a full disk.
                entry["sha256"] = _write_index(index, file)
            files.crash_point("index-written")
            if codes is not None:
                with atomic_write(paths[3]) as file:
                    entry["codes_sha256"] = _write_index(codes, file)
            if stored:
                entry |= {
                    "keyframe_count": stored,
                    "keyframes_sha256": _write_keyframes(paths[2], space, content, stored),
                }
            with atomic_write(paths[1]) as file:
                entry["rows_sha256"] = _write_rows(_rows_table(content), file)
        files.crash_point("rows-written")
        sizes = {name: path.stat().st_size for name, path in zip(SIZES, paths, strict=True) if name and path.exists()}
    except BaseException:
        remove_segment(folder, number)
        raise
    return entry | sizes


def remove_segment(folder: Path, number: int) -> None:
    """Remove the files of a segment; opened ones stay readable."""
    for name in files_of(number):
        (folder / name).unlink(missing_ok=True)


def _rows_table(content: Content) -> pa.Table:
    keys: dict[str, list[int]] = {}
    for (video_id, n), _ in content.generations:
        keys.setdefault(video_id, []).append(n)
    counts = [count for _, count in content.generations]
    table = pa.table(
        {
            "scene_id": content.scene_ids,
            "video_id": _repeated([key[0] for key, _ in content.generations], counts, pa.string()).dictionary_encode(),
            "generation": _repeated([key[1] for key, _ in content.generations], counts, pa.int32()),
            "keyframes": content.names,
        }
    )
    rows = [(*key, count) for key, count in content.generations if count]
    about = {GENERATIONS: json.dumps(keys), COUNTS: json.dumps(rows)}
    return table.replace_schema_metadata({name: value.encode() for name, value in about.items()})


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


def _write_keyframes(path: Path, space: Space, content: Content, count: int) -> str:
    """Write the vectors of the keyframes as .npy; returns the SHA-256 of the file."""
    header = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
    np.lib.format.write_array_header_1_0(header, {**about, "shape": (count, space.dim)})
    digest = hashlib.sha256(header.getvalue())
    with atomic_write(path) as file:
        file.write(header.getvalue())
        for block in content.keyframes():
            data = block.tobytes()
            digest.update(data)
            file.write(data)
    return digest.hexdigest()
