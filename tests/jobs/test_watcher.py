"""A worker looks at the watched folders: awake, asleep, and after it was killed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.jobs import watcher
from heimdex_core.jobs.watcher import FolderWatcher
from heimdex_core.types import FolderReport, VideoState
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support import media

NEVER = "100000"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library", watch_interval_s=0.1, watch_settle_s=0.1)
    yield made
    made.close()


def report(bench: Bench) -> FolderReport:
    (found,) = bench.library.watched.list()
    return found


@pytest.fixture
def watched(bench: Bench, tmp_path: Path) -> Path:
    """A folder with a video and a file that is none, which a worker has taken and refused while it was asleep."""
    folder = tmp_path / "in"
    folder.mkdir()
    start(bench)
    until(lambda: (found := bench.worker_status()) and found.state == "asleep", "the worker to sleep")
    bench.library.watched.add(folder)
    media.colour_clips(folder / "red.mp4", [("red", 0.4)])
    (folder / "prose.mp4").write_text("no video")
    until(lambda: report(bench).counts == {"added": 1, "refused": 1}, "the files to be taken")
    return folder


def start(bench: Bench) -> None:
    bench.start(TOY_SLEEP_AFTER_S="0.5", TOY_LOOK_ANYWAY_S=NEVER)


def test_a_sleeping_worker_takes_new_files_and_wakes_up(bench: Bench, watched: Path) -> None:
    until(lambda: [v.state for v in bench.library.videos()] == [VideoState.INDEXED], "the video to be indexed")
    assert bench.stop() == 0


@pytest.mark.long
def test_a_killed_worker_is_followed_by_one_that_goes_on(bench: Bench, watched: Path) -> None:
    bench.kill()
    media.colour_clips(watched / "blue.mp4", [("blue", 0.4)])
    shutil.copy(watched / "red.mp4", watched / "red again.mp4")
    start(bench)
    counts = {"added": 2, "duplicate": 1, "refused": 1}
    until(lambda: report(bench).counts == counts, "the new files to be taken")
    until(lambda: [v.state for v in bench.library.videos()] == [VideoState.INDEXED] * 2, "both to be indexed")
    assert sorted(video.title for video in bench.library.videos()) == ["blue", "red"]


class FakeWatch:
    def __init__(self, name: str, looked: list[str], pause_s: float) -> None:
        self.name, self.looked, self.pause_s = name, looked, pause_s

    def look(self, is_stopped: Any) -> None:
        self.looked.append(self.name)


def fake_library(folders: list[SimpleNamespace], looked: list[str], pause_s: float = 0.0) -> Any:
    """A library of one user whose folders only note that they are looked at."""
    watched = SimpleNamespace(
        of_all_users=lambda: folders, watch=lambda folder: FakeWatch(folder.folder_id, looked, pause_s)
    )
    library = SimpleNamespace(watched=watched, queue=object(), settings=SimpleNamespace(watch_interval_s=10.0))
    library.as_user = lambda user_id: library
    return library


def folder(name: str, revision: int = 0) -> SimpleNamespace:
    return SimpleNamespace(folder_id=name, revision=revision, user_id="local")


def test_every_folder_is_the_first_one_in_turn() -> None:
    """The first one has the first choice of the room in the queue."""
    looked: list[str] = []
    made = FolderWatcher(fake_library([folder("a"), folder("b"), folder("c")], looked), threading.Event())
    made.is_looking = True
    for _ in range(3):
        made.look()
    assert "".join(looked) == "bcacababc"


def test_a_folder_is_read_again_when_its_revision_changes_and_forgotten_when_it_goes() -> None:
    folders, looked = [folder("a")], []  # type: ignore[var-annotated]
    made = FolderWatcher(fake_library(folders, looked), threading.Event())
    made.is_looking = True
    made.look()
    first = made._watches["a", 0]
    made.look()
    assert made._watches == {("a", 0): first}
    folders[:] = [folder("a", revision=1)]
    made.look()
    assert list(made._watches) == [("a", 1)]
    folders.clear()
    made.look()
    assert made._watches == {}


def test_a_worker_that_does_not_lead_looks_at_nothing_and_one_that_has_been_replaced_ends_its_look() -> None:
    looked: list[str] = []
    library = fake_library([folder("a"), folder("b")], looked)
    made = FolderWatcher(library, threading.Event())
    made.look()
    assert looked == []
    made.is_looking = True

    class Replaced(FakeWatch):
        def look(self, is_stopped: Any) -> None:
            super().look(is_stopped)
            assert not is_stopped()
            made.is_looking = False  # by the thread of the worker
            assert is_stopped()

    library.watched.watch = lambda folder: Replaced(folder.folder_id, looked, 0.0)
    made.look()
    assert len(looked) == 1


def test_the_pause_grows_with_the_cost_and_an_error_does_not_end_the_watching(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 3:
            stop.set()
        return False

    made = FolderWatcher(fake_library([folder("a"), folder("b")], [], pause_s=30.0), stop)
    made.is_looking = True
    monkeypatch.setattr(made, "_stop", SimpleNamespace(is_set=stop.is_set, wait=wait))
    really, failures = made.look, iter([True, False, False])

    def look() -> None:
        if next(failures):
            raise OSError("gone")
        really()

    monkeypatch.setattr(made, "look", look)
    made._run()
    assert pauses == [10.0, 60.0, 60.0]
    assert "gone" in caplog.text
    assert made._thread.name == watcher.THREAD_NAME
