"""The connections to Postgres that a process keeps open between transactions.

psycopg_pool is not used: there is no more than one transaction of a library at a time, and a pool that connects in the
background says that it waited, not that the password is wrong.
"""

from __future__ import annotations

import atexit
import os
import platform
import threading
import time
from typing import Any

import psycopg

from heimdex_core.errors import DatabaseUnavailable, HeimdexError
from heimdex_core.store.lock_holder import Holder
from heimdex_core.store.postgres_errors import is_restarting, not_connected

RawConnection = psycopg.Connection[tuple[Any, ...]]

KEPT_OPEN = 2
"""So many connections to one database stay open."""

_TRY_AGAIN_S = 0.1
"""Pause before connecting again to a server that restarts."""

_DEFAULTS = {
    "connect_timeout": 10,
    # The lock of a machine that vanished is free within a minute: the server looks as often, see _SESSION.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Of the connection; what the URL says comes first."""
_USER_TIMEOUT_MS = 20_000
_SESSION = b"set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"


class Connections:
    """Open connections that nobody uses, by process and URL. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[int, str], list[RawConnection]] = {}
        self._known: set[str] = set()
        self._failed: dict[str, psycopg.OperationalError] = {}
        """What the last attempt to connect ended with, by URL, unless it succeeded."""

    def take(self, url: str, deadline: float) -> tuple[RawConnection, bool]:
        """(a connection, whether it is new). One that is not new may have been closed by the server.

        A server that is just starting, or that cannot be reached although it could be before, is awaited until
        `deadline`, on the clock of time.monotonic. Raises DatabaseUnavailable.
        """
        with self._lock:
            if idle := self._idle.get((os.getpid(), url)):
                return idle.pop(), False
        while True:
            try:
                return self._connect(url), True
            except psycopg.OperationalError as error:
                self._failed[url] = error
                translated = not_connected(url, error)
                was_there = type(translated) is DatabaseUnavailable and url in self._known
                if not (was_there or is_restarting(error)) or time.monotonic() + _TRY_AGAIN_S >= deadline:
                    raise translated from error
            time.sleep(_TRY_AGAIN_S)

    def failure(self, url: str) -> HeimdexError | None:
        """Why the last attempt to connect failed; None if it did not."""
        error = self._failed.get(url)
        return not_connected(url, error) if error is not None else None

    def give(self, url: str, raw: RawConnection) -> None:
        """Take back a connection outside a transaction; any other one is closed."""
        if raw.closed:
            return
        with self._lock:
            idle = self._idle.setdefault((os.getpid(), url), [])
            if raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE and len(idle) < KEPT_OPEN:
                idle.append(raw)
                return
        raw.close()

    def dedicated(self, url: str) -> RawConnection:
        """A new connection that its holder keeps and closes; it notices within 20 s that the network is gone.

        Raises DatabaseUnavailable.
        """
        try:
            return self._connect(url, tcp_user_timeout=_USER_TIMEOUT_MS)
        except psycopg.OperationalError as error:
            raise not_connected(url, error) from error

    def close(self, url: str | None = None) -> None:
        """Close the connections that nobody uses; `url` None means to all databases."""
        with self._lock:
            keys = [key for key in self._idle if key[0] == os.getpid() and url in (None, key[1])]
            closed = [raw for key in keys for raw in self._idle.pop(key)]
        for raw in closed:
            raw.close()

    def holder(self, name: str, since: float | None) -> Holder | None:
        """The process that a connection's name says it is of; None for one of other software."""
        words = name.split(" ")
        if len(words) != 3 or words[0] != "heimdex" or not words[1].isdecimal():
            return None
        return Holder(int(words[1]), "" if words[2] == _machine() else words[2], since)

    def _connect(self, url: str, **more: int) -> RawConnection:
        given = psycopg.conninfo.conninfo_to_dict(url)
        options: dict[str, Any] = {name: value for name, value in {**_DEFAULTS, **more}.items() if name not in given}
        name = f"heimdex {os.getpid()} {_machine()}"
        # Parameters go into the text of a statement: then NULL and numbers need no types of their own, as in DuckDB.
        raw = psycopg.connect(
            url, autocommit=True, cursor_factory=psycopg.ClientCursor, application_name=name, **options
        )
        raw.execute(_SESSION)
        self._known.add(url)
        self._failed.pop(url, None)
        return raw


def _machine() -> str:
    return platform.node()[:32].replace(" ", "-") or "?"


connections = Connections()
"""Of this process."""
atexit.register(connections.close)
