"""The process of a worker: its priority, and the ways in which it ends."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from queue import SimpleQueue

from heimdex_core.jobs.watcher import THREAD_NAME

# by name, as in worker.py, which it is a part of
logger = logging.getLogger("heimdex_core.jobs.worker")

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_SLOT_TAKEN = 75
"""EX_TEMPFAIL: another worker has this slot; trying again later may help."""

GRACE_S = 10.0
"""How long what is under way is awaited when a worker ends."""
_NICENESS = 5
_PR_SET_PDEATHSIG = 1
"""The number of this request in Linux's <sys/prctl.h>."""


def be_modest() -> None:
    """The app and a person's search go before the work in the background."""
    try:
        os.nice(_NICENESS)
    except OSError as error:
        logger.debug("the priority stays as it is: %s", error)


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` at SIGTERM or SIGINT.

    A handler interrupts the main thread anywhere, also where that holds the lock of `stop`, so it must not wait for the
    lock: a thread sets `stop`. SimpleQueue is made to be used in handlers.
    """
    received: SimpleQueue[int] = SimpleQueue()

    def watch() -> None:
        received.get()
        stop.set()

    threading.Thread(target=watch, name="signal-watch", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.put(number))


def end_with_parent(parent_fd: int, stop: threading.Event) -> None:
    """Set `stop` once the other end of the pipe `parent_fd` is closed, and end this process a while later.

    The worker must not outlive the app that started it, not even after kill -9. The pipe is what is relied on: it
    closes however the parent ends. The kernel's parent-death signal comes on top on Linux, for a parent whose end was
    passed on to another child by accident.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    def watch() -> None:
        try:
            while os.read(parent_fd, 64):
                pass
        except OSError as error:
            logger.error("the pipe to the parent cannot be read, so the worker ends: %s", error)
        stop.set()
        # nobody is left to end a process that does not stop in order
        time.sleep(2 * GRACE_S)
        os._exit(EXIT_FAILED)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def end_if_threads_remain() -> None:
    """Workflows left in the middle sit in threads of DBOS that never end; Python would wait for them. The folder
    watcher may sit in a drive that hangs.
    """
    if any(thread.name.startswith(("dbos-executor", THREAD_NAME)) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        logging.shutdown()
        os._exit(EXIT_OK)
