"""A generation's files: scenes.parquet, words.parquet, vectors/<space>.parquet (float16), provenance.json.

The metadata of every Parquet file names its kind and format version. A file of vectors has one row a scene, or in
format 2 one row for each keyframe.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import InvalidValue, LibraryDamaged
from heimdex_core.files import atomic_write, make_folder, read_json_object, write_json
from heimdex_core.store.keyframe_vectors import Pooling, VectorRows, by_scene
from heimdex_core.store.layout import check_space_name
from heimdex_core.store.parquet import python_rows, read_table
from heimdex_core.store.rows import FILE_NAME, SCENE_RULES, WORD_RULES, Rule, usable
from heimdex_core.types import Json, Keyframe, Scene, Space, Transcript, Word, to_json

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
KEYFRAMES_FORMAT = 2
"""Of vectors with a row a keyframe: versions that expect a row a scene refuse them."""

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


MAX_SCENES = 200_000
MAX_VECTORS = 1_000_000
MAX_WORDS = 2_000_000
"""Of one video; a day of speech has some 200,000 words."""

_DEFAULTS: Json = {
    "divided": False, "on_screen_text": "", "caption": "", "speech_ratio": 0.0, "motion": 0.0, "brightness": 0.0,
}  # fmt: skip
"""The values of columns that a file lacks."""


def vectors_path(folder: Path, space_name: str) -> Path:
    """The file of a generation's vectors in a space. Raises InvalidValue for a malformed name."""
    return folder / "vectors" / f"{check_space_name(space_name)}.parquet"


# --- scenes ---------------------------------------------------------------------------------------


def write_scenes(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write scenes.parquet into a generation's folder. Raises DiskFull."""
    _write(folder / "scenes.parquet", scenes_table(scenes), {})


def scenes_table(scenes: Iterable[Scene]) -> pa.Table:
    """Scenes as rows with SCENES_SCHEMA."""
    return pa.Table.from_pylist([_scene_row(scene) for scene in scenes], schema=SCENES_SCHEMA)


def read_scenes(folder: Path) -> list[Scene]:
    """The scenes in the order they were written in. Raises FileNotFoundError, LibraryDamaged."""
    return scenes_of(read_scenes_table(folder))


def read_scenes_table(folder: Path) -> pa.Table:
    """scenes.parquet as Arrow with SCENES_SCHEMA; columns that an older file lacks are null.

    Rows that cannot be used are left out, and this is logged once. Raises FileNotFoundError, LibraryDamaged.
    """
    table, problems = check_scenes(folder)
    _say_once(folder / "scenes.parquet", problems)
    return table


def read_scenes_tables(folders: Mapping[str, Path]) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """(tables as from `read_scenes_table`, why the others cannot be read), both by the keys of `folders`.

    The rows of all are looked at together, which is many times quicker than one file after the other.
    """
    tables: dict[str, pa.Table] = {}
    errors: dict[str, str] = {}
    for key, folder in folders.items():
        try:
            tables[key] = _read_columns(folder / "scenes.parquet", SCENES_SCHEMA, MAX_SCENES).replace_schema_metadata(
                None
            )
        except (OSError, LibraryDamaged) as error:
            errors[key] = str(error)
    # In one piece: a rule costs as much for a hundred rows as for a hundred thousand.
    if tables and usable(pa.concat_tables(tables.values()).combine_chunks(), SCENE_RULES)[1]:
        for key, table in tables.items():
            tables[key], problems = usable(table, SCENE_RULES)
            _say_once(folders[key] / "scenes.parquet", problems)
    return tables, errors


def check_scenes(folder: Path) -> tuple[pa.Table, list[str]]:
    """(the rows of scenes.parquet that can be used, what is wrong with the others).

    Raises FileNotFoundError, LibraryDamaged.
    """
    table, problems = _read_rows(folder / "scenes.parquet", SCENES_SCHEMA, SCENE_RULES, MAX_SCENES)
    return table.replace_schema_metadata(None), problems


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
    row |= {name: default for name, default in _DEFAULTS.items() if row[name] is None}
    row["tags"] = tuple(row["tags"] or ())
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
    """words.parquet as Arrow with WORDS_SCHEMA; empty if there is no such file.

    Rows that cannot be used are left out, and this is logged once. Raises LibraryDamaged.
    """
    try:
        table, problems = check_words(folder)
    except FileNotFoundError:
        return WORDS_SCHEMA.empty_table()
    _say_once(folder / "words.parquet", problems)
    return table


def check_words(folder: Path) -> tuple[pa.Table, list[str]]:
    """(the rows of words.parquet that can be used, what is wrong with the others).

    Raises FileNotFoundError, LibraryDamaged.
    """
    return _read_rows(folder / "words.parquet", WORDS_SCHEMA, WORD_RULES, MAX_WORDS)


def read_words(folder: Path) -> Transcript:
    """The transcript that `write_words` wrote; one of source "none" if there is no file. Raises LibraryDamaged."""
    table = read_words_table(folder)
    by_segment = groupby(table.to_pylist(), key=itemgetter("segment"))
    segments = [_segment_json(list(rows)) for _, rows in by_segment]
    try:
        about = json.loads((table.schema.metadata or {}).get(b"transcript", b'{"source": "none"}'))
        return Transcript.from_json({**about, "segments": segments})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LibraryDamaged(
            what="words.parquet", reason=f"it does not describe its transcript: {error}"[:200]
        ) from error


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
    _write(vectors_path(folder, space.name), pa.table(columns), metadata)


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
    _say_once(vectors_path(folder, space.name), problems)
    return rows


def check_vectors(folder: Path, space: Space) -> tuple[VectorRows, list[str]]:
    """The vectors that can be used, and what is wrong with the others. Raises as `read_vectors`."""
    path = vectors_path(folder, space.name)
    table = _read(path, MAX_VECTORS, newest=KEYFRAMES_FORMAT)
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
    make_folder(path.parent, levels=2)
    with atomic_write(path) as file:
        pq.write_table(described, file, compression="zstd", write_page_checksum=True)


def _read_rows(path: Path, schema: pa.Schema, rules: Sequence[Rule], max_rows: int) -> tuple[pa.Table, list[str]]:
    table = _read_columns(path, schema, max_rows)
    kept, problems = usable(table, rules)
    return kept.replace_schema_metadata(table.schema.metadata), problems


def _read_columns(path: Path, schema: pa.Schema, max_rows: int) -> pa.Table:
    """The columns of a schema, null where the file lacks them, with the metadata of the file."""
    table = _read(path, max_rows)
    metadata = table.schema.metadata
    try:
        for field in schema:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return table.select(schema.names).cast(schema).replace_schema_metadata(metadata)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise LibraryDamaged(what=path.name, reason=str(error)[:200]) from error


def _read(path: Path, max_rows: int, newest: int = FORMAT_VERSION) -> pa.Table:
    try:
        table = read_table(path, max_rows)
        found = int((table.schema.metadata or {}).get(b"format", b"0"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LibraryDamaged(what=path.name, reason=str(error)[:200]) from error
    if not 1 <= found <= newest:
        raise LibraryDamaged(what=path.name, reason=f"it has format {found}; up to {newest} is known")
    return table


_said: set[tuple[str, str]] = set()
"""(path, problem) of what this process has logged."""


def _say_once(path: Path, problems: Sequence[str]) -> None:
    for problem in problems:
        if (str(path), problem) not in _said:
            _said.add((str(path), problem))
            log.warning("rows of %s are left out: %s", path, problem)
