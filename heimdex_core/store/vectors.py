"""The vector index of one space, in FAISS. Each write makes a new revision of its files.

index/<space>/index-<revision>.faiss, rows-<revision>.parquet (scene_id, video_id and generation of each row) and
manifest.json, whose rename switches to the new revision. The previous revision is kept for readers that are opening
it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core import files
from heimdex_core.errors import InvalidValue, LibraryDamaged, UnknownName
from heimdex_core.files import (
    TEMPORARY_PREFIX,
    atomic_write,
    disk_errors,
    is_disk_full,
    read_json,
    sha256_of,
    write_json,
)
from heimdex_core.store.parquet import read_table
from heimdex_core.types import Space, to_json

if TYPE_CHECKING:
    import faiss

Key = tuple[str, int]
"""(video_id, generation)"""

Floats = npt.NDArray[np.float32]
Load = Callable[[Key], "tuple[list[str], Floats] | None"]
"""Returns the n scene ids and (n, d) vectors of a generation; None if it cannot be read."""

MANIFEST_FORMAT = 1
THREADS = 1
"""Threads of one search. Several searches run at the same time, and more threads on busy cores are slower."""

_FILE = re.compile(r"(?:index|rows)-(\d+)\.(?:faiss|parquet)")


def _faiss() -> Any:
    import faiss

    faiss.omp_set_num_threads(THREADS)  # OpenMP keeps it for each calling thread, so it is set each time
    return faiss


def _flat(dim: int) -> faiss.Index:
    return _faiss().IndexFlatIP(dim)


def _half(dim: int) -> faiss.Index:
    faiss = _faiss()
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


INDEX_TYPES: Mapping[str, Callable[[int], faiss.Index]] = {"SQfp16": _half, "Flat": _flat}
"""Constructors by type. All search exactly what they store, take an id selector, and keep the order of rows."""


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
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        if query.shape[1] != self.space.dim:
            raise InvalidValue(
                name="vector", value=str(query.shape[1]), reason=f"{self.space.name} has {self.space.dim} dimensions"
            )
        mask = self.row_mask(allowed, scene_ids)
        if rows is not None:
            mask &= rows
        count = min(k, int(mask.sum()))
        if count <= 0:
            return []
        faiss = _faiss()
        params = None
        if not mask.all():
            bits = np.packbits(mask, bitorder="little")
            params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        scores, rows = self.index.search(query, count, params=params)
        hits = [(self.scene_ids[r], float(s)) for s, r in zip(scores[0], rows[0], strict=True) if r >= 0]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """The stored (d,) float32 vector of a scene in one generation; None if it has none."""
        number = self._numbers.get(key)
        row = None if number is None else self._rows.get((scene_id, number))
        return None if row is None else np.asarray(self.index.reconstruct(row), dtype=np.float32)

    def rows_outside(self, other: VectorIndex) -> npt.NDArray[np.bool_]:
        """(n,) whether each row is of a scene that has no row in the `other` space's index, in the same generation."""
        known = {(scene_id, other.keys[key]) for scene_id, key in zip(other.scene_ids, other.row_keys, strict=True)}
        own = zip(self.scene_ids, self.row_keys, strict=True)
        return np.array([(scene_id, self.keys[key]) not in known for scene_id, key in own], dtype=bool)

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
    wanted = manifest.get("sha256") if manifest["index_revision"] == index.revision else None
    if wanted is not None and sha256_of(folder / f"index-{index.revision}.faiss") != wanted:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its content is not what was written")
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
    faiss = _faiss()
    revision = int(manifest["index_revision"])
    try:
        table = read_table(folder / f"rows-{revision}.parquet")
        path = folder / f"index-{revision}.faiss"
        path.stat()  # FAISS raises RuntimeError for a missing file
        index = faiss.read_index(str(path))
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, RuntimeError) as error:
        raise LibraryDamaged(what=f"the index of {space.name}", reason=str(error)[-200:]) from error
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
    )


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
    loaded = {key: content for key in missing if (content := load(key)) is not None}
    index, rows = _build(space, kind, current, keep, loaded)
    _publish(folder, space, kind, index, rows, keep | set(loaded))
    return True


def _build(
    space: Space, kind: str, current: VectorIndex | None, keep: set[Key], loaded: Mapping[Key, tuple[list[str], Floats]]
) -> tuple[Any, list[tuple[str, str, int]]]:
    faiss = _faiss()
    rows: list[tuple[str, str, int]] = []
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
    for key, (scene_ids, vectors) in loaded.items():
        if len(scene_ids):
            index.add(np.ascontiguousarray(vectors, dtype=np.float32))
            rows.extend((scene_id, *key) for scene_id in scene_ids)
    return index, rows


def _publish(
    folder: Path,
    space: Space,
    kind: str,
    index: Any,
    rows: list[tuple[str, str, int]],
    keys: set[Key],
) -> None:
    faiss = _faiss()
    files.make_folder(folder, levels=3)
    used = [int(m.group(1)) for m in map(_FILE.fullmatch, (p.name for p in folder.iterdir())) if m]
    revision = max(used, default=0) + 1
    written = [folder / f"index-{revision}.faiss", folder / f"rows-{revision}.parquet"]
    try:
        with disk_errors(f"the index of {space.name}", folder), atomic_write(written[0]) as file:
            # Through a Python file: FAISS's own writer only prints a message if closing fails on a full disk.
            sha256 = _write_index(faiss, index, file)
        files.crash_point("index-written")
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        table = pa.table(
            {
                "scene_id": pa.array(columns[0], pa.string()),
                "video_id": pa.array(columns[1], pa.string()).dictionary_encode(),
                "generation": pa.array(columns[2], pa.int32()),
            }
        )
        with atomic_write(written[1]) as file:
            pq.write_table(table, file, compression="zstd")
        files.crash_point("rows-written")
        write_json(folder / "manifest.json", _manifest(space, kind, revision, len(rows), keys, sha256))
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
