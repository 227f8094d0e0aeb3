"""What a worker reports about itself, when something changes and every few seconds: a small file, or a row."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from heimdex_core.errors import HeimdexError
from heimdex_core.files import read_json, write_json
from heimdex_core.types import utc_now

logger = logging.getLogger(__name__)

WorkerState = Literal["starting", "idle", "working", "asleep", "stopping", "stopped"]
HEARTBEAT_S = 5.0
SILENT_AFTER_S = 60.0
"""A worker that has not written its status for so long hangs or is dead."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """`jobs` are those it works on, each {job_id, subject, stage, since}; timestamps are ISO 8601, UTC."""

    pid: int
    executor_id: str
    state: WorkerState
    started_at: str
    updated_at: str
    jobs: tuple[dict[str, str], ...] = ()
    machine: str = ""
    queues: tuple[str, ...] = ()
    """Those that it works on; empty for workers of earlier versions."""

    @property
    def is_fresh(self) -> bool:
        """Whether it was written lately."""
        return utc_now() - datetime.fromisoformat(self.updated_at) < timedelta(seconds=SILENT_AFTER_S)


def read_status(path: Path) -> WorkerStatus | None:
    """The status last written at `path`, None when there is none that can be read."""
    try:
        return status_of(read_json(path))
    except (OSError, ValueError):
        return None


def status_of(data: Any) -> WorkerStatus | None:
    """The status that was written as this JSON value, None if it cannot be read."""
    try:
        return WorkerStatus(**{**data, "jobs": tuple(data.get("jobs", ())), "queues": tuple(data.get("queues", ()))})
    except (TypeError, AttributeError):
        return None


class StatusReport:
    """Keeps the status and has it written; safe to use from several threads.

    Args:
        executor_id: the worker's.
        write: keeps a status where others see it.
    """

    def __init__(self, executor_id: str, write: Callable[[WorkerStatus], None], *, machine: str = "") -> None:
        self._executor_id = executor_id
        self._keep = write
        self._machine = machine
        self._queues: tuple[str, ...] = ()
        self._started_at = utc_now().isoformat()
        self._lock = threading.Lock()
        self._state: WorkerState = "starting"
        self._jobs: dict[str, dict[str, str]] = {}
        self._written_at = 0.0

    def set_queues(self, queues: Sequence[str]) -> None:
        """The queues that the worker works on, written with its next state."""
        self._queues = tuple(queues)

    def set_state(self, state: WorkerState) -> None:
        with self._lock:
            self._state = state
            self._write()

    def begin(self, job_id: str, subject: str, stage: str) -> None:
        """A piece of work has begun; `subject` is the video or export it is for."""
        with self._lock:
            self._jobs[f"{job_id}/{stage}"] = {
                "job_id": job_id,
                "subject": subject,
                "stage": stage,
                "since": utc_now().isoformat(),
            }
            self._write()

    def end(self, job_id: str, stage: str) -> None:
        with self._lock:
            self._jobs.pop(f"{job_id}/{stage}", None)
            self._write()

    def beat(self) -> None:
        """Write again if the last time is a while ago, so that readers see the worker is alive."""
        with self._lock:
            if time.monotonic() - self._written_at >= HEARTBEAT_S:
                self._write()

    def _write(self) -> None:
        state = self._state
        if state == "idle" and self._jobs:
            state = "working"
        status = WorkerStatus(
            pid=os.getpid(),
            executor_id=self._executor_id,
            state=state,
            started_at=self._started_at,
            updated_at=utc_now().isoformat(),
            jobs=tuple(self._jobs.values()),
            machine=self._machine,
            queues=self._queues,
        )
        try:
            self._keep(status)
        except (OSError, HeimdexError) as error:
            # a full disk must not fail the work that is only reported on
            logger.warning("the worker's status cannot be written: %s", error)
        self._written_at = time.monotonic()


class StatusFile(StatusReport):
    """Writes the status to a file."""

    def __init__(self, path: Path, executor_id: str) -> None:
        super().__init__(executor_id, lambda status: write_json(path, status, durable=False), machine=path.stem)
