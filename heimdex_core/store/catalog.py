"""catalog.duckdb: opened for each short transaction under an exclusive lock, committed, closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import visible
from heimdex_core.store.files import disk_errors
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import OnWait, catalog_lock, log_wait
from heimdex_core.store.schema import migrate

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(moment: datetime | None) -> int | None:
    """Microseconds since 1970 UTC; naive moments are refused by the subtraction."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int | None) -> datetime | None:
    return None if us is None else _EPOCH + timedelta(microseconds=us)


class Transaction:
    """One open transaction. Results are fetched before it closes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.visibility_changed = False

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query as dicts."""
        cursor = self._connection.execute(sql, list(params))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def table(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """All rows of a query as Arrow."""
        return self._connection.sql(sql, params=list(params)).to_arrow_table()

    def run(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._connection.execute(sql, list(params))

    def migrate(self) -> None:
        migrate(self._connection)

    def insert(self, table: str, row: Row) -> None:
        """Insert `row`; `table` and the row's keys are names of our own schema, never input."""
        marks = ", ".join("?" for _ in row)
        self.run(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))  # noqa: S608

    def update(self, table: str, changes: Row, where: Row) -> None:
        """Set `changes` on the rows of our own `table` that equal `where`."""
        sets = ", ".join(f"{name} = ?" for name in changes)
        test = " and ".join(f"{name} = ?" for name in where)
        self.run(f"update {table} set {sets} where {test}", [*changes.values(), *where.values()])  # noqa: S608

    def mark_visible_changed(self) -> None:
        """Raise the revision of what readers see; visible.parquet is rewritten after the commit."""
        if not self.visibility_changed:
            self.visibility_changed = True
            self.run("update counters set value = value + 1 where name = 'visible_revision'")

    def visible_revision(self) -> int:
        return int(self.rows("select value from counters where name = 'visible_revision'")[0]["value"])


class Catalog:
    """The library's small, mutable tables."""

    def __init__(self, paths: LibraryPaths, on_wait: OnWait = log_wait) -> None:
        self.paths = paths
        self.lock = catalog_lock(paths.catalog_lock, on_wait)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Lock, open, work, commit, publish, close. Rolled back when the block raises.

        Raises NestedTransaction inside another one of this thread, DiskFull, LibraryDamaged.
        """
        with self.lock.hold(), disk_errors("the catalog", self.paths.root):
            connection = self._connect()
            try:
                connection.execute("begin transaction")
                transaction = Transaction(connection)
                try:
                    yield transaction
                    published = visible.collect(transaction) if transaction.visibility_changed else None
                    connection.execute("commit")
                except BaseException:
                    with suppress(duckdb.Error):
                        connection.execute("rollback")
                    raise
            finally:
                connection.close()
            if published is not None:
                visible.hook("catalog-committed")
                visible.write(self.paths.visible, published)

    def prepare(self) -> None:
        """Migrate, make the local user, and mend visible.parquet if a crash left it behind the catalog."""
        with self.transaction() as transaction:
            transaction.migrate()
            if visible.read_revision(self.paths.visible) != transaction.visible_revision():
                transaction.mark_visible_changed()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(self.paths.catalog), config={"threads": 1})
        except duckdb.IOException as error:
            raise LibraryDamaged(what="catalog.duckdb", reason=str(error).splitlines()[0][:200]) from error
        return connection
