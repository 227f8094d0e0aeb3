"""What `short`, `reel` and `exports` print about a file as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.cli.shorts import export_line
from heimdex_core.errors import RenderFailed
from heimdex_core.types import Export, ExportState, StageProgress
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
    framed = ("--aspect", "1:1", "--height", "360", "--strategy", "center_crop", "--clip-strategy", "1=blur_pad")
    reel = run("reel", SCENE, *framed, "--out", files[1])
    listed = {row["export_id"]: row for row in run("exports") if row["export_id"] not in earlier}

    assert [(made["kind"], made["strategy"], made["quality"]) for made in (short, reel)] == [
        ("short", "letterbox", "medium"),
        ("reel", "center_crop", None),
    ]
    assert [clip["strategy"] for clip in reel["clips"]] == ["blur_pad"]
    assert [(made["width"], made["height"]) for made in (short, reel)] == [(1080, 1920), (360, 360)]
    for made, file in zip((short, reel), files, strict=True):
        assert made.keys() >= FIELDS
        assert (made["state"], made["out"], made["size_bytes"]) == ("completed", str(file), file.stat().st_size)
        assert made["measured_duration_s"] == pytest.approx(1.0, abs=0.05)
        assert made["loudness_lufs"] == pytest.approx(-14.0, abs=1.0)
        assert made["true_peak_dbtp"] <= -1.0
        row = listed.pop(made["export_id"])
        assert Path(row["out"]).read_bytes() == file.read_bytes(), "the library's own file"
        assert row.pop("progress") is None
        assert {**row, "out": made["out"]} == made
    assert listed == {}


NOW = datetime(2027, 1, 1, 8, 30, tzinfo=UTC)
ERROR = RenderFailed(reason="x").to_dict()
HALF = StageProgress("render", 1, 1, 5.0, 10.0, 75.0, NOW.isoformat(), overall=0.5)
CHECKED = replace(HALF, stage="check", done=10.0, eta_s=None, overall=1.0)


@pytest.mark.parametrize(
    ("changes", "progress", "end"),
    [
        ({"state": ExportState.PROCESSING}, HALF, "T  50%, 1:15 left"),
        ({"state": ExportState.PROCESSING}, replace(HALF, overall=0.999), "T  99%, 1:15 left"),
        ({"state": ExportState.PROCESSING}, CHECKED, "T  being completed and checked"),
        ({"state": ExportState.PROCESSING}, None, "T"),
        ({"path": "e.mp4", "expires_at": NOW}, None, "T  (until 2027-01-01 08:30 UTC)"),
        ({"path": "e.mp4"}, None, "T"),
        ({}, None, "T  (file removed)"),
        ({"state": ExportState.FAILED, "error": ERROR}, None, f"T  {ERROR['message']} {ERROR['hint']}"),
    ],
)
def test_the_list_says_how_far_an_export_is_and_how_long_it_stays(
    changes: dict[str, Any], progress: StageProgress | None, end: str
) -> None:
    export = replace(Export("e", "local", "short", "T", ExportState.COMPLETED, (), NOW), **changes)
    line = export_line(export, progress)
    assert line.partition("-  ")[2] == end
