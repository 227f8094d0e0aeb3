"""How long stages took, by the log of a work folder."""

from __future__ import annotations

import pytest

from heimdex_core.ingest.stage_times import stage_times


def entry(stage: str, start_s: float, end_s: float, *, skipped: bool = False) -> dict[str, object]:
    def at(second: float) -> str:
        return f"2026-11-27T10:00:{second:09.6f}+00:00"

    return {"stage": stage, "started_at": at(start_s), "finished_at": at(end_s), "skipped": skipped}


def test_stages_beside_each_other_count_once_in_the_total():
    log = [entry("probe", 0, 1), entry("scenes", 1, 4), entry("audio", 2, 6), entry("tags", 6.5, 7)]
    assert stage_times(log) == {"probe": 1.0, "scenes": 3.0, "audio": 4.0, "tags": 0.5, "total": 6.5}


def test_two_attempts_of_a_stage_count_both_and_the_pause_does_not():
    log = [entry("probe", 0, 1), entry("scenes", 1, 2), entry("probe", 30, 30, skipped=True), entry("scenes", 30, 33)]
    assert stage_times(log) == {"probe": 1.0, "scenes": 4.0, "total": 5.0}


def test_without_all_stages_there_is_no_total():
    log = [entry("probe", 0, 0, skipped=True), entry("tags", 1, 1.5)]
    assert stage_times(log) == {"tags": 0.5}
    assert stage_times([]) == {}


def test_a_clock_that_was_set_back_counts_as_nothing():
    assert stage_times([entry("probe", 9, 3), entry("tags", 3, 4)]) == pytest.approx(
        {"probe": 0.0, "tags": 1.0, "total": 1.0}
    )
