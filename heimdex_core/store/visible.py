"""visible.parquet: what readers know to exist, and with which models it was made.

Written last, after the catalog's commit, under its lock. The videos and the set of models are in one
file so that one rename switches both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.store.transaction import Transaction, from_us
from heimdex_core.types import ModelSet, Space, utc_now

FORMAT = 2
"""1 did not have the whole active set, only its number and spaces."""

SCHEMA = pa.schema(
    [
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("generation", pa.int32(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("deleted", pa.bool_(), nullable=False),
        pa.field("filename", pa.string(), nullable=False),
        pa.field("duration_s", pa.float64()),
        pa.field("scene_count", pa.int32()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class VisibleVideo:
    """One indexed video as readers see it."""

    video_id: str
    user_id: str
    generation: int
    title: str
    deleted: bool
    filename: str = ""
    duration_s: float | None = None
    scene_count: int = 0
    created_at: datetime | None = None

    @property
    def key(self) -> str:
        """The name of the visible generation in the indexes."""
        return f"{self.video_id}#{self.generation}"


def collect(transaction: Transaction) -> pa.Table:
    """The table to publish, from the catalog's rows inside their transaction."""
    rows = transaction.rows(
        """select video_id, user_id, generation, title, state = 'deleted' as deleted, filename,
                  cast(info ->> '$.duration_s' as double) as duration_s, scene_count,
                  make_timestamp(created_us) as created_at
           from videos where generation is not null order by created_us desc, video_id"""
    )
    metadata = {"revision": str(transaction.visible_revision()), "format": str(FORMAT)}
    active = transaction.rows(
        """select set_id, profile, choice, spaces, created_us from model_sets
           where set_id = (select value from counters where name = 'active_set')"""
    )
    if active:
        row = active[0]
        model_set = {**row, "choice": json.loads(row["choice"]), "spaces": json.loads(row["spaces"])}
        metadata["set"] = json.dumps(model_set, ensure_ascii=False)
    return pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(metadata))


def write(path: Path, table: pa.Table) -> None:
    """Publish: temporary file, sync, rename."""
    with files.atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd")
        files.crash_point("visible-written")


def is_up_to_date(path: Path, revision: int) -> bool:
    """Whether the published file is of this revision of the catalog and of the present format."""
    metadata = _metadata(path)
    return metadata.get(b"revision") == str(revision).encode() and metadata.get(b"format") == str(FORMAT).encode()


def read_revision(path: Path) -> int | None:
    """The revision that is published; None if there is no readable file."""
    try:
        return int(_metadata(path)[b"revision"])
    except (KeyError, ValueError):
        return None


def read(path: Path) -> tuple[int, dict[str, VisibleVideo], ModelSet | None]:
    """(revision, videos by id, the active set). Raises LibraryDamaged if the file is missing or unreadable.

    The set is None in a file of a library that was last opened before it had model sets.
    """
    try:
        # Opened once: a rename in between must not mix two revisions.
        with path.open("rb") as file:
            table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise LibraryDamaged(what="visible.parquet", reason=str(error)[:200]) from error
    metadata = table.schema.metadata or {}
    revision = int(metadata.get(b"revision", b"0"))
    rows: list[dict[str, Any]] = table.to_pylist()
    return revision, {row["video_id"]: VisibleVideo(**row) for row in rows}, _model_set(metadata.get(b"set"))


def read_active_set(path: Path) -> ModelSet | None:
    """The active set, read without a lock; None in a file that does not name it whole. Raises LibraryDamaged."""
    return _model_set(_metadata(path).get(b"set"))


def _metadata(path: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return {}


def _model_set(text: bytes | None) -> ModelSet | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
        return ModelSet(
            set_id=int(value["set_id"]),
            # an older file names only the spaces
            profile=str(value.get("profile", "")),
            choice=dict(value.get("choice") or {}),
            spaces={role: Space(**space) for role, space in value["spaces"].items()},
            created_at=from_us(value.get("created_us")) or utc_now(),
            is_active=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="visible.parquet", reason=f"its models: {error}"[:200]) from error
