"""What `short`, `reel` and `exports` print about a file as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from tests.support.frozen import SPOKEN, WAITING, frozen_library

SCENE = f"{SPOKEN}_0_1000"
FIELDS = {
    "export_id", "kind", "state", "strategy", "quality", "measured_duration_s", "width", "height", "size_bytes",
    "loudness_lufs", "true_peak_dbtp", "out",
}  # fmt: skip


def test_the_three_commands_say_the_same_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SHORT_PRESET", "RENDER_PRESET"):
        monkeypatch.setenv(f"HEIMDEX_{name}", "ultrafast")
    library = frozen_library(tmp_path / "library")

    def run(*words: str | Path) -> Any:
        assert main(["--library", str(library), "--json", *map(str, words)]) == 0
        return json.loads(capfd.readouterr().out)

    run("delete", WAITING)
    earlier = {row["export_id"] for row in run("exports")}
    files = [tmp_path / "short.mp4", tmp_path / "reel.mp4"]
    short = run("short", SCENE, "--strategy", "letterbox", "--out", files[0])
    reel = run("reel", SCENE, "--aspect", "1:1", "--height", "360", "--strategy", "center_crop", "--out", files[1])
    listed = {row["export_id"]: row for row in run("exports") if row["export_id"] not in earlier}

    assert [(made["kind"], made["strategy"], made["quality"]) for made in (short, reel)] == [
        ("short", "letterbox", "medium"),
        ("reel", "center_crop", None),
    ]
    assert [(made["width"], made["height"]) for made in (short, reel)] == [(1080, 1920), (360, 360)]
    for made, file in zip((short, reel), files, strict=True):
        assert made.keys() >= FIELDS
        assert (made["state"], made["out"], made["size_bytes"]) == ("completed", str(file), file.stat().st_size)
        assert made["measured_duration_s"] == pytest.approx(1.0, abs=0.05)
        assert made["loudness_lufs"] == pytest.approx(-14.0, abs=1.0)
        assert made["true_peak_dbtp"] <= -1.0
        row = listed.pop(made["export_id"])
        assert Path(row["out"]).read_bytes() == file.read_bytes(), "the library's own file"
        assert {**row, "out": made["out"]} == made
    assert listed == {}
