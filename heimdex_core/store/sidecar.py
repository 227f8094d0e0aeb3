"""A generation's files: scenes.parquet, words.parquet, vectors/<space>.parquet (float16), provenance.json.

The metadata of every Parquet file names its kind and format version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import InvalidValue, LibraryDamaged
from heimdex_core.files import atomic_write, read_json_object, write_json
from heimdex_core.store.layout import check_space_name
from heimdex_core.store.parquet import python_rows, read_table
from heimdex_core.types import Json, Keyframe, Scene, Space, Transcript, Word, to_json

FORMAT_VERSION = 1

KEYFRAME_TYPE = pa.struct(
    [
        ("time_s", pa.float64()),
        ("brightness", pa.float64()),
        ("sharpness", pa.float64()),
        ("score", pa.float64()),
        ("file", pa.string()),
    ]
)

SCENES_SCHEMA = pa.schema(
    [
        ("scene_id", pa.string()),
        ("video_id", pa.string()),
        ("index", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("divided", pa.bool_()),
        ("transcript", pa.string()),
        ("language", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("on_screen_text", pa.string()),
        ("caption", pa.string()),
        ("keyframes", pa.list_(KEYFRAME_TYPE)),
        ("thumbnail", pa.string()),
        ("speech_ratio", pa.float64()),
        ("motion", pa.float64()),
        ("brightness", pa.float64()),
        ("dominant_colours", pa.list_(pa.string())),
        ("near_duplicate_group", pa.int32()),
        ("created_at", pa.timestamp("us", tz="UTC")),
    ]
)

WORDS_SCHEMA = pa.schema(
    [
        ("scene_id", pa.string()),
        ("segment", pa.int32()),
        ("is_word", pa.bool_()),
        ("text", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("confidence", pa.float64()),
        ("segment_start_s", pa.float64()),
        ("segment_end_s", pa.float64()),
        ("segment_text", pa.string()),
        ("segment_confidence", pa.float64()),
        ("segment_no_speech", pa.float64()),
    ]
)


def vectors_path(folder: Path, space_name: str) -> Path:
    """The file of a generation's vectors in a space. Raises InvalidValue for a malformed name."""
    return folder / "vectors" / f"{check_space_name(space_name)}.parquet"


# --- scenes ---------------------------------------------------------------------------------------


def write_scenes(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write scenes.parquet into a generation's folder. Raises DiskFull."""
    _write(folder / "scenes.parquet", pa.Table.from_pylist([_scene_row(s) for s in scenes], schema=SCENES_SCHEMA), {})


def read_scenes(folder: Path) -> list[Scene]:
    """The scenes in the order they were written in. Raises FileNotFoundError, LibraryDamaged."""
    return scenes_of(read_scenes_table(folder))


def read_scenes_table(folder: Path) -> pa.Table:
    """scenes.parquet as Arrow with SCENES_SCHEMA; columns that an older file lacks are null.

    Raises FileNotFoundError, LibraryDamaged.
    """
    table = _read(folder / "scenes.parquet")
    for field in SCENES_SCHEMA:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(SCENES_SCHEMA.names).cast(SCENES_SCHEMA)


def scenes_of(table: pa.Table) -> list[Scene]:
    """The rows of a table with the columns of SCENES_SCHEMA as scenes; further columns are ignored."""
    return [_scene(row) for row in python_rows(table.select(SCENES_SCHEMA.names))]


def _scene_row(scene: Scene) -> Json:
    row: Json = {name: getattr(scene, name) for name in SCENES_SCHEMA.names}
    row["tags"] = list(scene.tags)
    row["dominant_colours"] = list(scene.dominant_colours)
    row["keyframes"] = [{f.name: getattr(k, f.name) for f in KEYFRAME_TYPE} for k in scene.keyframes]
    return row


def _scene(row: Json) -> Scene:
    row["tags"] = tuple(row["tags"] or ())
    row["caption"] = row["caption"] or ""
    row["dominant_colours"] = tuple(row["dominant_colours"] or ())
    row["keyframes"] = tuple(Keyframe(**k) for k in row["keyframes"] or ())
    return Scene(**row)


# --- words ----------------------------------------------------------------------------------------


def write_words(folder: Path, transcript: Transcript, scenes: Sequence[Scene]) -> None:
    """Write words.parquet: one row a word; a segment without word times is one row with is_word false.

    A row's scene_id is that of the scene that contains the middle of the word, null if none does. Raises DiskFull.
    """
    rows: list[Json] = []
    for number, segment in enumerate(transcript.segments):
        shared = {
            "segment": number,
            "segment_start_s": segment.start_s,
            "segment_end_s": segment.end_s,
            "segment_text": segment.text,
            "segment_confidence": segment.confidence,
            "segment_no_speech": segment.no_speech,
        }
        words = segment.words or (Word(segment.text, segment.start_s, segment.end_s, segment.confidence),)
        for word in words:
            rows.append(
                {
                    **shared,
                    "is_word": bool(segment.words),
                    "text": word.text,
                    "start_s": word.start_s,
                    "end_s": word.end_s,
                    "confidence": word.confidence,
                }
            )
    _assign_scenes(rows, scenes)
    about = {
        "source": transcript.source,
        "language": transcript.language,
        "model": transcript.model,
        "rough": transcript.rough,
        "dropped": dict(transcript.dropped),
        "notes": list(transcript.notes),
    }
    table = pa.Table.from_pylist(rows, schema=WORDS_SCHEMA)
    _write(folder / "words.parquet", table, {"transcript": json.dumps(about, ensure_ascii=False)})


def _assign_scenes(rows: list[Json], scenes: Sequence[Scene]) -> None:
    ordered = sorted(scenes, key=lambda s: s.start_s)
    starts = np.array([s.start_s for s in ordered])
    for row in rows:
        middle = (row["start_s"] + row["end_s"]) / 2
        at = int(np.searchsorted(starts, middle, side="right")) - 1
        inside = at >= 0 and middle < ordered[at].end_s
        row["scene_id"] = ordered[at].scene_id if inside else None


def read_words_table(folder: Path) -> pa.Table:
    """words.parquet as Arrow with WORDS_SCHEMA; empty if there is no such file. Raises LibraryDamaged."""
    try:
        return _read(folder / "words.parquet")
    except FileNotFoundError:
        return WORDS_SCHEMA.empty_table()


def read_words(folder: Path) -> Transcript:
    """The transcript that `write_words` wrote; one of source "none" if there is no file. Raises LibraryDamaged."""
    table = read_words_table(folder)
    about = json.loads((table.schema.metadata or {}).get(b"transcript", b'{"source": "none"}'))
    by_segment = groupby(table.to_pylist(), key=itemgetter("segment"))
    return Transcript.from_json({**about, "segments": [_segment_json(list(rows)) for _, rows in by_segment]})


def _segment_json(rows: list[Json]) -> Json:
    first = rows[0]
    names = ("text", "start_s", "end_s", "confidence")
    words = [{name: row[name] for name in names} for row in rows if row["is_word"]]
    return {
        "start_s": first["segment_start_s"],
        "end_s": first["segment_end_s"],
        "text": first["segment_text"],
        "confidence": first["segment_confidence"],
        "no_speech": first["segment_no_speech"],
        "words": words,
    }


# --- vectors --------------------------------------------------------------------------------------


def write_vectors(folder: Path, space: Space, scene_ids: Sequence[str], vectors: npt.ArrayLike) -> None:
    """Write vectors/<space>.parquet: one row a scene, components as float16.

    Args:
        folder: a generation's folder.
        space: the space of the vectors.
        scene_ids: n ids.
        vectors: (n, d) with d = space.dim, finite.

    Raises InvalidValue, DiskFull.
    """
    array = np.asarray(vectors, dtype=np.float32)
    if array.size != len(scene_ids) * space.dim:
        raise InvalidValue(name="vectors", value=str(array.shape), reason=f"{space.name} has {space.dim} dimensions")
    if not np.isfinite(array).all():
        raise InvalidValue(name="vectors", value=space.name, reason="every component must be finite")
    halves = pa.array(array.reshape(-1).astype(np.float16), pa.float16())
    column = pa.FixedSizeListArray.from_arrays(halves, space.dim)
    table = pa.table({"scene_id": pa.array(list(scene_ids), pa.string()), "vector": column})
    _write(vectors_path(folder, space.name), table, {"space": json.dumps(to_json(space))})


def read_vectors(folder: Path, space: Space) -> tuple[list[str], npt.NDArray[np.float32]]:
    """(n scene ids, (n, d) float32 vectors).

    Raises FileNotFoundError, LibraryDamaged, SpaceMismatch for vectors of another model, revision or width.
    """
    table = _read(vectors_path(folder, space.name))
    try:
        found = Space(**json.loads((table.schema.metadata or {})[b"space"]))
    except (KeyError, ValueError, TypeError) as error:
        raise LibraryDamaged(what="a vectors file", reason="it does not name its space") from error
    space.check(found)
    halves = table.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return table.column("scene_id").to_pylist(), halves.astype(np.float32).reshape(-1, space.dim)


# --- provenance -----------------------------------------------------------------------------------


def write_provenance(folder: Path, provenance: Mapping[str, Any]) -> None:
    """Write provenance.json: models, revisions, parameters, fingerprints. Raises DiskFull."""
    write_json(folder / "provenance.json", {"format": FORMAT_VERSION, **provenance})


def read_provenance(folder: Path) -> Json:
    """The content of provenance.json; empty if it is missing or cannot be parsed. Raises OSError."""
    return read_json_object(folder / "provenance.json") or {}


# --- shared ---------------------------------------------------------------------------------------


def _write(path: Path, table: pa.Table, metadata: Mapping[str, str]) -> None:
    described = table.replace_schema_metadata({"format": str(FORMAT_VERSION), "kind": path.stem, **metadata})
    with atomic_write(path) as file:
        pq.write_table(described, file, compression="zstd")


def _read(path: Path) -> pa.Table:
    try:
        table = read_table(path)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise LibraryDamaged(what=path.name, reason=str(error)[:200]) from error
    found = int((table.schema.metadata or {}).get(b"format", b"0"))
    if not 1 <= found <= FORMAT_VERSION:
        raise LibraryDamaged(what=path.name, reason=f"it has format {found}; up to {FORMAT_VERSION} is known")
    return table
