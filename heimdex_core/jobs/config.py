"""How DBOS is set up here: where its tables are, what they may hold, and what must never change."""

from __future__ import annotations

import logging
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
queues the unfinished jobs of older versions again (old_versions.py)."""

INGEST_QUEUE = "ingest"
EXPORT_QUEUE = "export"
MAINTENANCE_QUEUE = "maintenance"
MIGRATION_QUEUE = "migration"
"""Its own: moving a large library to other models takes hours, and new videos should not wait for it."""
QUEUES = (INGEST_QUEUE, EXPORT_QUEUE, MAINTENANCE_QUEUE, MIGRATION_QUEUE)

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

    def prepare(self) -> None:
        """Make the tables, or bring them up to this version of DBOS; quick when there is nothing to do.

        Both sides call it, so that jobs can be queued before a worker ever ran.
        Raises JobsUnavailable.
        """
        from dbos import DBOS
        from sqlalchemy.exc import SQLAlchemyError

        quiet()
        try:
            DBOS.migrate(self.url, schema=self.schema)
        except (SQLAlchemyError, OSError) as error:
            raise JobsUnavailable(reason=_first_line(error)) from error

    def client(self) -> DBOSClient:
        """A connection that only queues and reads. Raises JobsUnavailable."""
        from dbos import DBOSClient
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return DBOSClient(
                system_database_url=self.url,
                dbos_system_schema=self.schema,
                serializer=serializer(),
                application_name=APP_NAME,
                # an unreachable database is an error to show, not a wait without end
                retry_connection_errors=False,
            )
        except (SQLAlchemyError, OSError) as error:
            raise JobsUnavailable(reason=_first_line(error)) from error

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


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
