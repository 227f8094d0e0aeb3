"""Which queue a job goes to, which of its jobs comes first, and which queues a worker takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.cli.main import main
from heimdex_core.errors import UnknownName
from heimdex_core.jobs.client import JobQueue, JobState
from heimdex_core.jobs.config import QUEUES, JobsDatabase, check_queues
from heimdex_core.jobs.places import worker_place
from heimdex_core.jobs.reconcile import has_work
from heimdex_core.library import Library
from tests.jobs.bench import TOY, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


def in_order(bench: Bench) -> list[str]:
    """The subjects of the jobs that wait for indexing, as DBOS takes them."""
    rows = bench.sql(
        """select workflow_uuid from workflow_status
           where status = 'ENQUEUED' and queue_name = 'ingest' order by priority, created_at"""
    )
    return [row[0].removeprefix("ingest-").rsplit("-", 1)[0] for row in rows]


class Users:
    """Queues of several people."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._queues: dict[str, JobQueue] = {}

    def add(self, name: str, *subjects: str, bulk: bool = True) -> list[str]:
        queue = self._queues.setdefault(name, JobQueue(self._library.as_user(name)))
        return [queue.enqueue_ingest(subject, is_awaited=not bulk) for subject in subjects]

    def close(self) -> None:
        for queue in self._queues.values():
            queue.close()


@pytest.fixture
def users(bench: Bench) -> Iterator[Users]:
    made = Users(bench.library)
    yield made
    made.close()


def test_who_waits_comes_first_and_users_take_turns(bench: Bench, users: Users) -> None:
    jobs = users.add("ann", "a1", "a2", "a3", "a4", "a5")
    users.add("bob", "b1", "b2")
    users.add("ann", "now1", bulk=False)
    users.add("cho", "now2", bulk=False)
    assert in_order(bench) == ["now1", "now2", "a1", "b1", "a2", "b2", "a3", "a4", "a5"]

    bench.queue.cancel(*jobs[:3])
    users.add("cho", "c1")
    users.add("ann", "a6")
    # the queue stands at a4 (the fourth number), and b1 and b2 are over due
    assert in_order(bench) == ["now1", "now2", "b1", "b2", "a4", "c1", "a5", "a6"]


def test_a_user_who_comes_again_does_not_overtake_those_who_wait(bench: Bench, users: Users) -> None:
    jobs = users.add("ann", "a1", "a2", "a3")
    users.add("bob", "b1", "b2", "b3", "b4")
    bench.queue.cancel(*jobs)  # all of hers are done, and the queue stands at b1
    users.add("ann", "a4", "a5")
    assert in_order(bench) == ["b1", "a4", "b2", "a5", "b3", "b4"]


def test_each_kind_of_job_has_its_queue(bench: Bench) -> None:
    queue = bench.queue
    jobs = [queue.enqueue_ingest("v"), queue.enqueue_reel("e"), queue.enqueue_reindex()]
    jobs += [queue.enqueue_migration(1), queue.enqueue_sweep("s"), queue.enqueue_faces("f")]
    found = dict(bench.sql("select workflow_uuid, queue_name from workflow_status"))
    assert [found[job] for job in jobs] == ["ingest", "render", "index", "migration", "sweep", "faces"]


def test_videos_go_to_the_queue_for_graphics_cards_where_the_settings_say_so(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "library", ingest_queue="ingest-gpu")
    try:
        bench.queue.enqueue_ingest("v")
        assert bench.sql("select queue_name from workflow_status") == [("ingest-gpu",)]
    finally:
        bench.close()


def test_unknown_queues_are_refused_with_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_queues([]) == QUEUES
    assert check_queues(["render", "ingest", "render"]) == ("render", "ingest")
    with pytest.raises(UnknownName) as caught:
        check_queues(["ingest", "gpu"])
    assert "ingest, ingest-gpu, render, index, migration, sweep" in caught.value.hint
    assert main(["--library", str(tmp_path / "library"), "worker", "--queues", "ingest, gpu"]) != 0
    assert "There is no queue called gpu." in capsys.readouterr().err
    assert not (tmp_path / "library").exists()


def test_a_worker_has_no_work_where_only_other_queues_have(bench: Bench) -> None:
    bench.queue.enqueue_reel("e")
    client = JobsDatabase.of(bench.library.work).client()
    try:
        with worker_place(bench.library.work) as place:
            assert not has_work(client, place, ["ingest"])
            assert has_work(client, place, ["ingest", "render"])
    finally:
        client.destroy()


def test_a_worker_takes_only_jobs_of_its_queues(bench: Bench) -> None:
    video = bench.video()
    other = bench.queue.enqueue_reindex()
    job = bench.enqueue(video)
    bench.start(TOY, "--queues", "ingest")
    assert bench.ended(job).state == JobState.SUCCEEDED
    assert bench.queue.status(other).state == JobState.QUEUED
    status = bench.worker_status()
    assert status is not None
    assert status.queues == ("ingest",)
