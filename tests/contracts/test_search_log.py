"""What searching and the page of searches rely on, whether the query log is a file or a table."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from heimdex_core.store.search_log import SearchLog, TableSearchLog, search_log
from heimdex_core.store.shared_tables import SharedTables
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
