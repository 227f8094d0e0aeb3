"""What the page Activity shows of a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from heimdex_core.errors import DecoderCrashed, JobsUnavailable
from heimdex_core.types import (
    ActivityReport,
    FailedVideo,
    ProcessingTimes,
    QueueDepth,
    SearchPeriod,
    SearchTimes,
    UserDisk,
    VideoState,
    WorkerActivity,
    WorkerTask,
)
from ui import state
from ui.views import activity

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ERROR = DecoderCrashed(filename="a.mp4", reason="signal 11").to_dict()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "language", lambda: "en")


def report(**changes: object) -> ActivityReport:
    times = SearchTimes(3, 20.4, 0.2)
    by_day = {(NOW - timedelta(days=1)).date(): times}
    values: dict[str, object] = {
        "at": NOW,
        "videos": dict.fromkeys(VideoState, 0) | {VideoState.INDEXED: 1},
        "duration_s": 3600.0,
        "failures": {"scenes": 1, "": 1},
        "failed_videos": (
            FailedVideo("v1", "Mine", "ann", "scenes", NOW, ERROR),
            FailedVideo("v2", "Theirs", "bob", "", NOW, ERROR),
        ),
        "processing": (ProcessingTimes("total", 4, 10.0, 65.0, 70.0, 0.5), ProcessingTimes("scenes", 4, 1, 2, 3, None)),
        "searches": tuple(SearchPeriod(days, times, {"rrf": times, "toy": times}, by_day) for days in (7, 30)),
        "disk": (UserDisk("ann", "Ann", 1, 3000, 1000, 0), UserDisk("bob", "Bob", 1, 1000, 0, 0, 2)),
        "queues": (QueueDepth("ingest", 2, 1, NOW - timedelta(seconds=90)), QueueDepth("render")),
        "workers": (WorkerActivity("host", 7, "silent", (), NOW, (WorkerTask("j", "v3", "transcript", None),)),),
    }
    return ActivityReport(**{**values, **changes})  # type: ignore[arg-type]


def test_only_own_videos_can_be_opened() -> None:
    mine, theirs = activity.page(report(), "ann")["failed"]
    assert (mine["href"], mine["user"], mine["stage"]) == ("/video?id=v1", "Ann", "Dividing into scenes")
    assert (theirs["href"], theirs["user"], theirs["stage"]) == (None, "Bob", "before the first stage")


def test_a_bar_for_each_of_thirty_days() -> None:
    days = activity.page(report(), "ann")["days"]
    assert [day["day"] for day in (days[0], days[-1])] == ["2026-10-29", "2026-11-27"]
    assert [day["count"] for day in days[-3:]] == [0, 3, 0]
    assert (days[-2]["text"], days[-2]["took"]) == ("3 searches", "Median 20 ms, 95% 1 ms")
    assert (days[-1]["text"], days[-1]["took"]) == ("0 searches", "")


def test_figures_in_words() -> None:
    shown = activity.page(report(), "ann")
    assert ["Ready to search", "1 h", "1 video"] in shown["tiles"]
    assert ["Jobs", "3", "1 running, 2 waiting"] in shown["tiles"]
    assert ["Indexing time", "0.50 × length", "90% within 1 min 5 s"] in shown["tiles"]
    assert shown["queues"] == [["Indexing", "1", "2", "1 min 30 s"]]
    assert [one["factor"] for one in shown["processing"]] == ["0.50", ""]
    assert shown["periods"][0]["rows"][1:] == [["rank", "3", "20 ms", "1 ms"], ["toy", "3", "20 ms", "1 ms"]]
    assert (shown["workers"][0]["state"], shown["workers"][0]["is_bad"]) == ("not responding", True)
    assert shown["disk"][1]["shares"] == [0.25, 0.0, 0.0]
    assert shown["disk_note"].startswith("2 videos were indexed before sizes")


def test_an_empty_library_and_one_without_its_queue() -> None:
    empty = ActivityReport(at=NOW, videos=dict.fromkeys(VideoState, 0), duration_s=0.0)
    shown = activity.page(empty, "ann")
    assert (shown["states"], shown["failed"], shown["days"], shown["disk"]) == ([], [], [], [])
    error = JobsUnavailable(reason="it is away").to_dict()
    assert (
        "queue cannot be reached"
        in activity.page(report(queues=(), workers=(), jobs_error=error), "ann")["jobs_problem"]
    )
