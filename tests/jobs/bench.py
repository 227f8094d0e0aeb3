"""A library with its queue, and workers to start and kill: what the tests of jobs are made of."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from heimdex_core.jobs.client import JobQueue, JobStatus
from heimdex_core.jobs.config import JobsDatabase
from heimdex_core.jobs.crash_marks import CrashMarks, FileCrashMarks, TableCrashMarks
from heimdex_core.jobs.status import WorkerStatus
from heimdex_core.jobs.statuses import statuses_of
from heimdex_core.jobs.worker_slot import WorkerSlot, this_slot
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import Video, VideoState
from tests.jobs.waiting import until

TOY = "tests.jobs.toy_worker"


@dataclass
class Bench:
    library: Library
    queue: JobQueue
    environment: dict[str, str] = field(default_factory=dict)
    worker: subprocess.Popen[bytes] | None = None

    @staticmethod
    def make(root: Path | str, **settings: Any) -> Bench:
        """A new library on the offline profile, in a folder or at an address; quick retries."""
        given = {"profile": "offline", "retry_backoff_s": 0.05, **settings}
        library = Library.open(root, settings=Settings(**given))
        (library.path / "toy").mkdir(exist_ok=True)
        queue = JobQueue(library)
        library.queue = queue
        names = {f"HEIMDEX_{name.upper()}": str(value) for name, value in given.items()}
        return Bench(library, queue, names)

    def close(self) -> None:
        self.kill()
        self.queue.close()
        self.library.close()

    # --- the worker -------------------------------------------------------------------------------

    def start(self, module: str = TOY, *args: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker of this library."""
        self.worker = subprocess.Popen(
            [sys.executable, "-m", module, str(self.library.path), *args],
            env={**os.environ, **self.environment, **environment},
        )
        return self.worker

    def kill(self) -> None:
        if self.worker is not None:
            self.worker.send_signal(signal.SIGKILL)
            self.worker.wait()
            self.worker = None

    def stop(self) -> int:
        """End the worker in order; its exit code."""
        assert self.worker is not None
        self.worker.send_signal(signal.SIGTERM)
        code = self.worker.wait(timeout=30)
        self.worker = None
        return code

    def revive(self, job_id: str, *, module: str = TOY, limit: int = 20, **environment: str) -> tuple[JobStatus, int]:
        """Start workers until the job is over, a new one each time one dies; (its end, how many died)."""
        crashes = 0
        while True:
            worker = self.worker or self.start(module, **environment)
            until(
                lambda: worker.poll() is not None or self.queue.status(job_id).state.is_over,  # noqa: B023
                f"the job or the crash of the worker (after {crashes})",
                limit_s=600,  # a worker takes a minute to start where other programs have the cores
            )
            if self.queue.status(job_id).state.is_over:
                return self.queue.status(job_id), crashes
            self.worker = None
            crashes += 1
            assert crashes <= limit, "the workers keep dying"

    @property
    def slot(self) -> WorkerSlot:
        return this_slot(self.library.work.worker_folder, self.library.work.key)

    def worker_status(self) -> WorkerStatus | None:
        """What the worker that wrote last says; one that has ended says no more."""
        found = statuses_of(self.library.work).all()
        return found[0] if found else None

    @property
    def crash_marks(self) -> CrashMarks:
        """The marks of this library's workers: rows over Postgres, else files."""
        shared = self.library.work.shared
        return FileCrashMarks(self.slot.folder / "running") if shared is None else TableCrashMarks(shared, "nobody")

    # --- videos and jobs --------------------------------------------------------------------------

    def video(self) -> Video:
        """A registered video that waits for its stages; there is a file, nobody looks into it."""
        sha = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        video, _ = self.library._store.register_video("local", sha, title="toy", filename="toy.mp4")
        source = self.library._store.paths.new_source(video.video_id, ".mp4")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(b"toy")
        return self.library._store.set_state(video.video_id, VideoState.VALIDATING)

    def enqueue(self, video: Video) -> str:
        job_id = self.queue.enqueue_ingest(video.video_id)
        self.library._store.set_job(video.video_id, job_id)
        return job_id

    def ended(self, job_id: str) -> JobStatus:
        """The job once it is over."""
        until(lambda: self.queue.status(job_id).state.is_over, f"the end of {job_id}")
        return self.queue.status(job_id)

    def state(self, video: Video) -> VideoState:
        return self.library.video(video.video_id).state

    def wait_for_state(self, video: Video, state: VideoState) -> None:
        until(lambda: self.state(video) == state, f"{video.video_id} to be {state}")

    def error_code(self, video: Video) -> str | None:
        error = self.library.video(video.video_id).error
        return error["code"] if error else None

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Look into the queue's own tables, or change them, behind the back of DBOS."""
        database = JobsDatabase.of(self.library.work)
        engine = sa.create_engine(database.url.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.begin() as connection:
                if not database.is_sqlite:
                    connection.execute(sa.text(f"set search_path to {database.schema}"))
                result = connection.execute(sa.text(statement), values)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    # --- what the toy stages do -------------------------------------------------------------------

    def order(self, what: str, value: str | int = "") -> Path:
        """Give the toy stages an order, for example order("fail-audio", 1); the file it lies in."""
        path = self.library.path / "toy" / what
        path.write_text(str(value))
        return path

    def begun(self, subject: str) -> list[str]:
        """The stages begun for a video or export, in order, each time they were."""
        log = self.library.path / "toy" / "log"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return [stage for _, about, stage in lines if about == subject]

    def wait_for_stage(self, subject: str, stage: str) -> None:
        until(lambda: stage in self.begun(subject), f"{stage} to begin")
