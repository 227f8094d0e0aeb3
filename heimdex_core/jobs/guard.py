"""What a worker watches while it works: who works on what, deaths in the middle of it, and stopping.

A mark lies in the running folder while a stage of a job is worked on. Every ending that Python sees
takes it away; a mark found at the start of the same stage therefore tells of a worker that died in
it (kill -9, out of memory, a crash in native code, power). After MAX_DEATHS of them the job fails
instead of taking down every worker that touches it. Stages that finished in between start from zero:
a worker killed once in each of many stages has done nothing wrong.

Two branches of a job run side by side, so the first death may leave two marks. From then on the job's
stages run one at a time: the next death has one culprit, and what ran out of memory has all of it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import WorkerLost
from heimdex_core.jobs.status import StatusFile

logger = logging.getLogger(__name__)

MAX_DEATHS = 3


class WorkerStopping(BaseException):
    """Leaves a step without a result, so that the job is taken up again by the next worker.

    Not an Exception on purpose: DBOS records those as the step's outcome, and nobody may mistake it
    for a failure of the work.
    """


@dataclass(frozen=True, slots=True)
class Piece:
    """A stage of a job, and the video or export that it is for."""

    job_id: str
    subject: str
    stage: str

    @property
    def mark(self) -> str:
        return f"{self.job_id}.{self.stage}.json"


class Guard:
    """One per worker."""

    def __init__(self, running_folder: Path, status: StatusFile) -> None:
        self._folder = running_folder
        self._status = status
        self._changed = threading.Condition()
        self._active: list[Piece] = []
        self._careful: dict[str, bool] = {}
        self._stopping = threading.Event()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Let no piece begin any more; those under way look at `stopping`."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is worked on; false if that took longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._active, timeout=timeout_s)

    def forgive(self) -> None:
        """Note that this worker is about to leave its pieces on purpose: that is no death."""
        with self._changed:
            active = list(self._active)
        for piece in active:
            self._write_mark(piece, deaths=self._read_deaths(piece) or 0, running=False)

    def forget(self, job_id: str) -> None:
        """Remove what is known about a job that has ended."""
        for mark in self._folder.glob(f"{job_id}.*.json"):
            mark.unlink(missing_ok=True)
        with self._changed:
            self._careful.pop(job_id, None)

    @contextlib.contextmanager
    def working(self, piece: Piece) -> Iterator[None]:
        """Work on `piece`: raises WorkerStopping, or WorkerLost when workers kept dying on it.

        Waits while another job is at work on the same subject (one cancelled a moment ago may still be
        on its way out), and for the job's own other branch once a worker died in one of them.
        """
        self._enter(piece)
        try:
            deaths = self._count_deaths(piece)
            if deaths >= MAX_DEATHS:
                raise WorkerLost(times=deaths, stage=piece.stage)
            self._write_mark(piece, deaths=deaths, running=True)
            self._status.begin(piece.job_id, piece.subject, piece.stage)
            yield
        finally:
            self._leave(piece)

    def _enter(self, piece: Piece) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.stopping or not self._taken(piece))
            if self.stopping:
                raise WorkerStopping
            self._active.append(piece)

    def _taken(self, piece: Piece) -> bool:
        if piece.job_id not in self._careful:
            # a mark from before this worker's first look at the job is a dead one's
            self._careful[piece.job_id] = any(self._folder.glob(f"{piece.job_id}.*.json"))
        return any(
            other.subject == piece.subject and (other.job_id != piece.job_id or self._careful[piece.job_id])
            for other in self._active
        )

    def _leave(self, piece: Piece) -> None:
        if self.stopping:
            self._write_mark(piece, deaths=self._read_deaths(piece) or 0, running=False)
        else:
            (self._folder / piece.mark).unlink(missing_ok=True)
        self._status.end(piece.job_id, piece.stage)
        with self._changed:
            self._active.remove(piece)
            self._changed.notify_all()

    # --- marks ------------------------------------------------------------------------------------

    def _count_deaths(self, piece: Piece) -> int:
        """How often a worker died in `piece` so far, this start's finding included."""
        data = self._read_mark(piece)
        return int(data.get("deaths", 0)) + (1 if data.get("running") else 0)

    def _read_deaths(self, piece: Piece) -> int:
        return int(self._read_mark(piece).get("deaths", 0))

    def _read_mark(self, piece: Piece) -> dict[str, int | bool]:
        try:
            data = json.loads((self._folder / piece.mark).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            # written halfway when the power went: that worker did die in this piece
            return {"running": True}
        return data if isinstance(data, dict) else {}

    def _write_mark(self, piece: Piece, *, deaths: int, running: bool) -> None:
        path = self._folder / piece.mark
        temporary = path.with_suffix(".new")
        mark = {"deaths": deaths, "running": running, "pid": os.getpid()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(mark), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            # on a full disk the stage itself says so, in better words
            logger.warning("the mark of %s cannot be written: %s", piece, error)
