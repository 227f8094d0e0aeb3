"""The files of a lexical index: what a document has, the manifest, and the check of tantivy's own files.

The manifest lists the generations in the index. Beside the text, a document has its scene's id as four numbers in
columns (tantivy's fast fields), because reading a thousand ids from the document store takes 5 ms, and 0.1 ms from the
columns.
"""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import tantivy

from heimdex_core.errors import LibraryDamaged, SceneNotFound
from heimdex_core.files import atomic_write, read_json
from heimdex_core.store import analysis
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import parse_scene_id

FIELDS: Mapping[str, float] = {"transcript": 3.0, "title": 2.0, "tags": 4.0, "caption": 2.0, "on_screen_text": 2.0}
"""The searched fields and their weights: the BM25 score of a match is multiplied by it."""

COLUMNS = ("video_high", "video_low", "start_ms", "end_ms")
"""The scene's id as unsigned integers of 64 bits: its video's UUID in two halves, its start and its end."""

FORMAT = 4
WITH_COLUMNS = 4
"""The first format with COLUMNS and with the language of what is said."""
READABLE = (1, 2, 3, 4)
"""Format 1 had no captions, 2 no morphemes. All are searched as they are."""
WRITABLE = (3, 4)
"""An index of format 3 stays one, because reading a large library's texts again takes minutes; 1 and 2 are rebuilt by
the next write."""

_SEGMENT_PARTS = ("idx", "pos", "term", "store", "fast", "fieldnorm")
_LOW_BITS = (1 << 64) - 1


def key_name(key: Key) -> str:
    """How documents name their generation."""
    return f"{key[0]}#{key[1]}"


def schema() -> tantivy.Schema:
    """The fields of a document in a new index."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("scene", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("generation", tokenizer_name="raw", index_option="basic")
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("language", tokenizer_name="raw", index_option="basic")
    for name in COLUMNS:
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def open_index(folder: Path) -> tantivy.Index:
    """The index in a folder. Raises ValueError for files that tantivy cannot read."""
    try:
        return tantivy.Index.open(str(folder))
    except BaseException as error:
        # damaged columns make tantivy panic, which arrives as an error that is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from error


def columns_of(scene_id: str) -> tuple[int, int, int, int] | None:
    """The numbers of COLUMNS; None for an id that could not be made of them again."""
    try:
        video_id, start_ms, end_ms = parse_scene_id(scene_id)
        number = uuid.UUID(video_id).int
    except (SceneNotFound, ValueError):
        return None
    high, low = number >> 64, number & _LOW_BITS
    is_exact = scene_id == f"{video_of(high, low)}_{start_ms}_{end_ms}" and max(start_ms, end_ms) <= _LOW_BITS
    return (high, low, start_ms, end_ms) if is_exact else None


def video_of(high: int, low: int) -> str:
    """The video_id of the halves of its UUID."""
    return str(uuid.UUID(int=high << 64 | low))


@dataclass(frozen=True)
class Manifest:
    """What manifest.json says about the index."""

    format: int
    fields: tuple[str, ...]
    complete: frozenset[Key]
    """The generations in the index."""
    pending: frozenset[Key]
    """Generations that were about to be written or removed: they may be in the index."""


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest; None if there is none. Raises LibraryDamaged."""
    try:
        value = read_json(folder / "manifest.json")
        if value["format"] not in READABLE or value["analysis"] != analysis.VERSION:
            raise ValueError(f"it has the unknown version {value['format']}.{value['analysis']}")
        complete, pending = (frozenset((v, int(n)) for v, n in value[name]) for name in ("generations", "pending"))
        return Manifest(value["format"], tuple(value["fields"]), complete, pending)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="the lexical index", reason=str(error)[:200]) from error


def write_manifest(folder: Path, index_format: int, keys: Collection[Key], pending: Collection[Key]) -> None:
    """Replace the manifest by one that names these generations."""
    # json alone, as `write_json` looks at each of ten thousand keys for values that are not JSON
    value = {
        "format": index_format,
        "analysis": analysis.VERSION,
        "fields": dict(FIELDS),
        "generations": sorted(keys),
        "pending": sorted(pending),
    }
    with atomic_write(folder / "manifest.json") as file:
        file.write(json.dumps(value).encode())


def generations(folder: Path) -> frozenset[Key]:
    """The generations in the index; empty if there is no index. Raises LibraryDamaged."""
    manifest = read_manifest(folder)
    return manifest.complete if manifest else frozenset()


def check_segments(folder: Path) -> None:
    """Compare every file of the index with its checksum. Raises LibraryDamaged."""
    try:
        for segment in read_json(folder / "meta.json")["segments"]:
            for part in _SEGMENT_PARTS:
                path = folder / f"{str(segment['segment_id']).replace('-', '')}.{part}"
                if not _fits_its_checksum(path.read_bytes()):
                    raise ValueError(f"{path.name} is not what was written")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="the lexical index", reason=str(error)[:200]) from error


def _fits_its_checksum(content: bytes) -> bool:
    """Whether a file of tantivy is as it was written: body, footer (JSON with the body's CRC-32), its length, 1337."""
    if len(content) < 8:
        return False
    length, magic = struct.unpack("<II", content[-8:])
    if magic != 1337 or length > len(content) - 8:
        return False
    footer = json.loads(content[-8 - length : -8])
    return bool(zlib.crc32(content[: -8 - length]) == footer["crc"])
