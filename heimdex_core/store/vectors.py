"""The vector index of one space, in FAISS. Each write makes a new revision of its files.

index/<space>/index-<revision>.faiss, rows-<revision>.parquet (scene_id, video_id, generation and keyframes of each row)
and manifest.json, whose rename switches to the new revision. The previous revision is kept for readers that are opening
it.

The index has one row a scene. The vectors of scenes with several keyframes are in keyframes-<revision>.npy (float16),
in the order of the rows; vector_index.py says what for.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
from heimdex_core.files import (
    TEMPORARY_PREFIX,
    atomic_write,
    disk_errors,
    is_disk_full,
    read_json,
    sha256_of,
    write_json,
)
from heimdex_core.store.keyframe_vectors import Floats, Numbers, VectorRows, by_scene
from heimdex_core.store.parquet import read_table
from heimdex_core.store.vector_index import Halves, Key, VectorIndex, load_faiss
from heimdex_core.types import Space, to_json

if TYPE_CHECKING:
    import faiss

Load = Callable[[Key], "VectorRows | tuple[list[str], Floats] | None"]
"""Returns the rows of a generation (n scene ids and (n, d) vectors, and which keyframes these are); None if it cannot
be read."""

MANIFEST_FORMAT = 1

_FILE = re.compile(r"(?:index|rows|keyframes)-(\d+)\.(?:faiss|parquet|npy)")
_SLAB_ROWS = 16_384


def _flat(dim: int) -> faiss.Index:
    return load_faiss().IndexFlatIP(dim)


def _half(dim: int) -> faiss.Index:
    faiss = load_faiss()
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


INDEX_TYPES: Mapping[str, Callable[[int], faiss.Index]] = {"SQfp16": _half, "Flat": _flat}
"""Constructors by type. All search exactly what they store, take an id selector, and keep the order of rows."""


# --- opening --------------------------------------------------------------------------------------


def open_index(folder: Path, space: Space) -> VectorIndex | None:
    """Open the current revision; None if there is no index. Raises SpaceMismatch, LibraryDamaged."""
    for _ in range(10):
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        space.check(Space(**manifest["space"]))
        try:
            return _open_revision(folder, space, manifest)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise LibraryDamaged(
                what=f"the index of {space.name}", reason=f"{type(error).__name__}: {error}"[:200]
            ) from error
        except FileNotFoundError:
            if (read_manifest(folder) or {}).get("index_revision") == manifest["index_revision"]:
                break  # the manifest still names the file, so it is really missing
    raise LibraryDamaged(what=f"the index of {space.name}", reason="its files do not belong together")


def check(folder: Path, space: Space) -> Collection[Key]:
    """The generations in the index, after its file was compared with its checksum; none if there is no index.

    Raises LibraryDamaged, SpaceMismatch. An index that an older version wrote has no checksum.
    """
    index, manifest = open_index(folder, space), read_manifest(folder)
    if index is None or manifest is None:
        return ()
    is_same = manifest["index_revision"] == index.revision
    for name, key in (
        (f"index-{index.revision}.faiss", "sha256"),
        (_keyframes_file(index.revision), "keyframes_sha256"),
    ):
        wanted = manifest.get(key) if is_same else None
        if wanted is not None and sha256_of(folder / name) != wanted:
            raise LibraryDamaged(what=f"the index of {space.name}", reason=f"{name} is not what was written")
    return index.keys


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an index; None if there is no index. Raises LibraryDamaged."""
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["format"] != MANIFEST_FORMAT:
            raise LibraryDamaged(what=f"the index {folder.name}", reason=f"it has format {manifest['format']}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what=f"the index {folder.name}", reason=str(error)[:200]) from error
    return manifest


def _open_revision(folder: Path, space: Space, manifest: Mapping[str, Any]) -> VectorIndex:
    faiss = load_faiss()
    revision = int(manifest["index_revision"])
    try:
        table = read_table(folder / f"rows-{revision}.parquet")
        path = folder / f"index-{revision}.faiss"
        path.stat()  # FAISS raises RuntimeError for a missing file
        index = faiss.read_index(str(path))
        keyframes: Halves = np.zeros((0, space.dim), np.float16)
        if manifest.get("keyframe_count"):
            keyframes = np.load(folder / _keyframes_file(revision), mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, pa.ArrowException, RuntimeError) as error:
        raise LibraryDamaged(what=f"the index of {space.name}", reason=str(error)[-200:]) from error
    names = _names(table)
    starts = np.concatenate([[0], np.cumsum(_stored_counts(names))]).astype(np.int64)
    if keyframes.shape != (starts[-1], space.dim) or keyframes.dtype != np.float16:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its keyframes are not those of its rows")
    if not (index.ntotal == table.num_rows == manifest["count"]) or index.d != space.dim:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its row counts do not agree")
    keys = sorted((video_id, int(n)) for video_id, numbers in manifest["generations"].items() for n in numbers)
    numbers = {key: number for number, key in enumerate(keys)}
    pairs = zip(table.column("video_id").to_pylist(), table.column("generation").to_pylist(), strict=True)
    return VectorIndex(
        space=space,
        revision=revision,
        keys=tuple(keys),
        row_keys=np.array([numbers[pair] for pair in pairs], dtype=np.int32),
        scene_ids=tuple(table.column("scene_id").to_pylist()),
        index=index,
        index_type=manifest["type"],
        names=names,
        starts=starts,
        keyframes=keyframes,
    )


def _keyframes_file(revision: int) -> str:
    return f"keyframes-{revision}.npy"


_NAMES_TYPE = pa.list_(pa.string())


def _names(table: pa.Table) -> pa.Array:
    """n lists of file names; null in the rows of indexes that versions before keyframes had vectors wrote."""
    if "keyframes" not in table.column_names:
        return pa.nulls(table.num_rows, _NAMES_TYPE)
    column = table.column("keyframes").cast(_NAMES_TYPE).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _stored_counts(names: pa.Array) -> Numbers:
    """(n,) how many keyframes of each row have a vector besides the row's own: all if there are several."""
    # from the offsets, which are equal around a null: `to_numpy` would import pandas, half a second of a short search
    offsets = np.frombuffer(names.buffers()[1], np.int32, count=len(names) + 1, offset=4 * names.offset)
    counts = np.diff(offsets).astype(np.int64)
    return np.where(counts > 1, counts, 0)


# --- writing (under index.lock) -------------------------------------------------------------------


def sync(
    folder: Path,
    space: Space,
    wanted: Collection[Key],
    load: Load,
    *,
    redo: Collection[Key] = (),
    index_type: str | None = None,
) -> bool:
    """Make the index contain exactly the `wanted` generations; False if it did already. The caller holds index.lock.

    Args:
        folder: the index's folder; created if it is missing.
        space: the space of the vectors.
        wanted: the generations.
        load: reads a generation that is not in the index yet; one that it cannot read is left out.
        redo: generations to read again even if the index contains them.
        index_type: a key of INDEX_TYPES. None keeps the type of the index; a new or damaged one gets SQfp16. Another
            type than the present one rebuilds the index.

    Raises SpaceMismatch, DiskFull, UnknownName for an unknown index_type, and what `load` raises.
    """
    try:
        current = open_index(folder, space)
    except LibraryDamaged:
        current = None
    if current is not None and index_type not in (None, current.index_type):
        current = None
    kind = index_type or (current.index_type if current else "SQfp16")
    keep = (set(current.keys) & set(wanted)) - set(redo) if current else set()
    missing = sorted(set(wanted) - keep)
    if current is not None and not missing and keep == set(current.keys):
        return False
    loaded = {key: VectorRows(*content) for key in missing if (content := load(key)) is not None}
    _publish(folder, space, kind, _build(space, kind, current, keep, loaded), keep | set(loaded))
    return True


@dataclass(frozen=True)
class _Content:
    """What is written: the index, and of each of its rows where it is from and what its keyframes are called."""

    index: Any
    rows: list[tuple[str, str, int]]
    names: list[list[str] | None]
    keyframes: list[Callable[[], Iterator[Halves]]]
    """Make the vectors of the keyframes, in the order of the rows."""


def _build(
    space: Space, kind: str, current: VectorIndex | None, keep: set[Key], loaded: Mapping[Key, VectorRows]
) -> _Content:
    faiss = load_faiss()
    rows: list[tuple[str, str, int]] = []
    names: list[list[str] | None] = []
    keyframes: list[Callable[[], Iterator[Halves]]] = []
    if current is None:
        if kind not in INDEX_TYPES:
            raise UnknownName(kind="index type", name=kind, known=", ".join(sorted(INDEX_TYPES)))
        index = INDEX_TYPES[kind](space.dim)
    else:
        index = current.index  # opened for this write, so it can be changed
        kept = current.row_mask(keep)
        if not kept.all():
            index.remove_ids(faiss.IDSelectorBitmap(np.packbits(~kept, bitorder="little")))
        numbered = zip(current.scene_ids, current.row_keys, kept, strict=True)
        rows = [(scene_id, *current.keys[number]) for scene_id, number, is_kept in numbered if is_kept]
        names = current.names.filter(pa.array(kept)).to_pylist()
        keyframes.append(partial(_kept_keyframes, current, kept))
    for key, content in loaded.items():
        scenes = by_scene(content)
        if scenes.scene_ids:
            index.add(np.ascontiguousarray(scenes.vectors, dtype=np.float32))
            rows.extend((scene_id, *key) for scene_id in scenes.scene_ids)
            names.extend(scenes.names)
            several = [part for part, own in zip(scenes.rows, scenes.names, strict=True) if own and len(own) > 1]
            keyframes.append(partial(_new_keyframes, content.vectors, several))
    return _Content(index, rows, names, keyframes)


def _kept_keyframes(current: VectorIndex, kept: npt.NDArray[np.bool_]) -> Iterator[Halves]:
    mask = np.repeat(kept, np.diff(current.starts))
    for start in range(0, len(mask), _SLAB_ROWS):
        slab = slice(start, start + _SLAB_ROWS)
        yield current.keyframes[slab][mask[slab]]


def _new_keyframes(vectors: Floats, parts: Iterable[slice]) -> Iterator[Halves]:
    for part in parts:
        yield vectors[part].astype(np.float16)


def _publish(folder: Path, space: Space, kind: str, content: _Content, keys: set[Key]) -> None:
    faiss = load_faiss()
    files.make_folder(folder, levels=3)
    used = [int(m.group(1)) for m in map(_FILE.fullmatch, (p.name for p in folder.iterdir())) if m]
    revision = max(used, default=0) + 1
    own_files = (f"index-{revision}.faiss", f"rows-{revision}.parquet", _keyframes_file(revision))
    written = [folder / name for name in own_files]
    try:
        with disk_errors(f"the index of {space.name}", folder), atomic_write(written[0]) as file:
            # Through a Python file: FAISS's own writer only prints a message if closing fails on a full disk.
            sha256 = _write_index(faiss, content.index, file)
        files.crash_point("index-written")
        names = pa.array(content.names, _NAMES_TYPE)
        count = int(_stored_counts(names).sum())
        keyframes_sha256 = _write_keyframes(written[2], space, content, count) if count else None
        columns = list(zip(*content.rows, strict=True)) or [(), (), ()]
        table = pa.table(
            {
                "scene_id": pa.array(columns[0], pa.string()),
                "video_id": pa.array(columns[1], pa.string()).dictionary_encode(),
                "generation": pa.array(columns[2], pa.int32()),
                "keyframes": names,
            }
        )
        with atomic_write(written[1]) as file:
            pq.write_table(table, file, compression="zstd")
        files.crash_point("rows-written")
        about = _manifest(space, kind, revision, len(content.rows), keys, sha256)
        if count:
            about |= {"keyframe_count": count, "keyframes_sha256": keyframes_sha256}
        write_json(folder / "manifest.json", about)
    except BaseException:
        # What failed may come after the rename of the manifest: then these files are in use.
        if (read_manifest(folder) or {}).get("index_revision") != revision:
            for path in written:
                path.unlink(missing_ok=True)
        raise
    files.crash_point("manifest-switched")
    _remove_old(folder, revision)


def _write_index(faiss: Any, index: Any, file: Any) -> str:
    """Write the index; returns the SHA-256 of its bytes."""
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


def _write_keyframes(path: Path, space: Space, content: _Content, count: int) -> str:
    """Write the vectors of the keyframes as .npy; returns the SHA-256 of the file."""
    header = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
    np.lib.format.write_array_header_1_0(header, {**about, "shape": (count, space.dim)})
    digest = hashlib.sha256(header.getvalue())
    with disk_errors(f"the index of {space.name}", path.parent), atomic_write(path) as file:
        file.write(header.getvalue())
        for make in content.keyframes:
            for block in make():
                data = block.tobytes()
                digest.update(data)
                file.write(data)
    return digest.hexdigest()


def _manifest(space: Space, kind: str, revision: int, count: int, keys: set[Key], sha256: str) -> dict[str, Any]:
    generations: dict[str, list[int]] = {}
    for video_id, n in sorted(keys):
        generations.setdefault(video_id, []).append(n)
    return {
        "format": MANIFEST_FORMAT,
        "space": to_json(space),
        "model": space.model,
        "revision": space.revision,
        "dim": space.dim,
        "metric": "inner_product",
        "type": kind,
        "index_revision": revision,
        "sha256": sha256,
        "count": count,
        "generations": generations,
    }


def _remove_old(folder: Path, revision: int) -> None:
    """Remove revisions before the previous one, which a reader may be opening; opened files stay readable."""
    numbered = [(int(m.group(1)), p) for p in folder.iterdir() if (m := _FILE.fullmatch(p.name))]
    before = max((n for n, _ in numbered if n < revision), default=revision)
    for n, path in numbered:
        if n < before:
            path.unlink(missing_ok=True)
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):  # left by a killed writer: the lock excludes another one
        path.unlink(missing_ok=True)
