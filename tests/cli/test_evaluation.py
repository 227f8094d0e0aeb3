"""`eval` from end to end on made-up scenes: shapes of the documents, exit codes, files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.settings import get_settings
from tests.library.evaluating import QUERIES, WORDS, judge_all, made, open_library, scene_ids

__all__ = ["made"]  # a fixture

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Run a command on a library of four scenes; (exit status, parsed stdout)."""
    for name, value in WORDS.items():
        monkeypatch.setenv(f"HEIMDEX_{name.upper()}", str(value))
    get_settings.cache_clear()
    shutil.copytree(made, tmp_path / "library")

    def call(*words: str | Path) -> tuple[int, Any]:
        capfd.readouterr()
        status = main(["--library", str(tmp_path / "library"), "--json", *(str(word) for word in words)])
        return status, json.loads(capfd.readouterr().out)

    yield call
    get_settings.cache_clear()


@pytest.fixture
def judged(run: Run, tmp_path: Path) -> list[str]:
    """The library has judgements; the ids of its scenes."""
    with open_library(tmp_path / "library") as lib:
        judge_all(lib)
        return scene_ids(lib)


def test_run_and_compare(run: Run, judged: list[str]) -> None:
    status, first = run("eval", "run", "--name", "all")
    assert status == 0
    assert set(first) == {"run_id", "name", "measures", "queries"}
    assert list(first["measures"]) == ["nDCG@10", "MRR", "recall@10", "precision@5", "MAP"]
    assert first["measures"]["MRR"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "unjudged": 0.0}
    assert len(first["queries"]) == len(QUERIES)
    status, second = run(
        "eval", "run", "--weights", "lexical=.5", "--fusion", "rrf", "--queries", "default", "--name", "rrf"
    )
    assert (status, second["name"]) == (0, "rrf")
    status, pair = run("eval", "compare", "all", "rrf")
    assert status == 0
    assert list(pair) == ["nDCG@10", "MRR", "recall@10", "precision@5", "MAP"]
    assert pair["MRR"] == {"delta": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "p_corrected": 1.0}


def test_out_and_in(run: Run, judged: list[str], tmp_path: Path) -> None:
    run("eval", "run", "--name", "all")
    status, files = run("eval", "export", tmp_path / "trec")
    assert (status, [Path(file).name for file in files]) == (0, ["qrels.txt", "topics.txt", "all.run"])
    status, report = run(
        "eval", "import", files[0], "--topics", files[1], "--run", files[2], "--queries", "again", "--judge", "trec"
    )
    assert (status, report["judgements"], report["run"]) == (0, 72, "all")
    status, files = run("eval", "export", tmp_path / "rows.csv")
    assert status == 0
    status, report = run("eval", "import", files[0], "--queries", "rows")
    assert (status, report["queries"], report["judgements"]) == (0, 24, 72)


def test_sweep(run: Run, judged: list[str]) -> None:
    status, sweep = run("eval", "sweep", "--weights", "lexical=1", "--weights", "lexical=.5", "--fusion", "rrf")
    assert (status, sweep["state"], sweep["done"]) == (0, "done", 24)
    assert [one["fusion"] for one in sweep["settings"]] == ["minmax", "rrf", "rrf"]
    assert sweep["outcome"]["verdict"] == "no difference"
    status, again = run("eval", "sweep", "--resume", sweep["sweep_id"])
    assert (status, again) == (0, sweep)


def test_report(run: Run, judged: list[str], tmp_path: Path) -> None:
    run("eval", "run", "--name", "all")
    for name in ("report.html", "report.md"):
        assert run("eval", "report", "--out", tmp_path / name) == (0, {"out": str(tmp_path / name)})
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "report.md").read_text().startswith("# Evaluation of “default”")


def test_as_text(judged: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    library = ["--library", str(tmp_path / "library")]
    for words in (
        ["eval", "run", "--name", "all"],
        ["eval", "compare", "all", "all"],
        ["eval", "sweep", "--weights", "lexical=1"],
        ["eval", "report"],
    ):
        assert main([*library, *words]) == 0
    text = capfd.readouterr().out
    assert "MRR          1.000  [1.000, 1.000]  0% unjudged" in text
    assert "nDCG@10      +0.000  [+0.000, +0.000]  p = 1.000, corrected 1.000  (0 better, 0 worse, 24 equal)" in text
    assert "verdict: no difference" in text
    assert "# Evaluation of “default”" in text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run",), "NO_JUDGEMENTS"),
        (("run", "--queries", "none"), "UNKNOWN_NAME"),
        (("run", "--weights", "lexical"), "INVALID_WEIGHTS"),
        (("run", "--filter", "colour=red"), "INVALID_FILTER"),
        (("compare", "a", "b"), "UNKNOWN_NAME"),
        (("import",), "INVALID_VALUE"),
        (("import", "none.csv"), "FILE_UNREADABLE"),
        (("import", "none.csv", "--topics", "t"), "INVALID_VALUE"),
        (("export", "rows.csv"), "NO_JUDGEMENTS"),
        (("report", "--out", "report.pdf"), "INVALID_VALUE"),
        (("sweep", "--resume", "none"), "UNKNOWN_NAME"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: tuple[str, ...], code: str) -> None:
    status, found = run("eval", *words)
    assert (status, found["error"]["code"]) == (1, code)
