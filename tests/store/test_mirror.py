"""A library in object storage, as two machines see it: each has a working folder of its own."""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heimdex_core import files
from heimdex_core.errors import (
    BucketNotFound,
    DatabaseNotSet,
    IndexLockLost,
    InvalidValue,
    ObjectDamaged,
    ObjectStorageFailed,
)
from heimdex_core.files import write_json
from heimdex_core.settings import get_settings
from heimdex_core.store import Store
from heimdex_core.store import mirror as mirroring
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.store.mirror import Mirror, working_folder
from heimdex_core.store.mirror_upload import object_key
from heimdex_core.types import Export, ExportState, VideoState, utc_now
from tests.store.making import (
    OTHER_SPACES,
    SPACES,
    add,
    commit,
    commit_in,
    content_of,
    name_tray,
    other_set,
    register,
    stage,
)
from tests.support.postgres import end_connections

if TYPE_CHECKING:
    from tests.support.object_storage import S3TestServer, TestBucket


@dataclass
class Machines:
    """Machines that share one library; each is known by a name."""

    folder: Path
    address: str
    server: S3TestServer
    search: str = "local"

    def open(self, name: str) -> Store:
        """The library as this machine has it, made if there is none."""
        settings = get_settings().model_copy(
            update={"cache": self.folder / name, "lock_timeout_s": 5.0, "search": self.search}
        )
        place = LibraryPlace.of(self.address, settings)
        if place.refresh(settings):
            return Store.open(place.root, settings)
        return Store.create(
            place.root,
            profile="offline",
            models={"name": "offline"},
            spaces=SPACES,
            settings=settings,
            address=place.address,
        )


@pytest.fixture
def machines(tmp_path: Path, s3: TestBucket, database: str, monkeypatch: pytest.MonkeyPatch) -> Machines:
    monkeypatch.setattr(Mirror, "pull", Mirror.pull_now)  # a reader does not wait for it otherwise
    return Machines(tmp_path, s3.url, s3.server)


@pytest.fixture
def a(machines: Machines) -> Store:
    return machines.open("a")


def mirror(store: Store) -> Mirror:
    assert store.catalog.mirror is not None
    return store.catalog.mirror


def found(store: Store, text: str) -> list[str]:
    """The titles of the videos in which a word is found."""
    view = store.reader().view()
    ids = [hit[0] for hit in view.lexical_search(text, k=10, user_id="local").hits]
    titles = view.video_titles("local", {scene_id.rsplit("_", 2)[0] for scene_id in ids})
    return [titles[scene_id.rsplit("_", 2)[0]] for scene_id in ids]


class TestAddresses:
    def test_an_address_is_told_from_a_folder(self, tmp_path: Path) -> None:
        settings = get_settings().model_copy(update={"cache": tmp_path})
        for named in ("s3://bucket/some/prefix", "s3://bucket/some/prefix/", Path("s3://bucket/some/prefix")):
            assert LibraryPlace.of(named, settings).address == "s3://bucket/some/prefix"
        assert LibraryPlace.of("s3://bucket", settings).address == "s3://bucket"
        with pytest.raises(InvalidValue, match="s3://bucket/prefix"):
            LibraryPlace.of(Path("s3://"), settings)
        assert LibraryPlace.of(tmp_path / "library", settings) == LibraryPlace(tmp_path / "library")

    def test_each_address_has_a_folder(self, tmp_path: Path) -> None:
        settings = get_settings().model_copy(update={"cache": tmp_path})
        folders = {working_folder(address, settings) for address in ("s3://b/a-b", "s3://b/a/b", "s3://b-a/b")}
        assert len(folders) == 3
        assert {folder.parent for folder in folders} == {tmp_path}

    def test_it_needs_a_database(self, tmp_path: Path, s3: TestBucket) -> None:
        settings = get_settings().model_copy(update={"cache": tmp_path, "database_url": None})
        with pytest.raises(DatabaseNotSet):
            LibraryPlace.of(s3.url, settings).refresh(settings)

    def test_a_bucket_that_is_not_there(self, machines: Machines) -> None:
        machines.address = "s3://nowhere-to-be-found/x"
        with pytest.raises(BucketNotFound):
            machines.open("a")

    @pytest.mark.long
    def test_another_library_at_the_address(self, machines: Machines, s3: TestBucket, a: Store) -> None:
        add(a, "old", ["an old word"])
        s3.open().delete([one.key for one in s3.open().list()])
        shutil.rmtree(machines.folder / "a")
        old = machines.folder / "b"
        fresh = machines.open("c")
        assert fresh.manifest.key != a.manifest.key
        shutil.copytree(a.paths.root.parent if a.paths.root.exists() else machines.folder / "c", old)
        assert machines.open("b").manifest.key == fresh.manifest.key


class TestSharing:
    def test_what_one_machine_adds_another_finds(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        assert b.manifest == a.manifest
        video = add(a, "harbour", ["the ferry leaves"])
        assert found(b, "ferry") == ["harbour"]
        assert [one.title for one in b.videos("local")] == ["harbour"]
        assert not b.paths.video(video.video_id).exists()  # nothing of it was needed yet
        assert b.paths.source(video.video_id).read_bytes() == content_of("harbour")
        text = b.reader().view().words("local", video.video_id)
        assert [segment.text for segment in text] == ["the ferry leaves"]

    def test_frames_come_one_by_one(self, machines: Machines, a: Store) -> None:
        video = add(a, "harbour", ["the ferry leaves", "at seven"])
        view = machines.open("b").reader().view()
        first, second = view.scenes("local", video.video_id)
        frame = view.frame_path(first, str(first.thumbnail))
        assert frame.read_bytes().startswith(b"RIFF")
        assert not view.paths.new_generation(video.video_id, 1).exists()
        assert not frame.with_name(str(second.thumbnail)).exists()
        assert not view.frame_path(first, "nothing.webp").exists()

    def test_both_write_the_index(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        for n, store in enumerate([a, b, a, b]):
            add(store, f"video {n}", [f"word{n} ferry"])
        for store in (a, b):
            assert sorted(found(store, "ferry")) == [f"video {n}" for n in range(4)]
            assert store.maintenance.check_indexes() == []

    def test_a_newer_generation_replaces_the_copies(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        video = add(a, "harbour", ["the ferry leaves"])
        old = b.paths.generation(video.video_id, 1)
        assert old.is_dir()
        a.set_state(video.video_id, VideoState.PROCESSING)
        commit(a, video, ["a train arrives"])
        assert found(b, "train") == ["harbour"]
        assert found(b, "ferry") == []
        assert not old.exists()
        assert b.paths.generation_numbers(video.video_id) == [2]

    def test_a_purged_video_leaves_every_machine(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        video = add(a, "harbour", ["the ferry leaves"])
        b.paths.source(video.video_id)
        a.delete_video("local", video.video_id)
        b.purge_video(video.video_id)
        machines.open("a").reader().view()
        for store in (a, b):
            assert found(store, "ferry") == []
            assert store.paths.source(video.video_id, missing_ok=True) is None
        rows = mirror(a).fetches.read("select path from files where sha256 is not null", ())
        assert not [row["path"] for row in rows if row["path"].startswith("videos/")]

    def test_an_open_page_sees_a_tray_that_another_machine_changes(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        before = b.published_state("local")
        name_tray(a, "local", "another title")
        assert b.published_state("local").tray_revision == before.tray_revision + 1

    def test_published_files(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        b.reader().view()
        a.set_preference("local", "theme", "dark")
        assert b.reader().refresh() is False  # nothing of what is searched has changed
        assert b.preferences("local") == {"theme": "dark"}

    @pytest.mark.long
    def test_runs_and_their_removal(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        run_id = "00000000-0000-4000-8000-000000000001"
        about = {"run_id": run_id, "name": "one", "query_set": "default", "created_at": utc_now().isoformat()}
        a.runs.save("local", about, {"q": (("scene", 1.0),)})
        b.reader().refresh()
        assert b.runs.rankings("local", run_id) == {"q": (("scene", 1.0),)}
        b.runs.delete("local", run_id)
        a.reader().refresh()
        assert a.runs.all("local") == []

    def test_exports(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        export = Export(
            "00000000-0000-4000-8000-000000000002",
            "local",
            "reel",
            "A reel",
            ExportState.PENDING,
            (),
            created_at=utc_now(),
        )
        a.exports.create(export)
        target = a.paths.export("local", export.export_id)
        target.parent.mkdir(parents=True)
        target.write_bytes(b"a film")
        a.exports.update(export.export_id, state=ExportState.COMPLETED, path=str(target))
        there = b.exports.get("local", export.export_id)
        assert b.exports.file(there).read_bytes() == b"a film"
        b.exports.remove_file("local", export.export_id, utc_now())
        a.reader().refresh()
        assert not target.exists()

    @pytest.mark.long
    def test_switching_models(self, machines: Machines, a: Store) -> None:
        b = machines.open("b")
        video = add(a, "harbour", ["the ferry leaves"])
        other = other_set(a)
        commit_in(b, video, other, ["the ferry leaves"])
        b.switch_set(other.set_id)
        assert a.reader().view().spaces == OTHER_SPACES
        assert machines.open("c").manifest.profile == "other"
        a.sets.drop([1])
        assert found(b, "ferry") == ["harbour"]


def test_a_sweep_is_there_at_once_on_another_machine_and_so_is_what_became_of_it(machines: Machines) -> None:
    """Whoever works on it gets it from the queue a moment later, perhaps while an index is written on that machine."""
    a, b = machines.open("a"), machines.open("b")
    sweep_id = str(uuid.uuid4())
    a.sweeps.create("local", sweep_id, {"queries": [1, 2]}, {"state": "waiting"})
    with b.context.index_lock.hold():
        assert b.sweeps.plan("local", sweep_id) == {"queries": [1, 2]}
    assert b.sweeps.owned() == [("local", sweep_id)]
    b.sweeps.write_state("local", sweep_id, {"state": "running"})
    b.sweeps.write_scores("local", sweep_id, 1, {"values": [0.5]})
    assert a.sweeps.state("local", sweep_id) == {"state": "running"}
    assert a.sweeps.done("local", sweep_id) == {1}
    b.sweeps.forget_scores("local", sweep_id)
    b.sweeps.write_state("local", sweep_id, {"state": "done"})
    assert a.sweeps.state("local", sweep_id) == {"state": "done"}
    assert a.sweeps.done("local", sweep_id) == set()
    a.sweeps.delete("local", sweep_id)
    assert b.sweeps.plan("local", sweep_id) is None
    assert b.sweeps.all("local") == []


def test_what_is_written_here_at_this_moment_is_not_fetched_over(machines: Machines) -> None:
    a, other = machines.open("a"), machines.open("a")  # two processes of one machine
    sweep_id = str(uuid.uuid4())
    a.sweeps.create("local", sweep_id, {"queries": [1]}, {"state": "running"})
    path = a.paths.sweeps("local") / sweep_id / "state.json"
    write_json(path, {"state": "done"})  # and not shared yet
    register(a, "another change")
    mirror(other).pull_now()
    assert other.sweeps.state("local", sweep_id) == {"state": "done"}
    a.catalog.share(f"{a.paths.relative(path.parent)}/")
    assert machines.open("b").sweeps.state("local", sweep_id) == {"state": "done"}


def test_without_the_storage_sweeps_are_read_as_they_are_here(machines: Machines) -> None:
    a, b = machines.open("a"), machines.open("b")
    known, new = str(uuid.uuid4()), str(uuid.uuid4())
    a.sweeps.create("local", known, {"queries": [1]}, {"state": "waiting"})
    assert b.sweeps.plan("local", known) is not None
    a.sweeps.create("local", new, {"queries": [1]}, {"state": "waiting"})
    machines.server.fail("503", method="GET", times=1000)
    assert b.sweeps.state("local", known) == {"state": "waiting"}
    with pytest.raises(ObjectStorageFailed):  # so that nobody takes it for one that was deleted
        b.sweeps.plan("local", new)


def test_on_lancedb_a_machine_has_no_copy_of_vectors_and_words(machines: Machines) -> None:
    machines.search = "lancedb"
    a, b = machines.open("a"), machines.open("b")
    video = add(a, "harbour", ["the ferry leaves"])
    add(b, "station", ["the train arrives"])
    for store in (a, b):
        assert found(store, "ferry") == ["harbour"]
        assert found(store, "train") == ["station"]
        assert store.maintenance.check_indexes() == []
    a.set_state(video.video_id, VideoState.PROCESSING)
    commit(a, video, ["a boat arrives"])
    assert (found(b, "boat"), found(b, "ferry")) == (["harbour"], [])
    names = {place.relative_to(b.paths.indexes).as_posix() for place in b.paths.indexes.rglob("*") if place.is_file()}
    assert names - {"scenes/manifest.json"} == {"lance/manifest.json", *(n for n in names if n.endswith(".arrow"))}
    machines.server.denied.append("/lance/")
    with pytest.raises(ObjectStorageFailed, match="403 AccessDenied"):
        found(machines.open("c"), "boat")


class TestFaults:
    def test_a_storage_that_fails_for_a_moment(self, machines: Machines, a: Store, s3: TestBucket) -> None:
        for fault in ("500", "503", "cut-request", "cut-answer"):
            s3.server.fail(fault, method="PUT", path="objects/")
        add(a, "harbour", ["the ferry leaves"])
        s3.server.fail("cut-body", method="GET", path="objects/", times=2)
        assert found(machines.open("b"), "ferry") == ["harbour"]
        assert s3.server.faults_left() == 0

    @pytest.mark.long
    def test_without_the_storage_nothing_is_named(self, machines: Machines, a: Store, s3: TestBucket) -> None:
        video = register(a, "harbour")
        s3.server.fail("500", method="PUT", path="objects/", times=1000)
        with pytest.raises(ObjectStorageFailed):
            commit(a, video, ["the ferry leaves"])
        s3.server.reset()
        b = machines.open("b")
        assert found(b, "ferry") == []
        assert b.video("local", video.video_id).state == VideoState.PROCESSING
        commit(a, video, ["the ferry leaves"])
        assert found(b, "ferry") == ["harbour"]

    def test_readers_go_on_without_the_storage(
        self, machines: Machines, a: Store, s3: TestBucket, caplog: pytest.LogCaptureFixture
    ) -> None:
        b = machines.open("b")
        add(a, "harbour", ["the ferry leaves"])
        assert found(b, "ferry") == ["harbour"]
        add(a, "station", ["the ferry and the train"])
        s3.server.fail("500", method="GET", path="objects/", times=1000)
        assert found(b, "ferry") == ["harbour"]
        assert "changes of other machines are not seen" in caplog.text
        s3.server.reset()
        assert sorted(found(b, "ferry")) == ["harbour", "station"]

    def test_an_object_that_was_changed_in_the_bucket(self, machines: Machines, a: Store, s3: TestBucket) -> None:
        video = add(a, "harbour", ["the ferry leaves"])
        stored = mirror(a).uploads.upload(a.paths.source(video.video_id))
        s3.open().put_bytes(object_key(stored.sha256), b"something else")
        b = machines.open("b")
        with pytest.raises(ObjectDamaged):
            b.paths.source(video.video_id)
        assert not list(b.paths.video(video.video_id).glob("source*"))

    def test_a_lost_object_is_reported(self, a: Store, s3: TestBucket) -> None:
        video = add(a, "harbour", ["the ferry leaves"])
        assert a.maintenance.damage() == []
        stored = mirror(a).uploads.upload(a.paths.source(video.video_id))
        s3.open().delete([object_key(stored.sha256)])
        (damage,) = a.maintenance.damage()
        assert (damage.code, damage.video_id) == ("OBJECT_MISSING", video.video_id)
        assert "source.mp4" in damage.message

    @pytest.mark.parametrize(
        "step",
        [
            "indexes-synced",
            *(
                pytest.param(one, marks=pytest.mark.long)
                for one in ("generation-renamed", "catalog-committed", "published")
            ),
        ],
    )
    def test_a_crash_leaves_the_old_state_or_the_new_one(
        self, machines: Machines, a: Store, step: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        b = machines.open("b")
        add(b, "station", ["the train arrives"])
        video = register(a, "harbour")

        def crash(at: str) -> None:
            if at == step:
                raise KeyboardInterrupt

        monkeypatch.setattr(files, "crash_point", crash)
        staged, n = stage(a, video, ["the ferry leaves"]), a.next_generation(video.video_id)
        with pytest.raises(KeyboardInterrupt):
            a.commit_generation(video.video_id, staged, n=n, spaces=SPACES.values())
        monkeypatch.setattr(files, "crash_point", lambda at: None)
        assert found(b, "ferry") in ([], ["harbour"])
        add(b, "airport", ["the plane lands"])  # whatever the other machine has written, the index is whole
        commit(b, b.video("local", video.video_id), ["the ferry leaves"]) if not found(b, "ferry") else None
        for store in (machines.open("a"), b):
            assert found(store, "ferry") == ["harbour"]
            assert found(store, "train") == ["station"]
            assert found(store, "plane") == ["airport"]
            assert store.maintenance.check_indexes() == []

    def test_a_writer_that_lost_the_lock_changes_nothing(self, machines: Machines, a: Store, database: str) -> None:
        b, video = machines.open("b"), register(a, "harbour")

        def write_late() -> None:
            with a.context.index_lock.hold():
                end_connections(database)  # and the server gives the lock to somebody else
                add(b, "station", ["the train arrives"])
                a.set_job(video.video_id, "a job")

        with pytest.raises(IndexLockLost):
            write_late()
        assert a.video("local", video.video_id).job_id is None
        assert found(a, "train") == ["station"]


class TestCopies:
    def test_the_least_recently_used_go_first(
        self, machines: Machines, a: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        videos = [add(a, name, ["the ferry leaves"]) for name in ("one", "two", "three")]
        b = machines.open("b")
        sources = [b.paths.source(video.video_id) for video in videos]
        fetches = mirror(b).fetches
        fetches.limit_bytes = 250
        assert fetches.make_room() == 0  # they were used just now
        later = time.time() + 7200
        monkeypatch.setattr("heimdex_core.store.mirror_fetch.time.time", lambda: later)
        assert fetches.make_room() == 1
        assert [source.exists() for source in sources] == [False, True, True]
        assert b.paths.source(videos[0].video_id).read_bytes() == content_of("one")

    def test_what_is_not_stored_is_kept(self, a: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        source = a.paths.source(add(a, "one", ["the ferry leaves"]).video_id)
        with a.catalog.transaction() as transaction:
            transaction.run("update files set sha256 = 'other' where path like '%source%'")
        fetches = replace(mirror(a).fetches, limit_bytes=0)
        later = time.time() + 7200
        monkeypatch.setattr("heimdex_core.store.mirror_fetch.time.time", lambda: later)
        fetches.make_room()
        assert source.exists()

    def test_unused_content_is_removed_after_days(
        self, machines: Machines, a: Store, s3: TestBucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        video = add(a, "harbour", ["the ferry leaves"])
        kept = add(a, "station", ["the train arrives"])
        a.delete_video("local", video.video_id)
        a.purge_video(video.video_id)
        assert a.maintenance.clean_storage()["objects"] == 0
        monkeypatch.setattr(mirroring, "utc_now", lambda: utc_now() + timedelta(days=8))
        assert a.maintenance.clean_storage()["objects"] > 0
        assert a.maintenance.damage() == []
        b = machines.open("b")
        assert b.paths.source(kept.video_id).read_bytes() == content_of("station")
        assert found(b, "train") == ["station"]
        assert found(b, "ferry") == []
