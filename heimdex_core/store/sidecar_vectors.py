"""vectors/<space>.parquet of a generation: one row a scene, or in format 2 one row for each keyframe; float16."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import cast, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heimdex_core.errors import InvalidValue, LibraryDamaged
from heimdex_core.store.keyframe_vectors import Pooling, VectorRows, by_scene
from heimdex_core.store.layout import check_space_name
from heimdex_core.store.rows import FILE_NAME
from heimdex_core.store.sidecar_files import log_left_out, read_file, write_file
from heimdex_core.types import Space, to_json

KEYFRAMES_FORMAT = 2
"""Of vectors with a row a keyframe: versions that expect a row a scene refuse them."""
MAX_VECTORS = 1_000_000


def vectors_path(folder: Path, space_name: str) -> Path:
    """The file of a generation's vectors in a space. Raises InvalidValue for a malformed name."""
    return folder / "vectors" / f"{check_space_name(space_name)}.parquet"


def write_vectors(folder: Path, space: Space, rows: VectorRows | Sequence[str], vectors: npt.ArrayLike = ()) -> None:
    """Write vectors/<space>.parquet, components as float16.

    Args:
        folder: a generation's folder.
        space: the space of the vectors.
        rows: the rows, or n scene ids of which each has one vector.
        vectors: (n, d) with d = space.dim, finite; where only ids are given.

    Raises InvalidValue, DiskFull.
    """
    if not isinstance(rows, VectorRows):
        rows = VectorRows(rows, np.asarray(vectors, dtype=np.float32))
    array = np.asarray(rows.vectors, dtype=np.float32)
    if array.size != len(rows.scene_ids) * space.dim:
        raise InvalidValue(name="vectors", value=str(array.shape), reason=f"{space.name} has {space.dim} dimensions")
    if not np.isfinite(array).all():
        raise InvalidValue(name="vectors", value=space.name, reason="every component must be finite")
    halves = pa.array(array.reshape(-1).astype(np.float16), pa.float16())
    columns = {
        "scene_id": pa.array(list(rows.scene_ids), pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(halves, space.dim),
    }
    metadata = {"space": json.dumps(to_json(space))}
    if rows.keyframes is not None:
        columns["keyframe"] = pa.array(list(rows.keyframes), pa.string())
        metadata |= {"pooling": rows.pooling, "format": str(KEYFRAMES_FORMAT)}
    write_file(vectors_path(folder, space.name), pa.table(columns), metadata)


def read_vectors(folder: Path, space: Space) -> tuple[list[str], npt.NDArray[np.float32]]:
    """(n scene ids, (n, d) float32 vectors), one of each scene; those of several keyframes are pooled.

    Vectors that are not finite are left out, and this is logged once. Raises FileNotFoundError, LibraryDamaged,
    SpaceMismatch for vectors of another model, revision or width.
    """
    scenes = by_scene(read_vector_rows(folder, space))
    return scenes.scene_ids, scenes.vectors


def read_vector_rows(folder: Path, space: Space) -> VectorRows:
    """The vectors as they were written, also those of keyframes. See `read_vectors`."""
    rows, problems = check_vectors(folder, space)
    log_left_out(vectors_path(folder, space.name), problems)
    return rows


def check_vectors(folder: Path, space: Space) -> tuple[VectorRows, list[str]]:
    """The vectors that can be used, and what is wrong with the others. Raises as `read_vectors`."""
    path = vectors_path(folder, space.name)
    table = read_file(path, MAX_VECTORS, newest=KEYFRAMES_FORMAT)
    metadata = table.schema.metadata or {}
    try:
        found = Space(**json.loads(metadata[b"space"]))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise LibraryDamaged(what=path.name, reason="it does not name its space") from error
    space.check(found)
    has_keyframes = "keyframe" in table.column_names
    pooling = metadata.get(b"pooling", b"mean").decode(errors="replace")
    if pooling not in get_args(Pooling):
        raise LibraryDamaged(what=path.name, reason=f"its pooling is {pooling[:20]!r}")
    try:
        schema = vectors_schema(space.dim, with_keyframes=has_keyframes)
        table = table.select(schema.names).cast(schema)
        table.validate(full=True)
        halves = table.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        array = halves.astype(np.float32).reshape(table.num_rows, space.dim)
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise LibraryDamaged(what=path.name, reason=str(error)[:200]) from error
    scene_ids: list[str] = table.column("scene_id").to_pylist()
    keyframes: list[str] | None = table.column("keyframe").to_pylist() if has_keyframes else None
    if keyframes is not None and not _are_good_names(scene_ids, keyframes):
        raise LibraryDamaged(what=path.name, reason="its keyframes are not those of one scene after the other")
    good = np.isfinite(array).all(axis=1)
    rows = VectorRows(scene_ids, array, keyframes, cast(Pooling, pooling))
    if good.all():
        return rows, []
    kept = np.flatnonzero(good)
    names = None if keyframes is None else [keyframes[n] for n in kept]
    rows = rows._replace(scene_ids=[scene_ids[n] for n in kept], vectors=array[good], keyframes=names)
    return rows, [f"{len(good) - len(kept)} vectors are not finite"]


def _are_good_names(scene_ids: Sequence[str], keyframes: Sequence[str]) -> bool:
    """Whether the rows of each scene are together, and its keyframes are file names, each once."""
    runs = sum(1 for _ in groupby(scene_ids))
    is_grouped = runs == len(set(scene_ids)) and len(set(zip(scene_ids, keyframes, strict=True))) == len(keyframes)
    return is_grouped and all(re.match(FILE_NAME, name) for name in keyframes)


def vectors_schema(dim: int, *, with_keyframes: bool = False) -> pa.Schema:
    """The columns of a vectors file."""
    vector = pa.field("vector", pa.list_(pa.float16(), dim), nullable=False)
    columns = [pa.field("scene_id", pa.string(), nullable=False), vector]
    if with_keyframes:
        columns.append(pa.field("keyframe", pa.string(), nullable=False))
    return pa.schema(columns)
