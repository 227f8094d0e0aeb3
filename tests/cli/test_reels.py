"""The commands `reels` and `pauses`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from tests.support.frozen import SUBTITLED, frozen_library

RED, YELLOW = f"{SUBTITLED}_0_1000", f"{SUBTITLED}_1000_2000"


def test_named_reels_and_pauses(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = frozen_library(tmp_path / "library")

    def run(*args: str, status: int = 0) -> Any:
        assert main(["--library", str(root), "--json", *args]) == status
        return json.loads(capfd.readouterr().out)

    made = run("reels", "create", "Colours", RED, YELLOW, RED)
    assert [clip["clip_id"] for clip in made["clips"]] == [RED, YELLOW, f"{RED}#1"]
    assert made["duration_s"] == 3.0
    assert run("reels", "show", "Colours") == made
    second = run("reels", "duplicate", made["reel_id"], "--title", "More")
    assert run("reels", "rename", "More", "Others")["reel_id"] == second["reel_id"]
    assert [reel["title"] for reel in run("reels", "list")] == ["Others", "Colours"]
    assert run("reels", "delete", "Others")["title"] == "Others"
    assert run("reels", "show", "Others", status=1)["error"]["code"] == "REEL_NOT_FOUND"
    both = run("reel", RED, "--reel", "Colours", "--out", str(tmp_path / "reel.mp4"), status=1)
    assert both["error"]["code"] == "INVALID_VALUE"
    assert run("reel", "--out", str(tmp_path / "reel.mp4"), status=1)["error"]["code"] == "INVALID_REEL"
    wrong = {"2": "INVALID_VALUE", "4=letterbox": "INVALID_VALUE", "2=zoom": "UNKNOWN_NAME"}
    for given, code in wrong.items():
        options = ("--reel", "Colours", "--out", str(tmp_path / "reel.mp4"), "--clip-strategy", given)
        assert run("reel", *options, status=1)["error"]["code"] == code
    for pause in run("pauses", RED, YELLOW, "--min-silence", "0.05"):
        assert pause["kind"] in ("silence", "filler")
        assert 0.0 <= pause["start_s"] < pause["end_s"] <= 2.0
    assert main(["--library", str(root), "reels", "list"]) == 0
    assert "Colours" in capfd.readouterr().out
