"""What a worker holds for as long as it lives, and by which the others know whether its work may be taken over.

In a library of files that is the slot of its machine, with a lock on a file (worker_slot.py). In a library in Postgres
it is a number of its own with a session lock, see table_place.py.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from heimdex_core.jobs.crash_guard import Claims
from heimdex_core.jobs.crash_marks import CrashMarks, FileCrashMarks
from heimdex_core.jobs.status import StatusFile, StatusReport
from heimdex_core.jobs.wake_up import WakeUpFile
from heimdex_core.jobs.worker_slot import WorkerSlot, dead_slots, slot_lock, this_slot
from heimdex_core.library.work import LibraryWork


class WorkerPlace(Protocol):
    """The place of one live worker."""

    executor_id: str
    """What DBOS calls it; no two live workers have the same."""
    status: StatusReport
    """What the worker says about itself."""
    claims: Claims | None
    """What it works on, where the library can have several workers."""
    crash_marks: CrashMarks
    """Of the stages that it is at."""

    def is_lost(self) -> bool:
        """Whether the place is no longer this worker's: it may begin nothing, and its changes are refused."""
        ...

    def leads(self) -> bool:
        """Whether this worker does what only one of the library's workers has to do."""
        ...

    def gone(self, executor_ids: Collection[str]) -> AbstractContextManager[list[str]]:
        """Those of the workers with work under way that are certainly gone, and others of which that is known.

        None of them can come back inside the block.
        """
        ...

    def note(self) -> None:
        """Look at the wake-ups as they are now: what comes after this wakes."""
        ...

    def wait(self, stop: threading.Event, limit_s: float) -> bool:
        """Whether a wake-up came since `note`; waits until one comes, `stop` is set, or `limit_s` are over."""
        ...


class FilePlace:
    """The slot of this machine, whose lock is held."""

    def __init__(self, slot: WorkerSlot) -> None:
        self._slot = slot
        self._wake_up = WakeUpFile(slot.folder)
        self.executor_id = slot.executor_id
        self.status: StatusReport = StatusFile(slot.status_path, slot.executor_id)
        self.claims: Claims | None = None
        self.crash_marks: CrashMarks = FileCrashMarks(slot.folder / "running")

    def is_lost(self) -> bool:
        """Never: the kernel keeps the lock for this process."""
        return False

    def leads(self) -> bool:
        """Always: the machines of a library of files do not know of each other."""
        return True

    def gone(self, executor_ids: Collection[str]) -> AbstractContextManager[list[str]]:
        """Those of other slots whose lock is free and whose status is old."""
        return dead_slots(self._slot.folder, self._slot)

    def note(self) -> None:
        """Look at the wake-up file."""
        self._wake_up.note()

    def wait(self, stop: threading.Event, limit_s: float) -> bool:
        """Wait for a change of the wake-up file."""
        return self._wake_up.wait(stop, limit_s)


@contextmanager
def worker_place(work: LibraryWork) -> Iterator[WorkerPlace]:
    """Take a place for a worker of this process, and hold it for the block.

    Raises SlotTaken where this machine has a worker for a library of files already, DatabaseUnavailable.
    """
    if work.shared is None:
        slot = this_slot(work.worker_folder, work.key)
        with slot_lock(slot):
            yield FilePlace(slot)
        return
    # Here, so that a library without Postgres does not import its driver.
    from heimdex_core.jobs.table_place import table_place

    with table_place(work.shared) as place, work.checked_by(place.check):
        yield place
