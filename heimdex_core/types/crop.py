"""Where a crop lies in a video, over time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from heimdex_core.errors import InvalidValue

MAX_KEYFRAMES = 40_000
"""More than one for every frame of the longest short at 60 frames a second."""


@dataclass(frozen=True, slots=True)
class CropKeyframe:
    """Where the middle of the crop is at one moment. Raises InvalidValue unless time_s >= 0 and x, y are 0 to 1."""

    time_s: float
    """Player time of the source in seconds."""
    x: float
    """Share of the upright picture's width, from the left. A crop never leaves the picture: where the middle is nearer
    to an edge than half a crop, the crop lies at that edge."""
    y: float = 0.5
    """Share of the upright picture's height, from the top; as x."""
    cut: bool = False
    """Whether the crop jumps here at this moment; else it moves here from the keyframe before."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.time_s) and self.time_s >= 0):
            raise InvalidValue(name="time_s", value=str(self.time_s), reason="it must be 0 or more")
        for name, value in (("x", self.x), ("y", self.y)):
            if not 0 <= value <= 1:
                raise InvalidValue(name=name, value=str(value), reason="it must be 0 to 1")


@dataclass(frozen=True, slots=True)
class CropPath:
    """Where the middle of a crop is at any moment. Raises InvalidValue unless there are keyframes and times rise."""

    keyframes: tuple[CropKeyframe, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.keyframes) <= MAX_KEYFRAMES:
            reason = f"there must be 1 to {MAX_KEYFRAMES}"
            raise InvalidValue(name="keyframes", value=str(len(self.keyframes)), reason=reason)
        for before, after in zip(self.keyframes, self.keyframes[1:], strict=False):
            if before.time_s >= after.time_s:
                times = f"{before.time_s:.3f} s, {after.time_s:.3f} s"
                raise InvalidValue(name="keyframes", value=times, reason="their times must rise")

    def at(self, time_s: float) -> tuple[float, float]:
        """(x, y) at a moment: on a straight line between two keyframes, held before a cut and outside the path."""
        keyframes = self.keyframes
        n = bisect_right(keyframes, time_s, key=lambda keyframe: keyframe.time_s)
        before = keyframes[max(n - 1, 0)]
        after = keyframes[min(n, len(keyframes) - 1)]
        if n == 0 or before is after or after.cut:
            return before.x, before.y
        share = (time_s - before.time_s) / (after.time_s - before.time_s)
        return before.x + share * (after.x - before.x), before.y + share * (after.y - before.y)

    def simplified(self, tolerance: float) -> CropPath:
        """A path with fewer keyframes that differs from this one by at most `tolerance` in x and in y.

        By the algorithm of Douglas and Peucker ("Algorithms for the reduction of the number of points required to
        represent a digitized line", 1973), with the distance at equal times. Cuts stay.
        """
        kept: list[CropKeyframe] = []
        for shot in _shots(self.keyframes):
            kept += _reduced(shot, tolerance)
        return CropPath(tuple(kept))


def _shots(keyframes: Sequence[CropKeyframe]) -> Iterator[Sequence[CropKeyframe]]:
    """The keyframes between cuts. Before a cut the last position is held, so nothing is lost between them."""
    starts = [0, *(n for n, keyframe in enumerate(keyframes) if keyframe.cut and n), len(keyframes)]
    for start, end in zip(starts, starts[1:], strict=False):
        yield keyframes[start:end]


def _reduced(shot: Sequence[CropKeyframe], tolerance: float) -> list[CropKeyframe]:
    kept = {0, len(shot) - 1}
    waiting = [(0, len(shot) - 1)]
    while waiting:
        first, last = waiting.pop()
        line = CropPath((shot[first], replace(shot[last], cut=False))) if last - first > 1 else None
        if line is None:
            continue
        distances = [_distance(line.at(shot[n].time_s), shot[n]) for n in range(first + 1, last)]
        farthest = max(range(len(distances)), key=distances.__getitem__)
        if distances[farthest] > tolerance:
            middle = first + 1 + farthest
            kept.add(middle)
            waiting += [(first, middle), (middle, last)]
    ordered = [shot[n] for n in sorted(kept)]
    # a position that is only held needs one keyframe
    if len(ordered) == 2 and _distance((ordered[0].x, ordered[0].y), ordered[1]) == 0:
        ordered.pop()
    return ordered


def _distance(point: tuple[float, float], keyframe: CropKeyframe) -> float:
    return max(abs(point[0] - keyframe.x), abs(point[1] - keyframe.y))
