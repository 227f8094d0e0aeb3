"""Records of exports and their files."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled, ExportExpired, ExportNotFound, HeimdexError, InvalidValue, WorkerLost
from heimdex_core.store import Store
from heimdex_core.types import Export, ExportState, ReelClip, utc_now
from tests.store.making import new_store

CLIP = ReelClip("6f0a2c1e-0000-4000-8000-000000000001", 0.5, 1.5, 0.0, 2.0)
UNKNOWN = "6f0a2c1e-0000-4000-8000-00000000dead"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return new_store(tmp_path_factory.mktemp("exports") / "library")


def make_export(user_id: str = "local", state: ExportState = ExportState.PENDING) -> Export:
    return Export(str(uuid.uuid4()), user_id, "reel", "My reel", state, (CLIP,), utc_now(), {"crf": 20})


def test_an_export_from_pending_to_expired(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    export = store.exports.create(make_export())
    assert store.exports.get("local", export.export_id) == export
    with pytest.raises(ExportNotFound):
        store.exports.get("someone", export.export_id)
    with pytest.raises(ExportNotFound):
        store.exports.file(export)
    assert store.busy_ids() == {export.export_id}
    path = store.paths.export("local", export.export_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mp4")
    now = utc_now()
    done = store.exports.update(
        export.export_id,
        state=ExportState.COMPLETED,
        path=store.paths.relative(path),
        size_bytes=3,
        measured_duration_s=1.0,
        completed_at=now,
        expires_at=now + timedelta(hours=1),
    )
    assert store.exports.file(done) == path
    assert done.clips == (CLIP,)
    assert store.exports.remove_expired_files(now) == 0
    assert store.exports.set_expiry("local", export.export_id, None).expires_at is None
    assert store.exports.remove_expired_files(now + timedelta(days=3650)) == 0, "it is kept"
    with pytest.raises(ExportNotFound):
        store.exports.set_expiry("someone", export.export_id, now)
    store.exports.set_expiry("local", export.export_id, now + timedelta(hours=1))
    assert store.exports.remove_expired_files(now + timedelta(hours=2)) == 1
    assert not path.exists()
    after = store.exports.get("local", export.export_id)
    assert (after.path, after.state, after.size_bytes) == (None, ExportState.COMPLETED, 3)
    with pytest.raises(ExportExpired):  # it is too late to keep it
        store.exports.set_expiry("local", export.export_id, None)
    assert store.exports.remove_expired_files(now + timedelta(hours=2)) == 0


def test_changes_that_are_refused(store: Store) -> None:
    export = store.exports.create(make_export())
    with pytest.raises(InvalidValue):
        store.exports.create(export)
    with pytest.raises(InvalidValue):
        store.exports.update(export.export_id, user_id="someone")
    with pytest.raises(InvalidValue):
        store.exports.update(export.export_id, path="../../etc/passwd")
    with pytest.raises(ExportNotFound):
        store.exports.update(UNKNOWN, title="x")
    assert store.exports.get("local", export.export_id) == export


def test_newest_exports_first(store: Store) -> None:
    for number in range(3):
        store.exports.create(replace(make_export("lister"), title=str(number)))
    assert [export.title for export in store.exports.of_user("lister", 2)] == ["2", "1"]
    assert [export.title for export in store.exports.of_user("lister")] == ["2", "1", "0"]


# --- mark_failed ----------------------------------------------------------------------------------

LOST = WorkerLost(times=3)


@pytest.mark.parametrize(
    ("before", "error", "after"),
    [
        (ExportState.PENDING, LOST, ExportState.FAILED),
        (ExportState.PENDING, Cancelled(), ExportState.CANCELLED),
        (ExportState.PROCESSING, LOST, ExportState.FAILED),
        (ExportState.PROCESSING, Cancelled(), ExportState.CANCELLED),
        (ExportState.COMPLETED, LOST, None),
        (ExportState.COMPLETED, Cancelled(), None),
        (ExportState.FAILED, LOST, None),
        (ExportState.CANCELLED, LOST, None),
    ],
)
def test_mark_failed_ends_unfinished_exports_only(
    store: Store, before: ExportState, error: HeimdexError, after: ExportState | None
) -> None:
    export = store.exports.create(make_export(state=before))
    assert store.exports.mark_failed("local", export.export_id, error) is (after is not None)
    found = store.exports.get("local", export.export_id)
    if after is None:
        assert found == export
    else:
        assert found == replace(export, state=after, error=error.to_dict())
    assert store.exports.mark_failed("local", export.export_id, LOST) is False


def test_mark_failed_leaves_other_users_exports_alone(store: Store) -> None:
    export = store.exports.create(make_export())
    assert store.exports.mark_failed("someone", export.export_id, LOST) is False
    assert store.exports.mark_failed("local", UNKNOWN, LOST) is False
    assert store.exports.get("local", export.export_id) == export
