"""What a worker watches while it works: who works on what, crashes in the middle of it, and stopping.

There is a mark (crash_marks.py) while a stage of a job is worked on. Every ending that Python sees removes it; a mark
found at the start of the same stage therefore tells of a worker that died in it (kill -9, out of memory, a crash in
native code, power). After MAX_CRASHES of them the job fails instead of taking down every worker that touches it. Each
stage counts for itself: a worker killed once in each of many stages has done nothing wrong.

Two branches of a job run side by side, so the first crash may leave two marks. From then on the job's
stages run one at a time: the next crash has one culprit, and what ran out of memory has all of it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from heimdex_core.errors import WorkerLost
from heimdex_core.jobs.crash_marks import CrashMarks
from heimdex_core.jobs.status import StatusReport

MAX_CRASHES = 3
_MARKS_WAIT_S = 60.0
"""How long the end of a stage awaits a database that is away, so that no crash is counted where there was none."""
_CLAIM_AGAIN_S = 0.3


class WorkerStopping(BaseException):
    """Leaves a step without a result, so that the job is taken up again by the next worker.

    Not an Exception on purpose: DBOS records those as the step's outcome, and nobody may mistake it
    for a failure of the work.
    """


@dataclass(frozen=True, slots=True)
class StageAttempt:
    """One attempt at a stage of a job, and the video or export that it is for."""

    job_id: str
    subject: str
    stage: str
    number: int = 1
    """From 1."""
    of: int = 1

    @property
    def is_last(self) -> bool:
        return self.number >= self.of


class Claims(Protocol):
    """What the workers of a library work on, so that no two are at the same: a cancelled job may still be on its way
    out when another worker has the next one."""

    def take(self, subject: str) -> bool:
        """Claim a subject, also one that this worker has; False while another worker has it."""
        ...

    def give_up(self, subject: str) -> None:
        """Let others have it; nothing happens if this worker does not."""
        ...


class CrashGuard:
    """One per worker."""

    def __init__(self, marks: CrashMarks, status: StatusReport, claims: Claims | None = None) -> None:
        """`claims` are those of all workers; None where a library has one worker."""
        self._marks = marks
        self._status = status
        self._claims = claims
        self._changed = threading.Condition()
        self._active: list[StageAttempt] = []
        self._careful: dict[str, bool] = {}
        self._stopping = threading.Event()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Let no attempt begin any more; those under way look at `stopping`."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def resume(self) -> None:
        """Let attempts begin again after `stop`."""
        self._stopping.clear()

    def wait_for_stop(self, timeout_s: float) -> bool:
        """Wait for `stop`, at most `timeout_s`; whether it was called."""
        return self._stopping.wait(timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is worked on; false if that took longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._active, timeout=timeout_s)

    def forgive(self) -> None:
        """Note that this worker is about to leave its attempts on purpose."""
        with self._changed:
            active = list(self._active)
        for attempt in active:
            self._marks.leave(attempt.job_id, attempt.stage, wait_s=0)

    def forget(self, job_id: str) -> None:
        """Remove what is known about a job that has ended."""
        self._marks.forget(job_id)
        with self._changed:
            self._careful.pop(job_id, None)

    @contextlib.contextmanager
    def working(self, attempt: StageAttempt) -> Iterator[None]:
        """Work on `attempt`: raises WorkerStopping, or WorkerLost when workers kept dying on it.

        Waits while another job is at work on the same subject, here or at another worker (one cancelled a moment ago
        may still be on its way out), and for the job's own other branch once a worker died in one of them.
        """
        self._enter(attempt)
        try:
            self._claim(attempt.subject)
            crashes = self._marks.begin(attempt.job_id, attempt.stage)
            if crashes >= MAX_CRASHES:
                raise WorkerLost(times=crashes, stage=attempt.stage)
            self._status.begin(attempt.job_id, attempt.subject, attempt.stage)
            yield
        finally:
            self._leave(attempt)

    def _enter(self, attempt: StageAttempt) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.stopping or not self._taken(attempt))
            if self.stopping:
                raise WorkerStopping
            self._active.append(attempt)

    def _claim(self, subject: str) -> None:
        while self._claims is not None and not self._claims.take(subject):
            if self.wait_for_stop(_CLAIM_AGAIN_S):
                raise WorkerStopping

    def _taken(self, attempt: StageAttempt) -> bool:
        if attempt.job_id not in self._careful:
            # a mark from before this worker's first look at the job is a dead worker's
            self._careful[attempt.job_id] = self._marks.has(attempt.job_id)
        return any(
            other.subject == attempt.subject and (other.job_id != attempt.job_id or self._careful[attempt.job_id])
            for other in self._active
        )

    def _leave(self, attempt: StageAttempt) -> None:
        end = self._marks.leave if self.stopping else self._marks.end
        end(attempt.job_id, attempt.stage, wait_s=_MARKS_WAIT_S)
        self._status.end(attempt.job_id, attempt.stage)
        with self._changed:
            self._active.remove(attempt)
            if self._claims is not None and all(other.subject != attempt.subject for other in self._active):
                self._claims.give_up(attempt.subject)
            self._changed.notify_all()
