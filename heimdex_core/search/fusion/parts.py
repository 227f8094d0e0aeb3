"""What each channel adds to the fused score of a scene: one array a channel, because there are thousands of scenes, and
a search is fused again at every change of a weight."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from heimdex_core.store.ordering import Numbers

Floats = npt.NDArray[np.float64]


class Part(NamedTuple):
    """One channel's part in the fused score of a scene."""

    normalised: float
    """The channel's score in the units of the method, before weighting."""
    contribution: float
    """What the channel adds to the fused score; never negative."""


@dataclass(frozen=True, eq=False)
class ChannelParts:
    """The parts of one channel, in the order of its scenes."""

    scene_ids: Sequence[str]
    normalised: Floats
    """(n,)"""
    contributions: Floats
    """(n,)"""

    def scaled(self, places: Numbers, factors: Floats) -> ChannelParts:
        """The same with the contributions at these places multiplied."""
        contributions = self.contributions.copy()
        contributions[places] *= factors
        return replace(self, contributions=contributions)


Parts = Mapping[str, "ChannelParts | Mapping[str, Part]"]
"""By channel: what it adds, as arrays or by scene_id."""


def as_arrays(parts: ChannelParts | Mapping[str, Part]) -> ChannelParts:
    """The parts of one channel as arrays, however a method has made them."""
    if isinstance(parts, ChannelParts):
        return parts
    values = np.array(list(parts.values()), dtype=np.float64).reshape(-1, 2)
    return ChannelParts(list(parts), values[:, 0], values[:, 1])


class PartsByNumber:
    """The parts of all channels, by the number of the scene; each is made when it is asked for."""

    def __init__(self, numbers: Mapping[str, Numbers], parts: Mapping[str, ChannelParts]) -> None:
        """`numbers` are those of the scenes of each channel's parts."""
        self._numbers = numbers
        self._parts = parts
        self._places: dict[str, dict[int, int]] = {}

    @property
    def channels(self) -> Collection[str]:
        """The channels that have parts."""
        return self._parts.keys()

    def place(self, channel: str, number: int) -> int | None:
        """Where the scene is in the channel's parts; None if it has none there."""
        if channel not in self._parts:
            return None
        places = self._places.get(channel)
        if places is None:
            numbers = self._numbers[channel].tolist()
            places = self._places[channel] = dict(zip(numbers, range(len(numbers)), strict=True))
        return places.get(number)

    def part(self, channel: str, place: int) -> Part:
        """The part at a place."""
        parts = self._parts[channel]
        return Part(float(parts.normalised[place]), float(parts.contributions[place]))


class PartsOf(Mapping[str, Part]):
    """The parts of one scene by channel, looked up when they are asked for: most scenes are on no page."""

    __slots__ = ("_number", "_parts")

    def __init__(self, number: int, parts: PartsByNumber) -> None:
        self._number = number
        self._parts = parts

    def __getitem__(self, channel: str) -> Part:
        place = self._parts.place(channel, self._number)
        if place is None:
            raise KeyError(channel)
        return self._parts.part(channel, place)

    def get(self, channel: str, default: Any = None) -> Any:
        """See Mapping. That of Mapping raises an error for each channel that has none, which takes as long again."""
        place = self._parts.place(channel, self._number)
        return default if place is None else self._parts.part(channel, place)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._parts.channels if self._parts.place(name, self._number) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
