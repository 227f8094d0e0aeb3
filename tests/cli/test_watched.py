"""`add --watch` and `watched`: shapes, what is said, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.errors import NotAVideo
from heimdex_core.library import Library
from heimdex_core.store import Store
from heimdex_core.types import WaitingFile, WatchedFile, WatchStatus, utc_now
from tests.cli.test_main import Run, run

__all__ = ["run"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "카메라"
    made.mkdir()
    return made


def note(library: Path, folder_id: str) -> None:
    """What a worker would have seen: one file added, one refused, one that waits."""
    with Library.open(library) as lib:
        store: Store = lib._store
        file: dict[str, Any] = {"size_bytes": 1, "mtime_ns": 1, "ctime_ns": 1, "subtitles": "", "noted_at": utc_now()}
        store.watched.note(folder_id, WatchedFile("a.mp4", outcome="added", **file))
        error = NotAVideo(filename="b.mp4", reason="it is prose").to_dict()
        store.watched.note(folder_id, WatchedFile("x/b.mp4", outcome="refused", error=error, **file))
        context: Any = SimpleNamespace(store=store, settings=lib.settings)
        from heimdex_core.library.folder_watch import FolderWatch

        (report,) = lib.watched.list()
        watch = FolderWatch(context, report.folder, lambda *_: None, lib.watched._status(folder_id))
        waiting = (WaitingFile("c.mp4", "unfinished"),)
        watch._tell(WatchStatus("watching", utc_now(), files=3, waiting=1, next_files=waiting))


def test_a_folder_from_add_to_stop(run: Run, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, (added,) = run("add", "--watch", folder)
    assert (status, added["path"], added["state"], added["counts"]) == (0, str(folder), "new", {})
    assert run("add", "--watch", folder) == (0, [added])
    note(tmp_path / "library", added["folder_id"])
    status, (row,) = run("watched")
    assert (status, row["state"], row["files"], row["waiting"]) == (0, "watching", 3, 1)
    assert row["counts"] == {"added": 1, "refused": 1}
    assert row["next_files"] == [{"path": "c.mp4", "reason": "unfinished"}]
    assert [(file["path"], file["error"]["code"]) for file in row["refused"]] == [("x/b.mp4", "NOT_A_VIDEO")]

    assert main(["--library", str(tmp_path / "library"), "watched"]) == 0
    text = capfd.readouterr().out
    assert "1 added, 1 refused, 1 waiting" in text
    assert "x/b.mp4: b.mp4 is not a video file: it is prose" in text
    assert "No worker is running" in text

    assert run("watched", "--retry", folder)[1][0]["counts"] == {"added": 1}
    assert run("watched", "--stop", folder) == (0, [])
    status, document = run("watched", "--stop", folder)
    assert (status, document["error"]["code"]) == (1, "FOLDER_NOT_WATCHED")


def test_a_folder_that_cannot_be_watched(run: Run, tmp_path: Path) -> None:
    status, document = run("add", "--watch", tmp_path / "none")
    assert (status, document["error"]["code"]) == (1, "FOLDER_NOT_WATCHABLE")
    assert document["error"]["message"].endswith("there is no such folder.")
    run("add", "--watch", tmp_path)
    status, document = run("add", "--watch", tmp_path / "library")
    assert document["error"]["details"]["problem"] == "folder_in_library"


@pytest.mark.parametrize(
    "words",
    [
        ["add"],
        ["add", "a.mp4", "--watch", "x"],
        ["add", "--watch", "x", "--title", "T"],
        ["watched", "--stop", "x", "--retry", "x"],
    ],
)
def test_options_that_do_not_go_together(words: list[str], run: Run) -> None:
    status, document = run(*words)
    assert (status, document["error"]["code"]) == (2, "USAGE")
