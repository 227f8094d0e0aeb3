"""What each channel adds to the fused score of a scene: one array a channel, because there are thousands of scenes, and
a search is fused again at every change of a weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Part(NamedTuple):
    """One channel's part in the fused score of a scene."""

    normalised: float
    """The channel's score in the units of the method, before weighting."""
    contribution: float
    """What the channel adds to the fused score; never negative."""


class ChannelParts(Mapping[str, Part]):
    """The parts of one channel by scene_id; each is made when it is asked for."""

    __slots__ = ("contributions", "normalised", "positions")

    def __init__(self, positions: Mapping[str, int], normalised: Floats, contributions: Floats) -> None:
        """`positions` are those of the scenes in the two arrays (n,), in order: 0, 1, 2 and so on."""
        self.positions = positions
        self.normalised = normalised
        self.contributions = contributions

    def __getitem__(self, scene_id: str) -> Part:
        position = self.positions[scene_id]
        return Part(float(self.normalised[position]), float(self.contributions[position]))

    def __contains__(self, scene_id: object) -> bool:
        return scene_id in self.positions

    def __iter__(self) -> Iterator[str]:
        return iter(self.positions)

    def __len__(self) -> int:
        return len(self.positions)

    def scaled(self, factors: Mapping[str, float]) -> ChannelParts:
        """The same with the contributions of some scenes multiplied."""
        contributions = self.contributions.copy()
        for scene_id, factor in factors.items():
            contributions[self.positions[scene_id]] *= factor
        return ChannelParts(self.positions, self.normalised, contributions)


class PartsOf(Mapping[str, Part]):
    """The parts of one scene by channel, looked up when they are asked for: most scenes are on no page."""

    __slots__ = ("_by_channel", "_scene_id")

    def __init__(self, scene_id: str, by_channel: Mapping[str, Mapping[str, Part]]) -> None:
        self._scene_id = scene_id
        self._by_channel = by_channel

    def __getitem__(self, channel: str) -> Part:
        return self._by_channel[channel][self._scene_id]

    def __iter__(self) -> Iterator[str]:
        return (channel for channel, by_scene in self._by_channel.items() if self._scene_id in by_scene)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def as_arrays(by_scene: Mapping[str, Part]) -> ChannelParts:
    """The parts of one channel as arrays, however a method has made them."""
    if isinstance(by_scene, ChannelParts):
        return by_scene
    positions = {scene_id: position for position, scene_id in enumerate(by_scene)}
    values = np.array(list(by_scene.values()), dtype=np.float64).reshape(-1, 2)
    return ChannelParts(positions, values[:, 0], values[:, 1])
