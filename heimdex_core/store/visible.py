"""visible.parquet: what readers know to exist, and with which models it was made.

Written last, after the catalog's commit, under its lock. The videos and the set of models are in one
file so that one rename switches both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store.files import atomic_write
from heimdex_core.types import Space

if TYPE_CHECKING:
    from heimdex_core.store.catalog import Transaction

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


@dataclass(frozen=True)
class VisibleSet:
    """The set of models that the visible generations are made with; spaces by role, as in ModelSet."""

    set_id: int
    spaces: Mapping[str, Space]


def hook(step: str) -> None:
    """A named point between two steps of a commit; the crash tests replace it. Does nothing."""


def collect(transaction: Transaction) -> pa.Table:
    """The table to publish, from the catalog's rows inside their transaction."""
    rows = transaction.rows(
        """select video_id, user_id, generation, title, state = 'deleted' as deleted, filename,
                  cast(info ->> '$.duration_s' as double) as duration_s, scene_count,
                  make_timestamp(created_us) as created_at
           from videos where generation is not null order by created_us desc, video_id"""
    )
    metadata = {"revision": str(transaction.visible_revision()), "format": "1"}
    active = transaction.rows(
        """select set_id, spaces from model_sets
           where set_id = (select value from counters where name = 'active_set')"""
    )
    if active:
        metadata["set"] = json.dumps({"set_id": active[0]["set_id"], "spaces": json.loads(active[0]["spaces"])})
    return pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(metadata))


def write(path: Path, table: pa.Table) -> None:
    """Publish: temporary file, sync, rename."""
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd")
        hook("visible-written")


def read_revision(path: Path) -> int | None:
    """The revision that is published; None if there is no readable file."""
    try:
        metadata: dict[bytes, bytes] = pq.read_schema(path).metadata or {}
        return int(metadata[b"revision"])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None


def read(path: Path) -> tuple[int, dict[str, VisibleVideo], VisibleSet | None]:
    """(revision, videos by id, their models). LibraryDamaged if the file is missing or unreadable.

    The models are None in a file of a library that was last opened before it had sets of them.
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
    return revision, {row["video_id"]: VisibleVideo(**row) for row in rows}, _visible_set(metadata.get(b"set"))


def _visible_set(text: bytes | None) -> VisibleSet | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
        return VisibleSet(int(value["set_id"]), {role: Space(**space) for role, space in value["spaces"].items()})
    except (ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="visible.parquet", reason=f"its models: {error}"[:200]) from error


def signature(path: Path) -> tuple[int, int, int] | None:
    """A cheap fingerprint that changes when the file is replaced; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)
