"""The worker: one process that runs the queued jobs of a library until it is stopped.

python -m heimdex_core worker                       by hand
python -m heimdex_core.jobs.worker LIBRARY ...      as the app's supervisor starts it
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from heimdex_core import logs
from heimdex_core.errors import DatabaseUnavailable, HeimdexError, JobsUnavailable, LibraryNotFound
from heimdex_core.files import make_folder
from heimdex_core.jobs.client import enqueue
from heimdex_core.jobs.config import INGEST_QUEUES, POLL_S, JobsDatabase, check_queues
from heimdex_core.jobs.connection import JobsConnection
from heimdex_core.jobs.crash_guard import CrashGuard
from heimdex_core.jobs.places import WorkerPlace, worker_place
from heimdex_core.jobs.reconcile import (
    end_given_up_jobs,
    forget_old_jobs,
    has_work,
    queue_edited_videos,
    queue_lost_jobs,
    queue_old_jobs_again,
    queue_stranded_videos,
    take_over,
)
from heimdex_core.jobs.watcher import FolderWatcher
from heimdex_core.jobs.worker_process import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_SLOT_TAKEN,
    GRACE_S,
    be_modest,
    end_if_threads_remain,
    end_with_parent,
    stop_on_signals,
)
from heimdex_core.jobs.worker_slot import SlotTaken
from heimdex_core.settings import get_settings
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.store.jobs_file import FileId

if TYPE_CHECKING:
    from dbos import DBOSClient

    from heimdex_core.library import Library

# by name, not __name__: the supervisor starts this module as __main__
logger = logging.getLogger("heimdex_core.jobs.worker")

SLEEP_AFTER_S = 10.0
"""Without work for so long, the worker sleeps until it is woken (wake_up.py)."""
LOOK_ANYWAY_S = 15.0
"""How often a sleeping worker looks for work that nobody woke it for, as another machine's."""
_RECONCILE_ANYWAY_S = 60.0
"""How often a sleeping worker reconciles though neither database changed: jobs are stranded by time, too."""
_CLEAN_UP_EVERY_S = 3600.0

_MERGE_EVERY_S = 300.0
"""How often a clean-up is queued at most because an index has grown."""
_OPEN_AGAIN_S = 5.0
"""Before a queue that could not be opened is tried again."""
_TICK_S = 1.0
_RECONCILE_EVERY = 15
"""In ticks of _TICK_S."""


def run_worker(library_path: str | Path, *, queues: Sequence[str] = (), parent_fd: int | None = None) -> int:
    """Work on queues of the library, by default on all, until SIGTERM, SIGINT or the end of the parent; 0 after that.

    With `parent_fd`, the read end of a pipe, the worker ends when the other end is closed.
    Raises UnknownName for a queue that there is not; SlotTaken, with the pid of the holder, where this machine has a
    worker for a library of files already; LibraryBusy where another process keeps the library from being opened;
    JobsUnavailable without a job database. What is under way when it stops stays in the queue, finished stages are not
    repeated. Where a thread still sits in unfinished work the process ends here, without returning.
    """
    queues = check_queues(queues)
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        stop_on_signals(stop)
    if parent_fd is not None:
        end_with_parent(parent_fd, stop)
    be_modest()

    from heimdex_core.library import Library

    folder = LibraryPlace.of(library_path, get_settings()).root
    with _moved_library_is_not_found(folder), Library.open(library_path, create=False) as opened:
        library = opened.as_operator()  # what it does for the library as a whole, nobody but an admin may ask for
        watcher, has_worked = FolderWatcher(library, stop), False
        while True:
            try:
                with worker_place(library.work) as place:
                    has_worked = True
                    _Worker(library, place, queues, watcher, stop).run()
                    if stop.is_set():
                        end_if_threads_remain()
                        return EXIT_OK
                logger.warning("%s has lost its place and takes a new one", place.executor_id)
            except (DatabaseUnavailable, JobsUnavailable) as error:
                if not has_worked or stop.wait(_OPEN_AGAIN_S):
                    raise
                logger.warning("the database is awaited: %s", error)


@contextmanager
def _moved_library_is_not_found(folder: Path) -> Iterator[None]:
    """Raise LibraryNotFound for whatever goes wrong because the library was moved or removed meanwhile."""
    try:
        yield
    except (OSError, SQLAlchemyError, HeimdexError) as error:
        if (folder / "library.json").is_file():
            raise
        raise LibraryNotFound(path=str(folder)) from error


class _Worker:
    """Awake, it runs DBOS, whose polling costs several percent of a core; without work it ends DBOS and sleeps."""

    def __init__(
        self,
        library: Library,
        place: WorkerPlace,
        queues: Sequence[str],
        watcher: FolderWatcher,
        stop: threading.Event,
    ) -> None:
        self._library = library
        self._work = library.work
        self._place = place
        self._stop = stop
        self._database = JobsDatabase.of(library.work)
        self._lock_timeout_s = library.settings.lock_timeout_s
        self._queues = queues
        self._status = place.status
        self._status.set_queues(queues)
        self._status.set_state("starting")
        make_folder(library.work.worker_folder, levels=2)
        self._guard = CrashGuard(place.crash_marks, self._status, place.claims)
        self._jobs = JobsConnection(lambda: self._database, self._lock_timeout_s)
        self._watcher = watcher
        self._clean_up_at = self._merge_at = 0.0
        self._launched_on: FileId | None = None
        """The file that DBOS works on."""

    def run(self) -> None:
        """Work until `stop`, or until the place is lost."""
        from heimdex_core.jobs import workflows
        from heimdex_core.jobs.tasks import Tasks

        workflows.bind(Tasks(self._library, self._guard))
        try:
            # Once, all of the file is read: damage in its middle would show itself only much later.
            self._database.mend(self._lock_timeout_s, thorough=True)
            self._jobs.connect()
            self._upkeep("removing the schedules of version 2", lambda client: client.delete_schedule("clean-up"))
            # nothing of this slot has begun: what is under way in its name is what the worker before it left
            own = [self._place.executor_id]
            self._upkeep(
                "queueing jobs of another version",
                lambda client: queue_old_jobs_again(client, self._work, own, half_done=True),
            )
            self._watcher.is_looking = self._place.leads()
            self._watcher.start()
            while not self._is_over():
                self._beat()
                if not self._stop.is_set() and self._stay_awake() and not self._is_over():
                    self._sleep()
            if self._stop.is_set():
                self._watcher.join(GRACE_S)
        finally:
            self._watcher.is_looking = False  # this place may be lost, and another worker looks
            self._jobs.close()
        self._status.set_state("stopped")

    def _is_over(self) -> bool:
        """Whether this worker may take no more work."""
        return self._stop.is_set() or self._place.is_lost()

    def _stay_awake(self) -> bool:
        """Run DBOS until there has been no work for a while, or `stop`.

        False where its database was lost meanwhile, or cannot be used now: then it has to begin again.
        """
        try:
            self._jobs.connect()
            self._launched_on = self._database.file_id()
            self._launch()
        except (HeimdexError, SQLAlchemyError) as error:
            logger.warning("the queue cannot be opened, trying again: %s", error)
            self._end_dbos()
            self._wait_beating(_OPEN_AGAIN_S)
            return False
        logger.info("worker %d is ready", os.getpid())
        self._status.set_state("idle")
        self._watch()
        if self._is_database_replaced():
            logger.warning("the job database is another file now; the worker begins again with it")
        self._leave_unfinished()
        self._end_dbos()
        return not self._is_database_replaced()

    def _launch(self) -> None:
        from dbos import DBOS

        self._guard.resume()
        DBOS(config=self._database.config(self._place.executor_id))
        DBOS.listen_queues(self._queues)
        DBOS.launch()
        for name in self._queues:
            limit = self._library.settings.ingest_concurrency if name in INGEST_QUEUES else 1
            DBOS.register_queue(
                name, worker_concurrency=limit, polling_interval_sec=POLL_S, on_conflict="always_update"
            )

    def _end_dbos(self) -> None:
        from dbos import DBOS

        try:
            DBOS.destroy()
        except SQLAlchemyError as error:
            logger.warning("the queue could not be closed in order: %s", error)

    def _is_database_replaced(self) -> bool:
        """Whether DBOS works on a file that was deleted, moved aside or replaced: nobody queues anything there."""
        return self._database.file_id() != self._launched_on

    def _beat(self) -> None:
        """Show that the worker lives. Where the library was moved or removed, it ends: nothing may be written there."""
        try:
            self._library.require()
        except LibraryNotFound as error:
            if not self._stop.is_set():
                logger.warning("%s The worker ends.", error.message)
                self._stop.set()
        else:
            self._status.beat()

    def _wait_beating(self, seconds: float) -> None:
        self._beat()
        self._stop.wait(seconds)

    def _leave_unfinished(self) -> None:
        """Have the stages under way stop; the next launch of DBOS takes their jobs up again.

        Before it sleeps, too: DBOS may have taken a job since the last look at the queue, and without DBOS a stage
        cannot record its result.
        """
        if self._stop.is_set():
            self._status.set_state("stopping")
        self._guard.stop()
        while not self._guard.wait_idle(GRACE_S):
            self._status.beat()
            if self._stop.is_set():
                logger.warning("a stage did not stop within %g s and is left in the middle", GRACE_S)
                self._guard.forgive()
                return

    def _watch(self) -> None:
        """Until there has been no work for a while, or `stop`: keep the status fresh, see to abandoned jobs."""
        ticks = idle_ticks = 0
        while not self._is_over() and idle_ticks * _TICK_S < SLEEP_AFTER_S and not self._is_database_replaced():
            if ticks % _RECONCILE_EVERY == 0:
                self._upkeep(
                    "taking over what other workers left", lambda client: take_over(client, self._work, self._place)
                )
                self._reconcile()
            # before the queue is looked at: what is queued after this look is seen by `_sleep`
            self._place.note()
            # a cancelled job is no work any more, while its stage still runs here and reports to DBOS
            idle_ticks = idle_ticks + 1 if self._guard.wait_idle(0) and not self._has_work() else 0
            ticks += 1
            self._stop.wait(_TICK_S)
            self._beat()

    def _sleep(self) -> None:
        """Until there is work, or `stop`.

        Reconciling opens the catalog several times, most of what an idle worker costs, so it waits for a change.
        """
        self._status.set_state("asleep")
        seen, reconcile_at = None, 0.0
        while not self._place.wait(self._stop, LOOK_ANYWAY_S) and not self._stop.is_set():
            self._beat()
            if self._stop.is_set():
                return
            found = self._databases()
            if found != seen or time.monotonic() >= reconcile_at:
                seen, reconcile_at = found, time.monotonic() + _RECONCILE_ANYWAY_S
                self._reconcile()
            if self._has_work():
                return

    def _databases(self) -> tuple[object, ...]:
        """What differs after the catalog was written, or the job database was replaced."""
        try:
            catalog = self._library.work.catalog_signature()
        except HeimdexError:  # the database is not there for the moment; reconciling says so
            catalog = None
        return (catalog, self._database.file_id())

    def _reconcile(self) -> None:
        self._watcher.is_looking = self._place.leads()
        if not self._watcher.is_looking:
            return
        self._upkeep("ending given-up jobs", lambda client: end_given_up_jobs(client, self._work))
        self._upkeep("queueing lost jobs", lambda client: queue_lost_jobs(client, self._work))
        self._upkeep("queueing stranded videos", lambda client: queue_stranded_videos(client, self._work))
        self._upkeep("queueing edited videos", lambda client: queue_edited_videos(client, self._work))
        if time.monotonic() >= self._clean_up_at:
            self._clean_up_at = time.monotonic() + _CLEAN_UP_EVERY_S
            self._upkeep(
                "checking the job database", lambda _: self._database.mend(self._lock_timeout_s, thorough=True)
            )
            self._upkeep("forgetting old jobs", lambda client: forget_old_jobs(client, self._work, self._place))
            self._upkeep("queueing the clean-up", lambda client: enqueue(client, self._work, "clean-up", "clean-up"))
            self._merge_at = time.monotonic() + _MERGE_EVERY_S
        elif time.monotonic() >= self._merge_at:
            self._upkeep("queueing the merging of indexes", self._queue_merge)

    def _queue_merge(self, client: DBOSClient) -> None:
        """The clean-up merges indexes; it need not wait for its hour."""
        if self._work.is_merge_due():
            self._merge_at = time.monotonic() + _MERGE_EVERY_S
            enqueue(client, self._work, "clean-up", "clean-up")

    def _has_work(self) -> bool:
        """Whether a job waits, or is under way here or at a worker that is gone. True where that is not known."""
        try:
            return self._jobs.ask(lambda client: has_work(client, self._place, self._queues))
        except (HeimdexError, SQLAlchemyError, OSError) as error:
            logger.warning("the queue cannot be asked: %s", error)
            return True

    def _upkeep(self, what: str, action: Callable[[DBOSClient], object]) -> None:
        """Work beside the jobs: it is repeated soon, so a failure is logged and not fatal."""
        try:
            self._jobs.ask(action)
        except (HeimdexError, SQLAlchemyError, OSError) as error:
            logger.warning("%s failed: %s", what, error)
        self._beat()


def main(argv: list[str] | None = None) -> int:
    """The supervisor's way in: exit codes tell it whether to try again."""
    parser = argparse.ArgumentParser(prog="python -m heimdex_core.jobs.worker")
    parser.add_argument("library", type=Path)
    parser.add_argument("--queues", type=lambda names: names.split(","), default=())
    parser.add_argument("--parent-fd", type=int, default=None)
    args = parser.parse_args(argv)
    logs.configure("worker", text=True)
    try:
        return run_worker(args.library, queues=args.queues, parent_fd=args.parent_fd)
    except HeimdexError as error:
        logger.error("%s %s", error.message, error.hint)
        return EXIT_SLOT_TAKEN if isinstance(error, SlotTaken) else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
