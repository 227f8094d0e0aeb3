"""The thread of a worker that looks at the watched folders, whether the worker is awake or asleep.

It looks again and again instead of asking the system to be told of changes, because that does not work on network
drives (see docs/decisions/watched-folders-polling.md). A thread of its own, because a drive that hangs blocks whoever
reads it.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from heimdex_core.errors import HeimdexError
from heimdex_core.jobs.client import JobQueue

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.library.folder_watch import FolderWatch

logger = logging.getLogger(__name__)

THREAD_NAME = "folder-watcher"


class FolderWatcher:
    """Looks at all watched folders every HEIMDEX_WATCH_INTERVAL_S seconds, less often if a look is costly."""

    def __init__(self, library: Library, stop: threading.Event) -> None:
        self._library = library
        self._stop = stop
        self._watches: dict[tuple[str, int], FolderWatch] = {}
        """By folder and revision."""
        self._queues: list[JobQueue] = []
        self._turn = 0
        self.is_looking = False
        """Whether this worker is the one of its library that looks; may change at any time, also during a look."""
        # a daemon: a drive that hangs must not keep the worker from ending
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)

    def start(self) -> None:
        """Begin in the background, unless it has begun."""
        if self._thread.ident is None:
            self._thread.start()

    def join(self, timeout_s: float) -> None:
        """After `stop`: wait for the end of the thread."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        for queue in self._queues:
            queue.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.is_looking:
                    self.look()
            except (HeimdexError, SQLAlchemyError, OSError) as error:
                logger.warning("looking at the watched folders failed: %s", error)
            except Exception:
                logger.exception("looking at the watched folders failed")
            pauses_s = sum(watch.pause_s for watch in self._watches.values())
            self._stop.wait(max(self._library.settings.watch_interval_s, pauses_s))

    def look(self) -> None:
        """Look at each folder once, beginning with another one each time, so that all get a share of the queue."""
        folders = self._library.watched.of_all_users()
        wanted = {(folder.folder_id, folder.revision): folder for folder in folders}
        for key in set(self._watches) - set(wanted):
            del self._watches[key]
        keys = list(wanted)
        self._turn = (self._turn + 1) % max(1, len(keys))
        for key in keys[self._turn :] + keys[: self._turn]:
            if self._is_over():
                return
            if key not in self._watches:
                self._watches[key] = self._of_owner(wanted[key].user_id).watched.watch(wanted[key])
            self._watches[key].look(self._is_over)

    def _is_over(self) -> bool:
        return self._stop.is_set() or not self.is_looking

    def _of_owner(self, user_id: str) -> Library:
        owned = self._library.as_user(user_id)
        if owned.queue is None:
            queue = JobQueue(owned)
            self._queues.append(queue)
            owned.queue = queue
        return owned
