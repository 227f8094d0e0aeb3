"""What a sweep tries, how it splits its queries, and what it says of the best setting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue, TooFewQueries
from heimdex_core.evaluation.sweeping import (
    HELD_OUT_SHARE,
    MAX_SETTINGS,
    combinations,
    default_grid,
    outcome_of,
    split,
)
from heimdex_core.types import RunSettings, SetQuery

BASELINE = RunSettings({"lexical": 1.0}, "minmax")
QUERIES = [SetQuery(f"query {number}") for number in range(40)]


def settings(count: int) -> list[RunSettings]:
    return [replace(BASELINE, temperature=float(number)) for number in range(count)]


def outcome(tuning: np.ndarray, held_out: np.ndarray):
    return outcome_of(settings(tuning.shape[1]), tuning, held_out, np.zeros_like(held_out))


def test_the_default_grid_is_the_dial():
    grid = default_grid()
    assert len(grid) == 11 * 6
    assert len({tuple(weights.items()) for weights in grid}) == len(grid)
    assert all(sum(weights.values()) == pytest.approx(1.0, abs=1e-3) for weights in grid)
    assert {"transcript": 1.0, "vision": 0.0, "lexical": 0.0} in grid
    assert {"transcript": 0.25, "vision": 0.25, "lexical": 0.5} in grid


def test_a_query_stays_on_its_side_when_others_come():
    tuning, held_out = split(QUERIES)
    assert not set(tuning) & set(held_out)
    assert len(held_out) == pytest.approx(HELD_OUT_SHARE * 40, abs=9)
    fewer = split(QUERIES[:25])
    assert set(fewer[0]) <= set(tuning)
    assert set(fewer[1]) <= set(held_out)
    # the text decides, in whatever form it is written, not the id
    named = split([SetQuery(f"query  {number}", f"q{number}") for number in range(40)])
    assert [int(query_id[1:]) for query_id in named[1]] == [
        number for number, query in enumerate(QUERIES) if query.query_id in held_out
    ]


def test_too_few_queries_are_refused():
    with pytest.raises(TooFewQueries):
        split(QUERIES[:1])
    with pytest.raises(TooFewQueries):
        split([])


def test_all_combinations_after_the_baseline():
    found = combinations(
        BASELINE, weights=[{"lexical": 1.0}, {"vision": 1.0}], fusions=["rrf", "minmax"], temperatures=[0.1],
        models=[], budget=None,
    )  # fmt: skip
    assert found[0] == BASELINE
    assert [(dict(one.weights), one.fusion, one.temperature) for one in found[1:]] == [
        ({"lexical": 1.0}, "rrf", 0.1),
        ({"lexical": 1.0}, "minmax", 0.1),
        ({"vision": 1.0}, "rrf", 0.1),
        ({"vision": 1.0}, "minmax", 0.1),
    ]


def test_models_are_tried_in_all_combinations_with_the_rest():
    models = [(None, ()), (2, ("vision/b",))]
    found = combinations(BASELINE, weights=[], fusions=["rrf"], temperatures=[0.0, 1.0], models=models, budget=None)
    assert [(one.temperature, one.model_set, one.spaces) for one in found[1:]] == [
        (0.0, None, ()),
        (0.0, 2, ("vision/b",)),
        (1.0, None, ()),
        (1.0, 2, ("vision/b",)),
    ]


def test_a_budget_draws_the_same_settings_each_time():
    def drawn(budget: int) -> tuple[RunSettings, ...]:
        return combinations(
            BASELINE, weights=default_grid(), fusions=["rrf", "minmax"], temperatures=[], models=[], budget=budget
        )

    assert drawn(10) == drawn(10)
    assert len(drawn(10)) == 11
    assert len(set(map(str, drawn(10)[1:]))) == 10
    assert len(drawn(1000)) == 1 + 2 * 66
    with pytest.raises(InvalidValue):
        drawn(0)


def test_too_many_settings_are_refused():
    with pytest.raises(InvalidValue, match="budget"):
        combinations(
            BASELINE, weights=[], fusions=[], temperatures=list(range(MAX_SETTINGS + 1)), models=[], budget=None
        )


def test_thirty_equal_settings_make_no_difference():
    rng = np.random.default_rng(1)
    tuning, held_out = np.repeat(rng.random((20, 1)), 30, axis=1), np.repeat(rng.random((10, 1)), 30, axis=1)
    found = outcome(tuning, held_out)
    assert found.winner.number == 0
    assert (found.tuning_gain, found.chance_gain, found.delta) == (0.0, 0.0, 0.0)
    assert (found.p, found.p_corrected, found.verdict) == (1.0, 1.0, "no difference")


def test_thirty_settings_of_pure_chance_make_no_difference():
    rng = np.random.default_rng(3)
    found = outcome(rng.random((20, 30)), rng.random((12, 30)))
    assert found.winner.number > 0
    assert found.tuning_gain > 0
    assert found.verdict == "no difference"
    # The largest of 30 means of 20 uniform values (s = .289): 2.04 * .289 / sqrt(20) = .132 above their mean.
    assert found.chance_gain == pytest.approx(0.132, abs=0.02)


def test_a_better_setting_is_found_and_judged_on_the_held_out_queries_alone():
    rng = np.random.default_rng(4)
    tuning, held_out = np.full((20, 30), 0.4), np.full((12, 30), 0.4)
    tuning += rng.normal(0, 0.02, tuning.shape)
    held_out += rng.normal(0, 0.02, held_out.shape)
    tuning[:, 17] += 0.3
    held_out[:, 17] += 0.2
    found = outcome(tuning, held_out)
    assert found.winner.number == 17
    assert found.tuning_gain == pytest.approx(0.3, abs=0.03)
    assert found.chance_gain < 0.1
    assert found.delta == pytest.approx(0.2, abs=0.03)
    assert found.low == pytest.approx(found.delta, abs=0.03)
    assert found.held_out_winner.mean - found.held_out_baseline.mean == pytest.approx(found.delta)
    assert (found.p <= found.p_corrected, found.verdict) == (True, "better")


def test_a_winner_that_fails_on_the_held_out_queries_is_called_worse():
    tuning, held_out = np.full((20, 3), 0.4), np.full((12, 3), 0.4)
    tuning[:, 2] += 0.1
    held_out[:, 2] -= np.linspace(0.1, 0.2, 12)
    found = outcome(tuning, held_out)
    assert (found.winner.number, found.verdict) == (2, "worse")
    assert found.delta == pytest.approx(-0.15)


def test_of_equally_good_settings_the_first_wins():
    tuning = np.tile([0.3, 0.5, 0.5], (6, 1))
    assert outcome(tuning, tuning).winner.number == 1
