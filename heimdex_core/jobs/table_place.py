"""The place of a worker over Postgres: a number that is never given out again, with a session lock on it.

The server frees the lock when the connection ends, however that comes about: within milliseconds when the process is
killed, within a minute when its machine vanishes. A number whose lock is free is therefore dead for good, and whoever
takes over its work first ends it (`ended_at`). Each transaction of the catalog that a worker makes looks at its own row
and locks it, so that it is either committed before the row is ended, or refused: the number is the fencing token.
"""

from __future__ import annotations

import hashlib
import logging
import os
import select
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psycopg

from heimdex_core.errors import DatabaseUnavailable, HeimdexError, WorkerReplaced
from heimdex_core.jobs.crash_guard import Claims
from heimdex_core.jobs.crash_marks import CrashMarks, TableCrashMarks
from heimdex_core.jobs.status import StatusReport, WorkerStatus
from heimdex_core.jobs.statuses import TableStatuses
from heimdex_core.jobs.worker_slot import machine_name
from heimdex_core.store.postgres_connections import RawConnection, connections
from heimdex_core.store.postgres_errors import without_password
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.store.transaction import Transaction

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
"""How often a waiting worker looks whether it is to stop."""
_LEADER = 0

_LIVE = """select objid::bigint from pg_locks
    where locktype = 'advisory' and granted and objsubid = 2 and classid::bigint = %s
      and database = (select oid from pg_database where datname = current_database())"""


class TablePlace:
    """See WorkerPlace. `is_lost`, `leads`, `note` and `wait` are called by one thread.

    Args:
        raw: the connection whose session has the lock.
    """

    def __init__(self, shared: SharedTables, raw: RawConnection, number: int) -> None:
        self._shared = shared
        self._raw = raw
        self.number = number
        self.executor_id = f"{shared.key}@{machine_name()}.{number}"
        self.status = StatusReport(self.executor_id, self._write_status, machine=machine_name())
        self.claims: Claims | None = TableClaims(shared, raw)
        self.crash_marks: CrashMarks = TableCrashMarks(shared, self.executor_id)
        self._woken = self._leads = False
        raw.add_notify_handler(self._wake)

    def is_lost(self) -> bool:
        """Whether the connection is closed, and with it the lock."""
        try:
            self._raw.execute(b"select 1")
        except psycopg.OperationalError:
            self._raw.close()
        return self._raw.closed

    def leads(self) -> bool:
        """Whether this worker has the lock of the one that leads; it is tried again each time."""
        if not self._leads:
            with suppress(psycopg.OperationalError):
                sql = b"select pg_try_advisory_lock(%s, %s)"
                self._leads = bool(self._raw.execute(sql, [self._shared.lock_class, _LEADER]).fetchall()[0][0])
        return self._leads

    @contextmanager
    def gone(self, executor_ids: Collection[str]) -> Iterator[list[str]]:
        """Those whose lock is free. They are ended for good: their transactions are refused from here on."""
        found = {one: number_of(one) for one in executor_ids if one != self.executor_id}
        if not found:
            yield []
            return
        live = live_numbers(self._shared)
        dead = {one: number for one, number in found.items() if number is None or number not in live}
        numbers = [number for number in dead.values() if number is not None]
        if numbers:
            sql = "update shared.workers set ended_at = now() where number = any(%s) and ended_at is null"
            self._shared.rows(sql, [numbers])
        yield list(dead)

    def note(self) -> None:
        """Take what has been notified so far."""
        with suppress(psycopg.OperationalError):
            self._raw.execute(b"select 1")
        self._woken = False

    def wait(self, stop: threading.Event, limit_s: float) -> bool:
        """Wait for a notification, without using the processor; a lost connection wakes, too."""
        until = time.monotonic() + limit_s
        while not self._woken:
            left = until - time.monotonic()
            if left <= 0 or stop.is_set():
                return False
            if self._raw.closed:
                return True
            if select.select([self._raw.fileno()], [], [], min(left, _LOOK_S))[0] and self.is_lost():
                return True
        return True

    def check(self, transaction: Transaction) -> None:
        """Raise WorkerReplaced if this worker's work is that of others by now; until the end of the transaction it
        cannot become so."""
        sql = f"select 1 from {self._shared.schema}.workers where number = ? and ended_at is null for share"  # noqa: S608
        if not transaction.rows(sql, [self.number]):
            raise WorkerReplaced(worker=self.executor_id)

    def _wake(self, _: object) -> None:
        self._woken = True

    def _write_status(self, status: WorkerStatus) -> None:
        TableStatuses(self._shared).write(self.number, status)


class TableClaims:
    """Session locks on the worker's own connection, so they are free when its number is. For several threads."""

    def __init__(self, shared: SharedTables, raw: RawConnection) -> None:
        self._key = shared.key
        self._raw = raw
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def take(self, subject: str) -> bool:
        """Try the lock, unless it is had; False without a connection."""
        with self._lock, suppress(psycopg.OperationalError):
            sql = b"select pg_try_advisory_lock(%s)"
            if subject not in self._taken and self._raw.execute(sql, [self._number(subject)]).fetchall()[0][0]:
                self._taken.add(subject)
            return subject in self._taken
        return False

    def give_up(self, subject: str) -> None:
        """Unlock."""
        with self._lock, suppress(psycopg.OperationalError):
            if subject in self._taken:
                self._taken.remove(subject)
                self._raw.execute(b"select pg_advisory_unlock(%s)", [self._number(subject)])

    def _number(self, subject: str) -> int:
        """Below 0, which is no lock of a library."""
        digest = hashlib.sha256(f"{self._key}/{subject}".encode()).digest()
        return int.from_bytes(digest[:8], "big") // 2 - (1 << 63)


@contextmanager
def table_place(shared: SharedTables) -> Iterator[TablePlace]:
    """Take a new number, and hold its lock for the block. Raises DatabaseUnavailable, DatabaseRefused."""
    number = int(shared.rows("select nextval('shared.worker_numbers')")[0][0])
    raw = connections.dedicated(shared.url)
    try:
        place = _placed(shared, raw, number)
        yield place
    finally:
        with suppress(psycopg.OperationalError):
            raw.execute(b"select pg_advisory_unlock_all()")
        raw.close()
        with suppress(HeimdexError):
            shared.notify()  # somebody may have to take over what was under way


def _placed(shared: SharedTables, raw: RawConnection, number: int) -> TablePlace:
    place = TablePlace(shared, raw, number)
    try:
        # the lock first: a number without one is dead
        raw.execute(b"select pg_advisory_lock(%s, %s)", [shared.lock_class, number])
        raw.execute(f"listen {shared.channel}".encode())
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(reason=without_password(shared.url, error)) from error
    sql = "insert into shared.workers (number, executor_id, machine, pid) values (%s, %s, %s, %s)"
    shared.rows(sql, [number, place.executor_id, machine_name(), os.getpid()])
    return place


def live_numbers(shared: SharedTables) -> set[int]:
    """The numbers of the workers whose lock is held at this moment."""
    # the server shows the number of the class without its sign
    return {int(number) for (number,) in shared.rows(_LIVE, [shared.lock_class % (1 << 32)])} - {_LEADER}


def number_of(executor_id: str) -> int | None:
    """The number in the id of a worker; None for one of earlier versions, which held no lock in the database."""
    number = executor_id.rpartition(".")[2]
    return int(number) if number.isdecimal() else None


def forget_old_rows(shared: SharedTables, keep_days: int) -> None:
    """Remove what is kept of workers and of work that are gone for so long."""
    live = list(live_numbers(shared))
    old = "number in (select number from shared.workers where started_at < now() - make_interval(days => %s))"
    for table in ("worker_status", "workers"):
        with suppress(HeimdexError):
            shared.rows(f"delete from shared.{table} where {old} and number <> all(%s)", [keep_days, live])  # noqa: S608
    with suppress(HeimdexError):
        sql = "delete from shared.progress where updated_at < now() - make_interval(days => %s) and name <> 'migration'"
        shared.rows(sql, [keep_days])
