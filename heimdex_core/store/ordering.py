"""The order of scored scenes: best first, and equal ones always in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def best_first(
    scores: npt.NDArray[np.floating], scene_ids: Sequence[str], ranks: npt.NDArray[np.int64] | None = None
) -> list[int]:
    """The positions (n,) of scenes by score, of equal ones by rank, if given, and then by id.

    Args:
        scores: (n,) higher ones come first.
        scene_ids: n ids, each once.
        ranks: (n,) lower ones come first.
    """
    keys = (-scores,) if ranks is None else (ranks, -scores)
    order = np.lexsort(keys)
    is_same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for key in keys:
        is_same &= np.diff(key[order]) == 0
    if is_same.any():
        # only the ids of equal ones are sorted: comparing thousands of texts takes longer than all the rest
        equal = order[np.append(is_same, False) | np.append(False, is_same)]
        by_id = np.zeros(len(scene_ids), dtype=np.int64)
        by_id[sorted(equal.tolist(), key=scene_ids.__getitem__)] = np.arange(len(equal))
        order = np.lexsort((by_id, *keys))
    positions: list[int] = order.tolist()
    return positions
