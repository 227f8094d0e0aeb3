"""`relink`: the document, the exit status, and what is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heimdex_core.cli.main import main
from heimdex_core.library import Library
from tests.cli.test_main import Run, run
from tests.support.frozen import SUBTITLED, frozen_library

__all__ = ["run"]


def test_relink_from_lost_to_found(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frozen_library(tmp_path / "library")
    video_id = SUBTITLED
    assert run("relink") == (0, {"videos": [], "searched": [], "unreadable": []})

    with Library.open(tmp_path / "library") as lib:
        source = lib.playable_path(lib.video(video_id))
    assert source is not None
    (tmp_path / "원본 🎬").mkdir()
    shutil.move(source, tmp_path / "원본 🎬" / "a.mp4")
    row = {"video_id": video_id, "title": "subtitled", "filename": "subtitled.mp4"}
    status, document = run("relink")
    assert (status, document["videos"]) == (1, [{**row, "state": "not_found", "path": None}])
    assert main(["--library", str(tmp_path / "library"), "relink"]) == 1
    assert "`relink --in FOLDER`" in capfd.readouterr().out

    (tmp_path / "other.mp4").write_bytes(b"other")
    status, document = run("relink", video_id, "--to", tmp_path / "other.mp4")
    assert (status, document["error"]["code"]) == (1, "RELINK_REFUSED")
    assert run("relink", "--to", tmp_path / "other.mp4")[0] == 1

    status, document = run("relink", video_id, "--in", tmp_path / "원본 🎬")
    assert (status, document["videos"]) == (0, [{**row, "state": "found", "path": str(tmp_path / "원본 🎬" / "a.mp4")}])
    status, document = run("relink", video_id)
    assert (status, document["videos"][0]["state"]) == (0, "present")


def test_one_place_at_a_time(run: Run) -> None:
    assert run("relink", "id", "--to", "a", "--in", "b")[0] == 2
