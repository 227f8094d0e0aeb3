"""A worker's slot: one library on one machine. A slot has one worker at most.

DBOS takes back, on launch, every unfinished workflow that bears its own executor id. The id is made of the slot,
so the lock on the slot is what keeps two live workers from sharing one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from heimdex_core.errors import LibraryBusy
from heimdex_core.files import make_folder
from heimdex_core.jobs.status import SILENT_AFTER_S
from heimdex_core.store.lock_holder import Holder, find_holder


def machine_name() -> str:
    """The same for every process and every start of this machine, different from other machines.

    The host name alone is not enough (two laptops called "ubuntu"), nor is the machine id (containers
    of one image share it).
    """
    host = platform.node() or "localhost"
    try:
        identity = Path("/etc/machine-id").read_text().strip()
    except OSError:
        identity = ""
    digest = hashlib.sha256(f"{host}\n{identity}".encode()).hexdigest()[:8]
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in host)[:40]
    return f"{safe}-{digest}"


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """The files of one slot, and the executor id that goes with it."""

    folder: Path
    name: str
    executor_id: str

    @property
    def lock_path(self) -> Path:
        return self.folder / f"{self.name}.lock"

    @property
    def status_path(self) -> Path:
        return self.folder / f"{self.name}.json"


def this_slot(worker_folder: Path, library_key: str) -> WorkerSlot:
    """The slot of a worker started on this machine; `library_key` as in LibraryWork."""
    name = machine_name()
    return WorkerSlot(worker_folder, name, f"{library_key}@{name}")


class SlotTaken(LibraryBusy):
    """This machine has a worker for the library already."""


def _taken(slot: WorkerSlot, written: dict[str, Any]) -> SlotTaken:
    pid, since = written.get("pid"), written.get("since")
    found = find_holder(slot.lock_path)
    if found is None and isinstance(pid, int):
        found = Holder(pid, "", None)
    return SlotTaken(
        what="The worker's slot of this library",
        pid=found.pid if found else "?",
        program=found.program if found else "unknown program",
        seconds=round(time.time() - since) if isinstance(since, int | float) else "?",
    )


@contextlib.contextmanager
def slot_lock(slot: WorkerSlot) -> Iterator[None]:
    """Hold a slot for as long as a worker lives; the kernel releases it however the worker ends.

    The file stays: removing it could take away a lock just acquired. Raises SlotTaken with the pid of the worker that
    has the slot, without waiting.
    """
    make_folder(slot.folder, levels=2)
    with slot.lock_path.open("a+", encoding="utf-8") as file:
        if not _try_lock(file):
            raise _taken(slot, _read_holder(file))
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "since": time.time(), "executor_id": slot.executor_id}, file)
        file.flush()
        yield


@contextlib.contextmanager
def dead_slots(folder: Path, own: WorkerSlot, *, silent_s: float = SILENT_AFTER_S) -> Iterator[list[str]]:
    """Executor ids of other slots of this library whose worker is certainly gone.

    Their locks can be taken (and are held inside the `with`, so that none comes back meanwhile) and
    their status is older than `silent_s`: on a network drive that keeps locks to itself, the lock
    alone proves nothing. A container that got a new host name leaves such a slot behind.
    """
    with contextlib.ExitStack() as held:
        ids: list[str] = []
        for path in sorted(folder.glob("*.lock")):
            if path == own.lock_path or not _silent(path.with_suffix(".json"), silent_s):
                continue
            file = held.enter_context(path.open("a+", encoding="utf-8"))
            executor_id = _read_holder(file).get("executor_id") if _try_lock(file) else None
            if isinstance(executor_id, str):
                ids.append(executor_id)
        yield ids


def _silent(status: Path, silent_s: float) -> bool:
    try:
        return time.time() - status.stat().st_mtime >= silent_s
    except FileNotFoundError:
        return True


def _try_lock(file: IO[str]) -> bool:
    import portalocker

    try:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
        return False
    return True


def _read_holder(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        data = json.loads(file.read() or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
