"""How much each channel counts: checking, normalising, and the arithmetic behind the sliders.

A set of weights names some or all of the channels; one that is not named has 0. Values are 0 to 1
and only their proportions matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real

from heimdex_core.errors import InvalidValue, InvalidWeights, UnknownName
from heimdex_core.settings import PRESETS

CHANNEL_NAMES: tuple[str, ...] = ("transcript", "vision", "lexical")
"""What every search weighs, in the order in which it is shown. plan.py spreads it over a search's channels."""

Weights = dict[str, float]


def normalise(weights: Mapping[str, float]) -> Weights:
    """All channels with their share, summing to 1.

    Raises UnknownName for a channel that does not exist, InvalidWeights for a value outside 0 to 1
    or when nothing is above 0.
    """
    for name in weights:
        if name not in CHANNEL_NAMES:
            raise UnknownName(kind="channel", name=str(name), known=", ".join(CHANNEL_NAMES))
    given = {name: checked(name, weights.get(name, 0.0), weights) for name in CHANNEL_NAMES}
    total = math.fsum(given.values())
    # A total in the subnormal range would not divide into shares that sum to 1.
    if total < 1e-9:
        raise InvalidWeights(weights=shown(weights), reason="no channel has a weight above 0")
    return {name: value / total for name, value in given.items()}


def checked(name: str, value: object, weights: Mapping[str, float]) -> float:
    """One of the `weights` as a number from 0 to 1. InvalidWeights."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidWeights(weights=shown(weights), reason=f"{name} is not a number")
    number = float(value)
    if not (0.0 <= number <= 1.0):  # also refuses NaN
        raise InvalidWeights(weights=shown(weights), reason=f"{name} = {value} is outside 0 to 1")
    return number


def shown(weights: Mapping[str, float]) -> str:
    """Weights as an error tells them."""
    return ", ".join(f"{name}={value}" for name, value in weights.items()) or "(none)"


def preset(name: str) -> Weights:
    """The weights of a preset, normalised; UnknownName if there is none of that name."""
    if name not in PRESETS:
        raise UnknownName(kind="preset", name=name, known=", ".join(PRESETS))
    return normalise(PRESETS[name])


def preset_of(weights: Mapping[str, float]) -> str | None:
    """The name of the preset that these weights are, or None; compared to a tenth of a percent."""
    wanted = normalise(weights)
    for name in PRESETS:
        values = preset(name)
        if all(abs(values[channel] - wanted[channel]) < 5e-4 for channel in CHANNEL_NAMES):
            return name
    return None


def share_out(weights: Mapping[str, float], taking_part: frozenset[str] | set[str]) -> Weights:
    """The weights over the channels that take part: the others get 0 and theirs is shared out.

    Shares keep their proportions. Nobody taking part, or only channels of weight 0, gives all 0.
    """
    total = math.fsum(value for name, value in weights.items() if name in taking_part)
    if total <= 0:
        return dict.fromkeys(weights, 0.0)
    return {name: value / total if name in taking_part else 0.0 for name, value in weights.items()}


def redistribute(weights: Mapping[str, float], changed: str, value: float) -> Weights:
    """One slider moved to `value`: the others share what is left in their old proportions.

    Others that all stood at 0 share equally. The result sums to 1.
    """
    old = normalise(weights)
    if changed not in old:
        raise UnknownName(kind="channel", name=changed, known=", ".join(CHANNEL_NAMES))
    _share(changed, value)
    others = {name: share for name, share in old.items() if name != changed}
    total = math.fsum(others.values())
    left = 1.0 - value
    moved = {name: left * (share / total if total > 1e-9 else 1 / len(others)) for name, share in others.items()}
    return {name: float(value) if name == changed else moved[name] for name in old}


def from_dial(said_vs_seen: float, exact_words: float) -> Weights:
    """Weights from the dial: `said_vs_seen` 0 is all transcript, 1 all vision; `exact_words` is lexical's share.

    Both run from 0 to 1. The balanced preset is from_dial(0.4375, 0.20).
    """
    seen, exact = _share("said_vs_seen", said_vs_seen), _share("exact_words", exact_words)
    return {"transcript": (1.0 - exact) * (1.0 - seen), "vision": (1.0 - exact) * seen, "lexical": exact}


def to_dial(weights: Mapping[str, float]) -> tuple[float, float]:
    """(said_vs_seen, exact_words) of these weights; the dial rests in the middle when only words count."""
    shares = normalise(weights)
    meaning = shares["transcript"] + shares["vision"]
    seen = shares["vision"] / meaning if meaning > 1e-9 else 0.5
    return seen, shares["lexical"]


def _share(name: str, value: float) -> float:
    if not (0.0 <= value <= 1.0):
        raise InvalidValue(name=name, value=value, reason="it is a share from 0 to 1")
    return float(value)
