"""Exclusive locks between processes and threads: index.lock is taken before catalog.lock.

The operating system holds the lock (flock), so it is released when a process is killed, but not when it is stopped.
Therefore every wait ends: after HEIMDEX_LOCK_TIMEOUT_S, with LibraryBusy, which names the holder. Locks that are held
for long pieces of work are awaited for as long as their holder works; see docs/decisions/store-lock-timeouts.md. Each
acquisition opens the file again, so that threads of one process exclude each other as processes do.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker

from heimdex_core.errors import LibraryBusy, LibraryNotFound, NestedTransaction
from heimdex_core.files import disk_errors
from heimdex_core.settings import get_settings
from heimdex_core.store.lock_holder import Holder, find_holder, holder_note

log = logging.getLogger(__name__)

REPORT_AFTER_S = 5.0
"""How long a lock is awaited before a warning is logged."""

LONGEST_WAIT_S = 3600.0
"""How long a lock is awaited whose holder works."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.02
"""Between two attempts. A transaction takes some 16 ms, so waiting longer would cost more than it saves."""

_held = threading.local()


def holder(path: Path) -> int | None:
    """The pid of the process that holds the lock, or held it last; None if unknown."""
    found = find_holder(path)
    return found.pid if found is not None else None


class FileLock:
    """An exclusive lock on a file.

    Args:
        path: the lock file; created if it is missing.
        rank: orders the locks of one folder: inside a lock only one of higher rank may be taken.
        what: what the lock is on, as the beginning of the message of LibraryBusy.
        keep_file: whether the file stays when the lock is released.
        timeout_s: how long it is awaited; None is HEIMDEX_LOCK_TIMEOUT_S.
        is_held_long: whether holders do long work: then the timeout begins again as long as the holder uses CPU time.
    """

    def __init__(
        self,
        path: Path,
        *,
        rank: int,
        what: str = "The library",
        keep_file: bool = True,
        timeout_s: float | None = None,
        is_held_long: bool = False,
    ) -> None:
        self.path = path
        self.rank = rank
        self.what = what
        self.keep_file = keep_file
        self.timeout_s = timeout_s
        self.is_held_long = is_held_long

    @contextmanager
    def hold(self, timeout_s: float | None = None) -> Iterator[None]:
        """Wait for the lock and hold it for the block.

        `timeout_s` replaces that of the lock for this time; 0 does not wait, whatever the holder does. Raises
        NestedTransaction if this thread holds a lock of the same or a higher rank, LibraryBusy if another one holds it
        for too long, DiskFull, LibraryNotFound without a folder for the lock.
        """
        check_order(self.path, self.rank)
        with disk_errors(self.path.name, self.path.parent), self._acquired(timeout_s) as file:
            try:
                with noted(self.path, self.rank):
                    file.seek(0)
                    file.truncate()
                    file.write(holder_note())
                    file.flush()
                    yield
            finally:
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
    def _acquired(self, timeout_s: float | None) -> Iterator[IO[str]]:
        """The locked file. If its last holder removed it meanwhile, the new file of that name is locked instead."""
        while True:
            with self._opened() as file:
                self._acquire(file, timeout_s)
                try:
                    is_current = os.path.samestat(os.fstat(file.fileno()), self.path.stat())
                except FileNotFoundError:
                    is_current = False
                if is_current:
                    yield file
                    return

    def _opened(self) -> IO[str]:
        try:
            return self.path.open("a+")
        except FileNotFoundError as error:  # moved or removed since it was opened
            raise LibraryNotFound(path=str(self.path.parent)) from error

    def _acquire(self, file: IO[str], timeout_s: float | None) -> None:
        """Lock the file. flock has no timeout, and a signal would reach the main thread only, so it is tried again."""
        if _try_lock(file):
            return
        timeout_s = self.wait_limit_s if timeout_s is None else timeout_s
        if timeout_s <= 0:
            raise busy(self.what, find_holder(self.path), 0.0)
        began = time.monotonic()
        report_at, ends_at, pause_s = began + REPORT_AFTER_S, began + timeout_s, _FIRST_PAUSE_S
        work_done_s = self._work_done_s()
        while not _try_lock(file):
            now = time.monotonic()
            if now >= report_at:
                report_at = float("inf")
                self._log_wait()
            if now >= ends_at:
                before, work_done_s = work_done_s, self._work_done_s()
                if work_done_s == before or now - began >= LONGEST_WAIT_S:
                    raise busy(self.what, find_holder(self.path), now - began)
                ends_at = now + timeout_s
            time.sleep(min(pause_s, max(ends_at - now, _FIRST_PAUSE_S)))
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    @property
    def wait_limit_s(self) -> float:
        """How long the lock is awaited."""
        return get_settings().lock_timeout_s if self.timeout_s is None else self.timeout_s

    def _work_done_s(self) -> float | None:
        """What grows as long as the holder works; None for a lock that nobody should hold for long."""
        found = find_holder(self.path) if self.is_held_long else None
        return found.work_done_s() if found is not None else None

    def _log_wait(self) -> None:
        pid = holder(self.path) or "unknown"
        log.warning("waiting for %s for %.0f s; process %s holds it", self.path.name, REPORT_AFTER_S, pid)


def check_order(path: Path, rank: int) -> None:
    """Raise NestedTransaction if this thread holds a lock of the same or a higher rank in the folder of `path`."""
    # Another library's locks may be held too (adopting from it); only this library's are ordered.
    folder = os.path.dirname(path)
    if any(os.path.dirname(other) == folder and held >= rank for other, held in _ranks().items()):
        raise NestedTransaction(lock=path.name)


@contextmanager
def noted(path: Path, rank: int) -> Iterator[None]:
    """Remember for the block that this thread holds the lock."""
    _ranks()[str(path)] = rank
    try:
        yield
    finally:
        del _ranks()[str(path)]


def _ranks() -> dict[str, int]:
    ranks: dict[str, int] = _held.__dict__.setdefault("ranks", {})
    return ranks


def busy(what: str, found: Holder | None, waited_s: float) -> LibraryBusy:
    """The error of a wait that was given up.

    Args:
        what: what is in use, as the beginning of a sentence.
        found: who uses it; None if unknown.
        waited_s: how long it was awaited, in seconds.
    """
    if found is None:
        return LibraryBusy(what=what, pid="?", program="unknown program", seconds=round(waited_s))
    held_s = waited_s if found.since is None else max(waited_s, time.time() - found.since)
    return LibraryBusy(what=what, pid=found.pid, program=found.program, seconds=round(held_s))


def _try_lock(file: IO[str]) -> bool:
    """Lock a file without waiting; closing it releases the lock."""
    try:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except (portalocker.LockException, BlockingIOError):
        return False
    return True


def video_lock(path: Path, *, what: str = "This video", timeout_s: float | None = None) -> FileLock:
    """The lock of a process that runs a video's stages itself; outermost. Its file is removed on release."""
    return FileLock(path, rank=0, what=what, keep_file=False, timeout_s=timeout_s, is_held_long=True)


INDEX_RANK = 1
INDEX = "The search index"


def index_lock(path: Path, *, timeout_s: float | None = None) -> FileLock:
    """The lock of a machine's index writers; taken before the catalog's. index_lock.py has that of several machines."""
    return FileLock(path, rank=INDEX_RANK, what=INDEX, timeout_s=timeout_s, is_held_long=True)


CATALOG_RANK = 2
CATALOG = "The catalog of the library"


def catalog_lock(path: Path, *, timeout_s: float | None = None) -> FileLock:
    """The lock of catalog transactions and of the published files; innermost."""
    return FileLock(path, rank=CATALOG_RANK, what=CATALOG, timeout_s=timeout_s)
