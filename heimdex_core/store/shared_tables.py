"""Tables in Postgres for what changes often and belongs to no transaction of the catalog.

A library in Postgres keeps here what a library in files keeps in work/ and logs/: its workers and what they say, wishes
to cancel, marks of crashes, progress, the query log; and how many requests came with a token. Each statement is its own
transaction and does not wait for the library's lock. The schema is not that of the catalog, which is replaced as a
whole by repair and by a move.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors as pg

from heimdex_core.errors import DatabaseUnavailable
from heimdex_core.store.postgres_connections import RawConnection, connections
from heimdex_core.store.postgres_errors import failed, without_password

_TABLES = """
    create sequence if not exists shared.worker_numbers as integer;
    create table if not exists shared.workers (
        number integer primary key, executor_id text, machine text, pid integer,
        started_at timestamptz default now(), ended_at timestamptz);
    create table if not exists shared.worker_status (
        number integer primary key, status text, updated_at timestamptz);
    create table if not exists shared.progress (name text primary key, progress text, updated_at timestamptz);
    create table if not exists shared.searches (
        number bigint generated always as identity primary key, user_id text, entry text, at timestamptz default now());
    create index if not exists searches_of_user on shared.searches (user_id, number);
    create table if not exists shared.cancel_marks (work_id text primary key, asked_at timestamptz default now());
    create table if not exists shared.crash_marks (
        job_id text, stage text, crashes integer, is_running boolean, worker text, updated_at timestamptz default now(),
        primary key (job_id, stage));
    create unlogged table if not exists shared.request_counts (
        key text, minute timestamptz, requests bigint, primary key (key, minute));
"""
_WAIT_S = 5.0
"""How long a server that restarts is awaited."""


class SharedTables:
    """Safe to share between threads.

    Args:
        url: HEIMDEX_DATABASE_URL.
        key: names the library on every machine that shares it, 12 hexadecimal digits.
        root: the library's folder, for messages.
    """

    def __init__(self, url: str, key: str, root: str) -> None:
        self.url = url
        self.key = key
        self.schema = f"heimdex_{key}_work"
        self.channel = f"heimdex_{key}"
        """Of the notifications that wake workers."""
        self.lock_class = int(key[:8], 16) - (1 << 31)
        """The first number of this library's session locks; the second one is that of a worker, or 0."""
        self._root = root

    def rows(self, sql: str, params: Sequence[Any] = (), *, wait_s: float = _WAIT_S) -> list[tuple[Any, ...]]:
        """The rows of a statement, which names the tables `shared.<name>` and has `%s` for parameters; [] without rows.

        It may be run twice if the connection is lost. Raises DatabaseUnavailable, DatabaseInterrupted, DatabaseRefused.
        """
        deadline = time.monotonic() + wait_s
        while True:
            raw, is_new = connections.take(self.url, deadline)
            try:
                found = self._execute(raw, sql, params)
                connections.give(self.url, raw)
                return found
            except psycopg.OperationalError as error:
                raw.close()
                if is_new:
                    raise DatabaseUnavailable(reason=without_password(self.url, error)) from error
                connections.close(self.url)  # they were kept open while the server restarted
            except psycopg.Error as error:
                raw.close()
                raise failed(self.url, self.schema, self._root, error) or error from error

    def statement(self, sql: str) -> bytes:
        """A statement with the schema's name for `shared`."""
        return sql.replace("shared.", f"{self.schema}.").encode()

    def notify(self) -> None:
        """Wake the workers that sleep. Raises as `rows` does."""
        self.rows("select pg_notify(%s, '')", [self.channel])

    def _execute(self, raw: RawConnection, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            cursor = raw.execute(self.statement(sql), list(params))
        except (pg.UndefinedTable, pg.InvalidSchemaName):  # nobody has needed them yet
            self._create(raw)
            cursor = raw.execute(self.statement(sql), list(params))
        return cursor.fetchall() if cursor.description else []

    def _create(self, raw: RawConnection) -> None:
        with raw.transaction():
            # "if not exists" alone fails where two do it at once
            raw.execute(b"select pg_advisory_xact_lock(%s, -1)", [self.lock_class])
            raw.execute(f"create schema if not exists {self.schema}".encode())
            raw.execute(self.statement(_TABLES))
