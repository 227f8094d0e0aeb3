"""The calmest path through what is allowed at each moment: still where it can be, and with the fewest reversals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Point = tuple[int, float]


def calmest_path(times_s: Floats, low: Floats, high: Floats, preferred: float) -> list[Point]:
    """Corners (index of the moment, position) of the shortest path with low <= position <= high; ends are free.

    It is the taut string (P. L. Davies and A. Kovac, "Local extremes, runs, strings and multiresolution", 2001), which
    has the fewest turning points of all paths through the same bounds.

    Args:
        times_s: (n,) rising moments in seconds.
        low, high: (n,) bounds, low <= high.
        preferred: where to stay if a single position is allowed all the time.
    """
    held = _first_bend(low, high)
    if isinstance(held, tuple):
        return [(0, float(np.clip(preferred, *held)))]
    at, position = held, float(high[held] if _must_rise(low, high, held) else low[held])
    corners = [(0, position)] + ([(at, position)] if at else [])
    while (bend := _next_bend(times_s, low, high, at, position)) is not None:
        at, position = bend
        corners.append(bend)
    return corners


def positions(corners: Sequence[Point], times_s: Floats) -> Floats:
    """(n,): the path at every moment; it stays at its last corner."""
    return np.interp(times_s, times_s[[n for n, _ in corners]], [position for _, position in corners])


def reversals(path: Floats, least: float) -> int:
    """How often a path turns round; movements of less than `least` do not count."""
    count, direction, extreme = 0, 0, float(path[0]) if len(path) else 0.0
    for value in path:
        step = float(value) - extreme
        if direction * step > 0:
            extreme = float(value)
        elif abs(step) >= least:
            count += direction != 0
            direction, extreme = (1 if step > 0 else -1), float(value)
    return count


def _first_bend(low: Floats, high: Floats) -> int | tuple[float, float]:
    """The moment up to which one position is allowed, where it must be left; or the bounds of one for all moments."""
    lowest, highest, at_low, at_high = low[0], high[0], 0, 0
    for n in range(len(low)):
        if low[n] > highest:
            return at_high
        if high[n] < lowest:
            return at_low
        if low[n] >= lowest:
            lowest, at_low = low[n], n
        if high[n] <= highest:
            highest, at_high = high[n], n
    return float(lowest), float(highest)


def _must_rise(low: Floats, high: Floats, at: int) -> bool:
    rises = np.nonzero(low > high[: at + 1].min())[0]
    falls = np.nonzero(high < low[: at + 1].max())[0]
    first_rise = rises[rises > at].min() if (rises > at).any() else len(low)
    first_fall = falls[falls > at].min() if (falls > at).any() else len(low)
    return bool(first_rise < first_fall)


def _next_bend(times_s: Floats, low: Floats, high: Floats, at: int, position: float) -> Point | None:
    """Where the straight line from a corner has to end; None where the path can stay until the end."""
    least, most = -np.inf, np.inf
    at_least = at_most = at
    for n in range(at + 1, len(low)):
        length_s = times_s[n] - times_s[at]
        slowest, fastest = (low[n] - position) / length_s, (high[n] - position) / length_s
        if slowest > most:
            return at_most, float(high[at_most])
        if fastest < least:
            return at_least, float(low[at_least])
        if slowest >= least:
            least, at_least = slowest, n
        if fastest <= most:
            most, at_most = fastest, n
    if least > 0:
        return at_least, float(low[at_least])
    if most < 0:
        return at_most, float(high[at_most])
    return None
