"""`add a b c`, where b kills the process that reads it: a and c are indexed, and b says what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.ingest import stages
from heimdex_core.ingest.context import StageContext, StageOutput
from heimdex_core.library import context as library_context
from heimdex_core.library import importing
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.types import MediaInfo, WorkContext
from tests.ingest import crashing_stage
from tests.support import media
from tests.support.ingest import SmallModels, new_store


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of the small models."""
    new_store(tmp_path / "library").close()
    monkeypatch.setattr(library_context, "Models", lambda *args: SmallModels())
    return tmp_path / "library"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """a, b and c: different plain colours."""
    colours = {"a": "red", "b": "green", "c": "blue"}
    return [media.colour_clips(tmp_path / f"{name}.mp4", [(colour, 0.4)]) for name, colour in colours.items()]


def add(library: Path, files: list[Path], capfd: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    capfd.readouterr()
    status = main(["--library", str(library), "--json", "add", *map(str, files)])
    return status, json.loads(capfd.readouterr().out)


@pytest.mark.long
def test_a_crash_in_a_stage(
    library: Path, files: list[Path], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = stages.find("picture")
    before = spec.run

    def run(context: StageContext, work: WorkContext) -> StageOutput:
        return (crashing_stage.run if context.filename == "b.mp4" else before)(context, work)

    with monkeypatch.context() as patched:
        patched.setitem(spec.__dict__, "run", run)
        status, rows = add(library, files, capfd)
    assert status == 1
    assert [row["state"] for row in rows] == ["indexed", "failed", "indexed"]
    assert [row["filename"] for row in rows] == ["a.mp4", "b.mp4", "c.mp4"]
    error = rows[1]["error"]
    assert (error["code"], error["message"]) == ("DECODER_CRASHED", "Reading b.mp4 crashed the decoder (SIGABRT).")
    assert error["hint"]
    # the video is kept, to be retried by its id
    assert main(["--library", str(library), "retry", rows[1]["video_id"]]) == 0


@pytest.mark.long
def test_a_crash_in_the_check_leaves_nothing(
    library: Path, files: list[Path], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = importing.probe_in_child

    def check(path: Path, *, filename: str, limits: ChildLimits, **options: Any) -> MediaInfo:
        if filename == "b.mp4":
            tries = str(path.with_suffix(".tries"))
            run_in_child("tests.media.child_targets:segfaults", tries, filename=filename, limits=limits)
        return probe(path, filename=filename, limits=limits, **options)

    monkeypatch.setattr(importing, "probe_in_child", check)
    status, rows = add(library, files, capfd)
    assert status == 1
    assert [(row["state"], (row["error"] or {}).get("code")) for row in rows] == [
        ("indexed", None),
        ("failed", "DECODER_CRASHED"),
        ("indexed", None),
    ]
    assert rows[1]["video_id"] is None
    assert len(list((library / "videos").iterdir())) == 2
    assert list((library / "uploads").iterdir()) == []


@pytest.mark.long
def test_a_defect_in_one_file_does_not_stop_the_others(
    library: Path, files: list[Path], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importing.find_sidecar

    def broken(path: Path, *rest: Any) -> Any:
        if path.name == "b.mp4":
            raise ZeroDivisionError("a defect")
        return find(path, *rest)

    monkeypatch.setattr(importing, "find_sidecar", broken)
    status, rows = add(library, files, capfd)
    assert (status, [row["state"] for row in rows]) == (1, ["indexed", "failed", "indexed"])
    assert "ZeroDivisionError: a defect" in rows[1]["error"]["message"]
