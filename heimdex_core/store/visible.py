"""visible.parquet: the videos that readers see, and the active model set.

Written last, after the catalog's commit, under its lock. Videos and model set are in one file so that one rename
switches both.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.store.parquet import python_rows, read_table
from heimdex_core.store.transaction import Transaction, from_us
from heimdex_core.types import ModelSet, Space, VisibleVideo, utc_now

FORMAT = 2
"""Format 1 had only the number and the spaces of the active set."""

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


def collect(transaction: Transaction) -> pa.Table:
    """The table to publish, read from the catalog inside the transaction that changes it."""
    rows = transaction.table(
        """select video_id, user_id, generation, title, state = 'deleted' as deleted, filename,
                  cast(cast(info as json) ->> 'duration_s' as float8) as duration_s, scene_count, created_us
           from videos where generation is not null order by created_us desc, video_id"""
    )
    created_at = rows.column("created_us").cast(SCHEMA.field("created_at").type)
    rows = rows.append_column("created_at", created_at).select(SCHEMA.names)
    metadata = {"revision": str(transaction.visible_revision()), "format": str(FORMAT)}
    active = transaction.rows(
        """select set_id, profile, choice, spaces, created_us from model_sets
           where set_id = (select value from counters where name = 'active_set')"""
    )
    if active:
        row = active[0]
        model_set = {**row, "choice": json.loads(row["choice"]), "spaces": json.loads(row["spaces"])}
        metadata["set"] = json.dumps(model_set, ensure_ascii=False)
    return rows.cast(SCHEMA).replace_schema_metadata(metadata)


def write(path: Path, table: pa.Table) -> None:
    """Publish a table from `collect`: durable and atomic. Raises DiskFull."""
    with files.atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        files.crash_point("visible-written")


def is_up_to_date(path: Path, revision: int) -> bool:
    """Whether the published file has this revision of the catalog and the present format."""
    metadata = _metadata(path)
    return metadata.get(b"revision") == str(revision).encode() and _is_present_format(metadata)


def read_revision(path: Path) -> int | None:
    """The catalog's revision that is published; None if there is no readable file."""
    try:
        return int(_metadata(path)[b"revision"])
    except (KeyError, ValueError):
        return None


class Published(dict[str, VisibleVideo]):
    """The videos of a file by video_id, in its order."""

    def __init__(self, table: pa.Table, before: Published | None = None) -> None:
        """`before` is what an earlier file had: rows that are the same at its ends, nearly all, are not made again."""
        self.table = table
        old = list(before.values()) if before is not None else []
        first = last = 0
        if before is not None and len(old) == len(before.table):
            was, most = before.table, min(len(old), len(table))
            first = _most(most, lambda n: table.slice(0, n).equals(was.slice(0, n)))
            last = _most(most - first, lambda n: table.slice(len(table) - n).equals(was.slice(len(old) - n)))
        rows = python_rows(table.slice(first, len(table) - first - last))
        videos = (*old[:first], *(VisibleVideo(**row) for row in rows), *old[len(old) - last :])
        super().__init__((video.video_id, video) for video in videos)


def _most(upper: int, is_same: Callable[[int], bool]) -> int:
    """The largest number from 0 to `upper` for which it is the same, as it is for all smaller ones."""
    return bisect_right(range(1, upper + 1), False, key=lambda n: not is_same(n))


def read(path: Path, before: Published | None = None) -> tuple[int, Published, ModelSet]:
    """(revision, videos by video_id, the active set). Raises LibraryDamaged if the file is missing or unreadable.

    In a file of format 1 the set has no profile and no choice. With what was read `before` it takes less time.
    """
    try:
        # Opened once: a rename in between must not mix two revisions.
        table = read_table(path)
        metadata = table.schema.metadata or {}
        revision = int(metadata.get(b"revision", b"0"))
        videos = Published(table, before)
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise LibraryDamaged(what="visible.parquet", reason=str(error)[:200]) from error
    return revision, videos, _model_set(metadata)


def read_active_set(path: Path) -> ModelSet | None:
    """The active set, read without a lock. Raises LibraryDamaged if it cannot be parsed.

    None where there is no readable file, or one of another format: that may lack the profile and the choice.
    """
    metadata = _metadata(path)
    return _model_set(metadata) if _is_present_format(metadata) else None


def _is_present_format(metadata: dict[bytes, bytes]) -> bool:
    return metadata.get(b"format") == str(FORMAT).encode()


def _metadata(path: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return {}


def _model_set(metadata: dict[bytes, bytes]) -> ModelSet:
    try:
        value = json.loads(metadata[b"set"])
        return ModelSet(
            set_id=int(value["set_id"]),
            # format 1 has neither of these
            profile=str(value.get("profile", "")),
            choice=dict(value.get("choice") or {}),
            spaces={role: Space(**space) for role, space in value["spaces"].items()},
            created_at=from_us(value.get("created_us")) or utc_now(),
            is_active=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what="visible.parquet", reason=f"its model set: {error}"[:200]) from error
