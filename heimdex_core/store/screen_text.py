"""screen_text.parquet of a generation: the lines that were read in each keyframe, with their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import atomic_write
from heimdex_core.store.parquet import read_table
from heimdex_core.types import FrameText, TextLine

FILE = "screen_text.parquet"
MAX_ROWS = 2_000_000
"""Of one video."""
_PLACE = ("x", "y", "width", "height")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("scene_id", "keyframe", "text")),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("confidence", *_PLACE)),
    ],
    {"kind": "screen_text", "format": "1"},
)


def write_screen_text(folder: Path, frames: Mapping[str, Sequence[FrameText]]) -> None:
    """Write the lines of the keyframes of each scene, by scene_id, into a generation's folder. Raises DiskFull."""
    rows = [
        {"scene_id": scene_id, "keyframe": frame.file, "text": line.text, "confidence": line.confidence}
        | {name: getattr(line, name) for name in _PLACE}
        for scene_id, found in frames.items()
        for frame in found
        for line in frame.lines
    ]
    with atomic_write(folder / FILE) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), file, compression="zstd", write_page_checksum=True)


def read_screen_text(folder: Path, scene_id: str) -> list[FrameText]:
    """The lines of a scene's keyframes in order of time; empty where nothing has read them. Raises LibraryDamaged."""
    try:
        table = read_table(folder / FILE, MAX_ROWS).select(_SCHEMA.names).cast(_SCHEMA)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LibraryDamaged(what=FILE, reason=str(error)[:200]) from error
    rows = [row for row in table.to_pylist() if row.pop("scene_id") == scene_id]
    return [
        FrameText(file, tuple(TextLine(**{name: row[name] for name in row if name != "keyframe"}) for row in found))
        for file, found in groupby(rows, key=itemgetter("keyframe"))
    ]
