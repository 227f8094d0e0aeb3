"""The figures of activity: who sees them, and what is in them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heimdex_core import schemas
from heimdex_core.errors import DecoderCrashed, JobsUnavailable, NotAllowed
from heimdex_core.library import Library
from heimdex_core.library.activity_table import HEADER, csv_text
from heimdex_core.models.profiles import profile_choice
from heimdex_core.store import Store
from heimdex_core.types import QueueDepth, VideoState, WorkerActivity, WorkerTask, utc_now
from tests.store import making

WORDS = "a secret harbour"
NOW = utc_now()
DEPTHS = [QueueDepth("ingest", 2, 1, NOW - timedelta(seconds=90))]
WORKERS = [WorkerActivity("=host", 7, "working", ("ingest",), NOW, (WorkerTask("job-1", "video-1", "scenes", NOW),))]


class Queue:
    """Says what it is told to."""

    def depths(self) -> list[QueueDepth]:
        return DEPTHS

    def workers(self) -> list[WorkerActivity]:
        return WORKERS


class Unreachable(Queue):
    def depths(self) -> list[QueueDepth]:
        raise JobsUnavailable(reason="it is away")


@pytest.fixture
def lib(tmp_path: Path) -> Library:
    models = profile_choice("offline").to_dict()
    store = Store.create(tmp_path / "library", profile="offline", models=models, spaces=making.SPACES)
    making.add(store, "harbour", ["the sea"])
    failed = making.register(store, "=cmd()", user_id="bob")
    error = DecoderCrashed(filename="a.mp4", reason="x")
    error.details["stage"] = "scenes"
    store.mark_video_failed("bob", failed.video_id, error)
    for days_ago, total_ms in ((0, 10.0), (8, 30.0), (40, 900.0)):
        at = (NOW - timedelta(days=days_ago)).isoformat()
        store.log_search({"at": at, "user_id": "bob", "text": WORDS, "fusion": "rrf", "timing_ms": {"total": total_ms}})
    return Library.open(tmp_path / "library", create=False)


def test_the_report(lib: Library) -> None:
    queue: Any = Queue()
    lib.queue = queue
    report = lib.activity.report()
    assert (report.videos[VideoState.INDEXED], report.videos[VideoState.FAILED], report.duration_s) == (1, 1, 10.0)
    assert (report.failures, report.failed_videos[0].user_id) == ({"scenes": 1}, "bob")
    assert [(one.days, one.total.searches, one.total.p50_ms) for one in report.searches] == [
        (7, 1, 10.0),
        (30, 2, 20.0),
    ]
    assert list(report.searches[1].by_day) == [(NOW - timedelta(days=8)).date(), NOW.date()]
    assert [user.user_id for user in report.disk] == ["local", "bob"]
    assert (report.queues, report.workers, report.jobs_error) == (tuple(DEPTHS), tuple(WORKERS), None)


def test_without_a_queue_the_rest_is_there(lib: Library) -> None:
    report = lib.activity.report()
    assert (report.queues, report.workers, report.jobs_error) == ((), (), None)
    queue: Any = Unreachable()
    lib.queue = queue
    report = lib.activity.report()
    assert report.jobs_error is not None
    assert (report.jobs_error["code"], report.videos[VideoState.INDEXED]) == ("JOBS_UNAVAILABLE", 1)


def test_only_admins_see_it(lib: Library) -> None:
    other = lib.as_user("bob").activity
    for ask in (other.report, other.present, lambda: other.search_timings_after(None)):
        with pytest.raises(NotAllowed):
            ask()
    assert other.as_operator().report().duration_s == 10.0


def test_no_text_of_a_query_is_in_it(lib: Library) -> None:
    report = lib.activity.report()
    assert WORDS not in json.dumps(schemas.activity(report))
    assert WORDS not in csv_text(report)


def test_the_table_has_a_row_for_each_figure_and_nothing_that_a_spreadsheet_runs(lib: Library) -> None:
    queue: Any = Queue()
    lib.queue = queue
    header, *rows = csv.reader(io.StringIO(csv_text(lib.activity.report())))
    assert tuple(header) == HEADER
    found = {tuple(row[:3]): row[3] for row in rows}
    assert found["videos", "failed", "videos"] == "1"
    assert found["searches_30d", "method:rrf", "p50_ms"] == "20.0"
    assert found["disk", "local", "source_bytes"] == "100"
    assert float(found["queue", "ingest", "oldest_waiting_s"]) >= 90
    assert found["worker", "'=host/7", "stage"] == "scenes"
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_the_shape_of_json_has_every_field_and_no_details_of_errors(lib: Library) -> None:
    report = lib.activity.report()
    shape = schemas.activity(report)
    assert set(shape) == {field.name for field in fields(report)}
    assert "details" not in shape["failed_videos"][0]["error"]
    assert shape["videos"]["indexed"] == 1
