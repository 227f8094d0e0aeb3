"""Which channels a search has, what they are called, and how the asked weights fall on them.

A search has a channel for what is said (transcript), one for what is seen (vision), one for the words
themselves (lexical), and where pictures are described one for the descriptions (caption). Spaces that are
named take the place of their kind's first one, each as a channel under its own name.
docs/decisions/search-spaces.md gives the reasons.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from heimdex_core.errors import InvalidWeights, UnknownName
from heimdex_core.search.channels import CHANNEL_NAMES, CHANNELS, kind_of, spec_of
from heimdex_core.search.weights import Weights, as_text, checked, share_out
from heimdex_core.types import Space


@dataclass(frozen=True, slots=True)
class Slot:
    """A channel of a search. `space` is None for the words themselves."""

    name: str
    kind: str
    space: Space | None = None

    @property
    def side(self) -> str:
        """Channels of one side tell of the same thing, and stand in for one another."""
        return spec_of(self.kind).side


@dataclass(frozen=True)
class Plan:
    """The channels of a search, in the order in which they are shown."""

    slots: tuple[Slot, ...]
    asked: tuple[str, ...] = ()
    """The full names of the spaces that were asked for."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(slot.name for slot in self.slots)

    def weights(self, given: Mapping[str, float]) -> Weights:
        """Every channel's share, summing to 1. `given` names kinds, channels or spaces; what is not named has 0.

        A kind's weight is shared equally by those of its channels that are not named themselves. Where channels of
        another kind share it (descriptions that of vision), half goes to them unless they are named. Raises
        UnknownName, InvalidWeights.
        """
        by_kind: dict[str, float] = {}
        own: dict[str, float] = {}
        for name, value in given.items():
            if name in CHANNEL_NAMES:
                by_kind[name] = checked(name, value, given)
            elif (slot := self._named(name)) is not None:
                own[slot.name] = checked(name, value, given)
            else:
                raise UnknownName(kind="channel", name=str(name), known=", ".join(self._known_names()))
        spread = dict.fromkeys(self.names, 0.0) | own
        for kind, value in by_kind.items():
            self._spread_kind(kind, value, own, spread, given)
        total = math.fsum(spread.values())
        # A total in the subnormal range would not divide into shares that sum to 1.
        if total < 1e-9:
            raise InvalidWeights(weights=as_text(given), reason="no channel has a weight above 0")
        return {name: value / total for name, value in spread.items()}

    def within_sides(self, weights: Mapping[str, float], taking_part: Iterable[str]) -> Weights:
        """The weights after channels that take no part have given theirs to others of their side that do.

        Where nobody of a side takes part its weights stay as they are, for the fusion to share out.
        """
        there = frozenset(taking_part)
        result = dict(weights)
        for side in dict.fromkeys(slot.side for slot in self.slots):
            members = [slot.name for slot in self.slots if slot.side == side]
            present = {name for name in members if name in there and weights[name] > 0}
            if present and len(present) < len(members):
                whole = math.fsum(weights[name] for name in members)
                shares = share_out({name: weights[name] for name in members}, present)
                result |= {name: whole * share for name, share in shares.items()}
        return result

    def _spread_kind(
        self, kind: str, value: float, own: Mapping[str, float], spread: Weights, given: Mapping[str, float]
    ) -> None:
        takers = [slot.name for slot in self.slots if slot.kind == kind and slot.name not in own]
        sharing = [s.name for s in self.slots if spec_of(s.kind).shares_weight_of == kind and s.name not in own]
        if not takers and not sharing:
            if value > 0:
                raise InvalidWeights(weights=as_text(given), reason=f"all channels of {kind} have weights of their own")
            return
        parts = [group for group in (takers, sharing) if group]
        for group in parts:
            for name in group:
                spread[name] = value / len(parts) / len(group)

    def _named(self, name: str) -> Slot | None:
        for slot in self.slots:
            if name == slot.name or (slot.space is not None and name == slot.space.name):
                return slot
        return next((slot for slot in self.slots if slot.kind == name and name not in CHANNEL_NAMES), None)

    def _known_names(self) -> list[str]:
        return list(dict.fromkeys((*CHANNEL_NAMES, *self.names)))


def plan_of(spaces: Mapping[str, Space], asked: Sequence[str] = ()) -> Plan:
    """The channels of a search over a set's `spaces` (by role), `asked` by space names. UnknownName."""
    chosen = {resolve(name, spaces).name for name in asked}
    slots: list[Slot] = []
    for spec in CHANNELS:
        kind = spec.kind
        if spec.space_role is None:
            slots.append(Slot(kind, kind))
            continue
        of_kind = [space for space in dict.fromkeys(spaces.values()) if kind_of(space.name) == kind]
        named = [Slot(space.name, kind, space) for space in of_kind if space.name in chosen]
        first = spaces.get(spec.space_role)  # a set may have none for descriptions
        slots += named or ([Slot(kind, kind, first)] if first is not None else [])
    return Plan(tuple(slots), tuple(slot.space.name for slot in slots if slot.space and slot.space.name in chosen))


def resolve(name: str, spaces: Mapping[str, Space]) -> Space:
    """A space by its name, its role, or the part after the stroke where only one has it. UnknownName."""
    by_name = {space.name: space for space in spaces.values()}
    if name in by_name:
        return by_name[name]
    if name in spaces:
        return spaces[name]
    # The descriptions' space is called after the text model, and would make every short name of it mean two.
    plain = [space for space in by_name.values() if kind_of(space.name) in CHANNEL_NAMES]
    found = [space for space in plain if space.name.partition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    known = [space.name for space in found] if found else _nearest_first(name, list(by_name))
    raise UnknownName(kind="space", name=name, known=", ".join(known))


def _nearest_first(name: str, known: list[str]) -> list[str]:
    def likeness(other: str) -> float:
        folded = other.casefold()
        tries = (folded, folded.partition("/")[2])
        return max(difflib.SequenceMatcher(None, name.casefold(), one).ratio() for one in tries)

    return sorted(known, key=likeness, reverse=True)
