"""What searches use by default: of the person, of the library and of the environment."""

from __future__ import annotations

from typing import Any

import pytest

from heimdex_core.errors import (
    InvalidValue,
    InvalidWeights,
    UnknownName,
)
from heimdex_core.library import Library
from heimdex_core.types import RunSettings
from tests.library.evaluating import judge_all, lib, made

__all__ = ["lib", "made"]


def test_mine_come_before_the_librarys_and_those_before_the_environments(lib: Library):
    evaluation = lib.evaluation
    assert (evaluation.defaults().source, evaluation.defaults().weights["lexical"]) == ("settings", 1.0)
    evaluation.make_default({"weights": {"lexical": 0.5}, "fusion": "rrf"}, scope="library")
    assert (evaluation.defaults().source, evaluation.defaults().fusion) == ("library", "rrf")
    assert lib.search("harbour").fusion == "rrf"
    other = lib.as_user("mina")
    assert other.evaluation.defaults().fusion == "rrf"
    other.evaluation.make_default(RunSettings({"lexical": 0.25}, "zscore"))
    assert (other.evaluation.defaults().source, other.evaluation.defaults().fusion) == ("me", "zscore")
    assert evaluation.defaults().fusion == "rrf"
    assert other.evaluation.undo_default().source == "library"
    assert evaluation.undo_default(scope="library").source == "settings"
    for scope in ("me", "library"):
        with pytest.raises(InvalidValue, match="no default was set"):
            evaluation.undo_default(scope=scope)


def test_undo_goes_back_step_by_step(lib: Library):
    lib.set_preference("weights", {"lexical": 0.1})
    for weight in (0.2, 0.3):
        lib.evaluation.make_default({"weights": {"lexical": weight}})
    assert lib.evaluation.undo_default().weights == {"lexical": 0.2}
    assert lib.evaluation.defaults().can_undo_me
    assert lib.evaluation.undo_default().weights == {"lexical": 0.1}
    assert not lib.evaluation.defaults().can_undo_me


def test_a_run_and_the_winner_of_a_sweep_can_become_the_default(lib: Library):
    judge_all(lib)
    run = lib.evaluate(weights={"lexical": 0.7}, fusion="rrf")
    assert lib.evaluation.make_default(run).weights == {"lexical": 0.7}
    assert lib.search("harbour").fusion == "rrf"
    sweep = lib.evaluation.sweep(weights=[{"lexical": 0.4}], fusions=["zscore"])
    assert sweep.settings[0].weights == {"lexical": 0.7}
    assert lib.evaluation.make_default(sweep.scores[1]).fusion == "zscore"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, InvalidValue),
        ({"weights": {"lexical": 0}}, InvalidWeights),
        ({"weights": {"smell": 1}}, UnknownName),
        ({"fusion": "best"}, UnknownName),
        ({"colour": "red"}, InvalidValue),
        (7, InvalidValue),
    ],
)
def test_bad_defaults_are_refused(lib: Library, settings: Any, error: type):
    with pytest.raises(error):
        lib.evaluation.make_default(settings)
    assert lib.evaluation.defaults().source == "settings"
