"""What searching and the page of searches rely on, whether the query log is a file or a table."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from heimdex_core.store.search_log import FileSearchLog, SearchLog, TableSearchLog, search_log
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.types import utc_now
from tests.support.postgres import TestServer


@pytest.fixture(params=["file", "table"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> SearchLog:
    shared = None
    if request.param == "table":
        server: TestServer = request.getfixturevalue("postgres")
        shared = SharedTables(server.url(), uuid.uuid4().hex[:12], str(tmp_path))
    return search_log(shared, tmp_path / "logs" / "searches.jsonl")


def entry(text: str, user_id: str = "ann") -> dict[str, object]:
    return {"at": "2026-11-21T00:00:00+00:00", "user_id": user_id, "text": text, "weights": {"vision": 0.5}}


def test_a_user_sees_his_own_searches_newest_first(log: SearchLog) -> None:
    assert (log.last("ann", 5), log.all("ann")) == ([], [])
    for text in ("바다", "red car", "50 % off"):
        log.append(entry(text))
    log.append(entry("theirs", "bob"))
    assert log.last("ann", 2) == [entry("50 % off"), entry("red car")]
    assert log.all("ann") == [entry("바다"), entry("red car"), entry("50 % off")]
    assert log.last("cho", 2) == []


def test_its_signature_changes_with_each_search(log: SearchLog) -> None:
    log.append(entry("one"))
    before = log.signature()
    assert log.signature() == before
    log.append(entry("two"))
    assert log.signature() != before


def test_another_log_takes_its_place(log: SearchLog, tmp_path: Path) -> None:
    log.append(entry("before"))
    moved = [entry("바다"), entry("theirs", "bob"), *(entry(str(n)) for n in range(1001))]
    log.replace(moved)
    assert log.entries() == moved
    back = search_log(None, tmp_path / "other" / "searches.jsonl")
    back.replace(log.entries())
    assert back.last("ann", 2) == [entry("1000"), entry("999")]


def test_without_the_database_searches_go_on_and_are_not_delayed(
    postgres: TestServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    monkeypatch.setattr("heimdex_core.store.search_log.time.monotonic", lambda: now)
    table = TableSearchLog(SharedTables(postgres.url(), uuid.uuid4().hex[:12], ""))
    table.append(entry("before"))
    with postgres.stopped():
        table.append(entry("lost"))
    assert "are not logged" in caplog.text
    table.append(entry("lost, too"))
    now += 31
    table.append(entry("after"))
    assert [one["text"] for one in table.all("ann")] == ["before", "after"]


def timed(day: str, fusion: str, total_ms: float) -> dict[str, object]:
    return {"at": f"{day}T12:00:00.5+00:00", "user_id": "ann", "fusion": fusion, "timing_ms": {"total": total_ms}}


def test_times_altogether_by_method_and_by_day(log: SearchLog) -> None:
    assert log.times("2026-11-01") == []
    today = utc_now().date().isoformat()
    for total_ms in (10.0, 20.0, 40.0):
        log.append(timed(today, "rrf", total_ms))
    log.append(timed(today, "minmax", 5.0))
    log.append(timed("2020-01-01", "minmax", 900.0))
    log.append({**entry("older"), "at": f"{today}T00:00:00+00:00"})
    groups = {(row.day, row.method): (row.searches, row.p50_ms, row.p95_ms) for row in log.times(today)}
    assert groups == {
        (None, None): (4, 15.0, pytest.approx(37.0)),
        (None, "rrf"): (3, 20.0, pytest.approx(38.0)),
        (None, "minmax"): (1, 5.0, 5.0),
        (today, None): (4, 15.0, pytest.approx(37.0)),
    }


def test_timings_of_what_was_appended_after_a_position(log: SearchLog) -> None:
    log.append(timed("2026-11-27", "rrf", 1.0))
    found, begin = log.timings_after(None)
    assert found == []
    log.append(timed("2026-11-27", "rrf", 2.5))
    log.append(entry("without times"))
    found, position = log.timings_after(begin)
    assert found == [{"total": 2.5}]
    assert log.timings_after(position) == ([], position)


def test_lines_of_a_file_that_are_not_whole_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "searches.jsonl"
    whole = json.dumps(timed("2026-11-27", "rrf", 3.0))
    path.write_text(f'{whole}\n{{"at": "2026-11-27T\n[1]\n\n{whole}')
    log = FileSearchLog(path)
    found, position = log.timings_after(0)
    assert found == [{"total": 3.0}]
    with path.open("a") as file:
        file.write("\n")
    assert log.timings_after(position)[0] == [{"total": 3.0}]
    assert [row.searches for row in log.times("2026-11-27") if row.day is None and row.method is None] == [2]
    path.write_text(whole + "\n")  # another log has taken its place
    assert log.timings_after(position)[0] == [{"total": 3.0}]
