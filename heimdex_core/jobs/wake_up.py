"""Waking a worker that sleeps: one file that clients replace and the worker looks at.

A worker without work does not run DBOS at all, whose polling would cost it several percent of a core.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from pathlib import Path

from heimdex_core.errors import StorageError
from heimdex_core.files import atomic_write, file_signature

logger = logging.getLogger(__name__)

_FILE = "wake-up"
_LOOK_S = 0.2


def wake_workers(worker_folder: Path) -> None:
    """Wake the library's workers for a new job. A worker that misses it finds the job later, when it polls."""
    try:
        with atomic_write(worker_folder / _FILE, durable=False) as file:
            file.write(uuid.uuid4().hex.encode())
    except (OSError, StorageError) as error:
        logger.warning("the worker cannot be woken and begins the job later: %s", error)


class WakeUpFile:
    """The worker's side of the file."""

    def __init__(self, worker_folder: Path) -> None:
        self._path = worker_folder / _FILE
        self._seen = file_signature(self._path)

    def note(self) -> None:
        """Look at the file as it is now: what comes after this is a wake-up."""
        self._seen = file_signature(self._path)

    def wait(self, stop: threading.Event, limit_s: float) -> bool:
        """Whether a wake-up came since `note`; waits until one comes, `stop` is set, or `limit_s` are over."""
        until = time.monotonic() + limit_s
        while file_signature(self._path) == self._seen:
            if time.monotonic() >= until or stop.wait(_LOOK_S):
                return False
        return True
