"""How much each channel counts: checking weights and sharing them out.

A set of weights names some or all of the channels; one that is not named has 0. Values are 0 to 1
and only their proportions matter. plan.py spreads them over a search's channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real

from heimdex_core.errors import InvalidWeights

Weights = dict[str, float]


def checked(name: str, value: object, weights: Mapping[str, float]) -> float:
    """One of the `weights` as a number from 0 to 1. Raises InvalidWeights."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidWeights(weights=as_text(weights), reason=f"{name} is not a number")
    number = float(value)
    if not (0.0 <= number <= 1.0):  # also refuses NaN
        raise InvalidWeights(weights=as_text(weights), reason=f"{name} = {value} is outside 0 to 1")
    return number


def as_text(weights: Mapping[str, float]) -> str:
    """Weights as an error message shows them."""
    return ", ".join(f"{name}={value}" for name, value in weights.items()) or "(none)"


def share_out(weights: Mapping[str, float], taking_part: frozenset[str] | set[str]) -> Weights:
    """The weights over the channels that take part: the others get 0 and theirs is shared out.

    Shares keep their proportions. Nobody taking part, or only channels of weight 0, gives all 0.
    """
    total = math.fsum(value for name, value in weights.items() if name in taking_part)
    if total <= 0:
        return dict.fromkeys(weights, 0.0)
    return {name: value / total if name in taking_part else 0.0 for name, value in weights.items()}
