"""From a parsed query to a vector: the weights with which an image's features are summed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from heimdex_core.models.palette.colours import FAMILY_NAMES, FAMILY_OF_NAME, NAMES, TYPICAL_SHARES, Floats, centred
from heimdex_core.models.palette.layout import BLOCKS, BODY, CELLS, DIM, MEASURES, REGIONS, SLICES
from heimdex_core.models.palette.query_parser import Group
from heimdex_core.models.palette.vocabulary import Mix, Vocabulary, normalised

ANYWHERE = {"family": 0.7, "colour": 0.4, "accent": 0.5}
PLACED = {"family": 0.4, "colour": 0.3, "accent": 0.3}
PLACED_CELLS = 0.8
"""How a colour's weight is divided between the whole image and the cells where it is asked for."""
ASKED_COLOUR = 1.25
"""Weight of a colour in the query, which counts for more than the usual colour of a thing."""
OWN_COLOUR_LEFT = 0.15
"""What is left of a thing's usual colours if the query names a different one."""
OWN_COLOUR_KEPT = 0.6
"""What is left of them if the query names one of them, as in "orange autumn leaves"."""

MEASURES_LIMIT = 0.6
"""Most weight of a thing's measures relative to its colours, if it has any: measures refine, colours decide."""
IDEAL_MEASURE = 0.7
"""The value of a measure in an image that is a good example of it; 1 is the end of the scale."""
IN_OTHER_LIGHT = 0.6
"""Weight of a thing's usual colours at sunset or at night, when it does not have them."""
REFERENCE = 0.75
"""Weight of what something is on or in, relative to the thing itself."""

_RARITY = np.clip(np.log([1 / share for share in TYPICAL_SHARES]) / np.log(1 / 0.05), 0.7, 1.2).astype(np.float32)
"""Weights (families,) by rarity, because grey is everywhere and pink is not: log(1 / share) / log(1 / 5 %), limited."""

_IS_VIVID = np.array([name not in ("black", "grey", "white") for name in FAMILY_NAMES], dtype=np.float32)

_COLOUR_MEASURES = ("warmth", "warm_share", "cool_share", "chroma", "vivid_share", "grey_share", "variety", "sat:")
_LIGHT_MEASURES = ("lightness", "dark_share", "bright_share", "light:", "step:")


def vector_of(groups: Iterable[Group], vocabulary: Vocabulary) -> Floats | None:
    """What the groups ask for, as a unit vector (DIM,); None where they ask for nothing."""
    groups = tuple(groups)
    total = np.zeros(DIM, dtype=np.float32)
    for group in groups:
        asked = group_vector(group, vocabulary)
        best = attainable(asked, group_mix(group, vocabulary))
        if best > 0:
            # relative to the score of a perfect image, so that "dark" weighs as much as "orange"
            total[:BODY] += asked * (_group_weight(group, groups, vocabulary) / best)
    norm = float(np.linalg.norm(total))
    return total / norm if norm > 1e-6 else None


def attainable(asked: Floats, mix: Mix) -> float:
    """The score of an image with everything that the weights `asked` (BODY,) ask for, in the colours of `mix`."""
    ideal = np.full(BODY, IDEAL_MEASURE, dtype=np.float32)
    if mix:
        names, families = mix_shares(mix)
        for name, values in centred(names, families, families, np.tile(families, (len(CELLS), 1))).items():
            ideal[SLICES[name]] = values
    return sum(
        float((np.abs(asked[part]) * np.maximum(ideal[part], 0)).sum()) * block.weight
        for block in BLOCKS
        for part in (SLICES[block.name],)
    )


def _group_weight(group: Group, groups: tuple[Group, ...], vocabulary: Vocabulary) -> float:
    """The weight of a group among the others."""
    weight = ASKED_COLOUR if group.colours else 1.0
    if not group.colours and any(other.thing and other.thing.is_light for other in groups if other is not group):
        weight *= IN_OTHER_LIGHT
    mix = group_mix(group, vocabulary)
    if mix:
        weight *= float(mix_shares(mix)[1] @ _RARITY)
    return weight * REFERENCE if group.is_reference else weight


def group_vector(group: Group, vocabulary: Vocabulary) -> Floats:
    """The weights (BODY,) of one thing with its description, not normalised."""
    region = group.at or (group.thing.at if group.thing else None)
    mix = group_mix(group, vocabulary)
    asked = _of_colours(mix, region) if mix else np.zeros(BODY, dtype=np.float32)
    if group.thing is not None:
        measures = _of_measures(_measures_left(group.thing.measures, group))
        weighs, limit = attainable(measures, {}), MEASURES_LIMIT * attainable(asked, mix)
        asked += measures * (min(1.0, limit / weighs) if mix and weighs > 0 else 1.0)
    for concept in (*group.looks, *group.colours):
        asked += _of_measures(concept.measures)
    return asked


def group_mix(group: Group, vocabulary: Vocabulary) -> dict[str, float]:
    """The shares of the colours that a group asks for, which sum to 1; empty where it asks for none."""
    own = dict(group.thing.mix) if group.thing else {}
    named = _sum(concept.mix for concept in (*group.colours, *group.looks) if concept.mix)
    if named and own:
        own_part = _own_part(normalised(named), own)
        mix = _sum(({n: v * (1 - own_part) for n, v in named.items()}, {n: v * own_part for n, v in own.items()}))
    else:
        mix = named or own
    for look in group.looks:
        if look.shift:
            mix = _shifted(mix, vocabulary.shifts[look.shift])
    return normalised(mix)


def _own_part(named: Mix, own: Mix) -> float:
    """How much of a thing's own colours is left, by how much their families overlap those of the named colour."""
    agreement = float(np.minimum(mix_shares(named)[1], mix_shares(own)[1]).sum())
    return OWN_COLOUR_LEFT + (OWN_COLOUR_KEPT - OWN_COLOUR_LEFT) * min(1.0, agreement / 0.5)


def mix_shares(mix: Mix) -> tuple[Floats, Floats]:
    """The shares of a mix by name, (names,), and by family, (families,)."""
    shares = np.array([mix.get(name, 0.0) for name in NAMES], dtype=np.float32)
    return shares, shares @ FAMILY_OF_NAME


def _of_colours(mix: Mix, region: str | None) -> Floats:
    asked = np.zeros(BODY, dtype=np.float32)
    names, families = mix_shares(mix)
    families = families * _RARITY
    names, families = names / np.linalg.norm(names), families / np.linalg.norm(families)
    weights = ANYWHERE if region is None else PLACED
    asked[SLICES["family"]] = weights["family"] * families
    asked[SLICES["colour"]] = weights["colour"] * names
    asked[SLICES["accent"]] = weights["accent"] * families * _IS_VIVID
    if region is not None:
        asked[SLICES["cell"]] = PLACED_CELLS * np.outer(REGIONS[region], families).ravel()
    return asked


def _of_measures(measures: Mapping[str, float]) -> Floats:
    asked = np.zeros(BODY, dtype=np.float32)
    for name, amount in measures.items():
        part, weights = MEASURES[name]
        asked[part] += amount * weights
    return asked


def _measures_left(measures: Mapping[str, float], group: Group) -> dict[str, float]:
    """A thing's measures without those that its description overrides: a blue fire is not warm."""
    overridden: tuple[str, ...] = ()
    if group.colours:
        overridden += (*_COLOUR_MEASURES, "chroma:")
    if any(look.shift or "lightness" in look.measures for look in group.looks):
        overridden += _LIGHT_MEASURES
    return {name: amount for name, amount in measures.items() if not name.startswith(overridden)}


def _sum(mixes: Iterable[Mix]) -> dict[str, float]:
    total: dict[str, float] = {}
    for mix in mixes:
        for name, part in mix.items():
            total[name] = total.get(name, 0.0) + part
    return total


def _shifted(mix: Mix, table: Mapping[str, Mix]) -> dict[str, float]:
    return _sum({to: part * share for to, share in table.get(name, {name: 1.0}).items()} for name, part in mix.items())
