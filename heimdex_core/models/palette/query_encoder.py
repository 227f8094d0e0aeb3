"""From a parsed query to a vector: the weights with which an image's features are summed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from heimdex_core.models.palette.colours import (
    FAMILY_NAMES,
    FAMILY_OF_NAME,
    HALF_ACCENT,
    HALF_CELL,
    HALF_FAMILY,
    HALF_NAME,
    NAMES,
    TYPICAL,
    TYPICAL_ACCENT_SHARE,
    TYPICAL_FAMILY_SHARE,
    Floats,
    presence,
)
from heimdex_core.models.palette.layout import (
    BLOCKS,
    BODY,
    CELLS,
    CHROMA_STEPS,
    DIM,
    LIGHT_STEPS,
    ORIENTATIONS,
    REGIONS,
    SCALARS,
    SLICES,
)
from heimdex_core.models.palette.query_parser import Group
from heimdex_core.models.palette.vocabulary import Concept, Mix, Vocabulary, normalised

GLOBAL_FAMILY, GLOBAL_COLOUR, GLOBAL_ACCENT = 0.7, 0.4, 0.5
PLACED_FAMILY, PLACED_COLOUR, PLACED_ACCENT, PLACED_CELLS = 0.4, 0.3, 0.3, 0.8
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

_RARITY = np.clip(
    np.log([1 / TYPICAL_FAMILY_SHARE[name] for name in FAMILY_NAMES]) / np.log(1 / 0.05), 0.7, 1.2
).astype(np.float32)
"""Weights (families,) by rarity, because grey is everywhere and pink is not: log(1 / share) / log(1 / 5 %), limited."""

_IS_VIVID = np.array([name not in ("black", "grey", "white") for name in FAMILY_NAMES], dtype=np.float32)

_COLOUR_MEASURES = ("warmth", "warm_share", "cool_share", "chroma", "vivid_share", "grey_share", "variety", "sat:")
_LIGHT_MEASURES = ("lightness", "dark_share", "bright_share", "light:", "step:")

_STARTS = {
    "step": (SLICES["light"].start, LIGHT_STEPS),
    "sat": (SLICES["saturation"].start, CHROMA_STEPS),
    "orient": (SLICES["orientation"].start, ORIENTATIONS),
}
_SCALAR_AT = {scalar.name: SLICES["scalar"].start + n for n, scalar in enumerate(SCALARS)}


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
        ideal[SLICES["colour"]] = presence(names, HALF_NAME) - presence(1 / len(NAMES), HALF_NAME)
        ideal[SLICES["family"]] = presence(families, HALF_FAMILY) - presence(TYPICAL, HALF_FAMILY)
        ideal[SLICES["accent"]] = presence(families, HALF_ACCENT) - presence(TYPICAL_ACCENT_SHARE, HALF_ACCENT)
        ideal[SLICES["cell"]] = np.tile(presence(families, HALF_CELL) - presence(TYPICAL, HALF_CELL), len(CELLS))
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


def concept_vector(concept: Concept, vocabulary: Vocabulary) -> Floats:
    """The weights (BODY,) of one concept by itself, not normalised."""
    group = Group(thing=concept) if concept.kind == "thing" else Group()
    if concept.kind != "thing":
        group.describe(concept)
    return group_vector(group, vocabulary)


def mix_shares(mix: Mix) -> tuple[Floats, Floats]:
    """The shares of a mix by name, (names,), and by family, (families,)."""
    shares = np.array([mix.get(name, 0.0) for name in NAMES], dtype=np.float32)
    return shares, shares @ FAMILY_OF_NAME


def _of_colours(mix: Mix, region: str | None) -> Floats:
    asked = np.zeros(BODY, dtype=np.float32)
    names, families = mix_shares(mix)
    families = families * _RARITY
    names, families = names / np.linalg.norm(names), families / np.linalg.norm(families)
    if region is None:
        asked[SLICES["family"]] = GLOBAL_FAMILY * families
        asked[SLICES["colour"]] = GLOBAL_COLOUR * names
        asked[SLICES["accent"]] = GLOBAL_ACCENT * families * _IS_VIVID
        return asked
    asked[SLICES["family"]] = PLACED_FAMILY * families
    asked[SLICES["colour"]] = PLACED_COLOUR * names
    asked[SLICES["accent"]] = PLACED_ACCENT * families * _IS_VIVID
    asked[SLICES["cell"]] = PLACED_CELLS * np.outer(REGIONS[region], families).ravel()
    return asked


def _of_measures(measures: Mapping[str, float]) -> Floats:
    asked = np.zeros(BODY, dtype=np.float32)
    for name, amount in measures.items():
        kind, _, detail = name.partition(":")
        if not detail:
            asked[_SCALAR_AT[name]] += amount
        elif kind in _STARTS:
            start, parts = _STARTS[kind]
            asked[start + parts.index(detail)] += amount
        else:  # light, chroma or detail in a region
            asked[SLICES[f"cell_{kind}"]] += amount * REGIONS[detail]
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
