"""Watched folders as the library has them: what is added, and which folders can be watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.errors import (
    FolderNotWatchable,
    FolderNotWatched,
)
from heimdex_core.files import sha256_of
from heimdex_core.library import Library, watching
from heimdex_core.settings import Settings
from heimdex_core.types import QueueDepth, Video, VideoState, WatchOutcome, WatchStatus, WorkerActivity
from tests.support import media

SETTLE_S = 10.0


@dataclass
class Queue:
    """Takes note of what is queued."""

    videos: list[str] = field(default_factory=list)

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str:
        self.videos.append(video_id)
        return f"job-{len(self.videos)}"

    def enqueue_reel(self, export_id: str) -> str:
        raise NotImplementedError

    def enqueue_reindex(self) -> str:
        raise NotImplementedError

    def enqueue_migration(self, set_id: int) -> str:
        raise NotImplementedError

    def enqueue_sweep(self, sweep_id: str) -> str:
        raise NotImplementedError

    def enqueue_faces(self, scan_id: str) -> str:
        raise NotImplementedError

    def cancel(self, *job_ids: str) -> None:
        assert all(job_id.startswith("job-") for job_id in job_ids)

    def check(self, *, timeout_s: float) -> None:
        raise NotImplementedError

    def depths(self) -> list[QueueDepth]:
        return []

    def workers(self) -> list[WorkerActivity]:
        return []


class Bench:
    """A library with a watched folder."""

    def __init__(self, library: Library, folder: Path, clock: SimpleNamespace) -> None:
        self.library = library
        self.folder = folder
        self.queue = Queue()
        library.queue = self.queue
        self.clock = clock
        self.watch = library.watched.watch(library.watched.add(folder))

    def settle(self) -> WatchStatus:
        """Looks until what is there now has been taken."""
        self.clock.now += SETTLE_S
        self.watch.look()
        self.clock.now += SETTLE_S
        return self.watch.look()

    @property
    def videos(self) -> dict[str, Video]:
        return {video.title: video for video in self.library.videos(include_deleted=True)}

    @property
    def counts(self) -> dict[WatchOutcome, int]:
        (report,) = self.library.watched.list()
        return report.counts


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two different videos."""
    folder = tmp_path_factory.mktemp("clips")
    return [media.colour_clips(folder / f"{c}.mp4", [(c, 0.4)]) for c in ("red", "green")]


@pytest.fixture(scope="module")
def empty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("empty") / "library"
    Library.open(root, settings=Settings(profile="offline")).close()
    return root


@pytest.fixture
def bench(empty_library: Path, tmp_path: Path, clock: SimpleNamespace) -> Iterator[Bench]:
    root = shutil.copytree(empty_library, tmp_path / "library")
    (tmp_path / "in").mkdir()
    settings = Settings(profile="offline", watch_settle_s=SETTLE_S, min_free_bytes=0)
    with Library.open(root, settings=settings) as library:
        yield Bench(library, tmp_path / "in", clock)


def test_new_videos_are_queued_with_their_subtitles(bench: Bench, clips: list[Path]) -> None:
    (bench.folder / "trip").mkdir()
    shutil.copy(clips[0], bench.folder / "trip" / "바다.mp4")
    (bench.folder / "trip" / "바다.srt").write_text(media.srt([(0.0, 0.3, "the sea")]), encoding="utf-8")
    status = bench.settle()
    video = bench.videos["바다"]
    assert (status.state, status.files, status.waiting, status.error) == ("watching", 1, 0, None)
    assert (video.filename, video.state) == ("바다.mp4", VideoState.VALIDATING)
    assert bench.queue.videos == [video.video_id]
    kept = bench.library._store.paths.subtitles(video.video_id)
    assert kept is not None
    assert "the sea" in kept.read_text()
    assert bench.counts == {"added": 1}
    assert (bench.folder / "trip" / "바다.mp4").read_bytes() == clips[0].read_bytes()
    (report,) = bench.library.watched.list()
    assert report.status == status, "others read what the worker saw"


def test_the_same_bytes_are_one_video_and_later_subtitles_index_it_again(bench: Bench, clips: list[Path]) -> None:
    shutil.copy(clips[0], bench.folder / "a.mp4")
    shutil.copy(clips[0], bench.folder / "b.mp4")
    bench.settle()
    assert set(bench.videos) == {"a"}
    assert bench.counts == {"added": 1, "duplicate": 1}
    video_id = bench.videos["a"].video_id
    assert bench.queue.videos == [video_id]
    bench.library._store.set_state(video_id, VideoState.PROCESSING)
    bench.library._store.set_state(video_id, VideoState.INDEXED)
    (bench.folder / "a.srt").write_text(media.srt([(0.0, 0.3, "late words")]), encoding="utf-8")
    bench.settle()
    assert bench.queue.videos == [video_id, video_id]
    (bench.folder / "a.srt").unlink()
    bench.settle()
    assert len(bench.queue.videos) == 2


def test_a_video_that_the_user_deleted_stays_deleted(bench: Bench, clips: list[Path]) -> None:
    shutil.copy(clips[0], bench.folder / "a.mp4")
    bench.settle()
    bench.library.delete(bench.videos["a"].video_id)
    (bench.folder / "a.mp4").rename(bench.folder / "renamed.mp4")
    bench.settle()
    assert bench.videos["a"].state == VideoState.DELETED
    assert bench.counts == {"added": 1, "deleted": 1}
    assert list(bench.library.uploads_folder.iterdir()) == []


def test_other_bytes_under_the_same_name_are_another_video(
    bench: Bench, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if they take its place while it is copied: then nothing of the first is left."""
    path = bench.folder / "a.mp4"
    shutil.copy(clips[0], path)
    really = watching.importing.read_file

    def read_while_written(*args: Any) -> Any:
        found = really(*args)
        shutil.copy(clips[1], path)
        os.utime(path, ns=(5, 5))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(watching.importing, "read_file", read_while_written)
        assert bench.settle().waiting == 1
    assert (bench.videos, list(bench.library.uploads_folder.iterdir())) == ({}, [])
    bench.settle()
    assert [video.sha256 for video in bench.videos.values()] == [sha256_of(clips[1])]


# --- which folders --------------------------------------------------------------------------------


def problem(library: Library, path: Path, **options: Any) -> str:
    with pytest.raises(FolderNotWatchable) as refused:
        library.watched.add(path, **options)
    return str(refused.value.details["problem"])


def test_folders_that_cannot_be_watched(bench: Bench, tmp_path: Path) -> None:
    library = bench.library
    (bench.folder / "inner").mkdir()
    (tmp_path / "link").symlink_to(library.path / "videos")
    assert problem(library, tmp_path / "none") == "folder_not_there"
    assert problem(library, library.path / "library.json") == "folder_is_file"
    assert problem(library, library.path) == "folder_in_library"
    assert problem(library, tmp_path / "link") == "folder_in_library"
    assert problem(library, bench.folder / "inner") == "folder_overlaps"
    assert problem(library, tmp_path) == "folder_overlaps"
    assert library.watched.add(bench.folder / "inner" / "..").path == str(bench.folder)
    assert len(library.watched.list()) == 1


def test_the_app_may_watch_folders_below_its_roots_only(bench: Bench, tmp_path: Path) -> None:
    inside, outside = tmp_path / "roots" / "a" / "b", tmp_path / "other"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
    (inside / "way-out").symlink_to(outside)
    given = os.pathsep.join([str(tmp_path / "roots" / "a"), "", str(tmp_path / "none")])
    settings = Settings(profile="offline", watch_roots=given)
    with Library.open(tmp_path / "library", settings=settings) as library:
        below = library.watched.roots
        assert below == (tmp_path / "roots" / "a", tmp_path / "none")
        assert problem(library, outside, below=below) == "folder_outside_roots"
        assert problem(library, inside / "way-out", below=below) == "folder_outside_roots"
        assert problem(library, inside, below=()) == "folder_outside_roots"
        assert library.watched.add(inside, below=below).path == str(inside)
    assert bench.library.watched.roots == ()


def test_folders_belong_to_their_user(bench: Bench) -> None:
    other = bench.library.as_user("ann")
    assert other.watched.list() == []
    with pytest.raises(FolderNotWatched):
        other.watched.stop(bench.watch.folder.folder_id)
    other.watched.add(bench.folder)
    assert [folder.user_id for folder in bench.library.watched.of_all_users()] == ["local", "ann"]


def test_a_folder_that_is_not_watched_any_more(bench: Bench) -> None:
    library = bench.library
    assert [folder.path for folder in library.watched.of_all_users()] == [str(bench.folder)]
    bench.watch.look()
    library.watched.stop(str(bench.folder))
    assert (library.watched.of_all_users(), library.watched.list()) == ([], [])
    assert list((library.path / "work" / ".watching").iterdir()) == []
    with pytest.raises(FolderNotWatched):
        library.watched.stop(bench.folder)


def test_the_library_itself_is_left_out_of_a_folder_above_it(bench: Bench, tmp_path: Path) -> None:
    (bench.library.path / "exports" / "reel.mp4").write_bytes(b"a reel")
    bench.library.watched.stop(bench.folder)
    status = bench.library.watched.watch(bench.library.watched.add(tmp_path)).look()
    assert (status.state, status.files) == ("watching", 0)
