"""Renaming videos, and finding out that the library has a file already, or that videos are not indexed yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heimdex_core.errors import InvalidValue, LibraryBusy, VideoNotFound
from heimdex_core.files import write_json
from heimdex_core.library import Library
from heimdex_core.models.profiles import profile_choice
from heimdex_core.store import Store, renaming
from heimdex_core.types import QueueDepth, StageProgress, VideoState, WorkerActivity, utc_now
from tests.store import making


@pytest.fixture
def lib(tmp_path: Path) -> Iterator[Library]:
    models = profile_choice("offline").to_dict()
    Store.create(tmp_path / "library", profile="offline", models=models, spaces=making.SPACES).close()
    with Library.open(tmp_path / "library", create=False) as opened:
        yield opened


def store_of(lib: Library) -> Store:
    return lib._store


def found(lib: Library, text: str) -> list[str]:
    return [hit.video_title for hit in lib.search(text, weights={"lexical": 1.0})]


def test_a_renamed_video_is_found_by_its_new_title_only(lib: Library) -> None:
    video = making.add(store_of(lib), "harbour", ["the sea", "a boat"])
    making.add(store_of(lib), "bakery", ["bread"])
    assert found(lib, "harbour") == ["harbour"] * 2
    assert lib.rename(video.video_id, "  부산 zeppelin ").title == "부산 zeppelin"
    assert found(lib, "harbour") == []
    assert found(lib, "zeppelin") == ["부산 zeppelin"] * 2
    assert found(lib, "bakery") == ["bakery"]
    assert {one.title for one in lib.searchable_videos()} == {"부산 zeppelin", "bakery"}
    # another process, and the folder alone, know it too
    with Library.open(lib.path, create=False) as other:
        assert found(other, "zeppelin") == ["부산 zeppelin"] * 2
    store_of(lib).paths.catalog.unlink()
    Library.repair(lib.path)
    assert lib.video(video.video_id).title == "부산 zeppelin"


@pytest.mark.parametrize("title", ["", "   ", "x" * 201])
def test_a_title_has_a_length(lib: Library, title: str) -> None:
    video = making.add(store_of(lib), "harbour", ["the sea"])
    with pytest.raises(InvalidValue):
        lib.rename(video.video_id, title)
    assert lib.video(video.video_id).title == "harbour"


def test_while_the_indexes_are_written_nothing_is_renamed(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    video = making.add(store_of(lib), "harbour", ["the sea"])
    monkeypatch.setattr(renaming, "WAIT_S", 0.05)
    # the lock is held by this thread, so another one asks
    with (
        store_of(lib).context.index_lock.hold(),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(LibraryBusy),
    ):
        pool.submit(lib.rename, video.video_id, "pier").result()
    assert lib.video(video.video_id).title == "harbour"


def test_a_file_is_known_by_its_bytes(lib: Library) -> None:
    video = making.add(store_of(lib), "harbour", ["the sea"])
    digest = hashlib.sha256(making.content_of("harbour")).hexdigest()
    assert lib.may_have_file("harbour.mp4", making.INFO.size_bytes)
    assert not lib.may_have_file("harbour.mp4", making.INFO.size_bytes + 1)
    assert not lib.may_have_file("pier.mp4", making.INFO.size_bytes)
    known = lib.add_known(digest)
    assert known is not None
    assert known.video_id == video.video_id
    assert lib.add_known(hashlib.sha256(b"other").hexdigest()) is None
    assert lib.as_user("other").add_known(digest) is None
    # a deleted one comes back
    lib.delete(video.video_id)
    assert lib.may_have_file("harbour.mp4", making.INFO.size_bytes)
    assert lib.add_known(digest) is not None
    assert lib.video(video.video_id).state is VideoState.INDEXED
    # without its file, or after a failure, the bytes are needed
    source = store_of(lib).paths.source(video.video_id)
    source.rename(source.with_name("elsewhere"))
    assert lib.add_known(digest) is None


def test_videos_without_scenes_are_counted(lib: Library) -> None:
    making.add(store_of(lib), "harbour", ["the sea"])
    assert lib.count_unfinished() == 0
    waiting = making.register(store_of(lib), "pier")
    assert (lib.count_unfinished(), lib.as_user("other").count_unfinished()) == (1, 0)
    lib.delete(waiting.video_id)
    assert lib.count_unfinished() == 0


def test_a_video_that_waits_again_shows_no_progress_of_the_last_attempt(lib: Library) -> None:
    video = making.register(store_of(lib), "pier")
    progress = StageProgress("speech", 2, 9, 1.0, 4.0, None, utc_now().isoformat())
    path = store_of(lib).paths.work(video.video_id) / "progress.json"
    path.parent.mkdir(parents=True)
    write_json(path, {"shown": progress, "stages": {}})
    lib.cancel(video.video_id)
    assert lib.progress(video.video_id) is not None
    lib.queue = Queue()
    assert lib.retry(video.video_id, queue=True).state is VideoState.VALIDATING
    assert lib.progress(video.video_id) is None


def test_several_videos_are_cancelled_deleted_and_restored(lib: Library) -> None:
    lib.queue = queue = Queue()
    indexed = making.add(store_of(lib), "harbour", ["the sea"])
    waiting = [making.register(store_of(lib), name) for name in ("pier", "bridge")]
    for video in waiting:
        store_of(lib).set_job(video.video_id, f"job of {video.title}")
    ids = [video.video_id for video in (indexed, *waiting)]
    lib.bulk.cancel(ids)
    assert sorted(queue.cancelled) == ["job of bridge", "job of pier"]
    assert [lib.video(one).state for one in ids] == [VideoState.INDEXED, VideoState.FAILED, VideoState.FAILED]
    assert all(lib.work.is_cancel_requested(one.video_id) for one in waiting)

    assert [video.state for video in lib.bulk.delete(ids)] == [VideoState.DELETED] * 3
    assert (lib.videos(), lib.searchable_videos()) == ([], [])
    lib.bulk.restore(ids)
    assert [video.title for video in lib.searchable_videos()] == ["harbour"]
    assert len(lib.videos()) == 3
    # deleting what is being worked on ends the work first
    again = lib.retry(waiting[0].video_id, queue=True)
    lib.bulk.delete([again.video_id])
    assert queue.cancelled[-1] == "job"


def test_several_videos_are_changed_together_or_not_at_all(lib: Library) -> None:
    own = making.add(store_of(lib), "harbour", ["the sea"])
    other = making.add(store_of(lib), "pier", ["wood"], user_id="other")
    for ids in ([own.video_id, other.video_id], [own.video_id, "../x"]):
        for operation in (lib.bulk.cancel, lib.bulk.delete, lib.bulk.restore):
            with pytest.raises(VideoNotFound):
                operation(ids)
    assert [video.title for video in lib.searchable_videos()] == ["harbour"]
    assert list(store_of(lib).paths.work_root.rglob("*.cancel")) == []


class Queue:
    """Takes every job, and does none."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str:
        return "job"

    enqueue_reel = enqueue_ingest

    def enqueue_reindex(self) -> str:
        return "job"

    def enqueue_migration(self, set_id: int) -> str:
        return "job"

    def enqueue_sweep(self, sweep_id: str) -> str:
        return "job"

    def enqueue_faces(self, scan_id: str) -> str:
        return "job"

    def cancel(self, *job_ids: str) -> None:
        self.cancelled += job_ids

    def check(self, *, timeout_s: float) -> None:
        pass

    def depths(self) -> list[QueueDepth]:
        return []

    def workers(self) -> list[WorkerActivity]:
        return []
