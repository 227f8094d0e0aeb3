"""Moving a library's catalog from catalog.duckdb to Postgres and back.

All tables are copied into a draft, read back and compared, while the old catalog is locked; the query log goes along.
Then the draft takes the new place and library.json names it; that rename is the switch. An interruption before it
leaves the old catalog in use, and the move begins again; after it, the move is done. The old catalog is kept under
another name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
from pydantic import SecretStr

from heimdex_core import files
from heimdex_core.errors import InvalidValue, LibraryDamaged
from heimdex_core.files import write_json
from heimdex_core.settings import Settings
from heimdex_core.store.catalog import Catalog, drafted
from heimdex_core.store.catalog_engine import CatalogEngine
from heimdex_core.store.catalog_place import engine_of
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import CatalogPlace, LibraryManifest, format_version, read_manifest
from heimdex_core.store.locks import index_lock
from heimdex_core.store.search_log import search_log
from heimdex_core.store.transaction import Connection, Transaction

_OWN = ("schema_version", "last_commit")
"""Tables that each catalog writes itself."""


@dataclass
class MoveReport:
    """What a move has done."""

    catalog: CatalogPlace
    """Where the catalog is now."""
    moved: bool = False
    """False if it was there already."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table: how many rows were copied, each compared after it was written."""
    kept_as: str | None = None
    """The name that the old catalog has now."""


def move_catalog(root: Path | str, to: CatalogPlace, settings: Settings) -> MoveReport:
    """Move the catalog of a library that nobody else has open.

    Args:
        root: the library folder.
        to: the new place.
        settings: name the Postgres that is the one or the other of the two places, and limit waiting for locks.

    Raises LibraryNotFound, LibraryBusy, LibraryDamaged if a row differs after it was written (the old catalog stays in
    use), InvalidValue without a URL or for a value that Postgres cannot hold, DatabaseUnavailable, DatabaseInterrupted,
    DiskFull.
    """
    paths, url = LibraryPaths(root), settings.database_url
    if url is None:
        reason = "it has to name the Postgres that the catalog is moved to, or from"
        raise InvalidValue(name="HEIMDEX_DATABASE_URL", value="", reason=reason)
    with (
        index_lock(paths.index_lock, timeout_s=settings.lock_timeout_s).hold(),
        files.disk_errors("the catalog", paths.root),
    ):
        manifest = read_manifest(paths)
        if manifest.catalog == to:
            return MoveReport(to)
        there = replace(manifest, catalog=to, format_version=format_version(to, manifest.storage, manifest.search))
        source, target = (_engine(paths, one, url, settings) for one in (manifest, there))
        Catalog(paths, engine=source).prepare()  # of this version, so that both have the same tables
        rows: dict[str, int] = {}

        def copy(connection: Connection) -> None:
            tables = read_tables(Transaction(connection))
            fill(paths, target, tables)
            searches = search_log(source.shared, paths.searches).entries()
            search_log(target.shared, paths.searches).replace(searches)
            files.crash_point("catalog-copied")
            write_json(paths.manifest, there, indent=1)
            rows.update({name: table.num_rows for name, table in tables.items()})

        kept_as = source.retire(copy)
        return MoveReport(to, moved=True, rows=rows, kept_as=kept_as)


def _engine(paths: LibraryPaths, manifest: LibraryManifest, url: SecretStr, settings: Settings) -> CatalogEngine:
    database_url = url if manifest.catalog == "postgres" else None
    return engine_of(paths, manifest, settings.model_copy(update={"database_url": database_url}))


def read_tables(transaction: Transaction) -> dict[str, pa.Table]:
    """All that a catalog says, by table."""
    tables = {
        name: transaction.table(f"select * from {name}")  # noqa: S608 - names of the catalog itself
        for name in transaction.tables()
        if name not in _OWN
    }
    return tables


def fill(paths: LibraryPaths, target: CatalogEngine, tables: Mapping[str, pa.Table]) -> None:
    """Copy the tables into a draft, compare them, and put it in its place."""
    with drafted(paths, target) as catalog:
        with catalog.transaction() as transaction:
            for name, table in tables.items():
                transaction.run(f"delete from {name}")  # noqa: S608 - what the migrations have inserted
                transaction.insert_table(name, table)
            for name, table in tables.items():
                names = ", ".join(table.column_names)
                written = transaction.table(f"select {names} from {name}")  # noqa: S608 - as above
                if _digest(written) != _digest(table):
                    raise LibraryDamaged(what=name, reason="the copy of this table differs; nothing was moved")
            # counted and published for the library, not for the draft
            transaction.changed_tables.clear()
        target.replace(catalog.engine)


def _digest(table: pa.Table) -> tuple[int, str]:
    """(the number of rows, a checksum of them in any order)."""
    rows = sorted(json.dumps(row, ensure_ascii=False) for row in table.to_pylist())
    return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()
