"""How DBOS is set up here: where its tables are, what they may hold, and what must never change."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import JobsUnavailable
from heimdex_core.library.work import LibraryWork

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

APP_NAME = "heimdex"

APP_VERSION = "3"
"""Pinned: DBOS takes back only workflows of its own version, so one derived from the source would
strand every job at an update. Raise it when a name or the order of steps in a workflow changes: a worker then
queues the unfinished jobs of older versions again (reconcile.py)."""

QUEUE_OF = {
    "ingest": "ingest",
    "export": "export",
    "reindex": "maintenance",
    "clean-up": "maintenance",
    # Its own: moving a large library to other models takes hours, and new videos should not wait for it.
    "migration": "migration",
}
"""The queue of each workflow."""
QUEUES = tuple(dict.fromkeys(QUEUE_OF.values()))

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
        """jobs.sqlite in the library, or the Postgres of HEIMDEX_JOBS_URL with a schema per library."""
        return JobsDatabase(url=work.jobs_url, schema=f"{APP_NAME}_{work.key}")

    def client(self) -> DBOSClient:
        """A connection that only queues and reads. Raises JobsUnavailable.

        The tables are created first, or brought up to this version of DBOS, so that jobs can be queued before a worker
        ever ran; that is quick when there is nothing to do.
        """
        from dbos import DBOS, DBOSClient

        quiet()
        with reachable():
            DBOS.migrate(self.url, schema=self.schema)
            return DBOSClient(
                system_database_url=self.url,
                dbos_system_schema=self.schema,
                serializer=serializer(),
                application_name=APP_NAME,
                # an unreachable database is an error to show, not a wait without end
                retry_connection_errors=False,
            )

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


def quiet() -> None:
    """DBOS tells of every retry and launch; we keep its errors, but not that a cancelled job was cancelled."""
    log = logging.getLogger("dbos")
    log.setLevel(logging.ERROR)
    if _is_news not in log.filters:
        log.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    from dbos import error

    expected = (error.DBOSAwaitedWorkflowCancelledError, error.DBOSWorkflowCancelledError)
    return not (record.exc_info and isinstance(record.exc_info[1], expected))
