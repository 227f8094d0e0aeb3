"""What whoever works and whoever looks on rely on, whether progress is kept in files or in a table."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from heimdex_core.store.progress_records import ProgressRecord, progress_record
from heimdex_core.store.shared_tables import SharedTables
from tests.support.postgres import TestServer


@pytest.fixture(params=["files", "table"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> list[ProgressRecord]:
    """Of two pieces of work, and the first one again as another process has it."""
    shared = None
    if request.param == "table":
        server: TestServer = request.getfixturevalue("postgres")
        shared = SharedTables(server.url(), uuid.uuid4().hex[:12], str(tmp_path))
    return [progress_record(shared, tmp_path / name / "progress.json") for name in ("one", "other", "one")]


def test_others_read_what_was_written_last(records: list[ProgressRecord]) -> None:
    one, other, again = records
    assert (one.read(), one.age_s()) == (None, None)
    one.write({"stages": {"picture": {"done": 1.5}}, "shown": None})
    one.write({"stages": {"picture": {"done": 2.5}}, "shown": {"stage": "장면"}})
    assert again.read() == {"stages": {"picture": {"done": 2.5}}, "shown": {"stage": "장면"}}
    age_s = again.age_s()
    assert age_s is not None
    assert -1 < age_s < 600
    assert other.read() is None
    again.remove()
    again.remove()
    assert (one.read(), one.age_s()) == (None, None)


def test_while_the_database_is_away_work_goes_on(postgres: TestServer, tmp_path: Path) -> None:
    record = progress_record(SharedTables(postgres.url(), uuid.uuid4().hex[:12], ""), tmp_path / "one" / "p")
    record.write({"shown": 1})
    with postgres.stopped():
        record.write({"shown": 2})
        record.remove()
        assert (record.read(), record.age_s()) == (None, None)
    assert record.read() == {"shown": 1}
