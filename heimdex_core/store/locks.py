"""Exclusive locks between processes and threads: index.lock is taken before catalog.lock.

The operating system holds the lock (flock), so it is released when a process is killed. Waiting blocks and does not
poll. Each acquisition opens the file again, so that threads of one process exclude each other as processes do.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker

from heimdex_core.errors import NestedTransaction
from heimdex_core.files import disk_errors

log = logging.getLogger(__name__)

REPORT_AFTER_S = 5.0
"""How long a lock is awaited before the wait is reported."""

OnWait = Callable[[str, int | None, float], None]
"""Called with (lock name, holder's pid or None, seconds waited so far), once for each wait that takes long."""

_held = threading.local()


def log_wait(name: str, pid: int | None, seconds: float) -> None:
    """The default OnWait: a warning in the log."""
    log.warning("waiting for %s for %.0f s; process %s holds it", name, seconds, pid or "unknown")


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
        on_wait: called when a wait takes longer than `report_after_s`.
        report_after_s: seconds.
        keep_file: whether the file stays when the lock is released.
    """

    def __init__(
        self,
        path: Path,
        *,
        rank: int,
        on_wait: OnWait = log_wait,
        report_after_s: float = REPORT_AFTER_S,
        keep_file: bool = True,
    ) -> None:
        self.path = path
        self.rank = rank
        self.on_wait = on_wait
        self.report_after_s = report_after_s
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
            try:
                portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except (portalocker.LockException, BlockingIOError):
                return True
            portalocker.unlock(file)
        return False

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

    def _acquire(self, file: object) -> None:
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)  # type: ignore[arg-type]
            return
        except (portalocker.LockException, BlockingIOError):
            started = time.monotonic()
        timer = threading.Timer(
            self.report_after_s,
            lambda: self.on_wait(self.path.name, holder(self.path), time.monotonic() - started),
        )
        timer.daemon = True
        timer.start()
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)  # type: ignore[arg-type]
        finally:
            timer.cancel()


def video_lock(path: Path, on_wait: OnWait = log_wait) -> FileLock:
    """The lock of a process that runs a video's stages itself; outermost. Its file is removed on release."""
    return FileLock(path, rank=0, on_wait=on_wait, keep_file=False)


def index_lock(path: Path, on_wait: OnWait = log_wait) -> FileLock:
    """The lock of all index writers; taken before the catalog's."""
    return FileLock(path, rank=1, on_wait=on_wait)


def catalog_lock(path: Path, on_wait: OnWait = log_wait) -> FileLock:
    """The lock of catalog transactions and of the published files; innermost."""
    return FileLock(path, rank=2, on_wait=on_wait)
