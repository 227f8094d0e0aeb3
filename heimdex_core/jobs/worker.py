"""The worker: one process that does the queued work of a library until it is told to stop.

python -m heimdex_core worker                       by hand
python -m heimdex_core.jobs.worker LIBRARY ...      as the app's supervisor starts it
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import HeimdexError, LibraryBusy
from heimdex_core.jobs.config import (
    INGEST_QUEUE,
    POLL_S,
    QUEUES,
    JobsDatabase,
    quiet,
)
from heimdex_core.jobs.guard import Guard
from heimdex_core.jobs.parent import end_with_parent
from heimdex_core.jobs.place import Place, PlaceLock, this_place
from heimdex_core.jobs.status import StatusFile

if TYPE_CHECKING:
    from heimdex_core.library import Library

# by name, not __name__: the supervisor starts this module as __main__
logger = logging.getLogger("heimdex_core.jobs.worker")

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_PLACE_TAKEN = 75
"""EX_TEMPFAIL: another worker has this place; trying again later may help."""

_TICK_S = 1.0
_RECONCILE_EVERY = 15
_FORGET_EVERY = 3600
"""In ticks of _TICK_S."""
_GRACE_S = 10.0
_NICENESS = 5


def run_worker(library_path: str | Path, *, parent_fd: int | None = None) -> int:
    """Work on the queues of the library until SIGTERM, SIGINT or the end of the parent; 0 after that.

    With `parent_fd`, the read end of a pipe, the worker ends when the other end is closed.
    Raises LibraryBusy, with the pid of the holder, where this machine has a worker for the library
    already; JobsUnavailable without a job database. What is under way when it stops stays in the
    queue, finished stages are not repeated. Where a thread still sits in unfinished work the process
    ends here, without returning.
    """
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    if parent_fd is not None:
        end_with_parent(parent_fd, lambda: _leave_soon(stop))
    _be_modest()

    from heimdex_core.library import Library

    with Library.open(library_path) as library:
        database = JobsDatabase.of(library.store, library.settings)
        place = this_place(library.store.paths, database.key)
        with PlaceLock(place):
            return _work(library, database, place, stop)


def _work(library: Library, database: JobsDatabase, place: Place, stop: threading.Event) -> int:
    from dbos import DBOS

    from heimdex_core.jobs import moving, workflows  # noqa: F401 - registers the move
    from heimdex_core.jobs.tasks import Tasks

    status = StatusFile(place.status_path, place.executor_id)
    status.set_state("starting")
    guard = Guard(place.folder / "running", status)
    workflows.bind(Tasks(library, guard))
    quiet()
    database.prepare()
    _try("queueing jobs of another version", lambda: _renew_old_jobs(library, database, place))
    DBOS(config=database.config(place.executor_id))
    DBOS.listen_queues(QUEUES)
    DBOS.launch()
    _register(library)
    logger.info("worker %d of %s is ready", os.getpid(), library.path)
    status.set_state("idle")
    _watch(library, database, place, status, stop)

    status.set_state("stopping")
    guard.stop()
    if not guard.wait_idle(_GRACE_S):
        logger.warning("a stage did not stop within %g s and is left in the middle", _GRACE_S)
        guard.forgive()
    DBOS.destroy()
    status.set_state("stopped")
    _end_if_threads_remain()
    return EXIT_OK


def _renew_old_jobs(library: Library, database: JobsDatabase, place: Place) -> None:
    from heimdex_core.jobs.old_versions import queue_old_jobs_anew

    client = database.client()
    try:
        # nothing of this place has begun: what is under way in its name is what the worker before it left
        queue_old_jobs_anew(client, library.store, [place.executor_id], half_done=True)
    finally:
        client.destroy()


def _register(library: Library) -> None:
    from dbos import DBOS

    from heimdex_core.jobs.schedules import apply_schedules

    concurrency = {**dict.fromkeys(QUEUES, 1), INGEST_QUEUE: library.settings.ingest_concurrency}
    for name, limit in concurrency.items():
        DBOS.register_queue(name, worker_concurrency=limit, polling_interval_sec=POLL_S, on_conflict="always_update")
    apply_schedules()


def _watch(library: Library, database: JobsDatabase, place: Place, status: StatusFile, stop: threading.Event) -> None:
    """Until `stop`: keep the status fresh, and see to jobs that nobody else ends."""
    from heimdex_core.jobs.reconcile import (
        forget_old_jobs,
        queue_stranded_videos,
        settle_lost_jobs,
        take_over,
    )

    client = database.client()
    try:
        ticks = 0
        while not stop.is_set():
            if ticks % _RECONCILE_EVERY == 0:
                _try("taking over what other workers left", lambda: take_over(client, library.store, place))
                _try("ending given-up jobs", lambda: settle_lost_jobs(client, library.store))
                _try("queueing stranded videos", lambda: queue_stranded_videos(client, library.store))
            if ticks % _FORGET_EVERY == 0:
                _try("forgetting old jobs", lambda: forget_old_jobs(client, place))
            ticks += 1
            stop.wait(_TICK_S)
            _try("writing the status", status.beat)
    finally:
        client.destroy()


def _try(what: str, action: Callable[[], object]) -> None:
    """Upkeep beside the work: it is done again soon, so a failure is told and not fatal."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        action()
    except (HeimdexError, SQLAlchemyError, OSError) as error:
        logger.warning("%s failed: %s", what, error)


def _be_modest() -> None:
    """The app and a person's search go before the work in the background."""
    try:
        os.nice(_NICENESS)
    except OSError as error:
        logger.debug("the priority stays as it is: %s", error)


def _leave_soon(stop: threading.Event) -> None:
    """The parent is gone: stop in order, but stop. Nobody is left to end this process."""
    stop.set()
    timer = threading.Timer(2 * _GRACE_S, lambda: os._exit(EXIT_FAILED))
    timer.daemon = True
    timer.start()


def _end_if_threads_remain() -> None:
    """Workflows left in the middle sit in threads of DBOS that never end; Python would wait for them."""
    if any(thread.name.startswith("dbos-executor") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        logging.shutdown()
        os._exit(EXIT_OK)


def main(argv: list[str] | None = None) -> int:
    """The supervisor's way in: exit codes tell it whether to try again."""
    parser = argparse.ArgumentParser(prog="python -m heimdex_core.jobs.worker")
    parser.add_argument("library", type=Path)
    parser.add_argument("--parent-fd", type=int, default=None)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("heimdex_core").setLevel(logging.INFO)
    try:
        return run_worker(args.library, parent_fd=args.parent_fd)
    except LibraryBusy as error:
        logger.error("%s %s", error.message, error.hint)
        return EXIT_PLACE_TAKEN
    except HeimdexError as error:
        logger.error("%s %s", error.message, error.hint)
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
