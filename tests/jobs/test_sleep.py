"""A worker without work ends DBOS and sleeps. A new job wakes it; a job it was not told of is found all the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heimdex_core.jobs import client
from heimdex_core.jobs.client import JobState
from heimdex_core.jobs.wake_up import WakeUpFile, wake_workers
from heimdex_core.types import utc_now
from tests.jobs.bench import Bench
from tests.jobs.waiting import until

NEVER = "100000"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


def fall_asleep(bench: Bench) -> int:
    """Wait for the worker to sleep; its process id."""

    def asleep() -> int:
        status = bench.worker_status()
        return status.pid if status is not None and status.state == "asleep" else 0

    return until(asleep, "the worker to sleep")


def test_a_new_job_wakes_the_worker(bench: Bench) -> None:
    bench.start(TOY_SLEEP_AFTER_S="1", TOY_LOOK_ANYWAY_S=NEVER)
    first = fall_asleep(bench)
    job = bench.ended(bench.enqueue(bench.video()))
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    assert fall_asleep(bench) == first, "the same process goes back to sleep"


@pytest.mark.long
def test_a_job_that_wakes_nobody_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start(TOY_SLEEP_AFTER_S="1", TOY_LOOK_ANYWAY_S="0.5")
    fall_asleep(bench)
    monkeypatch.setattr(client, "wake_workers", lambda folder: None)  # as a client on another machine
    assert bench.ended(bench.enqueue(bench.video())).state == JobState.SUCCEEDED


@pytest.mark.long
def test_it_stays_awake_while_a_cancelled_job_is_still_in_a_stage(bench: Bench) -> None:
    """The queue has no job any more, but the stage reports its end to DBOS."""
    deaf = bench.order("deaf-probe")
    bench.start(TOY_SLEEP_AFTER_S="1", TOY_LOOK_ANYWAY_S=NEVER)
    video = bench.video()
    job_id = bench.enqueue(video)
    bench.wait_for_stage(video.video_id, "probe")
    bench.queue.cancel(job_id)
    assert bench.ended(job_id).state == JobState.CANCELLED
    cancelled_at = utc_now()

    def state_after_some_ticks() -> str:
        status = bench.worker_status()
        assert status is not None
        late = datetime.fromisoformat(status.updated_at) > cancelled_at + timedelta(seconds=5)
        return status.state if late or status.state == "asleep" else ""

    assert until(state_after_some_ticks, "some looks at the queue") != "asleep"
    deaf.unlink()
    fall_asleep(bench)


@pytest.mark.long
def test_a_job_taken_after_the_last_look_at_the_queue_is_begun_again(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    late, hold = bench.order("late"), bench.order("hold-probe")
    bench.start(TOY_SLEEP_AFTER_S="1", TOY_LOOK_ANYWAY_S=NEVER)
    until((late.parent / "late-now").exists, "the worker to be about to sleep")
    video = bench.video()
    job_id = bench.enqueue(video)
    bench.wait_for_stage(video.video_id, "probe")
    late.unlink()
    until(lambda: bench.begun(video.video_id).count("probe") == 2, "the job to be begun again")
    hold.unlink()
    job = bench.ended(job_id)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    fall_asleep(bench)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.long
def test_a_sleeping_worker_stops_in_order(bench: Bench) -> None:
    bench.start(TOY_SLEEP_AFTER_S="1", TOY_LOOK_ANYWAY_S=NEVER)
    fall_asleep(bench)
    assert bench.stop() == 0


def test_a_wake_up_between_the_look_at_the_queue_and_the_wait_is_not_lost(tmp_path: Path) -> None:
    file = WakeUpFile(tmp_path)
    file.note()
    wake_workers(tmp_path)
    assert file.wait(threading.Event(), limit_s=0)
    file.note()
    assert not file.wait(threading.Event(), limit_s=0)


def test_a_full_disk_does_not_fail_the_one_who_queues(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "wake-up").mkdir()  # a file cannot be renamed over it
    wake_workers(tmp_path)
    assert "cannot be woken" in caplog.text
