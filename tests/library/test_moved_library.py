"""A library that is moved or removed while it is open: an error that says so, nothing made anew in its place."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from heimdex_core.api.links import load_secret
from heimdex_core.errors import HeimdexError, JobsUnavailable, LibraryNotFound
from heimdex_core.jobs import worker
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.status import StatusFile
from heimdex_core.jobs.wake_up import wake_workers
from heimdex_core.library import Library
from heimdex_core.types import Video
from tests.store import making


class Moved:
    """A library with one video, whose folder can be moved away and back."""

    def __init__(self, folder: Path) -> None:
        self.place, self.elsewhere = folder / "library", folder / "elsewhere"
        self.library = Library.open(self.place, profile="offline")
        self.library.queue = self.queue = JobQueue(self.library)
        self.queue.active()
        self.file = folder / "other.mp4"
        self.file.write_bytes(b"no video, but a file")
        store, spaces = self.library._store, self.library.spaces()
        video = making.register(store, "holiday")
        staged = making.stage(store, video, ["the sea"], spaces=spaces)
        self.video: Video = store.commit_generation(video.video_id, staged, n=1, spaces=spaces.values())
        self.secret = load_secret(None, self.place)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    moved = Moved(tmp_path_factory.mktemp("moved"))
    yield moved
    moved.queue.close()
    moved.library.close()


@pytest.fixture
def moved(made: Moved) -> Iterator[Moved]:
    made.place.rename(made.elsewhere)
    yield made
    assert not made.place.exists(), "something was made anew in the old place"
    made.elsewhere.rename(made.place)


OPERATIONS: list[Callable[[Library, Moved], Any]] = [
    lambda lib, it: lib.videos(),
    lambda lib, it: lib.video(it.video.video_id),
    lambda lib, it: lib.searchable_videos(),
    lambda lib, it: lib.scenes(it.video.video_id),
    lambda lib, it: lib.words(it.video.video_id),
    lambda lib, it: lib.progress(it.video.video_id),
    lambda lib, it: lib.search("sea"),
    lambda lib, it: lib.sql("select 1"),
    lambda lib, it: lib.add(it.file),
    lambda lib, it: lib.add_upload(lib.uploads_folder / "x.part", "x.mp4"),
    lambda lib, it: lib.delete(it.video.video_id),
    lambda lib, it: lib.cancel(it.video.video_id),
    lambda lib, it: lib.retry(it.video.video_id, queue=True),
    lambda lib, it: lib.reindex_video(it.video.video_id, queue=True),
    lambda lib, it: lib.reindex(),
    lambda lib, it: lib.reel([f"{it.video.video_id}_0_2000"]),
    lambda lib, it: lib.tray(),
    lambda lib, it: lib.save_tray([]),
    lambda lib, it: lib.set_preference("language", "ko"),
    lambda lib, it: lib.exports.list(),
    lambda lib, it: lib.clean_up(),
    lambda lib, it: lib.stats(),
    lambda lib, it: lib.doctor(),
    lambda lib, it: lib.work.count_videos(timeout_s=1.0),
    lambda lib, it: Library.open(it.place, create=False),
    lambda lib, it: lib.watched.list(),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=range(len(OPERATIONS)))
def test_every_operation_says_that_there_is_no_library(
    moved: Moved, operation: Callable[[Library, Moved], Any]
) -> None:
    with pytest.raises(LibraryNotFound) as caught:
        operation(moved.library, moved)
    assert caught.value.details["path"] == str(moved.place)


WRITERS: list[Callable[[Moved], Any]] = [
    lambda it: load_secret(None, it.place),
    lambda it: it.queue.active(),
    lambda it: it.queue.enqueue_ingest(it.video.video_id),
    lambda it: wake_workers(it.library.work.worker_folder),
    lambda it: StatusFile(it.library.work.worker_folder / "here.json", "x").set_state("idle"),
    lambda it: it.library._store.log_search({"text": "sea"}),
    lambda it: it.library._store.new_staging(it.video.video_id),
]


@pytest.mark.parametrize("write", WRITERS, ids=range(len(WRITERS)))
def test_what_writes_beside_the_catalog_makes_no_folder(moved: Moved, write: Callable[[Moved], Any]) -> None:
    # the fixture looks whether there is anything
    with contextlib.suppress(FileNotFoundError, LibraryNotFound, JobsUnavailable):
        write(moved)


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), OperationalError("select 1", {}, Exception("gone"))])
def test_a_worker_that_meets_it_anywhere_says_so(
    made: Moved, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Interrupted:
        def __init__(self, *_: object) -> None:
            made.place.rename(made.elsewhere)
            raise error

    monkeypatch.setattr(worker, "_Worker", Interrupted)
    for name in ("be_modest", "stop_on_signals"):  # of the process of the tests
        monkeypatch.setattr(worker, name, lambda *_: None)
    with pytest.raises(LibraryNotFound, match=str(made.place)):
        worker.run_worker(made.place)
    assert not made.place.exists()
    made.elsewhere.rename(made.place)


def test_it_goes_on_when_it_is_back(made: Moved) -> None:
    before = made.library.search("sea").hits[0].scene.scene_id
    made.place.rename(made.elsewhere)
    with pytest.raises(LibraryNotFound):
        made.library.search("sea")
    made.elsewhere.rename(made.place)
    assert made.library.search("sea").hits[0].scene.scene_id == before
    assert [video.video_id for video in made.library.videos()] == [made.video.video_id]
    assert made.queue.active() == []
    assert load_secret(None, made.place) == made.secret
    # a copy has other files under the same names
    shutil.copytree(made.place, made.elsewhere)
    shutil.rmtree(made.place)
    with pytest.raises(HeimdexError):
        made.library.videos()
    made.elsewhere.rename(made.place)
    assert made.library.search("sea").hits[0].scene.scene_id == before
    assert made.queue.active() == []
