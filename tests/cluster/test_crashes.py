"""Two workers and two readers as processes on one library: what is killed in the middle is neither lost nor doubled."""

from __future__ import annotations

import pytest

from heimdex_core.ingest import stages
from heimdex_core.jobs.client import JobState, JobStatus
from heimdex_core.types import Video, VideoState
from tests.cluster.machines import Machines
from tests.cluster.processes import SCENES, WORD
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support.object_storage import TestBucket
from tests.support.postgres import TestServer

STAGES = tuple(spec.name for spec in stages.SPECS if spec.name not in ("captions", "screen_text"))
"""What the offline models have."""


def assert_whole(bench: Bench, videos: list[Video]) -> None:
    """Every video is indexed, each exactly once, and nothing of the attempts that were killed is left."""
    library, store = bench.library, bench.library._store
    jobs = [job_of(bench, video) for video in videos]
    assert [(job.state, job.error) for job in jobs] == [(JobState.SUCCEEDED, None)] * len(videos)
    found = {video.video_id: video for video in library.videos()}
    assert {video_id: (one.state, one.scene_count, one.error) for video_id, one in found.items()} == {
        video.video_id: (VideoState.INDEXED, SCENES, None) for video in videos
    }
    library.clean_up()
    for video_id, one in found.items():
        assert store.paths.generation_numbers(video_id) == [one.generation]
    assert library.doctor()["problems"] == []


def job_of(bench: Bench, video: Video) -> JobStatus:
    return bench.queue.status(str(bench.library.video(video.video_id).job_id))


def run_through(machines: Machines, orders: tuple[str, ...], server: TestServer | None = None, videos: int = 3) -> None:
    """Two workers index videos and are killed as ordered, while two readers search; all is whole at the end.

    The server, if given, restarts after the first kill.
    """
    bench = machines.bench
    for order in orders:
        bench.order(order)
    made = [machines.add(number) for number in range(videos)]
    for name in ("first reader", "second reader"):
        machines.start_reader(name)
    for name in ("first", "second"):
        machines.start_worker(name)
    if server is not None:
        machines.revive_until(lambda: machines.kills > 0, "the first kill")
        with server.stopped():
            pass

    machines.revive_until(lambda: all(job_of(bench, video).state.is_over for video in made), "the end of all jobs")

    assert_whole(bench, made)
    reports = machines.stop_readers(videos)
    assert [(report["videos"], report["problems"]) for report in reports] == [(videos, [])] * 2
    assert machines.kills == len(orders)


QUICK = ("kill-at-picture", "kill-point-indexes-synced")


@pytest.mark.long
def test_killed_workers_a_storage_that_fails_and_a_database_that_restarts(
    machines_without_disk: Machines, postgres: TestServer, s3: TestBucket
) -> None:
    fail_now_and_then(s3)
    run_through(machines_without_disk, QUICK, postgres)
    assert s3.server.faults_left() == 0


def fail_now_and_then(s3: TestBucket) -> None:
    """Errors and lost connections in the middle of uploads and downloads."""
    s3.server.fail("503", method="PUT", times=4, skip=6)
    s3.server.fail("cut-answer", method="PUT", times=2, skip=20)
    s3.server.fail("cut-request", method="PUT", times=2, skip=30)
    s3.server.fail("500", method="GET", times=4, skip=6)
    s3.server.fail("cut-body", method="GET", times=2, skip=20)


def test_killed_workers_and_a_database_that_restarts(machines: Machines, postgres: TestServer) -> None:
    run_through(machines, QUICK, postgres)


@pytest.mark.long
def test_a_worker_with_other_models_commits_nothing(machines: Machines) -> None:
    bench = machines.bench
    bench.order("other-models")
    video = machines.add(0)
    machines.start_worker("first")
    bench.wait_for_state(video, VideoState.FAILED)
    assert bench.error_code(video) == "SPACE_MISMATCH"
    assert bench.library._store.paths.generation_numbers(video.video_id) == []
    assert bench.library.search(WORD).hits == ()
    # a worker with the library's models then does it
    bench.library.retry(video.video_id, queue=True)
    bench.wait_for_state(video, VideoState.INDEXED)
    until(lambda: job_of(bench, video).state.is_over, "the end of the job")
    assert_whole(bench, [video])


IN_STAGES = [tuple(f"kill-{moment}-{stage}" for stage in STAGES) for moment in ("at", "in", "after")]
IN_THE_COMMIT = [
    ("kill-point-staged-synced", "kill-point-generation-renamed", "kill-point-index-written"),
    ("kill-point-rows-written", "kill-point-manifest-switched", "kill-point-scenes-written"),
    ("kill-point-scenes-switched", "kill-point-lexical-announced", "kill-point-lexical-committed"),
    ("kill-point-indexes-synced", "kill-point-catalog-committed", "kill-point-visible-written"),
    ("kill-point-published",),
]
IN_A_COMMIT_TO_TABLES = [
    ("kill-point-staged-synced", "kill-point-generation-renamed", "kill-point-scenes-written"),
    ("kill-point-scenes-switched", "kill-point-indexes-synced", "kill-point-catalog-committed"),
    ("kill-point-visible-written", "kill-point-published"),
]
"""Those of a library that is searched with LanceDB, as one in object storage is."""


def first_of(orders: tuple[str, ...]) -> str:
    return orders[0]


@pytest.mark.long
@pytest.mark.parametrize("orders", IN_STAGES, ids=first_of)
def test_killed_once_in_every_stage(machines: Machines, orders: tuple[str, ...]) -> None:
    """The stages are the real ones."""
    machines.real = True
    run_through(machines, orders, videos=4)


@pytest.mark.long
@pytest.mark.parametrize("orders", IN_THE_COMMIT, ids=first_of)
def test_killed_once_at_every_step_of_the_commit(
    machines: Machines, orders: tuple[str, ...], postgres: TestServer
) -> None:
    run_through(machines, orders, postgres, videos=6)


@pytest.mark.long
@pytest.mark.parametrize("orders", IN_STAGES, ids=first_of)
def test_killed_once_in_every_stage_without_a_shared_disk(
    machines_without_disk: Machines, orders: tuple[str, ...], s3: TestBucket
) -> None:
    """The stages are the real ones."""
    fail_now_and_then(s3)
    machines_without_disk.real = True
    run_through(machines_without_disk, orders, videos=4)


@pytest.mark.long
@pytest.mark.parametrize("orders", IN_A_COMMIT_TO_TABLES, ids=first_of)
def test_killed_once_at_every_step_of_the_commit_without_a_shared_disk(
    machines_without_disk: Machines, orders: tuple[str, ...], postgres: TestServer, s3: TestBucket
) -> None:
    fail_now_and_then(s3)
    run_through(machines_without_disk, orders, postgres, videos=6)
