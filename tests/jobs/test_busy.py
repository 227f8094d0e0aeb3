"""A worker that meets a library in use by another process waits: that fails no video, however long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import (
    Cancelled,
    DatabaseInterrupted,
    DatabaseUnavailable,
    HeimdexError,
    IndexLockLost,
    LibraryBusy,
    ObjectStorageUnavailable,
    WorkerReplaced,
)
from heimdex_core.jobs import tasks, worker
from heimdex_core.jobs.client import JobState
from heimdex_core.jobs.crash_guard import CrashGuard, StageAttempt, WorkerStopping
from heimdex_core.jobs.crash_marks import FileCrashMarks
from heimdex_core.jobs.status import StatusFile
from heimdex_core.jobs.tasks import Tasks
from heimdex_core.types import Json, VideoState
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support.stopped import stopped_holder


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library", lock_timeout_s=0.1, stage_retries=0)
    yield made
    made.close()


@pytest.mark.long
def test_a_job_goes_on_when_the_stopped_process_does(bench: Bench) -> None:
    held = bench.order("hold-probe")
    bench.start()
    video = bench.video()
    job_id = bench.enqueue(video)
    bench.wait_for_stage(video.video_id, "probe")
    with stopped_holder(bench.library.path):
        held.unlink()
        # probe ends; the next stage that needs the catalog is begun again and again
        until(lambda: bench.begun(video.video_id).count("commit") >= 3, "three attempts at the commit")
        assert bench.queue.status(job_id).state == JobState.RUNNING
    job = bench.ended(job_id)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    assert bench.state(video) == VideoState.INDEXED


class TestAttempt:
    @pytest.fixture
    def made(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Tasks:
        monkeypatch.setattr(tasks, "BUSY_PAUSE_S", 0.01)
        status = StatusFile(bench.slot.status_path, bench.slot.executor_id)
        return Tasks(bench.library, CrashGuard(FileCrashMarks(bench.slot.folder / "running"), status))

    def attempt(self, bench: Bench) -> StageAttempt:
        return StageAttempt("job", bench.video().video_id, "scenes", number=3, of=3)

    @pytest.mark.parametrize(
        "error",
        [
            LibraryBusy(what="x", pid=1, program="p", seconds=1),
            DatabaseUnavailable(reason="it restarts"),
            DatabaseInterrupted(reason="it restarts"),
            IndexLockLost(),
            ObjectStorageUnavailable(address="x", reason="it restarts"),
        ],
        ids=["busy", "away", "interrupted", "lock lost", "storage away"],
    )
    def test_what_is_not_the_videos_fault_does_not_count_as_an_attempt(
        self, bench: Bench, made: Tasks, error: HeimdexError
    ) -> None:
        left = [error] * 20

        def work() -> Json:
            if left:
                raise left.pop()
            return {"done": True}

        assert made.attempt(self.attempt(bench), work) == {"done": True}

    def test_a_person_may_cancel_it_meanwhile(self, bench: Bench, made: Tasks) -> None:
        attempt = self.attempt(bench)

        def work() -> Json:
            bench.library._store.paths.cancel_marker(attempt.subject).touch()
            raise LibraryBusy(what="x", pid=1, program="p", seconds=1)

        assert made.attempt(attempt, work)["error"]["code"] == Cancelled.code

    def test_what_others_have_taken_over_is_left_to_them(self, bench: Bench, made: Tasks) -> None:
        def work() -> Json:
            raise WorkerReplaced(worker="lib@here.1")

        with pytest.raises(WorkerStopping):
            made.attempt(self.attempt(bench), work)

    def test_the_worker_may_stop_meanwhile(self, bench: Bench, made: Tasks) -> None:
        def work() -> Json:
            made.guard.stop()
            raise LibraryBusy(what="x", pid=1, program="p", seconds=1)

        with pytest.raises(WorkerStopping):
            made.attempt(self.attempt(bench), work)

    @pytest.mark.expect_errors
    def test_a_library_that_cannot_be_opened_is_not_taken_for_another_worker(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("HEIMDEX_LOCK_TIMEOUT_S", "0.1")
        with stopped_holder(bench.library.path) as pid:
            assert worker.main([str(bench.library.path)]) == worker.EXIT_FAILED
        assert f"process {pid} " in caplog.text
