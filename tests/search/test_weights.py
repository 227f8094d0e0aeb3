"""Checking weights and dividing them. All shares are worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.errors import InvalidWeights
from heimdex_core.search.fusion.base import share_out
from heimdex_core.search.plan import as_text, checked, plan_of
from heimdex_core.types import Space

PLAN = plan_of({"text": Space("text/mini", "text", "m", "1", 4), "vision": Space("vision/p", "vision", "p", "1", 4)})


@pytest.mark.parametrize("value", [0, 1, 0.25])
def test_numbers_from_0_to_1_are_weights(value: float) -> None:
    number = checked("vision", value, {"vision": value})
    assert number == value
    assert isinstance(number, float)


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan, math.inf])
def test_other_numbers_are_refused_with_the_value(value: float) -> None:
    with pytest.raises(InvalidWeights) as caught:
        checked("vision", value, {"transcript": 0.5, "vision": value})
    assert caught.value.details["weights"] == f"transcript=0.5, vision={value}"
    assert caught.value.details["reason"] == f"vision = {value} is outside 0 to 1"


@pytest.mark.parametrize("value", [True, "0.5", None])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidWeights) as caught:
        checked("vision", value, {"vision": 0.5})
    assert caught.value.details["reason"] == "vision is not a number"


def test_weights_as_text() -> None:
    assert as_text({"transcript": 0.3, "vision": 1}) == "transcript=0.3, vision=1"
    assert as_text({}) == "(none)"


def test_share_out_by_hand() -> None:
    weights = {"transcript": 0.45, "vision": 0.35, "lexical": 0.20}
    assert share_out(weights, {"vision", "lexical"}) == pytest.approx(
        {"transcript": 0, "vision": 0.35 / 0.55, "lexical": 0.20 / 0.55}
    )
    assert share_out(weights, set()) == {"transcript": 0, "vision": 0, "lexical": 0}
    assert share_out({"vision": 0.0, "lexical": 0.5}, {"vision"}) == {"vision": 0, "lexical": 0}


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"vision": 0, "transcript": 0, "lexical": 0},
        {"vision": -0.1, "transcript": 0.5},
        {"vision": 5e-324},  # does not divide into shares that sum to 1
    ],
)
def test_a_plan_refuses_weights_without_a_sum(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidWeights):
        PLAN.weights(weights)


@given(
    weights=st.fixed_dictionaries({name: st.floats(0, 1) for name in PLAN.names}).filter(
        lambda weights: sum(weights.values()) > 0.01
    )
)
def test_a_plans_weights_sum_to_one_in_their_proportions(weights: dict[str, float]) -> None:
    result = PLAN.weights(weights)
    assert math.fsum(result.values()) == pytest.approx(1.0)
    total = math.fsum(weights.values())
    assert result == pytest.approx({name: value / total for name, value in weights.items()})
