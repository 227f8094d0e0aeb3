"""A lost catalog is said, and rebuilt from the folders of the videos and the copies of the other tables."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import CatalogDamaged, LibraryDamaged, LibraryNotFound
from heimdex_core.store import Store
from heimdex_core.store.transaction import to_us
from heimdex_core.types import Export, ExportState, Reel, ReelClip, VideoState, utc_now
from tests.store.making import TEXT, add, axis, commit_in, name_tray, new_store, other_set, register

EXPORT_ID = "7d0f4c2e-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two users' videos in several states, a set of other models, a reel, an export, a judgement, preferences."""
    store = new_store(tmp_path_factory.mktemp("library"))
    first = add(store, "first", ("fresh bread", "a boat"))
    store.set_params(first.video_id, params={"audio_track": 2}, language="ko")
    add(store, "second", ("another boat",), axis_of=3, user_id="somebody")
    hidden = add(store, "hidden", ("a hidden boat",))
    store.delete_video("local", hidden.video_id)
    register(store, "waiting")
    commit_in(store, first, other_set(store), ("other models",))
    now = utc_now()
    clip = ReelClip(first.video_id, 0.0, 1.5, 0.0, 2.0)
    store.reels.save(Reel("r1", "local", "Best of", (clip,), now))
    name_tray(store, "somebody", "tray")
    store.exports.create(Export(EXPORT_ID, "local", "reel", "Best of", ExportState.COMPLETED, (clip,), now))
    store.set_preference("local", "weights", {"vision": 1.0})
    store.watched.add("local", "/media/camera", "/media")
    with store.catalog.transaction() as transaction:
        row = {"judgement_id": "j", "user_id": "local", "query": "boat", "video_id": first.video_id, "grade": 2}
        transaction.insert("judgements", {**row, "start_ms": 0, "end_ms": 2000, "created_us": to_us(now)})
    return store.paths.root


@pytest.fixture
def root(tmp_path: Path, library: Path) -> Path:
    return Path(shutil.copytree(library, tmp_path / "library"))


def contents(store: Store) -> dict[str, Any]:
    """Everything that users see. The job and the moment of the last change of a video are not among it."""
    found: dict[str, Any] = {}
    for user in ("local", "somebody"):
        videos = store.videos(user, include_deleted=True)
        found[f"videos of {user}"] = [replace(v, job_id=None, updated_at=v.created_at) for v in videos]
        view = store.reader().view()
        found[f"text hits of {user}"] = view.lexical_search("boat", k=9, user_id=user).hits
        found[f"vector hits of {user}"] = view.vector_search(TEXT, axis(3, 8), k=9, user_id=user)
        found[f"reels of {user}"] = store.reels.of_user(user)
        found[f"tray of {user}"] = (store.reels.tray(user).title, store.reels.tray(user).clips)
        found[f"preferences of {user}"] = store.preferences(user)
    found["exports"] = store.exports.of_user("local")
    found["watched"] = store.watched.folders("local")
    found["sets"] = [replace(s, created_at=s.created_at) for s in store.sets.all()]
    found["generations"] = [
        store.sets.generation_of(v.video_id, s.set_id)
        for s in store.sets.all()
        for v in sorted(store.videos("local"), key=lambda v: v.title)
    ]
    with store.catalog.transaction() as transaction:
        found["judgements"] = transaction.rows("select * from judgements")
    return found


def lose(root: Path) -> None:
    (root / "catalog.duckdb").unlink()


def cut(root: Path) -> None:
    os.truncate(root / "catalog.duckdb", 300_000)


def turn_into_folder(root: Path) -> None:
    lose(root)
    (root / "catalog.duckdb").mkdir()


LOSSES: dict[str, Callable[[Path], Any]] = {
    "deleted": lose,
    "cut off": cut,
    "empty": lambda root: (root / "catalog.duckdb").write_bytes(b""),
    "overwritten": lambda root: (root / "catalog.duckdb").write_bytes(b"rubbish" * 9999),
    "a folder": turn_into_folder,
}


@pytest.mark.parametrize("how", ["deleted", *(pytest.param(name, marks=pytest.mark.long) for name in list(LOSSES)[1:])])
def test_a_lost_catalog_is_said_and_rebuilt(root: Path, how: str) -> None:
    store = Store.open(root)
    before = contents(store)
    LOSSES[how](root)
    for attempt in (lambda: Store.open(root), lambda: store.videos("local")):
        with pytest.raises(CatalogDamaged) as caught:
            attempt()
        assert "heimdex_core repair" in caught.value.hint
    assert store.reader().view().lexical_search("boat", k=9, user_id="local").hits, "search goes on"

    report = Store.repair(root)
    assert (report.catalog, report.videos) == ("rebuilt", 4)
    assert report.restored["reels"]["rows"] == 2
    (waiting,) = [v for v in before["videos of local"] if v.title == "waiting"]
    assert len(report.problems) == 1
    assert f"retry {waiting.video_id}" in report.problems[0]

    after = contents(Store.open(root))
    expected = {**before, "videos of local": [
        replace(v, state=VideoState.VALIDATING) if v == waiting else v for v in before["videos of local"]
    ]}  # fmt: skip
    assert after == expected
    assert Store.open(root).maintenance.check_indexes() == []
    aside = [path.name for path in root.iterdir() if path.name.startswith("catalog.duckdb.damaged-")]
    assert aside == ([] if how == "deleted" else [report.moved_to])
    assert not list(root.glob(".tmp-*"))


def test_a_sound_catalog_stays_and_gets_the_folders_that_it_does_not_know(tmp_path: Path) -> None:
    store, elsewhere = new_store(tmp_path / "library"), new_store(tmp_path / "elsewhere")
    own, brought = add(store, "own", ("own words",)), add(elsewhere, "brought", ("words that were copied by hand",))
    shutil.copytree(elsewhere.paths.video(brought.video_id), store.paths.video(brought.video_id))
    assert [one.code for one in store.maintenance.damage() if one.video_id == brought.video_id] == [
        "VIDEO_NOT_IN_CATALOG"
    ]
    report = Store.repair(store.paths.root)
    assert (report.catalog, report.moved_to, report.videos, report.problems) == ("intact", None, 1, [])
    again = Store.open(store.paths.root)
    assert again.video("local", own.video_id) == own
    assert again.video("local", brought.video_id).state == VideoState.INDEXED
    hits = again.reader().view().lexical_search("hand", k=9, user_id="local").hits
    assert [scene_id for scene_id, _ in hits] == [f"{brought.video_id}_0_2000"]


@pytest.mark.long
def test_without_visible_parquet_library_json_and_the_copies_are_enough(root: Path) -> None:
    store = Store.open(root)
    before = contents(store)
    lose(root)
    (root / "visible.parquet").unlink()
    assert Store.repair(root).catalog == "rebuilt"
    after = contents(Store.open(root))
    assert [v.title for v in after["videos of local"]] == [v.title for v in before["videos of local"]]
    assert {name: after[name] for name in before if "video" not in name} == {
        name: before[name] for name in before if "video" not in name
    }


@pytest.mark.long
def test_a_lost_video_json_is_made_from_what_readers_see(root: Path) -> None:
    store = Store.open(root)
    (video,) = [v for v in store.videos("local") if v.title == "first"]
    lose(root)
    store.paths.video_json(video.video_id).unlink()
    report = Store.repair(root)
    assert report.videos == 4
    found = Store.open(root).video("local", video.video_id)
    assert (found.title, found.sha256, found.generation, found.state) == (
        "first", video.sha256, video.generation, VideoState.INDEXED,
    )  # fmt: skip
    assert store.paths.video_json(video.video_id).is_file()


@pytest.mark.long
def test_a_folder_that_tells_nothing_is_named_and_stays(root: Path) -> None:
    store = Store.open(root)
    (video,) = [v for v in store.videos("local") if v.title == "first"]
    lose(root)
    (root / "visible.parquet").unlink()
    store.paths.video_json(video.video_id).write_text("{")
    report = Store.repair(root)
    assert report.videos == 3
    assert any(video.video_id in problem and "video.json" in problem for problem in report.problems)
    assert store.paths.source(video.video_id).is_file()


@pytest.mark.parametrize(
    "missing",
    ["words.parquet", *(pytest.param(n, marks=pytest.mark.long) for n in ("scenes.parquet", "vectors", "frames"))],
)
def test_a_damaged_generation_is_kept_as_far_as_it_can_be_read(root: Path, missing: str) -> None:
    store = Store.open(root)
    (video,) = [v for v in store.videos("local") if v.title == "first"]
    path = store.paths.generation(video.video_id, video.generation or 0) / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    lose(root)
    Store.repair(root)
    again = Store.open(root)
    found = again.video("local", video.video_id)
    if missing == "scenes.parquet":
        assert (found.state, found.generation) == (VideoState.VALIDATING, None)
    else:
        assert (found.state, found.generation) == (VideoState.INDEXED, video.generation)
        codes = [one.code for one in again.maintenance.damage() if one.video_id == video.video_id]
        assert codes == ["GENERATION_DAMAGED"]


@pytest.mark.long
def test_an_interrupted_repair_leaves_what_there_was(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(root)
    before = (root / "catalog.duckdb").read_bytes()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("heimdex_core.store.repair.videos.restore_record", stop)
        with pytest.raises(KeyboardInterrupt):
            Store.repair(root)
    assert (root / "catalog.duckdb").read_bytes() == before
    assert Store.repair(root).catalog == "rebuilt"


@pytest.mark.parametrize(
    "how", [lambda path: path.write_text("{"), pytest.param(Path.unlink, marks=pytest.mark.long)], ids=["cut", "lost"]
)
def test_library_json_is_written_again(tmp_path: Path, how: Callable[[Path], Any]) -> None:
    store = new_store(tmp_path)
    add(store, "one", ("words",))
    how(tmp_path / "library.json")
    assert Store.repair(tmp_path).catalog == "intact"
    again = Store.open(tmp_path)
    assert (again.manifest.profile, again.manifest.spaces) == (store.manifest.profile, store.manifest.spaces)
    assert [v.title for v in again.videos("local")] == ["one"]


def test_where_no_library_is_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound):
        Store.repair(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


# --- the copies -----------------------------------------------------------------------------------


def rows_of(root: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.ParquetFile(root / "backup" / f"{table}.parquet").read().to_pylist()
    return found


def test_a_copy_has_the_last_change(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    tray = tmp_path / "backup" / "reels.parquet"
    assert not tray.exists()
    name_tray(store, "local", "one")
    assert [row["title"] for row in rows_of(tmp_path, "reels")] == ["one"]
    written = tray.stat().st_mtime_ns
    store.set_preference("local", "x", 1)
    store.videos("local")
    assert tray.stat().st_mtime_ns == written, "other tables and readers leave it alone"
    name_tray(store, "local", "two")
    assert [row["title"] for row in rows_of(tmp_path, "reels")] == ["two"]


def test_a_failed_transaction_changes_no_copy(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    name_tray(store, "local", "one")

    def fail() -> None:
        with store.catalog.transaction() as transaction:
            transaction.run("delete from reels")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [row["title"] for row in rows_of(tmp_path, "reels")] == ["one"]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_a_missing_or_damaged_copy_is_written_again_when_the_library_is_opened(
    tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    store = new_store(tmp_path)
    name_tray(store, "local", "one")
    damage(tmp_path / "backup" / "reels.parquet")
    Store.open(tmp_path)
    assert [row["title"] for row in rows_of(tmp_path, "reels")] == ["one"]


def test_a_copy_that_cannot_be_written_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = new_store(tmp_path)
    (tmp_path / "backup").rename(tmp_path / "elsewhere")
    (tmp_path / "backup").write_text("a file")
    with caplog.at_level(logging.WARNING):
        name_tray(store, "local", "one")
    assert any("copy of the table reels" in record.getMessage() for record in caplog.records)
    (tmp_path / "backup").unlink()
    Store.open(tmp_path)
    assert [row["title"] for row in rows_of(tmp_path, "reels")] == ["one"]


def test_a_copy_that_cannot_be_read_is_kept_and_the_rest_restored(root: Path) -> None:
    damaged = root / "backup" / "reels.parquet"
    damaged.write_bytes(b"rubbish")
    lose(root)
    report = Store.repair(root)
    assert "reels" not in report.restored
    assert report.restored["exports"]["rows"] == 1
    assert any("reels.parquet" in problem for problem in report.problems)
    (kept,) = root.glob("backup/reels.parquet.damaged-*")
    assert kept.read_bytes() == b"rubbish"


# --- video.json -----------------------------------------------------------------------------------


def test_video_json_follows_the_catalog(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    video = add(store, "one", ("words",))

    def told(*names: str) -> list[Any]:
        about = json.loads(store.paths.video_json(video.video_id).read_text())
        return [about[name] for name in names]

    assert told("state", "generation", "params") == ["indexed", 1, {}]
    store.set_params(video.video_id, params={"min_scene_s": 2.0}, language="ko")
    assert told("params", "language") == [{"min_scene_s": 2.0}, "ko"]
    store.delete_video("local", video.video_id)
    assert told("state") == ["deleted"]
    store.restore_video("local", video.video_id)
    assert told("state") == ["indexed"]


def test_the_librarys_folders_are_folders(tmp_path: Path) -> None:
    new_store(tmp_path)
    shutil.rmtree(tmp_path / "index")
    (tmp_path / "index").write_text("a file")
    with pytest.raises(LibraryDamaged, match="The folder index"):
        Store.open(tmp_path)
