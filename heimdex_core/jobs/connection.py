"""A connection to the job database that notices when the file under it is deleted, replaced or damaged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from heimdex_core.errors import JobsFileUnusable, JobsUnavailable
from heimdex_core.jobs.config import JobsDatabase, reachable
from heimdex_core.store.jobs_file import FileId, is_damage

if TYPE_CHECKING:
    from dbos import DBOSClient

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES = 3
_PAUSE_S = 0.1


class JobsConnection:
    """Connects at its first use. Safe to share between threads.

    Args:
        database: returns the database; called for each new connection.
        timeout_s: how long another process that has the database locked is awaited.
    """

    def __init__(self, database: Callable[[], JobsDatabase], timeout_s: float) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._client: DBOSClient | None = None
        self._file: FileId | None = None

    def ask(self, question: Callable[[DBOSClient], T]) -> T:
        """The answer to `question`, which is asked again where the database is not what it was before.

        Raises JobsUnavailable, LibraryBusy where another process has the database locked for too long.
        """
        for left in reversed(range(_TRIES)):
            client: DBOSClient | None = None
            try:
                client = self._connected()
                return question(client)
            except (SQLAlchemyError, JobsUnavailable) as error:
                database = self._database()
                if not left or not database.is_sqlite or isinstance(error, JobsFileUnusable):
                    with reachable():
                        raise
                logger.info("the job database is opened again: %s", error)
                self._forget(client)
                # What only a question meets may lie anywhere in the file.
                database.mend(self._timeout_s, thorough=any(is_damage(cause) for cause in _causes(error)))
            # A process that still has a file open that was deleted may meddle with the journal of the new one.
            time.sleep(_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def connect(self) -> None:
        """Connect unless that is so already; a missing or damaged database is made anew. Raises as `ask` does."""
        self._connected()

    def close(self) -> None:
        """Disconnect; the connection can be used again."""
        with reachable(), self._lock:
            self._disconnect()

    def _connected(self) -> DBOSClient:
        if not self._lock.acquire(timeout=self._timeout_s):
            raise JobsUnavailable(reason="another request is still connecting to it")
        try:
            database = self._database()
            file = database.file_id()
            if self._client is None or file != self._file:
                self._disconnect()
                self._client = database.client(self._timeout_s)
                self._file = database.file_id()
            return self._client
        finally:
            self._lock.release()

    def _forget(self, client: DBOSClient | None) -> None:
        """Have the next question connect anew, unless another thread has done so."""
        with self._lock:
            if client is not None and self._client is client:
                self._disconnect()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.destroy()
            self._client = None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
