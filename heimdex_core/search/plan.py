"""Which channels a search has, what they are called, and how weights are distributed over them.

A search has one channel of each kind in channels/__init__.py; a channel over a space is left out where the model set
has no such space. Spaces that are requested by name replace the first space of their kind, each as a channel under
its own name. docs/decisions/search-spaces.md gives the reasons.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real

from heimdex_core.errors import InvalidWeights, UnknownName
from heimdex_core.search import channels
from heimdex_core.search.channels import channel_names, kind_of, spec_of
from heimdex_core.search.fusion.base import share_out
from heimdex_core.types import Space


@dataclass(frozen=True, slots=True)
class Slot:
    """A channel of a search."""

    name: str
    """Its name in this search: the kind, or the space's name where that was requested."""
    kind: str
    space: Space | None = None
    """The space that it searches; None for a channel without one."""
    second: Space | None = None
    """The space that it searches besides (ChannelSpec.second_role)."""

    @property
    def spaces(self) -> tuple[Space, ...]:
        """All spaces that it searches."""
        return tuple(space for space in (self.space, self.second) if space is not None)

    @property
    def side(self) -> str:
        """The kind of evidence (ChannelSpec.side)."""
        return spec_of(self.kind).side


@dataclass(frozen=True)
class Plan:
    """The channels of a search, in the order in which they are shown."""

    slots: tuple[Slot, ...]
    requested: tuple[str, ...] = ()
    """The full names of the spaces that were requested."""

    @property
    def names(self) -> tuple[str, ...]:
        """The channels' names in this search."""
        return tuple(slot.name for slot in self.slots)

    def of_side(self, side: str) -> Plan:
        """The channels of one side."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.side == side))

    def weights(self, given: Mapping[str, float]) -> dict[str, float]:
        """The weight of every channel; they sum to 1.

        The weight of a kind is divided equally among those of its channels that `given` does not name. If channels of
        another kind share it, as captions share that of vision, they get half of it unless they are named.

        Args:
            given: weights from 0 to 1 by kind, channel or space; what is not named has 0.

        Raises UnknownName; InvalidWeights for a value outside 0 to 1, for weights that are all 0, and for the weight
        of a kind all of whose channels have weights of their own.
        """
        by_kind: dict[str, float] = {}
        own: dict[str, float] = {}
        for name, value in given.items():
            if name in channel_names():
                by_kind[name] = checked(name, value, given)
            elif (slot := self._named(name)) is not None:
                own[slot.name] = checked(name, value, given)
            else:
                known = dict.fromkeys((*channel_names(), *self.names))
                raise UnknownName(kind="channel", name=str(name), known=", ".join(known))
        result = dict.fromkeys(self.names, 0.0) | own
        for kind, value in by_kind.items():
            self._divide_kind(kind, value, own, result, given)
        total = math.fsum(result.values())
        # A total in the subnormal range would not divide into weights that sum to 1.
        if total < 1e-9:
            raise InvalidWeights(weights=as_text(given), reason="no channel has a weight above 0")
        return {name: value / total for name, value in result.items()}

    def within_sides(self, weights: Mapping[str, float], taking_part: Iterable[str]) -> dict[str, float]:
        """The weights after channels that abstain have given theirs to the channels of their side that take part.

        Where no channel of a side takes part its weights stay as they are; the fusion divides them among all others.

        Args:
            weights: the result of `weights`.
            taking_part: the channels that found something.
        """
        active = frozenset(taking_part)
        result = dict(weights)
        for side in dict.fromkeys(slot.side for slot in self.slots):
            members = [slot.name for slot in self.slots if slot.side == side]
            present = {name for name in members if name in active and weights[name] > 0}
            if present and len(present) < len(members):
                total = math.fsum(weights[name] for name in members)
                shares = share_out({name: weights[name] for name in members}, present)
                result |= {name: total * share for name, share in shares.items()}
        return result

    def _divide_kind(
        self, kind: str, value: float, own: Mapping[str, float], result: dict[str, float], given: Mapping[str, float]
    ) -> None:
        takers = [slot.name for slot in self.slots if slot.kind == kind and slot.name not in own]
        sharing = [s.name for s in self.slots if spec_of(s.kind).shares_weight_of == kind and s.name not in own]
        groups = [group for group in (takers, sharing) if group]
        if value > 0 and not groups:
            raise InvalidWeights(weights=as_text(given), reason=f"all channels of {kind} have weights of their own")
        for group in groups:
            for name in group:
                result[name] = value / len(groups) / len(group)

    def _named(self, name: str) -> Slot | None:
        for slot in self.slots:
            if name == slot.name or (slot.space is not None and name == slot.space.name):
                return slot
        return next((slot for slot in self.slots if slot.kind == name), None)


def with_share(given: Mapping[str, float], kind: str, share: float) -> dict[str, float]:
    """The weights with one for `kind` that is `share` of all (0 to 1), unless it is among them; others keep theirs."""
    weights = dict(given)
    total = math.fsum(value for value in weights.values() if isinstance(value, Real) and not isinstance(value, bool))
    if kind in weights or not 0 < total < math.inf:
        return weights
    return {**{name: value / total * (1 - share) for name, value in weights.items()}, kind: share}


def without_people(given: Mapping[str, float]) -> dict[str, float]:
    """The weights for a query that names nobody, where one for people says nothing. Raises InvalidWeights."""
    weights = {name: value for name, value in given.items() if name != "people"}
    if given and not weights:
        reason = "people counts where a query says who comes first, as in person: Anna, red car"
        raise InvalidWeights(weights=as_text(given), reason=reason)
    return weights


def checked(name: str, value: object, weights: Mapping[str, float]) -> float:
    """The weight `value` of the channel `name` as a float from 0 to 1. Raises InvalidWeights with all `weights`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidWeights(weights=as_text(weights), reason=f"{name} is not a number")
    number = float(value)
    if not (0.0 <= number <= 1.0):  # also refuses NaN
        raise InvalidWeights(weights=as_text(weights), reason=f"{name} = {value} is outside 0 to 1")
    return number


def as_text(weights: Mapping[str, float]) -> str:
    """Weights as an error message shows them: "transcript=0.3, vision=0.7"."""
    return ", ".join(f"{name}={value}" for name, value in weights.items()) or "(none)"


def plan_of(spaces: Mapping[str, Space], requested: Sequence[str] = (), on_request: Sequence[str] = ()) -> Plan:
    """The channels of a search.

    Args:
        spaces: the spaces of a model set, by role.
        requested: names of spaces to search instead of the first one of their kind; see `resolve`.
        on_request: kinds that only this search has (ChannelSpec.is_on_request).

    Raises UnknownName.
    """
    chosen = {resolve(name, spaces).name for name in requested}
    slots: list[Slot] = []
    for spec in channels.CHANNELS:
        kind = spec.kind
        if spec.is_on_request and kind not in on_request:
            continue
        if spec.space_role is None:
            slots.append(Slot(kind, kind))
            continue
        of_kind = [space for space in dict.fromkeys(spaces.values()) if kind_of(space.name) == kind]
        named = [Slot(space.name, kind, space) for space in of_kind if space.name in chosen]
        first = spaces.get(spec.space_role)  # None where scenes have no captions
        second = spaces.get(spec.second_role) if spec.second_role else None
        slots += named or ([Slot(kind, kind, first, second)] if first is not None else [])
    return Plan(tuple(slots), tuple(slot.space.name for slot in slots if slot.space and slot.space.name in chosen))


def resolve(name: str, spaces: Mapping[str, Space]) -> Space:
    """A space by its name, its role, or the part of its name after the slash where only one space has it.

    Args:
        name: for example "text/bge-m3", "text" or "bge-m3".
        spaces: by role.

    Raises UnknownName, with the most similar names first.
    """
    by_name = {space.name: space for space in spaces.values()}
    if name in by_name:
        return by_name[name]
    if name in spaces:
        return spaces[name]
    # The caption space is named after the text model and would make every short name of a text space ambiguous.
    plain = [space for space in by_name.values() if kind_of(space.name) in channel_names()]
    found = [space for space in plain if space.name.partition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    known = [space.name for space in found] if found else _most_similar_first(name, list(by_name))
    raise UnknownName(kind="space", name=name, known=", ".join(known))


def _most_similar_first(name: str, known: list[str]) -> list[str]:
    def similarity(other: str) -> float:
        folded = other.casefold()
        forms = (folded, folded.partition("/")[2])
        return max(difflib.SequenceMatcher(None, name.casefold(), form).ratio() for form in forms)

    return sorted(known, key=similarity, reverse=True)
