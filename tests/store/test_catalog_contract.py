"""What the tables of the catalog promise, whichever database they are in."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from heimdex_core.errors import InvalidValue, LibraryBusy, LibraryVersion, NestedTransaction
from heimdex_core.store import Store, copies, visible
from heimdex_core.store import catalog as catalogs
from heimdex_core.store.judgements import NewJudgement
from heimdex_core.types import Export, ExportState, ReelClip, VideoState, WatchedFolder, utc_now
from tests.store.making import INFO, add, commit_in, name_tray, new_store, other_set, register


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """The test runs with a catalog in each."""
    if request.param == "postgres":
        request.getfixturevalue("database")
    return str(request.param)


@pytest.fixture
def store(engine: str, tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def add_user(store: Store, user_id: str, *, fail: bool = False) -> None:
    with store.catalog.transaction() as transaction:
        transaction.insert("users", {"user_id": user_id, "name": user_id, "created_us": 1})
        if fail:
            raise RuntimeError("on purpose")


def users_of(store: Store) -> list[str]:
    with store.catalog.transaction() as transaction:
        return [row["user_id"] for row in transaction.rows("select user_id from users order by user_id")]


class TestTransactions:
    def test_a_failing_block_is_rolled_back(self, store: Store) -> None:
        with pytest.raises(RuntimeError):
            add_user(store, "a", fail=True)
        assert users_of(store) == ["local"]
        add_user(store, "a")
        assert users_of(store) == ["a", "local"]

    def test_one_inside_another_is_refused(self, store: Store) -> None:
        with store.catalog.transaction(), pytest.raises(NestedTransaction), store.catalog.transaction():
            pass
        assert users_of(store) == ["local"]

    def test_texts_are_sorted_by_code_point(self, store: Store) -> None:
        for user_id in ("b", "B", "a", "Z"):
            add_user(store, user_id)
        assert users_of(store) == ["B", "Z", "a", "b", "local"]

    def test_marks_in_texts_are_not_parameters(self, store: Store) -> None:
        with store.catalog.transaction() as transaction:
            transaction.run(
                "insert into users (user_id, name, created_us) values ('100 %s ?', ?, 1) -- really?",
                ["it's 5 % \\ \n? %(a)s"],
            )
            rows = transaction.rows(
                "select user_id, name, created_us from users where user_id like '%\\%s ?' escape '\\' and name like ?",
                ["%"],
            )
        assert rows == [{"user_id": "100 %s ?", "name": "it's 5 % \\ \n? %(a)s", "created_us": 1}]

    def test_a_value_that_a_column_cannot_hold_is_named(self, store: Store) -> None:
        with pytest.raises(InvalidValue), store.catalog.transaction() as transaction:
            transaction.insert("users", {"user_id": "a", "name": "b", "created_us": 2**70})
        assert users_of(store) == ["local"]

    def test_tables_go_in_and_out_as_arrow(self, store: Store) -> None:
        rows = pa.table(
            {
                "export_id": ["a", "b", None],
                "measured_duration_s": [0.1, None, 1e300],
                "size_bytes": [2**40, None, -1],
                "width": pa.array([1, None, 3], pa.int32()),
                "unknown": [1, 2, 3],
                "title": ["%s\t\\N", "", "한국어"],
            }
        )
        with store.catalog.transaction() as transaction:
            transaction.insert_table("exports", rows)
            names = ["export_id", "measured_duration_s", "size_bytes", "width", "title", "kind"]
            found = transaction.table(f"select {', '.join(names)} from exports order by export_id")  # noqa: S608
        assert found.schema == pa.schema(
            [
                ("export_id", pa.string()),
                ("measured_duration_s", pa.float64()),
                ("size_bytes", pa.int64()),
                ("width", pa.int32()),
                ("title", pa.string()),
                ("kind", pa.string()),
            ]
        )
        assert found.drop(["kind"]).to_pylist() == rows.drop(["unknown"]).select(names[:-1]).to_pylist()

    def test_two_processes_that_register_one_file_get_one_video(self, store: Store) -> None:
        code = (
            "import sys; from heimdex_core.store import Store\n"
            "store = Store.open(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
            "for n in range(5): print(store.register_video('local', f'{n:064x}', 't', 't.mp4')[1])"
        )
        command = [sys.executable, "-c", code, str(store.paths.root)]
        children = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        made = [child.communicate()[0].splitlines() for child in children]
        assert [sorted(pair) for pair in zip(*made, strict=True)] == [["False", "True"]] * 5
        assert store.count_videos() == 5

    def test_the_signature_tells_of_commits(self, store: Store) -> None:
        before = store.catalog.engine.signature()
        assert users_of(store) == ["local"]
        assert store.catalog.engine.signature() == before
        add_user(store, "a")
        assert store.catalog.engine.signature() != before

    def test_waiting_ends_and_names_the_holder(self, store: Store) -> None:
        code = (
            "import sys; from heimdex_core.store import Store\n"
            "with Store.open(sys.argv[1]).catalog.transaction(): print('held', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", code, str(store.paths.root)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            with pytest.raises(LibraryBusy) as caught, store.catalog.transaction(timeout_s=0.05):
                pass
            assert caught.value.details["pid"] == child.pid
            assert "python" in caught.value.details["program"]
            child.kill()
        assert users_of(store) == ["local"]


class TestMigrations:
    def test_preparing_again_changes_nothing(self, store: Store) -> None:
        store.catalog.prepare()
        with store.catalog.transaction() as transaction:
            versions = transaction.rows("select version from schema_version order by version")
        assert [row["version"] for row in versions] == list(range(1, len(catalogs.MIGRATIONS) + 1))

    def test_a_failing_one_leaves_the_version_before(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        more = (*catalogs.MIGRATIONS, ("alter table users add column colour varchar", "select nonsense"))
        monkeypatch.setattr(catalogs, "MIGRATIONS", more)
        with pytest.raises(Exception, match="nonsense"):
            store.catalog.prepare()
        with store.catalog.transaction() as transaction:
            assert "colour" not in transaction.columns("users")

    def test_a_newer_catalog_is_refused(self, store: Store) -> None:
        with store.catalog.transaction() as transaction:
            transaction.run("insert into schema_version values (99)")
        with pytest.raises(LibraryVersion, match="99"):
            Store.open(store.paths.root)

    def test_what_a_crash_left_unpublished_is_published(self, store: Store) -> None:
        video = add(store, "one", ("hello",))
        store.set_preference("local", "theme", "dark")
        store.paths.visible.unlink()
        store.paths.preferences("local").unlink()
        copies.path_of(store.paths, "users").unlink()
        opened = Store.open(store.paths.root)
        assert set(visible.read(opened.paths.visible)[1]) == {video.video_id}
        assert opened.preferences("local") == {"theme": "dark"}
        assert copies.read(opened.paths, "users") is not None


class TestTables:
    def test_videos(self, store: Store) -> None:
        first, second = register(store, "one"), register(store, "two")
        again, created = store.register_video("local", first.sha256, "x", "x.mp4")
        assert (again.video_id, created) == (first.video_id, False)
        assert store.register_video("other", first.sha256, "x", "x.mp4")[1]
        assert [video.title for video in store.videos("local")] == ["two", "one"]
        assert store.videos("local", limit=1, offset=1)[0].info == INFO
        failed = store.set_state(second.video_id, VideoState.FAILED, error={"code": "X"}, notes=("a", "b"))
        assert (failed.error, failed.notes) == ({"code": "X"}, ("a", "b"))
        store.delete_video("local", second.video_id)
        assert [video.video_id for video in store.videos("local")] == [first.video_id]
        assert [video.state for video in store.abandoned(-1.0)] == ["uploading", "deleted"]
        store.purge_video(second.video_id)
        assert store.count_videos() == 2

    def test_pages_of_videos(self, store: Store) -> None:
        names = ("old", "first of two", "second of two", "new", "not mine")
        made = {name: store.register_video("local", f"{n:064x}", name, "x.mp4")[0] for n, name in enumerate(names)}
        two = sorted([made["first of two"], made["second of two"]], key=lambda one: one.video_id)
        with store.catalog.transaction() as transaction:
            for name, us in zip(names, (1, 2, 2, 3, 4), strict=True):
                transaction.update("videos", {"created_us": us}, {"video_id": made[name].video_id})
            transaction.update("videos", {"user_id": "other"}, {"video_id": made["not mine"].video_id})
            transaction.update("videos", {"state": "failed"}, {"video_id": two[1].video_id})
        expected = [made["new"], *two, made["old"]]

        def behind(number: int, **more: Any) -> list[str]:
            one = store.video("local", expected[number].video_id)
            found = store.videos("local", after=(one.created_at, one.video_id), **more)
            return [video.video_id for video in found]

        ids = [video.video_id for video in expected]
        assert [behind(number, limit=2) for number in range(4)] == [ids[1:3], ids[2:4], ids[3:], []]
        assert behind(0, state=VideoState.FAILED) == [ids[2]]
        assert behind(2, state=VideoState.FAILED) == []

    def test_generations_and_what_readers_see(self, store: Store) -> None:
        video = add(store, "one", ("hello there", "good bye"))
        revision, shown, active = visible.read(store.paths.visible)
        seen = shown[video.video_id]
        assert (seen.generation, seen.duration_s, seen.scene_count, seen.created_at) == (1, 10.0, 2, video.created_at)
        assert active.set_id == 1
        store.delete_video("local", video.video_id)
        later, shown, _ = visible.read(store.paths.visible)
        assert (shown[video.video_id].deleted, later > revision) == (True, True)

    def test_model_sets(self, store: Store) -> None:
        video = add(store, "one", ("hello",))
        other = other_set(store)
        commit_in(store, video, other, ("hello",))
        assert store.switch_set(other.set_id).is_active
        assert store.video("local", video.video_id).generation == 2
        assert [one.set_id for one in store.sets.all()] == [1, 2]

    def test_exports(self, store: Store) -> None:
        now = utc_now()
        clip = ReelClip(register(store, "one").video_id, 0.0, 1.0, 0.0, 2.0)
        export = Export(str(uuid.uuid4()), "local", "reel", "t", ExportState.PENDING, (clip,), now)
        assert store.exports.create(export) == export
        store.exports.update(export.export_id, measured_duration_s=1.25, loudness_lufs=-14.1)
        found = store.exports.get("local", export.export_id)
        assert (found.measured_duration_s, found.loudness_lufs, found.width) == (1.25, -14.1, None)
        assert [one.export_id for one in store.exports.without_job()] == [export.export_id]
        assert store.exports.remove_expired_files(now + timedelta(days=9)) == 0

    def test_trays_and_reels(self, store: Store) -> None:
        name_tray(store, "local", "first")
        name_tray(store, "local", "second")
        tray = store.reels.tray("local")
        assert (tray.title, tray.revision) == ("second", 2)

    def test_preferences(self, store: Store) -> None:
        store.set_preference("local", "a", [1, "é", None])
        store.set_preference("local", "b", True)
        store.set_preference("local", "b", None)
        assert store.preferences("local") == {"a": [1, "é", None]}

    def test_watched_folders(self, store: Store) -> None:
        folder: WatchedFolder = store.watched.add("local", "/films", "/")
        assert store.watched.add("local", "/films", "/") == folder
        assert store.watched.folders() == store.watched.folders("local") == [folder]
        assert store.watched.folders("other") == []
        store.watched.forget_files(folder.folder_id, ["a", "b'c"])
        assert store.watched.forget_refused(folder.folder_id) == 0
        assert store.watched.folders()[0] == replace(folder, revision=folder.revision + 1)

    def test_sql_has_the_same_columns(self, store: Store) -> None:
        video = add(store, "one", ("hello there",))
        frame = store.reader().view().sql("select * from videos", user_id="local")
        row = frame.iloc[0]
        assert (row.video_id, row.duration_s, row.width, row.fps) == (video.video_id, 10.0, 640, 25.0)
        assert row.created_at.to_pydatetime() == video.created_at

    def test_judgements(self, store: Store) -> None:
        video_id = register(store, "one").video_id
        first = NewJudgement("a dog", video_id, 0, 2000, 3, "me")
        second = NewJudgement("a dog", video_id, 2000, 4000, 0, "you", reason="'no'")
        store.judgements.save("local", "pets", [first, second])
        store.judgements.save("local", "pets", [replace(first, grade=1)])
        kept = store.judgements.of_user("local", query_set="pets")
        assert sorted((one.judge, one.grade) for one in kept) == [("me", 1), ("you", 0)]
        assert [(one.name, one.judgement_count) for one in store.judgements.query_sets("local")] == [("pets", 2)]
        store.judgements.rename_query_set("local", "pets", "animals")
        assert len(store.judgements.of_user("local", query_set="animals", judge="you")) == 1
        store.judgements.delete_query_set("local", "animals")
        assert store.judgements.of_user("local") == []
