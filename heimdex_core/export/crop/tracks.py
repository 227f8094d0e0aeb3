"""What is seen in a shot, joined to tracks over time, of which one at a time is followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

KEEP_S = 3.0
"""How long a track that is not seen is still the one that is followed, while others are."""
SWITCH_RATIO = 5.0
"""How much more another track must weigh, from SWITCH_S before to SWITCH_S after a moment, to be followed instead."""
SWITCH_S = 2.0


@dataclass(frozen=True, slots=True)
class Extent:
    """Something seen at one moment: [low, high] along the direction in which the crop moves, shares of the picture."""

    low: float
    high: float
    weight: float

    @property
    def middle(self) -> float:
        """Its middle, as a share of the picture."""
        return (self.low + self.high) / 2


@dataclass
class Track:
    """One thing over time: what was seen of it, by number of the moment."""

    seen: dict[int, Extent] = field(default_factory=dict)

    def weight(self, start: int, end: int) -> float:
        """Sum of the weights at the moments [start, end)."""
        return sum(extent.weight for n, extent in self.seen.items() if start <= n < end)


def join_tracks(moments: Sequence[Sequence[Extent]], per_s: float) -> list[Track]:
    """Tracks of what was seen at moments that come `per_s` times a second; nearest first, not too far apart."""
    tracks: list[Track] = []
    for n, extents in enumerate(moments):
        free = [track for track in tracks if n - max(track.seen) <= KEEP_S * per_s]
        pairs = sorted(
            (_gap(track.seen[max(track.seen)], extent), t, e)
            for t, track in enumerate(free)
            for e, extent in enumerate(extents)
        )
        taken_tracks: set[int] = set()
        taken: set[int] = set()
        for gap, t, e in pairs:
            if gap < 0.12 and t not in taken_tracks and e not in taken:
                free[t].seen[n] = extents[e]
                taken_tracks.add(t)
                taken.add(e)
        tracks += [Track({n: extent}) for e, extent in enumerate(extents) if e not in taken]
    return tracks


def followed(tracks: Sequence[Track], count: int, per_s: float) -> list[Track | None]:
    """Which track is followed at each of `count` moments: one as long as possible. None where nothing is seen yet."""
    chosen: list[Track | None] = []
    current: Track | None = None
    ahead = max(1, round(SWITCH_S * per_s))
    for n in range(count):
        first = 0 if current is None else n - ahead
        weights = [(track.weight(first, n + ahead) if track.weight(n, n + ahead) else 0.0, -t)
                   for t, track in enumerate(tracks)]  # fmt: skip
        best_weight, best = max(weights, default=(0.0, 0))
        if best_weight > 0:
            rival = tracks[-best]
            if current is None:
                current = rival
            elif rival is not current:
                own = current.weight(first, n + ahead)
                is_lost = n - max((m for m in current.seen if m <= n), default=n) > KEEP_S * per_s
                if (is_lost and not current.weight(n, n + ahead)) or (own and best_weight > SWITCH_RATIO * own):
                    current = rival
        chosen.append(current)
    return chosen


def _gap(before: Extent, after: Extent) -> float:
    """How far two extents are apart: between their middles, or their edges where those are nearer (one grew)."""
    edges = max(0.0, max(before.low, after.low) - min(before.high, after.high))
    return min(abs(before.middle - after.middle), edges + 0.05)
