"""Weights of channels as arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence

from heimdex_core.errors import InvalidWeights


def parse_weights(pairs: Sequence[str]) -> dict[str, float] | None:
    """{"vision": 1.0} from ["vision=1"]; channels that are not named get 0. None if no weight is given.

    Raises InvalidWeights for a pair that is not CHANNEL=NUMBER.
    """
    weights: dict[str, float] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            weights[name.strip()] = float(value) if equals else math.nan
        except ValueError:
            weights[name.strip()] = math.nan
        if math.isnan(weights[name.strip()]):
            raise InvalidWeights(weights=pair, reason="write CHANNEL=NUMBER, for example vision=0.7")
    return weights or None
