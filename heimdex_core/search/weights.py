"""Checking channel weights and dividing them among channels.

A set of weights names some or all of the channels; a channel that is not named has 0. Values are from 0 to 1 and only
their proportions matter. plan.py distributes them over the channels of a search.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from numbers import Real

from heimdex_core.errors import InvalidWeights

Weights = dict[str, float]
"""Weight by channel."""


def checked(name: str, value: object, weights: Mapping[str, float]) -> float:
    """One weight as a float from 0 to 1.

    Args:
        name: the channel.
        value: its weight as it was given.
        weights: all weights that were given, for the message.

    Raises InvalidWeights.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidWeights(weights=as_text(weights), reason=f"{name} is not a number")
    number = float(value)
    if not (0.0 <= number <= 1.0):  # also refuses NaN
        raise InvalidWeights(weights=as_text(weights), reason=f"{name} = {value} is outside 0 to 1")
    return number


def as_text(weights: Mapping[str, float]) -> str:
    """Weights as an error message shows them: "transcript=0.3, vision=0.7"."""
    return ", ".join(f"{name}={value}" for name, value in weights.items()) or "(none)"


def share_out(weights: Mapping[str, float], taking_part: Collection[str]) -> Weights:
    """The weights scaled so that those of the channels in `taking_part` sum to 1; the others get 0.

    Proportions are kept. If no channel with a weight above 0 takes part, all weights are 0.
    """
    total = math.fsum(value for name, value in weights.items() if name in taking_part)
    if total <= 0:
        return dict.fromkeys(weights, 0.0)
    return {name: value / total if name in taking_part else 0.0 for name, value in weights.items()}
