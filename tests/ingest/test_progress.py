"""What is shown while two branches run; times are given, nothing is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.ingest import stages
from heimdex_core.ingest.progress import ProgressBook, read_progress, summary
from heimdex_core.store.progress_records import FileProgress
from heimdex_core.types import to_json
from tests.support.ingest import SmallModels

PLAIN = stages.specs_for(SmallModels())
WEIGHTS = {spec.name: spec.weight for spec in stages.SPECS}


def state(kind: str, done: float = 0, total: float = 0, *, started_at: float = 0, seconds: float = 0) -> dict:
    return {"state": kind, "done": done, "total": total, "unit": "s", "started_at": started_at, "seconds": seconds}


def test_the_slower_branch_is_shown_with_its_position():
    states = {
        "probe": state("done", seconds=0.5),
        "audio": state("done", seconds=1.0),
        "transcript": state("running", 260, 492, started_at=0),
        "picture": state("running", 480, 492, started_at=0),
    }
    shown = summary(states, None, now=100.0, specs=PLAIN)
    assert (shown.stage, shown.stage_number, shown.stage_count) == ("transcript", 4, 12)
    assert (shown.done, shown.total) == (260, 492)


def test_the_time_left_is_the_slower_branch_and_what_comes_after():
    # picture: half in 20 s, so 20 s left; the rest of its branch is 0.5 + 4 + 4 + 0.5 + 6 = 15 of weight at 40 s
    # per 20: 30 s, so 50 s in all
    # transcript: a quarter in 20 s, so 60 s left: the slower branch
    # joined: 2 + 1 = 3 of weight at 2 s each: 6 s
    states = {
        "probe": state("done", seconds=0.5),
        "audio": state("done", seconds=1.0),
        "subtitles": state("done", seconds=0.1),
        "transcript": state("running", 25, 100, started_at=0),
        "picture": state("running", 50, 100, started_at=0),
    }
    assert summary(states, None, now=20.0, specs=PLAIN).eta_s == pytest.approx(60 + 6)


def test_nothing_is_known_at_the_beginning():
    assert summary({"probe": state("running")}, None, now=0.2, specs=PLAIN).eta_s is None


def test_the_share_of_the_whole_never_falls():
    high = to_json(summary({"picture": state("running", 90, 100)}, None, now=5.0, specs=PLAIN))
    low = summary({"picture": state("running", 10, 100)}, high, now=6.0, specs=PLAIN)
    assert low.overall == high["overall"]
    assert low.done == 10


def test_everything_done_is_the_whole():
    states = {name: state("done", seconds=1.0) for name in WEIGHTS}
    shown = summary(states, None, now=50.0, specs=stages.SPECS)
    assert (shown.stage, shown.overall, shown.eta_s) == ("commit", 1.0, 0.0)


def test_a_book_is_read_by_others(tmp_path: Path):
    path = tmp_path / "progress.json"
    assert read_progress(FileProgress(path)) is None
    writer = ProgressBook(FileProgress(path), PLAIN)
    writer.start("picture", "s")
    writer.report("picture", 30.0, 120.0)
    shown = read_progress(FileProgress(path))
    assert shown is not None
    assert (shown.stage, shown.done, shown.total, shown.fraction) == ("picture", 30.0, 120.0, 0.25)


def test_reports_are_thinned_out(tmp_path: Path):
    book = ProgressBook(FileProgress(tmp_path / "progress.json"), PLAIN)
    book.start("picture", "s")
    assert book.report("picture", 1.0, 100.0) is not None
    assert all(book.report("picture", n, 100.0) is None for n in range(2, 20))


def test_two_branches_share_a_book(tmp_path: Path):
    one, other = (ProgressBook(FileProgress(tmp_path / "progress.json"), PLAIN) for _ in range(2))
    one.start("picture", "s")
    other.start("audio", "s")
    one.report("picture", 50.0, 100.0)
    other.report("audio", 50.0, 100.0)
    whole = sum(spec.weight for spec in PLAIN)
    shown = read_progress(FileProgress(tmp_path / "progress.json"))
    assert shown is not None
    assert shown.overall == pytest.approx((0.5 * WEIGHTS["picture"] + 0.5 * WEIGHTS["audio"]) / whole)


def test_a_damaged_book_is_no_book(tmp_path: Path):
    (tmp_path / "progress.json").write_text('{"shown": {"stage": 1}}')
    assert read_progress(FileProgress(tmp_path / "progress.json")) is None


def test_only_the_stages_that_the_work_has_are_counted(tmp_path: Path):
    book = ProgressBook(
        FileProgress(tmp_path / "progress.json"), [stages.find(name) for name in ("probe", "picture", "commit")]
    )
    book.finish("probe", skipped=False, seconds=1.0)
    shown = book.start("commit", "items")
    assert (shown.stage_number, shown.stage_count) == (3, 3)
    assert shown.overall == pytest.approx(
        WEIGHTS["probe"] / (WEIGHTS["probe"] + WEIGHTS["picture"] + WEIGHTS["commit"])
    )
