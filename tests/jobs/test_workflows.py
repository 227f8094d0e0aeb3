"""Jobs from queueing to their end, with real workers and toy stages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from heimdex_core.errors import JobsUnavailable
from heimdex_core.ingest import stages
from heimdex_core.jobs.client import JobQueue, JobState
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, ReelClip, VideoState, utc_now
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support import media

START, PICTURE, END = (stages.names(branch) for branch in ("start", "picture", "end"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A library whose worker runs all the while; tests with it must not kill it."""
    bench = Bench.make(tmp_path_factory.mktemp("served") / "library")
    bench.start()
    yield bench
    bench.close()


@pytest.fixture
def orders(served: Bench) -> Iterator[Bench]:
    """The same, with the orders of a test taken back after it."""
    yield served
    for path in (served.library.path / "toy").glob("*-*"):
        path.unlink()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A library of the test's own, without a worker."""
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


class TestIngest:
    def test_every_stage_is_run_once_and_the_branches_before_the_rest(self, served: Bench) -> None:
        video = served.video()
        job = served.ended(served.enqueue(video))
        assert (job.state, job.kind, job.subject, job.error) == (JobState.SUCCEEDED, "ingest", video.video_id, None)
        begun = served.begun(video.video_id)
        assert sorted(begun) == sorted(spec.name for spec in stages.SPECS)
        assert begun[: len(START)] == list(START)
        assert begun[-len(END) :] == list(END)
        assert [stage for stage in begun if stage in PICTURE] == list(PICTURE)
        assert served.state(video) == VideoState.INDEXED

    def test_sound_and_picture_run_side_by_side(self, orders: Bench) -> None:
        held = [orders.order("hold-transcript"), orders.order("hold-tags")]
        video = orders.video()
        job_id = orders.enqueue(video)
        orders.wait_for_stage(video.video_id, "transcript")
        orders.wait_for_stage(video.video_id, "tags")
        for order in held:
            order.unlink()
        assert orders.ended(job_id).state == JobState.SUCCEEDED

    def test_a_failure_that_passes_is_tried_again(self, orders: Bench) -> None:
        orders.order("fail-keyframes", 2)
        video = orders.video()
        assert orders.ended(orders.enqueue(video)).state == JobState.SUCCEEDED
        assert orders.begun(video.video_id).count("keyframes") == 3
        assert orders.begun(video.video_id).count("scenes") == 1

    def test_after_two_retries_it_is_over(self, orders: Bench) -> None:
        orders.order("fail-keyframes", 9)
        video = orders.video()
        job = orders.ended(orders.enqueue(video))
        assert job.state == JobState.FAILED
        assert job.error is not None
        assert (job.error["code"], job.error["details"]["stage"]) == ("STAGE_FAILED", "keyframes")
        assert "ordered to fail" in job.error["message"]
        assert orders.begun(video.video_id).count("keyframes") == 3
        assert "text_embedding" not in orders.begun(video.video_id)
        assert (orders.state(video), orders.error_code(video)) == (VideoState.FAILED, "STAGE_FAILED")

    def test_a_final_answer_is_not_asked_for_twice(self, orders: Bench) -> None:
        orders.order("refuse-probe")
        video = orders.video()
        assert orders.ended(orders.enqueue(video)).state == JobState.FAILED
        assert orders.begun(video.video_id) == ["probe"]
        assert orders.error_code(video) == "INVALID_VALUE"

    def test_a_branch_that_failed_stops_the_other_and_tells_its_own_error(self, orders: Bench) -> None:
        orders.order("hold-transcript")
        orders.order("refuse-picture")
        video = orders.video()
        assert orders.ended(orders.enqueue(video)).state == JobState.FAILED
        assert orders.error_code(video) == "INVALID_VALUE"
        assert set(orders.begun(video.video_id)) == {*START, "transcript", "picture"}

    def test_a_failed_video_can_be_tried_again(self, orders: Bench) -> None:
        refusal = orders.order("refuse-scenes")
        video = orders.video()
        first = orders.enqueue(video)
        orders.ended(first)
        refusal.unlink()
        again = orders.library.retry(video.video_id, queue=True)
        assert again.job_id is not None
        assert again.job_id != first
        ended = orders.ended(again.job_id)
        assert ended.state == JobState.SUCCEEDED, ended
        assert (orders.state(video), orders.error_code(video)) == (VideoState.INDEXED, None)

    def test_a_video_purged_meanwhile_ends_its_job_quietly(self, orders: Bench) -> None:
        held = orders.order("hold-picture")
        video = orders.video()
        job_id = orders.enqueue(video)
        orders.wait_for_stage(video.video_id, "picture")
        orders.library._store.purge_video(video.video_id)
        held.unlink()
        job = orders.ended(job_id)
        assert job.error is not None
        assert job.error["code"] == "VIDEO_NOT_FOUND"


class TestBesideEachOther:
    @pytest.mark.long
    def test_two_videos_at_once_with_the_same_models(self, tmp_path: Path) -> None:
        bench = Bench.make(tmp_path / "library", ingest_concurrency=2)
        try:
            clips = [("red", 1.5), ("blue", 1.5), ("green", 1.5)]
            files = [media.colour_clips(tmp_path / f"{n}.mp4", clips[:n], size=(160, 90)) for n in (2, 3)]
            jobs = [bench.library.add(file, queue=True).job_id for file in files]
            bench.start("heimdex_core.jobs.worker")
            assert [bench.ended(str(job_id)).state for job_id in jobs] == [JobState.SUCCEEDED] * 2
            assert sorted(video.scene_count for video in bench.library.videos()) == [2, 3]
        finally:
            bench.close()


class TestOneJobPerVideo:
    def test_while_it_runs_it_is_the_same_job_and_afterwards_a_new_one(self, orders: Bench) -> None:
        held = orders.order("hold-picture")
        video = orders.video()
        job_id = orders.enqueue(video)
        orders.wait_for_stage(video.video_id, "picture")
        assert orders.queue.enqueue_ingest(video.video_id) == job_id
        held.unlink()
        orders.ended(job_id)
        again = orders.queue.enqueue_ingest(video.video_id)
        assert again != job_id
        assert orders.ended(again).state == JobState.SUCCEEDED


class TestOpening:
    def test_many_may_make_the_tables_at_once(self, tmp_path: Path) -> None:
        library = Library.open(tmp_path / "library", settings=Settings(profile="offline"))
        with ThreadPoolExecutor(6) as pool:
            queues = list(pool.map(lambda _: JobQueue(library), range(6)))
        assert [queue.active() for queue in queues] == [[]] * 6
        for queue in queues:
            queue.close()
        library.close()


class TestCancel:
    def test_a_waiting_job_is_over_at_once(self, bench: Bench) -> None:
        video = bench.video()
        job_id = bench.enqueue(video)
        bench.library.cancel(video.video_id)
        assert bench.queue.status(job_id).state == JobState.CANCELLED
        assert (bench.state(video), bench.error_code(video)) == (VideoState.FAILED, "CANCELLED")
        assert bench.queue.active() == []

    def test_a_running_stage_sees_it(self, orders: Bench) -> None:
        orders.order("hold-picture")
        video = orders.video()
        job_id = orders.enqueue(video)
        orders.wait_for_stage(video.video_id, "picture")
        orders.library.cancel(video.video_id)
        assert (orders.state(video), orders.error_code(video)) == (VideoState.FAILED, "CANCELLED")
        assert orders.queue.status(job_id).state == JobState.CANCELLED
        until(lambda: not working_on(orders, video.video_id), "the stage to stop")
        assert "scenes" not in orders.begun(video.video_id)
        assert (orders.state(video), orders.error_code(video)) == (VideoState.FAILED, "CANCELLED")

    def test_retried_at_once_the_new_job_waits_for_the_old_stage_and_runs(self, orders: Bench) -> None:
        held = orders.order("hold-picture")
        video = orders.video()
        first = orders.enqueue(video)
        orders.wait_for_stage(video.video_id, "picture")
        orders.library.cancel(video.video_id)
        again = orders.library.retry(video.video_id, queue=True)
        assert again.job_id is not None
        assert again.job_id != first
        held.unlink()
        ended = orders.ended(again.job_id)
        assert ended.state == JobState.SUCCEEDED, ended
        assert orders.state(video) == VideoState.INDEXED

    def test_deleting_stops_the_work_and_the_video_stays_deleted(self, orders: Bench) -> None:
        orders.order("hold-picture")
        video = orders.video()
        orders.enqueue(video)
        orders.wait_for_stage(video.video_id, "picture")
        orders.library.delete(video.video_id)
        until(lambda: not working_on(orders, video.video_id), "the stage to stop")
        assert orders.state(video) == VideoState.DELETED

    def test_a_job_that_is_over_stays_as_it_is(self, served: Bench) -> None:
        video = served.video()
        job_id = served.enqueue(video)
        served.ended(job_id)
        served.queue.cancel(job_id)
        assert served.queue.status(job_id).state == JobState.SUCCEEDED
        assert served.state(video) == VideoState.INDEXED


class TestExport:
    def export(self, bench: Bench) -> Export:
        clip = ReelClip(video_id=bench.video().video_id, start_s=0.0, end_s=1.0, scene_start_s=0.0, scene_end_s=2.0)
        return bench.library._store.exports.create(
            Export(
                export_id=clip.video_id,
                user_id="local",
                kind="reel",
                title="a reel",
                state=ExportState.PENDING,
                clips=(clip,),
                created_at=utc_now(),
                expires_at=utc_now() + timedelta(days=1),
            )
        )

    def test_it_is_rendered(self, served: Bench) -> None:
        export = self.export(served)
        job = served.ended(served.queue.enqueue_reel(export.export_id))
        assert (job.state, job.kind, job.subject) == (JobState.SUCCEEDED, "export", export.export_id)
        assert served.library.exports.get(export.export_id).state == ExportState.COMPLETED

    def test_a_failed_render_is_never_tried_again(self, orders: Bench) -> None:
        orders.order("fail-render", 1)
        export = self.export(orders)
        job = orders.ended(orders.queue.enqueue_reel(export.export_id))
        assert job.state == JobState.FAILED
        assert orders.begun(export.export_id) == ["render"]
        after = orders.library.exports.get(export.export_id)
        assert after.state == ExportState.FAILED
        assert after.error is not None
        assert "ordered to fail" in after.error["message"]

    def test_a_render_can_be_cancelled(self, orders: Bench) -> None:
        orders.order("hold-render")
        export = self.export(orders)
        job_id = orders.queue.enqueue_reel(export.export_id)
        orders.wait_for_stage(export.export_id, "render")
        orders.queue.cancel(job_id)
        assert orders.library.exports.get(export.export_id).state == ExportState.CANCELLED
        until(lambda: not working_on(orders, export.export_id), "the render to stop")
        assert orders.library.exports.get(export.export_id).state == ExportState.CANCELLED


class TestMaintenance:
    def test_reindex_runs_in_the_worker(self, served: Bench) -> None:
        job = served.ended(served.queue.enqueue_reindex())
        assert (job.kind, job.state, job.subject) == ("reindex", JobState.SUCCEEDED, None)

    def test_clean_up_runs_at_the_start(self, served: Bench) -> None:
        ran = "select 1 from workflow_status where name = 'clean-up' and status = 'SUCCESS'"
        until(lambda: served.sql(ran), "the clean-up at the start")


class TestAsking:
    def test_an_unknown_job_is_reported(self, bench: Bench) -> None:
        with pytest.raises(JobsUnavailable, match="no job nonsense"):
            bench.queue.status("nonsense")

    def test_the_queue_keeps_no_pickles(self, served: Bench) -> None:
        video = served.video()
        served.ended(served.enqueue(video))
        kinds = {row[0] for row in served.sql("select distinct serialization from workflow_status")}
        outputs = [row[0] for row in served.sql("select output from operation_outputs where output is not null")]
        assert kinds <= {"portable_json", None}
        assert outputs
        assert all(output.startswith(("{", "[", '"')) or output == "null" for output in outputs)

    def test_a_database_that_cannot_be_reached_is_reported(self, bench: Bench, tmp_path: Path) -> None:
        url = SecretStr(f"sqlite:///{tmp_path}/no/such/folder/x.db")
        settings = bench.library.settings.model_copy(update={"jobs_url": url, "database_url": None})
        bench.library._context.settings = settings
        with pytest.raises(JobsUnavailable, match="unable to open"):
            JobQueue(bench.library).active()


def working_on(bench: Bench, subject: str) -> bool:
    """Whether the worker says that it works on this video or export."""
    status = bench.worker_status()
    return status is not None and any(job["subject"] == subject for job in status.jobs)
