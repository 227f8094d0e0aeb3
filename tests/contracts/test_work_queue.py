"""What `Library` relies on in every queue: one unfinished job per subject, and cancelling that is done on return.

No worker runs here. The queue of DBOS is the one that there is; HEIMDEX_DATABASE_URL decides which database it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heimdex_core.errors import JobsUnavailable
from heimdex_core.jobs.client import JobQueue
from heimdex_core.library import Library
from heimdex_core.library.context import WorkQueue
from heimdex_core.types import Video, VideoState
from tests.jobs.bench import Bench

MAKERS: dict[str, Callable[[Library], JobQueue]] = {"dbos": JobQueue}
ENQUEUE: dict[str, Callable[[WorkQueue, str], str]] = {
    "ingest": lambda queue, subject: queue.enqueue_ingest(subject),
    "export": lambda queue, subject: queue.enqueue_reel(subject),
    "reindex": lambda queue, subject: queue.enqueue_reindex(),
    "migration": lambda queue, subject: queue.enqueue_migration(1),
    "sweep": lambda queue, subject: queue.enqueue_sweep(subject),
    "faces": lambda queue, subject: queue.enqueue_faces(subject),
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


@pytest.fixture(params=MAKERS)
def queues(request: pytest.FixtureRequest, bench: Bench) -> Iterator[tuple[WorkQueue, WorkQueue]]:
    """Two clients of one library's queue."""
    made = [MAKERS[request.param](bench.library) for _ in range(2)]
    bench.library.queue = made[0]
    yield made[0], made[1]
    for queue in made:
        queue.close()


@pytest.fixture
def video(bench: Bench) -> Video:
    return bench.video()


@pytest.mark.parametrize("kind", ENQUEUE)
def test_one_unfinished_job_per_subject(queues: tuple[WorkQueue, WorkQueue], video: Video, kind: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        jobs = set(pool.map(lambda n: ENQUEUE[kind](queues[n % 2], video.video_id), range(6)))
    assert len(jobs) == 1
    assert jobs != {""}


def test_subjects_and_kinds_have_their_own_jobs(queues: tuple[WorkQueue, WorkQueue], bench: Bench) -> None:
    subjects = [bench.video().video_id for _ in range(2)]
    jobs = {ENQUEUE[kind](queues[0], subject) for kind in ("ingest", "export") for subject in subjects}
    jobs |= {ENQUEUE[kind](queues[0], "") for kind in ("reindex", "migration")}
    assert len(jobs) == 6


def test_cancelled_the_video_is_over_on_return_and_can_be_queued_again(
    queues: tuple[WorkQueue, WorkQueue], bench: Bench, video: Video
) -> None:
    job_id = queues[0].enqueue_ingest(video.video_id)
    bench.library._store.set_job(video.video_id, job_id)
    queues[1].cancel(job_id)
    assert (bench.state(video), bench.error_code(video)) == (VideoState.FAILED, "CANCELLED")
    queues[1].cancel(job_id)  # again: nothing happens
    assert queues[0].enqueue_ingest(video.video_id) != job_id


def test_an_unknown_job_cannot_be_cancelled(queues: tuple[WorkQueue, WorkQueue]) -> None:
    with pytest.raises(JobsUnavailable):
        queues[0].cancel("nonsense")
