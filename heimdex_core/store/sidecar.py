"""A generation's files: scenes.parquet, words.parquet, vectors/<space>.parquet (float16), provenance.json.

The metadata of every Parquet file names its kind and format version. sidecar_files.py has what the files share,
sidecar_vectors.py the files of vectors, which others use through this module as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.parquet import python_rows
from heimdex_core.store.rows import SCENE_RULES, WORD_RULES, usable
from heimdex_core.store.sidecar_files import FORMAT_VERSION, log_left_out, read_columns, read_rows, write_file
from heimdex_core.store.sidecar_vectors import (
    MAX_VECTORS,
    check_vectors,
    read_vector_rows,
    read_vectors,
    vectors_path,
    vectors_schema,
    write_vectors,
)
from heimdex_core.types import Json, Keyframe, Scene, Transcript, Word

__all__ = [
    "KEYFRAME_TYPE",
    "MAX_SCENES",
    "MAX_VECTORS",
    "MAX_WORDS",
    "SCENES_SCHEMA",
    "WORDS_SCHEMA",
    "check_scenes",
    "check_vectors",
    "check_words",
    "read_provenance",
    "read_scenes",
    "read_scenes_table",
    "read_scenes_tables",
    "read_vector_rows",
    "read_vectors",
    "read_words",
    "read_words_table",
    "scenes_of",
    "scenes_table",
    "vectors_path",
    "vectors_schema",
    "write_provenance",
    "write_scenes",
    "write_vectors",
    "write_words",
]

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
MAX_WORDS = 2_000_000
"""Of one video; a day of speech has some 200,000 words."""

_DEFAULTS: Json = {
    "divided": False, "on_screen_text": "", "caption": "", "speech_ratio": 0.0, "motion": 0.0, "brightness": 0.0,
}  # fmt: skip
"""The values of columns that a file lacks."""


# --- scenes ---------------------------------------------------------------------------------------


def write_scenes(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write scenes.parquet into a generation's folder. Raises DiskFull."""
    write_file(folder / "scenes.parquet", scenes_table(scenes), {})


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
    log_left_out(folder / "scenes.parquet", problems)
    return table


def read_scenes_tables(folders: Mapping[str, Path]) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """(tables as from `read_scenes_table`, why the others cannot be read), both by the keys of `folders`.

    The rows of all are looked at together, which is many times quicker than one file after the other.
    """
    tables: dict[str, pa.Table] = {}
    errors: dict[str, str] = {}
    for key, folder in folders.items():
        try:
            tables[key] = read_columns(folder / "scenes.parquet", SCENES_SCHEMA, MAX_SCENES).replace_schema_metadata(
                None
            )
        except (OSError, LibraryDamaged) as error:
            errors[key] = str(error)
    # In one piece: a rule costs as much for a hundred rows as for a hundred thousand.
    if tables and usable(pa.concat_tables(tables.values()).combine_chunks(), SCENE_RULES)[1]:
        for key, table in tables.items():
            tables[key], problems = usable(table, SCENE_RULES)
            log_left_out(folders[key] / "scenes.parquet", problems)
    return tables, errors


def check_scenes(folder: Path) -> tuple[pa.Table, list[str]]:
    """(the rows of scenes.parquet that can be used, what is wrong with the others).

    Raises FileNotFoundError, LibraryDamaged.
    """
    table, problems = read_rows(folder / "scenes.parquet", SCENES_SCHEMA, SCENE_RULES, MAX_SCENES)
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
    write_file(folder / "words.parquet", table, {"transcript": json.dumps(about, ensure_ascii=False)})


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
    log_left_out(folder / "words.parquet", problems)
    return table


def check_words(folder: Path) -> tuple[pa.Table, list[str]]:
    """(the rows of words.parquet that can be used, what is wrong with the others).

    Raises FileNotFoundError, LibraryDamaged.
    """
    return read_rows(folder / "words.parquet", WORDS_SCHEMA, WORD_RULES, MAX_WORDS)


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


# --- provenance -----------------------------------------------------------------------------------


def write_provenance(folder: Path, provenance: Mapping[str, Any]) -> None:
    """Write provenance.json: models, revisions, parameters, fingerprints. Raises DiskFull."""
    write_json(folder / "provenance.json", {"format": FORMAT_VERSION, **provenance})


def read_provenance(folder: Path) -> Json:
    """The content of provenance.json; empty if it is missing or cannot be parsed. Raises OSError."""
    return read_json_object(folder / "provenance.json") or {}
