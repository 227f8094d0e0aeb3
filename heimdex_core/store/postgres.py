"""A catalog in Postgres: a schema for each library, transactions one after another under an advisory lock.

Connections are kept open between transactions, for all libraries of a process. There are few: the threads of a process
take turns for each library. A connection that the server has closed in the meantime is replaced without a word, one
that is lost inside a transaction is an error (DatabaseInterrupted), since the server has undone the transaction.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import errors as pg

from heimdex_core.errors import (
    CatalogDamaged,
    DatabaseInterrupted,
    DatabaseUnavailable,
    DatabaseUncertain,
    HeimdexError,
)
from heimdex_core.settings import get_settings
from heimdex_core.store.catalog_engine import CatalogEngine, dated
from heimdex_core.store.catalog_errors import video_folders
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.lock_holder import Holder
from heimdex_core.store.locks import CATALOG, CATALOG_RANK, busy, check_order, noted
from heimdex_core.store.postgres_connections import RawConnection, connections
from heimdex_core.store.postgres_errors import check_url, failed, without_password
from heimdex_core.store.postgres_sql import translate
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.store.transaction import Connection, Row

_TYPES = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    25: pa.string(),
    701: pa.float64(),
    1043: pa.string(),
}
"""Arrow types by the number of a Postgres type."""

_HOLDER = b"""select a.application_name, extract(epoch from coalesce(a.xact_start, a.state_change))::float8 as since
    from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and a.datname = current_database()
      and (l.classid::bigint << 32) + l.objid::bigint = %s"""

_LOCKS_APART = 1 << 48
"""Between the numbers of the locks of one library; its own number has 48 bits."""

_process_locks: dict[tuple[str, str], threading.Lock] = {}
_process_locks_lock = threading.Lock()


class PostgresEngine:
    """See CatalogEngine.

    Args:
        paths: the library, whose files are published beside the database.
        url: HEIMDEX_DATABASE_URL.
        key: names the library on every machine that shares it, 12 hexadecimal digits.
        lock_timeout_s: how long a transaction waits for others; None is HEIMDEX_LOCK_TIMEOUT_S.

    Raises InvalidValue for a malformed URL.
    """

    is_locked_after_commit = False

    def __init__(
        self, paths: LibraryPaths, url: str, key: str, lock_timeout_s: float | None, *, is_draft: bool = False
    ) -> None:
        check_url(url)
        self._paths = paths
        self._url = url
        self._key = key
        self._lock_timeout_s = lock_timeout_s
        self.schema = f"heimdex_{key}_{'draft' if is_draft else 'catalog'}"
        self._lock_number = int(key, 16)
        self.shared: SharedTables | None = SharedTables(url, key, str(paths.root))
        with _process_locks_lock:
            self._process_lock = _process_locks.setdefault((url, self.schema), threading.Lock())

    @property
    def wait_limit_s(self) -> float:
        """How long a transaction waits for others, in seconds."""
        return get_settings().lock_timeout_s if self._lock_timeout_s is None else self._lock_timeout_s

    @contextmanager
    def exclusive(self, timeout_s: float) -> Iterator[None]:
        """Let the threads of this process take turns. Raises LibraryBusy, DatabaseUnavailable."""
        check_order(self._paths.catalog_lock, CATALOG_RANK)
        if not self._process_lock.acquire(timeout=timeout_s):
            # the thread whose turn it is may be waiting for a server that is away
            if (away := connections.failure(self._url)) is not None:
                raise away
            raise busy(CATALOG, Holder(os.getpid(), "", None), timeout_s)
        try:
            with noted(self._paths.catalog_lock, CATALOG_RANK):
                yield
        finally:
            self._process_lock.release()

    @contextmanager
    def connect(self, timeout_s: float) -> Iterator[PostgresConnection]:
        """A transaction that holds the library's lock."""
        raw = self._begin(timeout_s)
        connection = PostgresConnection(raw)
        try:
            yield connection
        except CommitLost as error:
            raw.close()
            self._find_out(error, timeout_s)
        except psycopg.Error as error:
            raise self._translated(error) from error
        finally:
            connection.rollback()
            connections.give(self._url, raw)

    def create(self) -> None:
        """Create the library's schema. Raises CatalogDamaged if a library with videos has none: its catalog is lost."""
        with self.connect(self.wait_limit_s) as connection:
            if connection.rows("select 1 from pg_namespace where nspname = ?", [self.schema]):
                return
            if self._paths.visible.exists() or video_folders(self._paths):
                raise CatalogDamaged(path=str(self._paths.root), reason=f"The database has no schema {self.schema}.")
            connection.run(f"create schema {self.schema}", ())
            connection.run("create table last_commit (token bigint)", ())
            connection.run("insert into last_commit values (0)", ())
            connection.commit()

    def signature(self) -> object:
        """The token of the last commit that changed something. Takes no lock."""
        sql = f"select token from {self.schema}.last_commit"  # noqa: S608 - our own name
        raw, found = self._first(sql.encode(), self.wait_limit_s)
        rows = found.fetchall()
        connections.give(self._url, raw)
        return rows

    def peek(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """The rows of a query on what is committed. Takes no lock. Raises DatabaseUnavailable, DatabaseInterrupted."""
        raw, _ = self._first(f"set search_path to {self.schema}".encode(), self.wait_limit_s)
        try:
            return PostgresConnection(raw).rows(sql, params)
        except psycopg.Error as error:
            raise self._translated(error) from error
        finally:
            connections.give(self._url, raw)

    @contextmanager
    def session_lock(self, number: int, timeout_s: float, what: str) -> Iterator[None]:
        """Hold a lock of the library for the block, on a connection of its own. Raises LibraryBusy about `what`.

        The server frees it when the connection ends, which the holder need not notice.
        """
        key = self._lock_number + number * _LOCKS_APART
        locked = f"begin; {_wait_for(timeout_s)}; select pg_advisory_lock({key}); commit"
        raw, _ = self._first(locked.encode(), timeout_s, key, what)
        try:
            yield
        except psycopg.Error as error:
            raise self._translated(error) from error
        finally:
            with suppress(psycopg.Error):
                raw.execute(b"select pg_advisory_unlock_all()")
            connections.give(self._url, raw)

    def draft(self, paths: LibraryPaths) -> PostgresEngine:
        """Another schema; what an earlier attempt left there is removed."""
        made = PostgresEngine(paths, self._url, self._key, self._lock_timeout_s, is_draft=True)
        raw, _ = self._first(f"drop schema if exists {made.schema} cascade".encode(), self.wait_limit_s)
        connections.give(self._url, raw)
        return made

    def replace(self, draft: CatalogEngine) -> str | None:
        """Rename the draft's schema, and this one before."""
        if not isinstance(draft, PostgresEngine):
            raise TypeError(type(draft))
        kept = None
        with self.connect(self.wait_limit_s) as connection:
            if connection.rows("select 1 from pg_namespace where nspname = ?", [self.schema]):
                kept = self._rename(connection, "damaged")
            connection.run(f"alter schema {draft.schema} rename to {self.schema}", ())
            connection.commit()
        return kept

    def retire(self, read: Callable[[Connection], None]) -> str | None:
        """Rename the schema after `read`."""
        with self.connect(self.wait_limit_s) as connection:
            read(connection)
            kept = self._rename(connection, "moved")
            connection.run(f"set local search_path to {kept}", ())
            connection.commit()
        return kept

    def _rename(self, connection: PostgresConnection, why: str) -> str:
        kept = f"{self.schema}_{dated(why).replace('-', '_').lower()}"
        connection.run(f"alter schema {self.schema} rename to {kept}", ())
        return kept

    def _begin(self, timeout_s: float) -> RawConnection:
        """A connection with a transaction that holds the library's lock. Raises LibraryBusy, DatabaseUnavailable."""
        began = f"""begin; set local search_path to {self.schema}; {_wait_for(timeout_s)};
            select pg_advisory_xact_lock({self._lock_number})"""
        return self._first(began.encode(), timeout_s)[0]

    def _first(
        self, sql: bytes, timeout_s: float, lock: int | None = None, what: str = CATALOG
    ) -> tuple[RawConnection, psycopg.Cursor[Any]]:
        """A connection, and the result of the first statement on it.

        A connection that was kept open may be closed by now, as after a restart; that is found out here, where nothing
        has been done yet, so a new one takes its place. Raises LibraryBusy about `what` if the statement waits longer
        than it may for the lock of that number (None: the library's), DatabaseUnavailable.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            raw, is_new = connections.take(self._url, deadline)
            try:
                return raw, raw.execute(sql)
            except pg.LockNotAvailable as error:
                raw.execute(b"rollback")
                found = self._holder(raw, lock or self._lock_number)
                connections.give(self._url, raw)
                raise busy(what, found, timeout_s) from error
            except psycopg.OperationalError as error:
                raw.close()
                if is_new:
                    raise DatabaseUnavailable(reason=without_password(self._url, error)) from error
                connections.close(self._url)
            except psycopg.Error as error:
                raw.close()
                raise self._translated(error) from error

    def _holder(self, raw: RawConnection, number: int) -> Holder | None:
        """Who holds a lock, as its connection names itself."""
        rows = raw.execute(_HOLDER, [number]).fetchall()
        return connections.holder(*rows[0]) if rows else None

    def _find_out(self, lost: CommitLost, timeout_s: float) -> None:
        """Return if the commit was done before the connection was lost.

        The library's lock is free only when the server has ended that transaction, so the answer is final. Raises
        DatabaseInterrupted if it was undone, DatabaseUncertain if that cannot be found out.
        """
        reason = without_password(self._url, lost.__cause__ or lost)
        try:
            with self.connect(timeout_s) as connection:
                token = connection.rows("select token from last_commit", ())[0]["token"]
        except HeimdexError as error:
            raise DatabaseUncertain(reason=reason) from error
        if token == lost.token_before:
            raise DatabaseInterrupted(reason=reason) from lost
        if token != lost.token:  # another process has committed since
            raise DatabaseUncertain(reason=reason) from lost

    def _translated(self, error: psycopg.Error) -> Exception:
        return failed(self._url, self.schema, str(self._paths.root), error) or error


def _wait_for(timeout_s: float) -> str:
    """What limits the wait for a lock in a transaction; 0 would be without end."""
    return f"set local lock_timeout = {max(1, round(timeout_s * 1000))}"


class CommitLost(Exception):
    """The connection was lost during a commit. `token` is in last_commit if it was done, else `token_before`."""

    def __init__(self, token_before: int, token: int) -> None:
        super().__init__("the connection was lost during a commit")
        self.token_before = token_before
        self.token = token


class PostgresConnection:
    """See Connection."""

    def __init__(self, raw: RawConnection) -> None:
        self._raw = raw
        self._has_written = False

    def rows(self, sql: str, params: Sequence[Any]) -> list[Row]:
        """All rows of a query."""
        cursor = self._raw.execute(translate(sql), list(params))
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def table(self, sql: str, params: Sequence[Any]) -> pa.Table:
        """All rows of a query as an Arrow table."""
        cursor = self._raw.execute(translate(sql), list(params))
        fields = [pa.field(column.name, _TYPES[column.type_code]) for column in cursor.description or ()]
        columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(fields)
        arrays = [pa.array(values, one.type) for values, one in zip(columns, fields, strict=True)]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def run(self, sql: str, params: Sequence[Any]) -> None:
        """Run a statement that returns nothing."""
        self._has_written = True
        self._raw.execute(translate(sql), list(params))

    def insert_table(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        self._has_written = True
        names = ", ".join(rows.column_names)
        with self._raw.cursor() as cursor, cursor.copy(f"copy {table} ({names}) from stdin".encode()) as copy:
            for values in zip(*(column.to_pylist() for column in rows.columns), strict=True):
                copy.write_row(values)

    def commit(self) -> None:
        """Commit the transaction. Raises CommitLost where its outcome is not known."""
        if not self._has_written:
            self._raw.execute(b"commit")
            return
        token = secrets.randbits(62)
        sql = (
            b"update last_commit set token = %s from (select token as before from last_commit) as past returning before"
        )
        before = self._raw.execute(sql, [token]).fetchall()[0][0]
        try:
            self._raw.execute(b"commit")
        except psycopg.OperationalError as error:
            raise CommitLost(before, token) from error

    def rollback(self) -> None:
        """Undo the transaction."""
        if not self._raw.closed and self._raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                self._raw.execute(b"rollback")
