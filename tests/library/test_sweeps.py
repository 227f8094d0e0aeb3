"""Sweeps of a library: what wins, what is interrupted, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heimdex_core.errors import (
    Cancelled,
    InvalidValue,
    InvalidWeights,
    TooFewQueries,
    UnknownName,
)
from heimdex_core.library import Library
from heimdex_core.library.running import EvaluationSearch
from heimdex_core.types import RunSettings
from tests.library.evaluating import QUERIES, judge_all, lib, made, scene_ids
from tests.store import making

__all__ = ["lib", "made"]


def fake_ranking(calls: list[tuple[str, float]], scenes: list[str]):
    """Rankings in which temperature 1 puts the best scene first, temperature 2 last, all others second."""

    def ranking(self: EvaluationSearch, text: str, settings: RunSettings, depth: int | None = None):
        kind = settings.temperature or 0.0
        calls.append((text, kind))
        first, *rest = scenes
        ordered = {1.0: [first, *rest], 2.0: [*rest, first]}.get(kind, [rest[1], first, rest[0], rest[2]])
        return tuple((scene_id, -float(rank)) for rank, scene_id in enumerate(ordered))

    return ranking


def test_a_sweep_finds_the_better_setting(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking(calls, scene_ids(lib)))
    seen: list[tuple[int, int]] = []
    sweep = lib.evaluation.sweep(
        weights=[{"lexical": 1.0}],
        temperatures=[3.0, 1.0],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (sweep.state, sweep.done, sweep.total) == ("done", 24, 24)
    assert seen == [(number + 1, 24) for number in range(24)]
    assert len(calls) == 24 * 3
    outcome = sweep.outcome
    assert outcome is not None
    assert (outcome.winner.settings.temperature, outcome.verdict) == (1.0, "better")
    assert outcome.held_out_winner.mean > 0.8
    assert outcome.delta > 0
    assert set(sweep.tuning).isdisjoint(sweep.held_out)
    again = lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[3.0, 1.0])
    assert (again.scores, again.outcome) == (sweep.scores, sweep.outcome)
    assert [one.name for one in lib.evaluation.sweeps()] == ["sweep 2", "sweep 1"]


def test_thirty_equal_settings_make_no_difference(lib: Library):
    judge_all(lib)
    equal = [{"lexical": (number + 1) / 30} for number in range(30)]
    sweep = lib.evaluation.sweep(weights=equal)
    assert sweep.outcome is not None
    assert len(sweep.settings) == 31
    assert (sweep.outcome.winner.number, sweep.outcome.verdict, sweep.outcome.delta) == (0, "no difference", 0.0)
    assert (sweep.outcome.p_corrected, sweep.outcome.chance_gain) == (1.0, 0.0)


def test_an_interrupted_sweep_goes_on_with_the_queries_that_are_left(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking(calls, scene_ids(lib)))
    whole = lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0, 2.0], name="whole")
    calls.clear()

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0, 2.0], name="part", progress=stop)
    part = lib.evaluation.sweeps()[0]
    assert (part.name, part.state, part.done, part.outcome) == ("part", "cancelled", 7, None)
    calls.clear()
    resumed = lib.evaluation.resume_sweep(part.sweep_id)
    assert len({text for text, _ in calls}) == 17
    assert (resumed.scores, resumed.outcome) == (whole.scores, whole.outcome)
    # judgements that came meanwhile do not change what a sweep has measured
    lib.judge(QUERIES[0], scene_ids(lib)[0], 0)
    assert lib.evaluation.get_sweep(part.sweep_id).scores == whole.scores


def test_a_sweep_can_be_cancelled_from_elsewhere(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking([], scene_ids(lib)))

    def cancel(done: int, total: int) -> None:
        if done == 3:
            lib.evaluation.cancel_sweep(lib.evaluation.sweeps()[0].sweep_id)

    with pytest.raises(Cancelled):
        lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0], progress=cancel)
    (sweep,) = lib.evaluation.sweeps()
    assert (sweep.state, sweep.done) == ("cancelled", 3)
    lib.evaluation.delete_sweep(sweep.sweep_id)
    assert lib.evaluation.sweeps() == []
    with pytest.raises(UnknownName):
        lib.evaluation.resume_sweep(sweep.sweep_id)


def test_where_videos_changed_a_sweep_begins_anew(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking(calls, scene_ids(lib)))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0], progress=stop)
    making.add(lib._store, "pier", ["sea"])
    calls.clear()
    lib.evaluation.resume_sweep(lib.evaluation.sweeps()[0].sweep_id)
    assert len({text for text, _ in calls}) == 24


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"weights": [{"lexical": 0}]}, InvalidWeights),
        ({"fusions": ["best"]}, UnknownName),
        ({"measure": "loudness@3"}, UnknownName),
        ({"budget": 0}, InvalidValue),
        ({"query_set": "none"}, UnknownName),
        ({"spaces": [["text/none"]]}, UnknownName),
    ],
)
def test_a_bad_sweep_is_refused_before_it_begins(lib: Library, given: dict[str, Any], error: type):
    judge_all(lib)
    with pytest.raises(error):
        lib.evaluation.sweep(**given)
    assert lib.evaluation.sweeps() == []


def test_a_sweep_needs_queries_on_both_sides(lib: Library):
    lib.judge("harbour", scene_ids(lib)[0], 3)
    with pytest.raises(TooFewQueries):
        lib.evaluation.sweep()
    assert lib.evaluation.sweeps() == []
