"""Exclusive locks between processes and threads: index.lock is taken before catalog.lock.

The operating system holds the lock (flock), so it is released when a process is killed. Waiting blocks and does not
poll. Each acquisition opens the file again, so that threads of one process exclude each other as processes do.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker

from heimdex_core.errors import NestedTransaction
from heimdex_core.files import disk_errors

log = logging.getLogger(__name__)

REPORT_AFTER_S = 5.0
"""How long a lock is awaited before a warning is logged."""

_held = threading.local()


def holder(path: Path) -> int | None:
    """The pid of the process that holds the lock, or held it last; None if unknown."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


class FileLock:
    """An exclusive lock on a file.

    Args:
        path: the lock file; created if it is missing.
        rank: orders the locks of one folder: inside a lock only one of higher rank may be taken.
        keep_file: whether the file stays when the lock is released.
    """

    def __init__(self, path: Path, *, rank: int, keep_file: bool = True) -> None:
        self.path = path
        self.rank = rank
        self.keep_file = keep_file

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock and hold it for the block.

        Raises NestedTransaction if this thread holds a lock of the same or a higher rank, DiskFull.
        """
        held: dict[str, int] = _held.__dict__.setdefault("ranks", {})
        key = str(self.path)
        # Another library's locks may be held too (adopting from it); only this library's are ordered.
        folder = os.path.dirname(key)
        if any(os.path.dirname(other) == folder and rank >= self.rank for other, rank in held.items()):
            raise NestedTransaction(lock=self.path.name)
        with disk_errors(self.path.name, self.path.parent), self._acquired() as file:
            held[key] = self.rank
            try:
                file.seek(0)
                file.truncate()
                file.write(f"{os.getpid()}\n")
                file.flush()
                yield
            finally:
                del held[key]
                if not self.keep_file:
                    self.path.unlink(missing_ok=True)
                portalocker.unlock(file)

    def is_held(self) -> bool:
        """Whether anybody holds the lock at this moment; it may have changed when the caller looks at the answer."""
        if not self.path.exists():
            return False
        with self.path.open("a+") as file:
            return not _try_lock(file)

    @contextmanager
    def _acquired(self) -> Iterator[IO[str]]:
        """The locked file. If its last holder removed it meanwhile, the new file of that name is locked instead."""
        while True:
            with self.path.open("a+") as file:
                self._acquire(file)
                try:
                    is_current = os.path.samestat(os.fstat(file.fileno()), self.path.stat())
                except FileNotFoundError:
                    is_current = False
                if is_current:
                    yield file
                    return

    def _acquire(self, file: IO[str]) -> None:
        if _try_lock(file):
            return
        timer = threading.Timer(REPORT_AFTER_S, self._log_wait)
        timer.daemon = True
        timer.start()
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
        finally:
            timer.cancel()

    def _log_wait(self) -> None:
        pid = holder(self.path) or "unknown"
        log.warning("waiting for %s for %.0f s; process %s holds it", self.path.name, REPORT_AFTER_S, pid)


def _try_lock(file: IO[str]) -> bool:
    """Lock a file without waiting; closing it releases the lock."""
    try:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except (portalocker.LockException, BlockingIOError):
        return False
    return True


def video_lock(path: Path) -> FileLock:
    """The lock of a process that runs a video's stages itself; outermost. Its file is removed on release."""
    return FileLock(path, rank=0, keep_file=False)


def index_lock(path: Path) -> FileLock:
    """The lock of all index writers; taken before the catalog's."""
    return FileLock(path, rank=1)


def catalog_lock(path: Path) -> FileLock:
    """The lock of catalog transactions and of the published files; innermost."""
    return FileLock(path, rank=2)
