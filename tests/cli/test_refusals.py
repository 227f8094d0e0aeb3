"""Files that are refused, limits, and how a command says that it failed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.library import Library
from tests.cli.test_main import MISSING_ID, ROOT, Run, run, talk
from tests.support import media

__all__ = ["run", "talk"]


BAD: dict[str, tuple[Callable[[Path], Any], set[str]]] = {
    "zero bytes": (lambda p: media.empty_file(p / "a.mp4"), {"EMPTY_FILE"}),
    "text": (lambda p: media.text_file_mp4(p / "a.mp4"), {"NOT_A_VIDEO"}),
    "audio": (lambda p: media.audio_only(p / "a.mp4"), {"NO_VIDEO_STREAM"}),
    "no index": (lambda p: media.truncated_mp4(p / "a.mp4"), {"TRUNCATED_FILE", "UNDECODABLE_VIDEO", "NOT_A_VIDEO"}),
    "no frame decodes": (lambda p: media.undecodable_mkv(p / "a.mkv"), {"UNDECODABLE_VIDEO"}),
    "claims ten hours": (lambda p: media.lying_duration(p / "a.mp4"), {"DURATION_MISMATCH", "TRUNCATED_FILE"}),
    "missing": (lambda p: p / "none.mp4", {"FILE_UNREADABLE"}),
    "a folder": (lambda p: p, {"FILE_UNREADABLE"}),
}
MORE_BAD: dict[str, tuple[Callable[[Path], Any], set[str]]] = {
    "flac": (lambda p: media.audio_only(p / "a.flac"), {"NO_VIDEO_STREAM", "NOT_A_VIDEO"}),
    "cover art": (lambda p: media.audio_with_cover(p / "a.m4a"), {"NO_VIDEO_STREAM"}),
    "cut in its first frame": (lambda p: media.cut_mkv(p / "a.mkv"), {"UNDECODABLE_VIDEO", "TRUNCATED_FILE"}),
    "cut short": (lambda p: media.cut_mp4(p / "a.mp4"), {"TRUNCATED_FILE", "DURATION_MISMATCH"}),
    "claims less": (lambda p: media.lying_duration(p / "a.mkv", 1.0, true_s=8.0), {"DURATION_MISMATCH"}),
    "playlist": (lambda p: media.playlist_mp4(p / "a.mp4", p / "b.mp4"), {"NOT_A_VIDEO"}),
}


@pytest.mark.parametrize(
    ("make", "codes"),
    [
        *(pytest.param(*case, id=name) for name, case in BAD.items()),
        *(pytest.param(*case, id=name, marks=pytest.mark.long) for name, case in MORE_BAD.items()),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    make: Callable[[Path], Any], codes: set[str], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    status, (row,) = run("add", make(tmp_path / "in"))
    assert status == 1
    assert row["error"]["code"] in codes
    assert row["error"]["category"] == "validation"
    assert row["error"]["hint"]
    assert run("videos") == (0, [])
    library = tmp_path / "library"
    folders = [library / name for name in ("videos", "uploads", "work")]
    assert [path for folder in folders if folder.exists() for path in folder.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "value", "code", "named"),
    [
        ("HEIMDEX_MAX_FILE_BYTES", "1000", "FILE_TOO_LARGE", "1000"),
        ("HEIMDEX_MAX_DURATION_S", "5", "VIDEO_TOO_LONG", "5"),
        ("HEIMDEX_MIN_FREE_BYTES", str(10**18), "DISK_FULL", "not enough disk space"),
    ],
)
def test_limits_are_settings_and_are_named(
    name: str, value: str, code: str, named: str, run: Run, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    status, (row,) = run("add", talk)
    assert (status, row["error"]["code"]) == (1, code)
    assert named in row["error"]["message"]
    assert run("videos") == (0, [])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["scenes", MISSING_ID], "VIDEO_NOT_FOUND"),
        (["scenes", "../../etc"], "VIDEO_NOT_FOUND"),
        (["search", " "], "INVALID_QUERY"),
        (["search", "a", "--weight", "smell=1"], "UNKNOWN_NAME"),
        (["search", "a", "--weight", "vision=x"], "INVALID_WEIGHTS"),
        (["search", "a", "--weight", "vision=0"], "INVALID_WEIGHTS"),
        (["search", "a", "--filter", "colour=red"], "INVALID_FILTER"),
        (["search", "a", "--filter", "min-s=nan"], "INVALID_FILTER"),
        (["search", "a" * 1001], "INVALID_QUERY"),
        (["search", "a", "--fusion", "magic"], "UNKNOWN_NAME"),
        (["search", "a", "--space", "bge-m4"], "UNKNOWN_NAME"),
        (["search", "a", "--video", MISSING_ID], "VIDEO_NOT_FOUND"),
        (["reel", "nonsense", "--out", "x.mp4"], "SCENE_NOT_FOUND"),
        (["delete", MISSING_ID], "VIDEO_NOT_FOUND"),
        (["reindex", "--undo"], "INVALID_VALUE"),
    ],
)
def test_a_failure_is_one_document(words: list[str], code: str, run: Run, tmp_path: Path) -> None:
    Library.open(tmp_path / "library").close()
    status, document = run(*words)
    assert status == 1
    assert document["error"]["code"] == code
    assert set(document["error"]) == {"code", "category", "message", "hint", "details"}


@pytest.mark.parametrize("words", [[], ["dance"], ["search"], ["reel", "x"], ["videos", "--bogus"]])
def test_wrong_usage_exits_with_2(words: list[str], run: Run) -> None:
    status, document = run(*words)
    assert (status, document["error"]["code"]) == (2, "USAGE")


def test_title_and_subtitles_belong_to_one_file(run: Run) -> None:
    status, document = run("add", "a.mp4", "b.mp4", "--title", "Both")
    assert (status, document["error"]["code"]) == (2, "USAGE")


def test_a_missing_library_is_reported(run: Run) -> None:
    status, document = run("videos")
    assert (status, document["error"]["code"]) == (1, "LIBRARY_NOT_FOUND")


def test_the_package_is_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heimdex_core", "videos", "--json", "--library", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "LIBRARY_NOT_FOUND"
