"""What a worker, an app or a machine leaves behind when it dies, and that nothing of it is lost or done twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import LibraryBusy, StageFailed
from heimdex_core.ingest import stages
from heimdex_core.jobs import worker
from heimdex_core.jobs.client import JobState
from heimdex_core.jobs.config import JobsDatabase
from heimdex_core.jobs.reconcile import end_given_up_jobs, queue_edited_videos, queue_stranded_videos
from heimdex_core.store import edits, sidecar
from heimdex_core.types import VideoState
from tests.jobs.bench import TOY, Bench
from tests.jobs.waiting import is_alive, until
from tests.support import media

KILLING = "tests.jobs.killing_worker"
START, SPEECH, PICTURE, END = (stages.names(branch) for branch in ("start", "speech", "picture", "end"))
STAGES = tuple(spec.name for spec in stages.SPECS)
PLAIN = tuple(name for name in STAGES if name not in ("captions", "screen_text"))
"""What the offline models have."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


# --- kill -9 of the worker ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadly", "noted"),
    [
        pytest.param(("commit",), (), id="one"),
        pytest.param(PLAIN, ("audio", "keyframes"), id="every one", marks=pytest.mark.long),
    ],
)
def test_killed_in_stages_a_video_is_indexed_and_no_finished_stage_is_run_again(
    deadly: tuple[str, ...], noted: tuple[str, ...], bench: Bench, tmp_path: Path
) -> None:
    """Real stages. A worker dies in each deadly one after its work and before it is noted; in each noted one between
    the work folder's note and DBOS'; and once where the commit has hardly begun."""
    file = media.colour_clips(tmp_path / "clip.avi", [("red", 1.5), ("blue", 1.5)], size=(160, 90), tone_hz=440)
    for stage in deadly:
        bench.order(f"kill-in-{stage}")
    for stage in noted:
        bench.order(f"kill-after-{stage}")
    bench.order("kill-at-commit")
    video = bench.library.add(file, queue=True)
    assert video.job_id is not None

    job, crashes = bench.revive(video.job_id, module=KILLING)

    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    assert crashes == len(deadly) + len(noted) + 1
    assert list((bench.library.path / "toy").glob("kill-*")) == []
    done = bench.library.video(video.video_id)
    assert (done.state, done.scene_count, done.error) == (VideoState.INDEXED, 2, None)

    # Every stage finished exactly once. (commit is noted as skipped: it died when it was already visible.)
    assert done.generation is not None
    provenance = sidecar.read_provenance(bench.library._store.paths.generation(video.video_id, done.generation))
    finished = Counter(entry["stage"] for entry in provenance["stages"] if not entry["skipped"])
    assert finished == Counter(set(PLAIN) - {"commit"})
    # Begun twice where it was killed once in it. (The commit died hardly begun, and again when it was visible, which is
    # not done over. A branch's stages may also have been under way when the other's killed the worker.)
    begun = Counter(bench.begun(video.video_id))
    alone = [stage for stage in (*START, *END) if stage in PLAIN]
    assert {stage: begun[stage] for stage in alone} == {stage: 2 if stage in deadly else 1 for stage in alone}
    # DBOS has every step once, and it knows none that was not needed.
    assert steps(bench, video.job_id) == sorted([*START, *END, "finish"])
    assert steps(bench, f"{video.job_id}-speech") == sorted(SPEECH)
    assert steps(bench, f"{video.job_id}-picture") == sorted(PICTURE)
    # Nothing is left lying around.
    assert not bench.library._store.paths.work(video.video_id).exists()
    assert not bench.crash_marks.has(video.job_id)


def steps(bench: Bench, workflow_id: str) -> list[str]:
    """The names of a workflow's recorded steps of ours, sorted."""
    rows = bench.sql("select function_name from operation_outputs where workflow_uuid = :id", id=workflow_id)
    return sorted(row[0] for row in rows if row[0] in {*STAGES, "finish"})


@pytest.mark.long
def test_jobs_of_another_version_are_queued_again_and_done(bench: Bench) -> None:
    held = bench.order("hold-picture")
    waiting, begun, cancelled, other = (bench.video() for _ in range(4))
    under_way = bench.enqueue(begun)
    bench.start()
    bench.wait_for_stage(begun.video_id, "picture")
    bench.kill()
    jobs = [under_way, *(bench.enqueue(video) for video in (waiting, cancelled, other))]
    bench.library.cancel(cancelled.video_id)
    # an update came, and a crash right between the two halves of queueing a job anew
    bench.sql("update workflow_status set application_version = '0'")
    bench.sql(
        "update workflow_status set status = 'CANCELLED', deduplication_id = null where workflow_uuid = :id", id=jobs[3]
    )
    held.unlink()
    bench.start()
    for video in (begun, waiting, other):
        bench.wait_for_state(video, VideoState.INDEXED)
        job_id = bench.library.video(video.video_id).job_id
        assert job_id is not None
        assert job_id not in jobs
        assert bench.ended(job_id).state == JobState.SUCCEEDED
    assert {bench.queue.status(job_id).state for job_id in jobs} == {JobState.CANCELLED}
    assert (bench.state(cancelled), bench.error_code(cancelled)) == (VideoState.FAILED, "CANCELLED")
    assert bench.begun(cancelled.video_id) == []


@pytest.mark.long  # tests/jobs/test_crash_guard.py has the count
def test_a_job_that_keeps_killing_its_worker_fails_at_the_third_crash(bench: Bench) -> None:
    bench.order("kill-picture", 99)
    video, harmless = bench.video(), bench.video()
    job_id, other = bench.enqueue(video), bench.enqueue(harmless)
    job, crashes = bench.revive(job_id)
    assert (job.state, crashes) == (JobState.FAILED, 3)
    assert job.error is not None
    assert (job.error["code"], job.error["details"]["times"]) == ("WORKER_LOST", 3)
    assert (bench.state(video), bench.error_code(video)) == (VideoState.FAILED, "WORKER_LOST")
    # the one behind it in the queue gets its turn
    (bench.library.path / "toy" / "kill-picture").unlink()
    assert bench.ended(other).state == JobState.SUCCEEDED
    # and a person may try the first again, from zero
    again = bench.library.retry(video.video_id, queue=True)
    assert again.job_id is not None
    assert bench.ended(again.job_id).state == JobState.SUCCEEDED


def test_jobs_queued_before_any_worker_ran_are_done_in_order(bench: Bench) -> None:
    videos = [bench.video() for _ in range(3)]
    jobs = [bench.enqueue(video) for video in videos]
    assert len(bench.queue.active()) == 3
    bench.start()
    assert [bench.ended(job).state for job in jobs] == [JobState.SUCCEEDED] * 3
    begun = [bench.queue.status(job).completed_at for job in jobs]
    assert begun == sorted(begun, key=str)
    # the worker's clean-up is a job as well, and may be under way
    until(lambda: bench.queue.active() == [], "an empty queue")


def test_stopped_in_the_middle_it_goes_on_where_it_was(bench: Bench) -> None:
    held = bench.order("hold-keyframes")
    video = bench.video()
    job_id = bench.enqueue(video)
    bench.start()
    bench.wait_for_stage(video.video_id, "keyframes")
    assert bench.stop() == worker.EXIT_OK
    status = bench.worker_status()
    assert status is not None
    assert (status.state, status.jobs) == ("stopped", ())
    assert bench.queue.status(job_id).state == JobState.RUNNING
    assert bench.state(video) == VideoState.PROCESSING
    held.unlink()
    bench.start()
    assert bench.ended(job_id).state == JobState.SUCCEEDED
    begun = Counter(bench.begun(video.video_id))
    assert begun.pop("keyframes") == 2
    assert set(begun.values()) == {1}


# --- the place ------------------------------------------------------------------------------------


def test_a_second_worker_is_refused_with_the_pid_of_the_first(bench: Bench) -> None:
    if bench.library.work.shared is not None:
        pytest.skip("over Postgres a machine may have any number of workers")
    first = bench.start()
    until(bench.worker_status, "the first worker")
    second = subprocess.run(
        [sys.executable, "-m", TOY, str(bench.library.path)],
        env={**os.environ, **bench.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == worker.EXIT_SLOT_TAKEN
    assert f"process {first.pid}" in second.stderr
    with pytest.raises(LibraryBusy):
        worker.run_worker(bench.library.path)
    assert first.poll() is None


@pytest.mark.long
def test_work_of_a_slot_that_is_gone_is_taken_over(bench: Bench) -> None:
    """A container that was killed and came back under another host name."""
    held = bench.order("hold-picture")
    video = bench.video()
    job_id = bench.enqueue(video)
    bench.start()
    bench.wait_for_stage(video.video_id, "picture")
    bench.kill()
    held.unlink()
    old = bench.slot
    moved = old.folder / "another-machine"
    text = json.loads(old.lock_path.read_text())
    moved.with_suffix(".lock").write_text(json.dumps({**text, "executor_id": "key@another-machine"}))
    old.status_path.rename(moved.with_suffix(".json"))
    old.lock_path.unlink()
    hour_ago = time.time() - 3600
    os.utime(moved.with_suffix(".json"), (hour_ago, hour_ago))
    bench.sql("update workflow_status set executor_id = 'key@another-machine'")
    bench.start()
    assert bench.ended(job_id).state == JobState.SUCCEEDED
    assert Counter(bench.begun(video.video_id))["probe"] == 1


# --- kill -9 of the app ---------------------------------------------------------------------------

APP = """
import sys, time
from heimdex_core.jobs.supervisor import WorkerSupervisor
from pathlib import Path
supervisor = WorkerSupervisor(sys.argv[1], Path(sys.argv[3]), command=(sys.executable, "-m", sys.argv[2]))
supervisor.start()
time.sleep(120)
"""


@pytest.mark.long
def test_a_killed_app_takes_its_worker_along_and_the_next_app_goes_on(bench: Bench) -> None:
    held = bench.order("hold-picture")
    video = bench.video()
    job_id = bench.enqueue(video)
    with app(bench) as first:
        bench.wait_for_stage(video.video_id, "picture")
        status = bench.worker_status()
        assert status is not None
        first.send_signal(signal.SIGKILL)
        first.wait()
        until(lambda: not is_alive(status.pid), "the worker to end", limit_s=40)
    assert bench.queue.status(job_id).state == JobState.RUNNING
    held.unlink()
    with app(bench):
        assert bench.ended(job_id).state == JobState.SUCCEEDED
        begun = Counter(bench.begun(video.video_id))
        assert begun.pop("picture") == 2
        assert set(begun.values()) == {1}
        pid = until(bench.worker_status, "the second worker").pid
    until(lambda: not is_alive(pid), "the second worker to end with its app", limit_s=40)


@contextlib.contextmanager
def app(bench: Bench) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", APP, str(bench.library.path), TOY, str(bench.slot.folder)],
        env={**os.environ, **bench.environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


# --- what nobody else ends ------------------------------------------------------------------------


def test_a_job_that_dbos_gave_up_ends_its_video(bench: Bench) -> None:
    video = bench.video()
    job_id = bench.enqueue(video)
    bench.sql(
        "update workflow_status set status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' where workflow_uuid = :id", id=job_id
    )
    assert settle(bench) == 1
    assert (bench.state(video), bench.error_code(video)) == (VideoState.FAILED, "WORKER_LOST")
    assert bench.queue.status(job_id).state == JobState.FAILED
    assert settle(bench) == 0


def test_a_given_up_job_does_not_touch_a_video_that_a_newer_one_works_on(bench: Bench) -> None:
    video = bench.video()
    old = bench.enqueue(video)
    bench.library.cancel(video.video_id)
    new = bench.library.retry(video.video_id, queue=True).job_id
    assert new not in (None, old)
    assert settle(bench) == 0
    assert bench.state(video) == VideoState.VALIDATING


def test_a_video_that_was_never_queued_is_queued(bench: Bench) -> None:
    """The app was killed between registering an upload and queueing it."""
    stranded, queued, done = bench.video(), bench.video(), bench.video()
    bench.enqueue(queued)
    bench.library._store.set_state(done.video_id, VideoState.FAILED)
    assert requeue(bench, silent_s=600) == 0
    assert requeue(bench, silent_s=0) == 1
    job_id = bench.library.video(stranded.video_id).job_id
    assert job_id is not None
    assert bench.queue.status(job_id).subject == stranded.video_id
    assert requeue(bench, silent_s=0) == 0


def test_a_video_whose_edit_never_got_a_job_is_queued(bench: Bench) -> None:
    """The app was killed between writing the edit and changing the video's state; a failed one is left to a person."""
    store = bench.library._store
    edited, failed, plain = bench.video(), bench.video(), bench.video()
    for video in (edited, failed, plain):
        generation = store.paths.generation(video.video_id, 1)
        generation.mkdir(parents=True)
        with store.catalog.transaction() as transaction:
            transaction.update("videos", {"state": "indexed", "generation": 1}, {"video_id": video.video_id})
    for video in (edited, failed):
        edits.write_journal(store.paths.video(video.video_id), edits.Journal().with_edit("merge", 2.0))
    store.set_state(failed.video_id, VideoState.INDEXED, error=StageFailed(stage="scenes", reason="x").to_dict())
    client = JobsDatabase.of(bench.library.work).client()
    try:
        assert queue_edited_videos(client, bench.library.work) == 1
        assert queue_edited_videos(client, bench.library.work) == 0
    finally:
        client.destroy()
    job_id = bench.library.video(edited.video_id).job_id
    assert job_id is not None
    assert bench.queue.status(job_id).subject == edited.video_id
    assert [bench.state(video) for video in (edited, failed, plain)] == ["processing", "indexed", "indexed"]


def settle(bench: Bench) -> int:
    client = JobsDatabase.of(bench.library.work).client()
    try:
        return end_given_up_jobs(client, bench.library.work)
    finally:
        client.destroy()


def requeue(bench: Bench, *, silent_s: float) -> int:
    client = JobsDatabase.of(bench.library.work).client()
    try:
        return queue_stranded_videos(client, bench.library.work, silent_s=silent_s)
    finally:
        client.destroy()
