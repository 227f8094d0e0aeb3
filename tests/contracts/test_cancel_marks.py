"""What whoever cancels and whoever works rely on, whether the marks are files or rows."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest

from heimdex_core.store.cancel_marks import CancelMarks, FileCancelMarks, TableCancelMarks
from heimdex_core.store.shared_tables import SharedTables
from tests.support.postgres import TestServer

ONE, OTHER = "ingest-one", "ingest-other"


@pytest.fixture(params=["files", "table"])
def marks(request: pytest.FixtureRequest, tmp_path: Path) -> CancelMarks:
    """As two processes have them, if the test makes them again."""
    if request.param == "files":
        folder = tmp_path / "work" / "cancelled"
        return FileCancelMarks(folder.joinpath, lambda: list(folder.glob("*")))
    server: TestServer = request.getfixturevalue("postgres")
    return TableCancelMarks(SharedTables(server.url(), uuid.uuid4().hex[:12], str(tmp_path)))


def test_a_mark_is_there_until_it_is_removed(marks: CancelMarks) -> None:
    assert not marks.has(ONE)
    marks.add(ONE)
    marks.add(ONE)
    assert (marks.has(ONE), marks.has(OTHER)) == (True, False)
    marks.remove(ONE)
    marks.remove(OTHER)
    assert not marks.has(ONE)


def test_one_who_asks_again_and_again_is_told(marks: CancelMarks, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("heimdex_core.store.cancel_marks.time.monotonic", lambda: now)
    asked = marks.asked(ONE)
    assert not asked()
    marks.add(ONE)
    now += 0.5
    assert asked()


def test_only_old_marks_are_forgotten(marks: CancelMarks) -> None:
    marks.add(ONE)
    marks.forget_before(time.time() - 3600)
    assert marks.has(ONE)
    marks.forget_before(time.time() + 3600)
    assert not marks.has(ONE)


def test_a_table_is_not_asked_in_every_frame(postgres: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 1000.0, 0
    table = TableCancelMarks(SharedTables(postgres.url(), uuid.uuid4().hex[:12], "library"))

    def has(work_id: str) -> bool:
        nonlocal looks
        looks += 1
        return False

    monkeypatch.setattr("heimdex_core.store.cancel_marks.time.monotonic", lambda: now)
    monkeypatch.setattr(table, "has", has)
    asked = table.asked(ONE)
    for _ in range(10):
        now += 0.1
        asked()
    assert looks == 4  # at .1, .4, .7 and 1.0 s


def test_while_the_database_is_away_work_goes_on(postgres: TestServer) -> None:
    table = TableCancelMarks(SharedTables(postgres.url(), uuid.uuid4().hex[:12], "library"))
    table.add(ONE)
    with postgres.stopped():
        assert not table.has(ONE)
    assert table.has(ONE)
