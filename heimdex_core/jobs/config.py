"""How DBOS is set up here: where its tables are, what they may hold, and what must never change."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from heimdex_core.errors import JobsUnavailable, UnknownName
from heimdex_core.library.work import LibraryWork
from heimdex_core.settings import get_settings
from heimdex_core.store.jobs_file import WHAT, FileId, file_id, is_lost, put_aside_if_damaged
from heimdex_core.store.lock_holder import find_holder
from heimdex_core.store.locks import busy

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

APP_NAME = "heimdex"

APP_VERSION = "5"
"""Pinned: DBOS takes back only workflows of its own version, so one derived from the source would
strand every job at an update. Raise it when the name of a queue, or a name or the order of steps in a workflow
changes: a worker then queues the unfinished jobs of older versions again (reconcile.py)."""

QUEUE_OF = {
    "ingest": "ingest",
    "export": "render",
    "reindex": "index",
    "clean-up": "index",
    # Its own: moving a large library to other models takes hours, and new videos should not wait for it.
    "migration": "migration",
    "sweep": "sweep",
    "faces": "faces",
}
"""The queue of each workflow; HEIMDEX_INGEST_QUEUE has a say in that of "ingest"."""
INGEST_QUEUES = ("ingest", "ingest-gpu")
QUEUES = tuple(dict.fromkeys([*INGEST_QUEUES, *QUEUE_OF.values()]))


def check_queues(names: Sequence[str]) -> tuple[str, ...]:
    """The queues of these names, each once; all for none. Raises UnknownName."""
    for name in names:
        if name not in QUEUES:
            raise UnknownName(kind="queue", name=name, known=", ".join(QUEUES))
    return tuple(dict.fromkeys(names)) or QUEUES


POLL_S = 0.3
"""How often a worker that is awake looks for new jobs, and a parent for its children."""


@dataclass(frozen=True, slots=True)
class JobsDatabase:
    """Where DBOS keeps its tables."""

    url: str
    schema: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @staticmethod
    def of(work: LibraryWork) -> JobsDatabase:
        """jobs.sqlite in the library, or the Postgres of HEIMDEX_DATABASE_URL with a schema per library."""
        return JobsDatabase(url=work.jobs_url, schema=f"{APP_NAME}_{work.key}")

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database; None for Postgres."""
        return Path(self.url.removeprefix("sqlite:///")) if self.is_sqlite else None

    def file_id(self) -> FileId | None:
        """What changes when the file is replaced; None for Postgres, and where there is no file."""
        return file_id(self.path) if self.path is not None else None

    def client(self, timeout_s: float | None = None) -> DBOSClient:
        """A connection that only queues and reads.

        The tables are created first, or brought up to this version of DBOS, so that jobs can be queued before a worker
        ever ran; that is quick when there is nothing to do. A damaged file is put aside before.

        `timeout_s` is how long another process that has the database locked is awaited; None is HEIMDEX_LOCK_TIMEOUT_S.
        Raises JobsUnavailable, LibraryBusy.
        """
        from dbos import DBOS, DBOSClient

        quiet()
        timeout_s = get_settings().lock_timeout_s if timeout_s is None else timeout_s
        self.mend(timeout_s)
        with reachable():
            DBOS.migrate(self.url, schema=self.schema)
            return DBOSClient(
                system_database_url=self.url,
                system_database_engine=self._engine(timeout_s),
                dbos_system_schema=self.schema,
                serializer=serializer(),
                application_name=APP_NAME,
                # an unreachable database is an error to show, not a wait without end
                retry_connection_errors=False,
                lazy=True,
            )

    def mend(self, timeout_s: float, *, thorough: bool = False) -> Path | None:
        """Put a damaged SQLite file aside; its new path, None where nothing was to be done.

        `thorough` reads all of the file. Raises LibraryBusy, JobsFileUnusable.
        """
        if self.path is None:
            return None
        return put_aside_if_damaged(self.path, timeout_s=timeout_s, thorough=thorough)

    def _engine(self, timeout_s: float) -> sa.Engine | None:
        """How an SQLite file is opened: as DBOS does it, but a lock is not awaited for ever, and nothing stays open."""
        if not self.is_sqlite:
            return None
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)

        @sa.event.listens_for(engine, "connect")
        def on_connect(connection: Any, _: Any) -> None:
            connection.isolation_level = "IMMEDIATE"
            connection.execute(f"pragma busy_timeout = {round(timeout_s * 1000)}")
            connection.execute("pragma foreign_keys = on")

        @sa.event.listens_for(engine, "handle_error")
        def on_error(context: Any) -> None:
            # DBOS would try it again without end
            if self.path is not None and "database is locked" in str(context.original_exception):
                raise busy(WHAT, find_holder(self.path), timeout_s) from context.original_exception

        return engine

    def config(self, executor_id: str) -> DBOSConfig:
        """The worker's DBOS: JSON only, nothing sent anywhere, no port opened."""
        return {
            "name": APP_NAME,
            "system_database_url": self.url,
            "dbos_system_schema": self.schema,
            "serializer": serializer(),
            "application_version": APP_VERSION,
            "executor_id": executor_id,
            "enable_otlp": False,
            "log_level": "ERROR",
            "use_listen_notify": not self.is_sqlite,
        }


def serializer() -> Any:
    """JSON for inputs and results; the default pickles, which is neither readable nor safe to load."""
    from dbos import DBOSPortableJSONSerializer

    return DBOSPortableJSONSerializer()


@contextmanager
def reachable() -> Iterator[None]:
    """Turn the database's errors into JobsUnavailable."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise JobsUnavailable(reason=(str(error).strip() or type(error).__name__).splitlines()[0]) from error


def has_ended(error: BaseException | None) -> bool:
    """Whether an error is what a thread of DBOS meets once the worker has ended DBOS; there is no type for it."""
    return any(text in str(error) for text in ("before DBOS was launched", "cannot schedule new futures after"))


def quiet() -> None:
    """DBOS tells of every retry and launch; we keep its errors, but not that a cancelled job was cancelled, nor that
    steps under way had nowhere to record their end when the file was lost or the worker went to sleep, nor that its
    database cannot be opened: the worker says these once, in a line."""
    log = logging.getLogger("dbos")
    log.setLevel(logging.ERROR)
    if _is_news not in log.filters:
        log.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    from dbos import error
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    expected = (
        error.DBOSAwaitedWorkflowCancelledError,
        error.DBOSWorkflowCancelledError,
        # a job of a file that was lost
        error.DBOSNonExistentWorkflowError,
    )
    found = record.exc_info[1] if record.exc_info else None
    is_lost_file = isinstance(found, DBAPIError) and isinstance(found.orig, sqlite3.Error) and is_lost(found.orig)
    is_launch = isinstance(found, SQLAlchemyError) and record.getMessage().startswith("DBOS failed to launch")
    return not (isinstance(found, expected) or is_lost_file or is_launch or has_ended(found))
