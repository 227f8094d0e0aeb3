"""Exclusive locks between processes and threads: index.lock is taken before catalog.lock.

The operating system holds the lock (flock), so a killed process gives it back. Waiting blocks; it
does not poll. Each acquisition opens the file anew, which makes threads of one process wait for each
other as processes do.
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

OnWait = Callable[[str, int | None, float], None]
"""Called once with (lock name, holder's pid or None, seconds waited so far) while a lock is awaited."""

_held = threading.local()


def log_wait(name: str, pid: int | None, seconds: float) -> None:
    """The default report: a warning in the log."""
    log.warning("waiting for %s since %.0f s; it is held by process %s", name, seconds, pid or "unknown")


def holder(path: Path) -> int | None:
    """The pid written in a lock file: the process that holds or last held the lock."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


class FileLock:
    """An exclusive lock on a file. `rank` orders locks: one of lower or equal rank must not be taken inside."""

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
        """Wait for the lock and keep it for the block. NestedTransaction if this thread's locks forbid it."""
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
        """Whether somebody holds it just now; the answer may be old when it is read."""
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
        """The locked file. Where its last holder removed it meanwhile, the new one of that name is locked."""
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
    """The lock of whoever runs a video's stages by itself; outermost."""
    return FileLock(path, rank=0, on_wait=on_wait, keep_file=False)


def index_lock(path: Path, on_wait: OnWait = log_wait) -> FileLock:
    """The lock of all index writers; it goes before the catalog's."""
    return FileLock(path, rank=1, on_wait=on_wait)


def catalog_lock(path: Path, on_wait: OnWait = log_wait) -> FileLock:
    """The lock of catalog transactions and of visible.parquet; innermost."""
    return FileLock(path, rank=2, on_wait=on_wait)
