"""Two workers and two readers as processes on one library: what is killed in the middle is neither lost nor doubled."""

from __future__ import annotations

import pytest

from heimdex_core.ingest import stages
from heimdex_core.jobs.client import JobState, JobStatus
from heimdex_core.types import Video, VideoState
from tests.cluster.machines import Machines
from tests.cluster.processes import SCENES
from tests.jobs.bench import Bench
from tests.support.postgres import TestServer

STAGES = tuple(spec.name for spec in stages.SPECS if spec.name != "captions")
"""What the offline models have."""


def assert_whole(bench: Bench, videos: list[Video]) -> None:
    """Every video is indexed, each exactly once, and nothing of the attempts that were killed is left."""
    library, store = bench.library, bench.library._store
    assert [job_of(bench, video).state for video in videos] == [JobState.SUCCEEDED] * len(videos)
    found = {video.video_id: video for video in library.videos()}
    assert {video_id: (one.state, one.scene_count, one.error) for video_id, one in found.items()} == {
        video.video_id: (VideoState.INDEXED, SCENES, None) for video in videos
    }
    library.clean_up()
    for video_id, one in found.items():
        # what was staged by a process that was killed is removed after a day
        folders = store.paths.generations(video_id).iterdir()
        assert [path.name for path in folders if not path.name.startswith(".tmp-")] == [str(one.generation)]
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

    reports = machines.stop_readers()
    assert_whole(bench, made)
    assert [(report["videos"], report["problems"]) for report in reports] == [(videos, [])] * 2
    assert machines.kills == len(orders)


def test_killed_workers_and_a_database_that_restarts(machines: Machines, postgres: TestServer) -> None:
    run_through(machines, ("kill-at-picture", "kill-point-indexes-synced"), postgres)


@pytest.mark.long
@pytest.mark.parametrize(
    "orders",
    [tuple(f"kill-{moment}-{stage}" for stage in STAGES) for moment in ("at", "in", "after")],
    ids=["at the beginning", "before it is noted", "after it is noted"],
)
def test_killed_once_in_every_stage(machines: Machines, orders: tuple[str, ...]) -> None:
    """The stages are the real ones."""
    machines.real = True
    run_through(machines, orders, videos=4)


@pytest.mark.long
@pytest.mark.parametrize(
    "orders",
    [
        ("kill-point-staged-synced", "kill-point-generation-renamed", "kill-point-index-written"),
        ("kill-point-rows-written", "kill-point-manifest-switched", "kill-point-scenes-written"),
        ("kill-point-scenes-switched", "kill-point-lexical-announced", "kill-point-lexical-committed"),
        ("kill-point-indexes-synced", "kill-point-catalog-committed", "kill-point-visible-written"),
        ("kill-point-published",),
    ],
    ids=lambda orders: orders[0].removeprefix("kill-point-"),
)
def test_killed_once_at_every_step_of_the_commit(
    machines: Machines, orders: tuple[str, ...], postgres: TestServer
) -> None:
    run_through(machines, orders, postgres, videos=6)
