"""Watched folders: what becomes of files that arrive, grow, change, fail and disappear, from look to look."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.errors import (
    DecoderCrashed,
    DiskFull,
    FileUnreadable,
    HeimdexError,
    JobsUnavailable,
    NotAVideo,
)
from heimdex_core.library import folder_watch
from heimdex_core.library.folder_scan import FoundFile
from heimdex_core.library.folder_watch import FolderWatch
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.progress_records import FileProgress
from heimdex_core.types import VideoState, WatchOutcome, WatchStatus
from tests.store.making import new_store

SETTLE_S = 10.0


@dataclass
class Looks:
    """A watched folder whose files are only noted when they are taken; `errors` are raised for files by name."""

    store: Store
    folder: Path
    clock: SimpleNamespace
    settings: Settings = field(default_factory=lambda: Settings(watch_settle_s=SETTLE_S))
    taken: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    watch: FolderWatch = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """From here on the folder is seen by a new worker."""
        watched = self.store.watched.add("local", str(self.folder), "/")
        context: Any = SimpleNamespace(store=self.store, settings=self.settings)
        self.watch = FolderWatch(context, watched, self.take, FileProgress(self.folder.parent / "status.json"))

    def take(self, path: Path, found: FoundFile) -> tuple[WatchOutcome, str]:
        self.taken.append(found.path)
        if error := self.errors.get(path.name):
            raise error
        return "added", "a-video"

    def look(self, after_s: float = SETTLE_S) -> WatchStatus:
        self.clock.now += after_s
        return self.watch.look()

    def settle(self) -> WatchStatus:
        """Looks until what is there now has been taken."""
        self.look()
        return self.look()

    def put(self, name: str, content: bytes = b"video") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    @property
    def refused(self) -> dict[str, str]:
        _, files = self.store.watched.summary(self.watch.folder.folder_id, 10)
        return {file.path: str(file.error["code"]) for file in files if file.error}

    @property
    def counts(self) -> dict[WatchOutcome, int]:
        return self.store.watched.summary(self.watch.folder.folder_id, 0)[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Shared: each test has a folder of its own."""
    return new_store(tmp_path_factory.mktemp("looks") / "library")


@pytest.fixture
def looks(store: Store, tmp_path: Path, clock: SimpleNamespace) -> Looks:
    (tmp_path / "in").mkdir()
    return Looks(store, tmp_path / "in", clock)


def test_a_file_is_taken_when_it_has_stopped_growing(looks: Looks) -> None:
    looks.put("a.mp4", b"1")
    looks.look()
    looks.put("a.mp4", b"12")
    status = looks.look()
    assert [(file.path, file.reason) for file in status.next_files] == [("a.mp4", "settling")]
    assert (status.state, status.files, status.waiting) == ("watching", 1, 1)
    looks.put("a.mp4", b"123")
    looks.look()
    looks.look(SETTLE_S - 0.1)
    assert looks.taken == []
    assert looks.look(0.1).waiting == 0
    assert looks.taken == ["a.mp4"]


def test_a_copy_with_its_final_size_from_the_start_waits(looks: Looks) -> None:
    """As Windows copies: the size is there at once, the time of the last change moves."""
    path = looks.put("a.mp4")
    looks.look()
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    looks.look()
    assert looks.taken == []
    looks.look()
    assert looks.taken == ["a.mp4"]


def test_a_paused_recording_waits_until_it_is_closed(looks: Looks) -> None:
    with (looks.folder / "a.mp4").open("wb") as recording:
        recording.write(b"the beginning")
        recording.flush()
        for _ in range(3):
            status = looks.look()
        assert [(file.path, file.reason) for file in status.next_files] == [("a.mp4", "unfinished")]
    looks.look()
    assert looks.taken == ["a.mp4"]


def test_a_growing_subtitle_file_holds_its_video_back(looks: Looks) -> None:
    looks.put("a.mp4")
    looks.look()
    looks.put("a.srt", b"1")
    looks.look()
    looks.put("a.srt", b"12")
    looks.look()
    assert looks.taken == []
    looks.look()
    assert looks.taken == ["a.mp4"]


def test_a_restart_goes_on_where_it_was(looks: Looks) -> None:
    looks.errors = {"no.mp4": NotAVideo(filename="no.mp4", reason="x")}
    for name in ("a.mp4", "b.mp4", "no.mp4", "notes.txt"):
        looks.put(name)
    looks.settle()
    looks.restart()
    looks.put("c.mp4")
    assert looks.settle().waiting == 0
    assert looks.taken == ["a.mp4", "b.mp4", "no.mp4", "c.mp4"]
    assert looks.counts == {"added": 3, "refused": 1}


def test_a_refused_file_is_said_once_and_tried_again_when_it_changes(
    looks: Looks, caplog: pytest.LogCaptureFixture
) -> None:
    looks.errors = {"a.mp4": NotAVideo(filename="it", reason="it is prose")}
    looks.put("a.mp4")
    for _ in range(4):
        looks.look()
    assert caplog.text.count("it is prose") == 1
    assert (looks.taken, looks.refused) == (["a.mp4"], {"a.mp4": "NOT_A_VIDEO"})
    looks.errors = {}
    looks.put("a.mp4", b"a real one")
    looks.settle()
    assert (looks.taken, looks.counts) == (["a.mp4", "a.mp4"], {"added": 1})


def test_refused_files_can_be_tried_again_by_hand(looks: Looks) -> None:
    looks.errors = {"a.mp4": NotAVideo(filename="a.mp4", reason="x")}
    looks.put("a.mp4")
    looks.settle()
    assert looks.store.watched.forget_refused(looks.watch.folder.folder_id) == 1
    folder = looks.store.watched.add("local", str(looks.folder), "/")
    assert folder.revision == looks.watch.folder.revision + 1, "a worker sees that it has to read the records again"
    looks.restart()
    looks.settle()
    assert looks.taken == ["a.mp4", "a.mp4"]


@pytest.mark.parametrize("error", [DiskFull(what="a", needed_bytes=1, free_bytes=0), JobsUnavailable(reason="x")])
def test_what_is_not_the_files_fault_refuses_none(looks: Looks, error: HeimdexError) -> None:
    looks.errors = {"a.mp4": error}
    looks.put("a.mp4")
    status = looks.settle()
    assert (status.state, status.error and status.error["code"]) == ("failed", error.code)
    looks.errors = {}
    assert looks.look().state == "watching"
    assert looks.counts == {"added": 1}


def test_an_error_of_the_drive_refuses_no_file(looks: Looks) -> None:
    broken = FileUnreadable(filename="a.mp4", reason="x")
    broken.__cause__ = OSError(5, "Input/output error")
    looks.errors = {"a.mp4": broken}
    looks.put("a.mp4")
    status = looks.settle()
    assert (status.state, status.error and status.error["code"]) == ("failed", "WATCHED_FOLDER_UNREADABLE")
    looks.errors = {}
    looks.look()
    assert looks.counts == {"added": 1}


def test_a_file_that_may_not_be_read_is_tried_again_when_it_may(looks: Looks) -> None:
    denied = FileUnreadable(filename="a.mp4", reason="x")
    denied.__cause__ = PermissionError(13, "Permission denied")
    looks.errors = {"a.mp4": denied}
    path = looks.put("a.mp4")
    looks.settle()
    looks.settle()
    assert (looks.taken, looks.refused) == (["a.mp4"], {"a.mp4": "FILE_UNREADABLE"})
    looks.errors = {}
    path.chmod(0o640)  # neither its size nor its content changes
    looks.settle()
    assert looks.counts == {"added": 1}


@pytest.mark.parametrize(
    ("error", "tries"), [(RuntimeError("surprise"), 2), (DecoderCrashed(filename="a.mp4", reason="signal 11"), 1)]
)
def test_a_file_that_fails_is_refused_and_does_not_stop_the_others(looks: Looks, error: Exception, tries: int) -> None:
    """Crashes of the decoder are counted where the file is read."""
    looks.errors = {"a.mp4": error}
    looks.put("a.mp4")
    looks.put("b.mp4")
    for _ in range(8):
        looks.look()
    assert looks.taken.count("a.mp4") == tries
    assert looks.taken.count("b.mp4") == 1
    assert looks.refused == {"a.mp4": error.code if isinstance(error, HeimdexError) else "INTERNAL"}


def test_a_file_that_vanishes_before_it_is_taken_is_not_refused(looks: Looks) -> None:
    path = looks.put("a.mp4")
    looks.look()
    path.unlink()
    path.symlink_to(looks.put("b.txt"))
    looks.errors = {"a.mp4": FileUnreadable(filename="a.mp4", reason="x")}
    looks.look()
    assert (looks.taken, looks.counts) == ([], {})


def test_a_folder_that_disappears_is_said_and_picked_up_again(
    looks: Looks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    looks.put("a.mp4")
    looks.settle()
    looks.folder.rename(tmp_path / "away")
    for _ in range(3):
        status = looks.look()
    assert (status.state, status.error and status.error["code"]) == ("missing", "WATCHED_FOLDER_MISSING")
    assert caplog.text.count("is not there") == 1
    assert looks.counts == {"added": 1}
    (tmp_path / "away" / "b.mp4").write_bytes(b"meanwhile")
    (tmp_path / "away").rename(looks.folder)
    assert looks.settle().state == "watching"
    assert looks.taken == ["a.mp4", "b.mp4"]


def test_the_empty_folder_that_an_unmounted_drive_leaves_is_missing(
    looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looks.look().state == "watching", "an empty folder of the same file system is just empty"
    monkeypatch.setattr(folder_watch, "mount_point", lambda path: "/elsewhere")
    assert looks.look().state == "missing"
    looks.put("a.mp4")
    assert looks.look().state == "watching"


def test_no_more_files_are_taken_than_the_queue_holds(looks: Looks) -> None:
    looks.settings = looks.settings.model_copy(update={"watch_ahead": 3})
    looks.restart()
    video, _ = looks.store.register_video("ann", "0" * 64, "busy", "busy.mp4")
    looks.store.set_state(video.video_id, VideoState.VALIDATING)
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        looks.put(name)
    status = looks.settle()
    assert looks.taken == ["a.mp4", "b.mp4"], "somebody else's video waits, so there is room for two"
    assert [(file.path, file.reason) for file in status.next_files] == [("c.mp4", "queue")]
    assert looks.look().waiting == 0
    looks.store.delete_video("ann", video.video_id)


def test_nothing_is_noted_of_a_folder_that_is_not_watched_any_more(looks: Looks) -> None:
    looks.put("a.mp4")
    looks.look()
    looks.store.watched.remove(looks.watch.folder.folder_id)
    looks.look()
    assert looks.store.watched.files(looks.watch.folder.folder_id) == []


def test_records_do_not_grow_for_ever(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_watch, "FORGET_AFTER", 0)
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        looks.put(name)
    looks.settle()
    for name in ("a.mp4", "b.mp4"):
        (looks.folder / name).unlink()
    looks.look()
    assert [file.path for file in looks.store.watched.files(looks.watch.folder.folder_id)] == ["c.mp4"]


def test_too_many_entries_are_said(looks: Looks) -> None:
    looks.settings = looks.settings.model_copy(update={"watch_max_entries": 3})
    looks.restart()
    for n in range(5):
        looks.put(f"{n}.txt")
    status = looks.look()
    assert (status.state, status.error and status.error["code"]) == ("watching", "WATCHED_FOLDER_TOO_LARGE")


@pytest.mark.parametrize(("name", "pause_s"), [("notes.txt", 75.0), ("a.temp.mp4", 75.0), ("a.mp4", 25.0)])
def test_looking_is_rarer_the_more_it_costs(
    looks: Looks, monkeypatch: pytest.MonkeyPatch, name: str, pause_s: float
) -> None:
    """300 times the CPU time, 0.25 s; only 20 times while a file is about to be taken, and 10 times the duration."""
    looks.put(name)
    times = iter([1.0, 1.0, 3.5])  # when the look begins, the clock of the files, when the look ends
    cpu = iter([0.0, 0.25])
    clocks = SimpleNamespace(monotonic=lambda: next(times), thread_time=lambda: next(cpu))
    monkeypatch.setattr(folder_watch, "time", clocks)
    looks.watch.look()
    assert looks.watch.pause_s == pause_s
