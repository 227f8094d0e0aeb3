"""A cancelled job never comes back to life, whatever the worker and its upkeep do at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.errors import Cancelled, JobsUnavailable, StageFailed
from heimdex_core.jobs import reconcile
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.crash_guard import CrashGuard, StageAttempt
from heimdex_core.jobs.crash_marks import FileCrashMarks
from heimdex_core.jobs.status import StatusFile
from heimdex_core.jobs.tasks import Tasks
from heimdex_core.library.migration import write_waiting
from heimdex_core.types import ExportState, Video, VideoState
from tests.jobs.bench import Bench
from tests.jobs.test_recovery import requeue, settle
from tests.jobs.test_workflows import TestExport as Exports
from tests.jobs.waiting import until
from tests.store.making import add, new_store
from tests.support import media

CANCELLED = (VideoState.FAILED, "CANCELLED")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


@pytest.fixture
def tasks(bench: Bench) -> Tasks:
    """What a worker does for a job, called here, so that something else can be done in between."""
    status = StatusFile(bench.slot.status_path, bench.slot.executor_id)
    return Tasks(bench.library, CrashGuard(FileCrashMarks(bench.slot.folder / "running"), status))


def after_the_look(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Have `action` done right after a stage has looked for a wish to stop, once."""
    looks = iter([True])

    def look(self: Tasks, job_id: str, subject: str) -> bool:
        if next(looks, False):
            action()
        return False

    monkeypatch.setattr(Tasks, "_is_marked", look)


def ended(bench: Bench, video: Video) -> tuple[VideoState, str | None]:
    return bench.state(video), bench.error_code(video)


@pytest.mark.parametrize("stage", ["probe", "keyframes", "commit"])
def test_a_stage_that_begins_at_that_moment_does_not_revive_the_video(
    bench: Bench, tasks: Tasks, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = bench.video()
    job_id = bench.enqueue(video)
    after_the_look(monkeypatch, lambda: bench.library.cancel(video.video_id))
    result = tasks.stage(StageAttempt(job_id, video.video_id, stage), "local")
    assert result["error"]["code"] == Cancelled.code
    assert ended(bench, video) == CANCELLED
    tasks.finish_ingest(job_id, "local", video.video_id, Cancelled())
    assert ended(bench, video) == CANCELLED


def test_a_render_that_begins_at_that_moment_does_not_revive_the_export(
    bench: Bench, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = Exports().export(bench)
    job_id = bench.queue.enqueue_reel(export.export_id)
    bench.library._store.exports.update(export.export_id, job_id=job_id)
    after_the_look(monkeypatch, lambda: bench.library.exports.cancel(export.export_id))
    result = tasks.render(StageAttempt(job_id, export.export_id, "render"), "local")
    assert result["error"]["code"] == Cancelled.code
    assert bench.library.exports.get(export.export_id).state == ExportState.CANCELLED


def test_a_stage_that_goes_on_does_not_revive_a_move(bench: Bench) -> None:
    target = bench.library.model_sets.active()
    job_id = bench.queue.enqueue_migration(target.set_id)
    write_waiting(bench.library._store.paths, target, job_id, bench.library.work.shared)
    migration = bench.library.model_sets.migration(target.set_id, job_id=job_id, is_cancelled=lambda: False)
    migration.pending()
    bench.library.model_sets.cancel()
    migration._update(done=1)
    status = bench.library.model_sets.status()
    assert status is not None
    assert (status.state, status.job_id) == ("cancelled", job_id)


def test_a_video_without_a_job_is_not_revived_by_the_search_for_such(
    bench: Bench, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = bench.video()
    enqueue = reconcile.enqueue

    def cancel_first(*args: Any) -> str:
        bench.library.cancel(video.video_id)
        return enqueue(*args)

    monkeypatch.setattr(reconcile, "enqueue", cancel_first)
    assert requeue(bench, silent_s=0) == 0
    (job,) = bench.queue.active()
    assert ended(bench, video) == CANCELLED
    monkeypatch.setattr(Tasks, "_is_marked", lambda *_: False)
    result = tasks.stage(StageAttempt(job.job_id, video.video_id, "probe"), "local")
    assert result["error"]["code"] == Cancelled.code
    assert ended(bench, video) == CANCELLED


def test_a_video_that_waits_without_a_job_is_begun_though_it_was_cancelled_long_ago(bench: Bench) -> None:
    video = bench.video()
    bench.library.cancel(video.video_id)
    bench.library._store.set_state(video.video_id, VideoState.VALIDATING)  # a retry whose process was killed then
    assert requeue(bench, silent_s=0) == 1
    assert not bench.library._store.paths.cancel_marker(video.video_id).exists()


def test_the_upkeep_does_not_end_a_video_that_is_being_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = bench.video()
    old = bench.enqueue(video)
    bench.library.cancel(video.video_id)
    enqueue = JobQueue._enqueue

    def settle_first(self: JobQueue, *args: Any, **options: Any) -> str:
        assert settle(bench) == 0
        return enqueue(self, *args, **options)

    monkeypatch.setattr(JobQueue, "_enqueue", settle_first)
    new = bench.library.retry(video.video_id, queue=True)
    assert new.job_id not in (None, old)
    assert settle(bench) == 0
    assert ended(bench, video) == (VideoState.VALIDATING, None)


def test_a_queue_that_cannot_be_reached_does_not_keep_anybody_from_cancelling(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    video = bench.video()
    job_id = bench.enqueue(video)

    def refuse(self: JobQueue, job_id: str) -> None:
        raise JobsUnavailable(reason="gone")

    monkeypatch.setattr(JobQueue, "cancel", refuse)
    bench.library.cancel(video.video_id)
    assert ended(bench, video) == CANCELLED
    assert job_id in caplog.text


def test_who_may_begin_is_decided_in_the_catalog(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "one", ("said",))
    video_id, failed = video.video_id, StageFailed(stage="x", reason="y")
    assert store.begin_work(video_id).state == VideoState.PROCESSING
    assert store.begin_work(video_id).state == VideoState.PROCESSING
    store.mark_video_failed("local", video_id, Cancelled())
    with pytest.raises(Cancelled):
        store.begin_work(video_id)
    assert store.video("local", video_id).state == VideoState.INDEXED
    store.set_state(video_id, VideoState.PROCESSING)  # somebody indexes it again
    assert store.begin_work(video_id).error is None
    store.mark_video_failed("local", video_id, failed)
    store.set_job(video_id, "job")
    begun = store.begin_work(video_id)
    assert (begun.state, begun.job_id) == (VideoState.PROCESSING, "job")
    store.delete_video("local", video_id)
    assert store.begin_work(video_id).state == VideoState.DELETED


@pytest.mark.long
def test_sixty_queued_videos(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real worker takes them up meanwhile; they are cancelled by the library, on the command line, by the queue."""
    clip = media.colour_clips(tmp_path / "clip.avi", [("red", 1.0)], size=(160, 90)).read_bytes()
    videos = []
    for n in range(60):
        path = tmp_path / f"{n}.avi"
        path.write_bytes(clip + bytes([n]))
        videos.append(bench.library.add(path, queue=True))
    bench.environment["HEIMDEX_INGEST_CONCURRENCY"] = "4"
    bench.start("heimdex_core.jobs.worker")
    until(lambda: any(bench.state(video) == VideoState.PROCESSING for video in videos), "the first stages")

    main(["--library", str(bench.library.path), "cancel", *(video.video_id for video in videos[40:])])
    for video in videos[:20]:
        bench.library.cancel(video.video_id)
    for video in videos[20:40]:
        bench.queue.cancel(str(video.job_id))

    allowed = {CANCELLED, (VideoState.INDEXED, None)}

    def all_quiet() -> bool:
        found = {video.video_id: ended(bench, video) for video in videos}
        assert set(found.values()) <= allowed, found
        status = bench.worker_status()
        return bench.queue.active() == [] and status is not None and status.state in ("idle", "asleep")

    until(all_quiet, "the worker to have nothing to do")
    # upkeep comes every 15 s while the worker is awake, and when it is asleep
    until(lambda: all_quiet() and bench.worker_status().state == "asleep", "the worker to sleep")  # type: ignore[union-attr]
    assert all_quiet()
