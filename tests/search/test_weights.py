import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.errors import InvalidValue, InvalidWeights, UnknownName
from heimdex_core.search.weights import (
    CHANNEL_NAMES,
    from_dial,
    normalise,
    preset,
    preset_of,
    redistribute,
    share_out,
    to_dial,
)
from heimdex_core.settings import PRESETS

share = st.floats(0, 1)
some_weights = st.fixed_dictionaries({name: share for name in CHANNEL_NAMES}).filter(lambda w: sum(w.values()) > 0.01)


def test_normalise_fills_in_and_divides():
    assert normalise({"transcript": 0.3, "vision": 0.9}) == pytest.approx(
        {"transcript": 0.25, "vision": 0.75, "lexical": 0}
    )


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"vision": 0.0},
        {"vision": 0, "transcript": 0, "lexical": 0},
        {"vision": -0.1, "transcript": 0.5},
        {"vision": 1.5},
        {"vision": math.nan},
        {"vision": math.inf},
        {"vision": True},
        {"vision": "0.5"},
        {"vision": 5e-324},
    ],
)
def test_weights_that_cannot_be_used(weights):
    with pytest.raises(InvalidWeights):
        normalise(weights)


def test_an_unknown_channel_is_named():
    with pytest.raises(UnknownName) as caught:
        normalise({"smell": 1.0})
    assert caught.value.details["known"] == "transcript, vision, lexical"


def test_presets():
    assert preset("visual") == pytest.approx({"transcript": 0.20, "vision": 0.65, "lexical": 0.15})
    assert preset("dialogue") == pytest.approx({"transcript": 0.65, "vision": 0.15, "lexical": 0.20})
    assert preset("keywords") == pytest.approx({"transcript": 0.25, "vision": 0.15, "lexical": 0.60})
    assert preset("balanced") == pytest.approx({"transcript": 0.45, "vision": 0.35, "lexical": 0.20})
    assert all(preset_of(preset(name)) == name for name in PRESETS)
    assert preset_of({"vision": 1}) is None
    with pytest.raises(UnknownName):
        preset("loud")


def test_share_out_by_hand():
    weights = {"transcript": 0.45, "vision": 0.35, "lexical": 0.20}
    assert share_out(weights, {"vision", "lexical"}) == pytest.approx(
        {"transcript": 0, "vision": 0.35 / 0.55, "lexical": 0.20 / 0.55}
    )
    assert share_out(weights, set()) == {"transcript": 0, "vision": 0, "lexical": 0}


def test_redistribute_by_hand():
    moved = redistribute({"transcript": 0.45, "vision": 0.35, "lexical": 0.20}, "lexical", 0.60)
    assert moved == pytest.approx({"transcript": 0.4 * 45 / 80, "vision": 0.4 * 35 / 80, "lexical": 0.60})
    # The others stood at 0: they share equally.
    assert redistribute({"vision": 1.0}, "vision", 0.5) == pytest.approx(
        {"transcript": 0.25, "vision": 0.5, "lexical": 0.25}
    )


def test_redistribute_refuses():
    with pytest.raises(UnknownName):
        redistribute({"vision": 1.0}, "smell", 0.5)
    with pytest.raises(InvalidValue):
        redistribute({"vision": 1.0}, "vision", 1.5)


@given(weights=some_weights, changed=st.sampled_from(CHANNEL_NAMES), value=share)
def test_redistribute_always_gives_usable_weights(weights, changed, value):
    moved = redistribute(weights, changed, value)
    assert moved[changed] == value
    assert math.fsum(moved.values()) == pytest.approx(1.0)
    assert all(0 <= part <= 1 for part in normalise(moved).values())


def test_dial_by_hand():
    assert from_dial(0.4375, 0.20) == pytest.approx({"transcript": 0.45, "vision": 0.35, "lexical": 0.20})
    assert from_dial(1.0, 0.0) == {"transcript": 0.0, "vision": 1.0, "lexical": 0.0}
    assert to_dial({"transcript": 0.45, "vision": 0.35, "lexical": 0.20}) == pytest.approx((0.4375, 0.20))
    assert to_dial({"lexical": 1.0}) == (0.5, 1.0)
    with pytest.raises(InvalidValue):
        from_dial(1.2, 0.0)


@given(seen=share, exact=st.floats(0, 0.999))
def test_the_dial_comes_back_to_where_it_was_set(seen, exact):
    assert to_dial(from_dial(seen, exact)) == pytest.approx((seen, exact), abs=1e-6)
