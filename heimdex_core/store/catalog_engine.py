"""Where a catalog is kept: catalog.duckdb under its lock, or the Postgres of HEIMDEX_DATABASE_URL (postgres.py)."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa

from heimdex_core.files import file_signature, fsync_folder
from heimdex_core.store.catalog_errors import catalog_errors
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.lock_holder import find_holder
from heimdex_core.store.locks import busy, catalog_lock
from heimdex_core.store.transaction import Connection, Row
from heimdex_core.types import utc_now

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

log = logging.getLogger(__name__)

_OPEN_AGAIN_S = 0.05
"""Pause before the catalog is opened again that another program has open."""

_idle: deque[duckdb.DuckDBPyConnection] = deque(maxlen=4)
"""Databases in memory, with no file open, for the next transactions. DuckDB takes 20 ms to start, and under 1 ms to
open a file once it runs."""
atexit.register(_idle.clear)  # what is left when Python ends is reported as leaked


def dated(word: str = "damaged") -> str:
    """What is added to the name of something that is kept: why, and the date."""
    return f"{word}-{utc_now():%Y%m%dT%H%M%S%f}Z"


class CatalogEngine(Protocol):
    """The database of one library's catalog."""

    is_locked_after_commit: bool
    """Whether no other process can commit between the commit and the end of `exclusive`."""
    shared: SharedTables | None
    """Tables for what changes often; None where the library keeps that in files."""

    @property
    def wait_limit_s(self) -> float:
        """How long a transaction waits for others, in seconds."""
        ...

    def exclusive(self, timeout_s: float) -> AbstractContextManager[None]:
        """Keep other threads of this process out for the block, and turn the database's errors into ours.

        Raises NestedTransaction inside another one of this thread, LibraryBusy.
        """
        ...

    def connect(self, timeout_s: float) -> AbstractContextManager[Connection]:
        """A connection with a transaction that no other one runs beside. What is not committed is rolled back."""
        ...

    def create(self) -> None:
        """Prepare the database for a catalog's tables. Raises CatalogDamaged for a catalog that is gone."""
        ...

    def signature(self) -> object:
        """A value that differs once something was committed; None where that cannot be told."""
        ...

    def draft(self, paths: LibraryPaths) -> CatalogEngine:
        """An empty catalog beside this one, published to other paths, for `replace`."""
        ...

    def replace(self, draft: CatalogEngine) -> str | None:
        """Put a draft in the place of this catalog, in one step.

        Returns the name under which this one is kept; None if there is none any more.
        """
        ...

    def retire(self, read: Callable[[Connection], None]) -> str | None:
        """Let `read` copy the catalog while nobody can change it, then keep it under another name, which is returned.

        What `read` raises leaves everything as it was.
        """
        ...


class DuckDBEngine:
    """catalog.duckdb, opened for each transaction under catalog.lock."""

    is_locked_after_commit = True
    shared: SharedTables | None = None

    def __init__(self, paths: LibraryPaths, lock_timeout_s: float | None) -> None:
        self.paths = paths
        self.lock = catalog_lock(paths.catalog_lock, timeout_s=lock_timeout_s)

    @property
    def wait_limit_s(self) -> float:
        """How long the lock is awaited."""
        return self.lock.wait_limit_s

    @contextmanager
    def exclusive(self, timeout_s: float) -> Iterator[None]:
        """Hold catalog.lock. Raises LibraryBusy, CatalogDamaged, InvalidValue."""
        with self.lock.hold(timeout_s), catalog_errors(self.paths):
            yield

    @contextmanager
    def connect(self, timeout_s: float) -> Iterator[DuckDBConnection]:
        """Open the file and close it after the block. Raises LibraryBusy."""
        database = _take_database()
        try:
            self._attach(database, timeout_s)
            with closing(database.cursor()) as connection:
                connection.execute("use catalog")
                connection.execute("begin transaction")
                yield DuckDBConnection(connection)
        except BaseException:
            database.close()  # an error can make a database unfit for anything else
            raise
        _give_back(database)

    def create(self) -> None:
        """Nothing: opening the file creates it."""

    def signature(self) -> object:
        """The file's size, time and number."""
        return file_signature(self.paths.catalog)

    def draft(self, paths: LibraryPaths) -> DuckDBEngine:
        """A file in another folder of the same disk."""
        return DuckDBEngine(paths, self.lock.timeout_s)

    def replace(self, draft: CatalogEngine) -> str | None:
        """Rename the draft's file, and this one before. Raises LibraryBusy."""
        if not isinstance(draft, DuckDBEngine):
            raise TypeError(type(draft))
        with self.lock.hold():
            moved_to = self._move_aside()
            os.replace(draft.paths.catalog, self.paths.catalog)
            fsync_folder(self.paths.root)
        return moved_to

    def retire(self, read: Callable[[Connection], None]) -> str | None:
        """Rename the file after `read`. Raises LibraryBusy."""
        with self.exclusive(self.wait_limit_s):
            with self.connect(self.wait_limit_s) as connection:
                read(connection)
            return self._move_aside("moved")

    def _move_aside(self, why: str = "damaged") -> str | None:
        """Keep the file and its log under names with the date."""
        name = f"{self.paths.catalog.name}.{dated(why)}"
        moved = None
        for suffix in ("", ".wal"):
            before = self.paths.root / f"{self.paths.catalog.name}{suffix}"
            if os.path.lexists(before):
                os.replace(before, self.paths.root / f"{name}{suffix}")
                moved = name
        return moved

    def _attach(self, database: duckdb.DuckDBPyConnection, timeout_s: float) -> None:
        """A program that does not know our lock, such as DuckDB's own shell, may have the file open."""
        began = time.monotonic()
        while True:
            try:
                # with the type, a file that looks like one of SQLite is refused, and no extension looked for
                database.execute("attach ? as catalog (type duckdb)", [str(self.paths.catalog)])
                return
            except duckdb.IOException as error:
                if "Could not set lock" not in str(error):
                    raise  # named by catalog_errors
                waited_s = time.monotonic() - began
                if waited_s >= timeout_s:
                    raise busy("catalog.duckdb of the library", find_holder(self.paths.catalog), waited_s) from error
            time.sleep(_OPEN_AGAIN_S)


def _take_database() -> duckdb.DuckDBPyConnection:
    """A database in memory for one transaction."""
    try:
        return _idle.pop()
    except IndexError:
        return duckdb.connect(config={"threads": 1, "async_threads": 0})


def _give_back(database: duckdb.DuckDBPyConnection) -> None:
    """Close the file after a transaction, and keep the database for the next one."""
    try:
        database.execute("detach catalog")
    except duckdb.Error as error:
        log.warning("closing catalog.duckdb failed; what is committed is in its log, and is read from there: %s", error)
        database.close()
    else:
        _idle.append(database)


class DuckDBConnection:
    """See Connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, params: Sequence[Any]) -> list[Row]:
        """All rows of a query."""
        cursor = self._connection.execute(sql, list(params))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def table(self, sql: str, params: Sequence[Any]) -> pa.Table:
        """All rows of a query as an Arrow table."""
        return self._connection.sql(sql, params=list(params)).to_arrow_table()

    def run(self, sql: str, params: Sequence[Any]) -> None:
        """Run a statement that returns nothing."""
        self._connection.execute(sql, list(params))

    def insert_table(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        self._connection.register("incoming", rows)
        self._connection.execute(f"insert into {table} by name select * from incoming")  # noqa: S608 - our own names
        self._connection.unregister("incoming")

    def commit(self) -> None:
        """Commit the transaction."""
        self._connection.execute("commit")

    def rollback(self) -> None:
        """Undo the transaction."""
        with suppress(duckdb.Error):
            self._connection.execute("rollback")
