"""What queues and workers are doing, as the page of activity shows it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core import logs
from heimdex_core.jobs.activity import queue_depths, workers_of
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.crash_guard import StageAttempt
from heimdex_core.jobs.status import WorkerStatus
from heimdex_core.jobs.tasks import Tasks
from heimdex_core.types import utc_now
from tests.jobs.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


def job(name: str, queue: str, status: str, created_at: int = 0) -> Any:
    return SimpleNamespace(name=name, queue_name=queue, status=status, created_at=created_at)


def test_depths_by_queue_and_the_oldest_that_waits() -> None:
    jobs = [
        job("ingest", "ingest", "ENQUEUED", 20_000),
        job("ingest", "ingest", "DELAYED", 10_000),
        job("ingest", "ingest", "PENDING", 1_000),
        job("export", "render", "PENDING", 1_000),
        job("speech", "ingest", "ENQUEUED", 1),
        job("ingest", "nobody's", "ENQUEUED", 1),
    ]
    found = {one.queue: one for one in queue_depths(jobs)}
    assert (found["ingest"].waiting, found["ingest"].running) == (2, 1)
    assert found["ingest"].oldest_waiting_at == datetime.fromtimestamp(10, UTC)
    assert (found["render"].waiting, found["render"].running, found["render"].oldest_waiting_at) == (0, 1, None)
    assert (found["index"].waiting, found["index"].running) == (0, 0)


def test_jobs_of_all_users_are_counted(bench: Bench) -> None:
    queues = [JobQueue(bench.library.as_user(name)) for name in ("ann", "bob")]
    try:
        for number, queue in enumerate(queues):
            queue.enqueue_ingest(f"v{number}")
        (ingest,) = [one for one in queues[0].depths() if one.queue == "ingest"]
        assert (ingest.waiting, ingest.running) == (2, 0)
        assert ingest.oldest_waiting_at is not None
        assert utc_now() - ingest.oldest_waiting_at < timedelta(minutes=5)
        assert queues[0].workers() == []
    finally:
        for queue in queues:
            queue.close()


def status(state: Any, age: timedelta, **named: Any) -> WorkerStatus:
    return WorkerStatus(7, "id", state, "", (utc_now() - age).isoformat(), machine="a", **named)


def test_workers_that_have_ended_or_are_forgotten_are_left_out() -> None:
    tasks: Any = ({"job_id": "j", "subject": "v", "stage": "scenes", "since": "2026-11-27T10:00:00+00:00"}, {})
    found = workers_of([
        status("working", timedelta(), jobs=tasks),
        status("working", timedelta(minutes=3)),
        status("stopped", timedelta()),
        status("asleep", timedelta(days=2)),
    ])  # fmt: skip
    assert [one.state for one in found] == ["working", "silent"]
    assert [(task.stage, task.since is None) for task in found[0].tasks] == [("scenes", False), ("", True)]


def test_what_is_logged_while_a_job_is_worked_on_has_its_id(bench: Bench) -> None:
    guard: Any = SimpleNamespace(stopping=False, working=lambda attempt: nullcontext())
    lines: list[str] = []

    def work() -> None:
        record = logging.LogRecord("heimdex_core.x", logging.INFO, "", 1, "at work", None, None)
        lines.append(logs.JsonFormatter("worker").format(record))

    Tasks(bench.library, guard).attempt(StageAttempt("job-1", bench.video().video_id, "scenes"), work)
    assert '"job_id": "job-1"' in lines[0]
