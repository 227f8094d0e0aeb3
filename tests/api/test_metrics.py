"""/metrics: who may read it, and what it says."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from heimdex_core.api import metrics, requests
from heimdex_core.api.metrics import LibraryFigures, metrics_routes
from heimdex_core.errors import LibraryBusy
from heimdex_core.settings import Settings
from heimdex_core.types import ActivityReport, QueueDepth, UserDisk, VideoState, WorkerActivity, utc_now

TOKEN = "a-token-of-16-characters"  # noqa: S105 - of this test
NOW = utc_now()


class FakeActivity:
    """The figures of a library with known numbers."""

    def __init__(self) -> None:
        self.timings: list[dict[str, float]] = []
        self.is_busy = False
        self.reads = 0

    def as_operator(self) -> FakeActivity:
        return self

    def free_bytes(self) -> int:
        return 1000

    def search_timings_after(self, position: int | None) -> tuple[list[dict[str, float]], int]:
        return ([] if position is None else self.timings[position:]), len(self.timings)

    def present(self, *, timeout_s: float) -> ActivityReport:
        self.reads += 1
        if self.is_busy:
            raise LibraryBusy(what="the catalog", holder="pid 7", waited_s=timeout_s)
        return ActivityReport(
            at=NOW,
            videos=dict.fromkeys(VideoState, 0) | {VideoState.INDEXED: 3, VideoState.FAILED: 1},
            duration_s=90.5,
            disk=(UserDisk("ann", "Ann Lee", 2, 10, 20, 5), UserDisk("bob", "Bob", 2, 1, 2, 0)),
            queues=(QueueDepth("ingest", 2, 1, NOW - timedelta(seconds=30)), QueueDepth("render")),
            workers=(WorkerActivity("host-a", 7, "working", (), NOW), WorkerActivity("host-b", 8, "working", (), NOW)),
        )


@pytest.fixture
def activity(monkeypatch: pytest.MonkeyPatch) -> FakeActivity:
    monkeypatch.setattr(metrics, "_KEEP_S", 0.0)
    monkeypatch.setattr(requests, "counts", type(requests.counts)())
    return FakeActivity()


def client_of(activity: FakeActivity) -> TestClient:
    library: Any = SimpleNamespace(activity=activity)
    return TestClient(Starlette(routes=metrics_routes(lambda: library, Settings(metrics_token=TOKEN))))


def scrape(client: TestClient) -> dict[tuple[str, ...], float]:
    """Values by name and the values of the labels."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_without_a_token_there_is_no_route() -> None:
    assert metrics_routes(lambda: pytest.fail("not asked"), Settings()) == []


@pytest.mark.parametrize("given", [None, "", "Bearer", f"Bearer {TOKEN}x", f"bearer {TOKEN}", TOKEN, "Basic YTpi", "é"])
def test_who_has_not_the_token_reads_nothing(activity: FakeActivity, given: str | None) -> None:
    headers = [] if given is None else [(b"Authorization", given.encode())]
    answer = client_of(activity).get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert activity.reads == 0


def test_the_figures_of_the_library(activity: FakeActivity) -> None:
    found = scrape(client_of(activity))
    assert {key: value for key, value in found.items() if value and not key[0].startswith("heimdex_search")} == {
        ("heimdex_library_up",): 1,
        ("heimdex_disk_free_bytes",): 1000,
        ("heimdex_videos", "indexed"): 3,
        ("heimdex_videos", "failed"): 1,
        ("heimdex_indexed_video_seconds",): 90.5,
        ("heimdex_disk_used_bytes", "source"): 11,
        ("heimdex_disk_used_bytes", "derived"): 22,
        ("heimdex_disk_used_bytes", "export"): 5,
        ("heimdex_jobs", "ingest", "waiting"): 2,
        ("heimdex_jobs", "ingest", "running"): 1,
        ("heimdex_jobs_oldest_waiting_seconds", "ingest"): 30,
        ("heimdex_workers", "working"): 2,
    }
    assert found["heimdex_videos", "deleted"] == 0


def test_requests_by_route_and_status(activity: FakeActivity) -> None:
    requests.counts["GET", "/files/{token}", 206] = 4
    assert scrape(client_of(activity))["heimdex_http_requests_total", "GET", "/files/{token}", "206"] == 4


def test_search_latency_counts_from_the_first_request_on(activity: FakeActivity) -> None:
    client = client_of(activity)
    activity.timings = [{"total": 9_000.0}]
    scrape(client)
    activity.timings += [{"total": 30.0, "fuse": 1.0}, {"total": 50.0}, {"total": 4000.0}]
    for _ in range(2):  # each search counts once
        found = scrape(client)
        assert found["heimdex_search_duration_seconds_count", "total"] == 3
        assert found["heimdex_search_duration_seconds_sum", "total"] == pytest.approx(4.08)
        buckets = {
            key[1]: value
            for key, value in found.items()
            if (key[0], key[-1]) == ("heimdex_search_duration_seconds_bucket", "total")
        }
        assert (buckets["0.025"], buckets["0.05"], buckets["2.5"], buckets["+Inf"]) == (0, 2, 2, 3)
        assert found["heimdex_search_duration_seconds_count", "fuse"] == 1


def test_a_library_that_is_busy_is_said_to_be(activity: FakeActivity) -> None:
    activity.is_busy = True
    found = scrape(client_of(activity))
    assert found["heimdex_library_up",] == 0
    assert not any(name[0] == "heimdex_videos" for name in found)


def test_figures_are_kept_for_a_moment(activity: FakeActivity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_KEEP_S", math.inf)
    library: Any = SimpleNamespace(activity=activity)
    figures = LibraryFigures(lambda: library)
    figures._read_at = -math.inf
    figures.read()
    figures.read()
    assert activity.reads == 1


def test_names_are_those_of_prometheus_and_nothing_names_a_person(activity: FakeActivity) -> None:
    activity.timings = [{}]
    text = client_of(activity).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    names = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    assert all(re.fullmatch(r"heimdex_[a-z_]+", name) for name in names)
    assert all(re.search(rf"^# HELP {name} \S", text, re.M) for name in names)
    for personal in ("ann", "Ann Lee", "bob", "host-a"):
        assert personal not in text
