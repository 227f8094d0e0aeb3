"""Copies of the catalog's tables, so that what is in no video's folder survives the loss of catalog.duckdb.

    backup/<table>.parquet         rewritten after each commit that changes the table

A copy is as old as the last change of its table: it is written under the catalog's lock, after the commit. Of a table
with very many rows it may be a minute older. A copy that is not of the last change (that minute, a crash in between, a
full disk) is written again when the library is opened. Videos are not among the tables: what the catalog knows of a
video is in its video.json (store/video_json.py).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import HeimdexError, LibraryDamaged
from heimdex_core.files import atomic_write
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.parquet import read_table
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import utc_now

log = logging.getLogger(__name__)

COPIED = (
    "users",
    "deleted_users",
    "identities",
    "tokens",
    "collections",
    "collection_videos",
    "shares",
    "exports",
    "reels",
    "preferences",
    "judgements",
    "query_sets",
    "model_sets",
    "video_generations",
    "watched_folders",
    "people",
    "person_photos",
    "person_faces",
)
"""The tables that are copied. Not among them: videos (see above), counters (worked out again) and watched_files (the
watched folders are looked through again)."""

LARGE_ROWS = 20_000
"""Up to so many rows a table is copied after every change: that takes some milliseconds."""
LARGE_EVERY_S = 60.0
"""How often a larger one is copied."""


@dataclass(frozen=True)
class TableCopy:
    """A copy that was read back."""

    rows: pa.Table
    copied_at: str
    """ISO 8601, UTC."""


def path_of(paths: LibraryPaths, table: str) -> Path:
    """The file of a table's copy."""
    return paths.root / "backup" / f"{table}.parquet"


def count_changes(transaction: Transaction) -> None:
    """Count this transaction for the tables that it has changed; the last thing before its commit."""
    for name in sorted(transaction.changed_tables.intersection(COPIED)):
        revision = _revision(transaction, name) + 1
        if revision == 1:
            transaction.insert("counters", {"name": f"copy:{name}", "value": revision})
        else:
            transaction.update("counters", {"value": revision}, {"name": f"copy:{name}"})


def collect(transaction: Transaction, paths: LibraryPaths) -> dict[str, pa.Table]:
    """The tables that have been changed, as they are to be written after the commit."""
    tables = {}
    for name in sorted(transaction.changed_tables.intersection(COPIED)):
        if _is_new_enough(transaction, paths, name):
            continue
        about = {"revision": str(_revision(transaction, name)), "copied_at": utc_now().isoformat()}
        tables[name] = transaction.table(f"select * from {name}").replace_schema_metadata(about)  # noqa: S608 - our own names
    return tables


def _is_new_enough(transaction: Transaction, paths: LibraryPaths, table: str) -> bool:
    """Whether a large table has been copied a moment ago. The next change, or the next opening, copies it again."""
    try:
        age_s = time.time() - path_of(paths, table).stat().st_mtime
    except OSError:
        return False
    if not 0 <= age_s < LARGE_EVERY_S:
        return False
    rows = transaction.rows(f"select count(*) as n from {table}")[0]["n"]  # noqa: S608 - our own names
    return int(rows) > LARGE_ROWS


def write(paths: LibraryPaths, tables: dict[str, pa.Table]) -> None:
    """Write the tables from `collect`. The caller holds the catalog's lock.

    What they contain is committed already, so a copy that cannot be written is only logged.
    """
    for name, table in tables.items():
        try:
            with atomic_write(path_of(paths, name), durable=False) as file:
                pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        except (OSError, HeimdexError) as error:
            log.warning("the copy of the table %s could not be written: %s", name, error)


def outdated(transaction: Transaction, paths: LibraryPaths) -> set[str]:
    """The tables whose copy is missing, cannot be read or is not of the last change."""
    found = set()
    for name in COPIED:
        revision = _revision(transaction, name)
        if revision == _written_revision(path_of(paths, name)):
            continue
        # A library of an older version has rows, but has never counted a change.
        if revision or transaction.rows(f"select 1 from {name} limit 1"):  # noqa: S608 - our own names
            found.add(name)
    return found


def read(paths: LibraryPaths, table: str) -> TableCopy | None:
    """The copy of a table; None if there is none. Raises LibraryDamaged if it cannot be read."""
    path = path_of(paths, table)
    try:
        rows = read_table(path)
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        raise LibraryDamaged(what=f"backup/{path.name}", reason=str(error)[:200]) from error
    return TableCopy(rows, (rows.schema.metadata or {}).get(b"copied_at", b"").decode())


def _revision(transaction: Transaction, table: str) -> int:
    """How many transactions have changed the table."""
    rows = transaction.rows("select value from counters where name = ?", [f"copy:{table}"])
    return int(rows[0]["value"]) if rows else 0


def _written_revision(path: Path) -> int | None:
    try:
        return int((pq.read_schema(path).metadata or {})[b"revision"])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
