"""The order of scored scenes: best first, and equal ones always in the same order; and sorted numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

N = TypeVar("N", bound=np.integer)
Numbers = npt.NDArray[np.int64]
KeyOf = Callable[[Numbers], npt.NDArray[np.generic]]
"""Gives the keys (m,) of the scenes at m positions."""


def distinct(numbers: npt.NDArray[N]) -> npt.NDArray[N]:
    """(m,) each of the numbers (n,) once, ascending. `np.unique` hashes, ten times as long for a few thousand."""
    ordered = np.sort(numbers)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def best_first(
    scores: npt.NDArray[np.floating], by_id: tuple[KeyOf, ...], ranks: npt.NDArray[np.integer] | None = None
) -> Numbers:
    """The positions (n,) of scenes by score, of equal ones by rank, if given, and then by id.

    Args:
        scores: (n,) higher ones come first.
        by_id: keys that together order scenes by id. Each is asked for the scenes that are equal until then: to make
            and compare the ids of thousands takes longer than all the rest.
        ranks: (n,) lower ones come first.
    """
    keys = (-scores,) if ranks is None else (ranks, -scores)
    order: Numbers = np.lexsort(keys)
    is_same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for key in keys:
        is_same &= np.diff(key[order]) == 0
    for key_of in by_id:
        if not is_same.any():
            break
        equal = np.flatnonzero(np.append(is_same, False) | np.append(False, is_same))
        groups = np.cumsum(np.append(True, ~is_same))[equal]
        values = key_of(order[equal])
        inner = np.lexsort((values, groups))
        order[equal] = order[equal][inner]
        is_same = np.zeros_like(is_same)
        still = (np.diff(groups) == 0) & (values[inner][1:] == values[inner][:-1])
        is_same[equal[:-1][still]] = True
    return order
