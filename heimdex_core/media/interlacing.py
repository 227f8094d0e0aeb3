"""Measures whether frames are interlaced: whether every second line shows another moment than the lines between.

Where something moves, a line is compared with the mean of its two neighbours in the same frame, once as it is and
once as it is in the frame before and in the one after. Lines of one moment fit best as they are. In interlaced
frames the lines of one field fit their neighbours just as well in the frame before, those of the other field in the
frame after, depending on which field comes first; in the opposite frame they are three fields away.

ffmpeg's idet compares the same lines, but over the whole image, and takes fine progressive patterns for interlaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]

_COLUMNS = 360
"""About as many columns are looked at; all lines are."""
_MOVES = 12
"""Levels by which a pixel changes where something moves; less is noise."""
_LEAST_MOVING = 0.002
"""Part of the pixels that must move for an answer."""
# Ratios of summed differences. Of interlaced frames the better order has about 1, the other 1.3 to 3; of progressive
# ones both have the same, 1.1 and more where fine detail moves slowly, far more else. Patterns that are aligned with
# the lines are in between: there the orders must differ more.
_AS_GOOD, _UNLIKE = 1.15, 1.2
_NEARLY_AS_GOOD, _VERY_UNLIKE = 1.4, 1.6
_WORSE, _ALIKE = 1.1, 1.1

Fields = Literal["tff", "bff", "progressive"]
"""Interlaced with the top or the bottom field first, or not interlaced."""


def narrowed(image: Luma) -> Luma:
    """A copy with the columns that are looked at."""
    return image[:, :: max(1, image.shape[1] // _COLUMNS)].copy()


def field_order(before: Luma, frame: Luma, after: Luma) -> Fields | None:
    """How `frame` is made of fields; None where too little moves, or where it cannot be told.

    The three are consecutive frames of one size, (height, width) uint8.
    """
    step = max(1, frame.shape[1] // _COLUMNS)
    b, f, a = (image[:, ::step].astype(np.int16) for image in (before, frame, after))
    changed = np.maximum(np.abs(f - b), np.abs(f - a)) > _MOVES
    moving = changed[1:-1] | changed[:-2] | changed[2:]
    if moving.size == 0 or moving.mean() < _LEAST_MOVING:
        return None
    neighbours = f[:-2] + f[2:]

    def misfit(lines: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
        """(misfit of the odd lines, of the even lines), with their neighbours in `frame`."""
        difference = np.abs(neighbours - 2 * lines[1:-1]) * moving
        return np.array([difference[0::2].sum(dtype=np.float64), difference[1::2].sum(dtype=np.float64)])

    own, earlier, later = misfit(f), misfit(b), misfit(a)
    # the odd lines are the bottom field: with the top field first, that of the frame before is as near in time
    top_first, bottom_first = earlier[0] + later[1], later[0] + earlier[1]
    as_it_is = max(own.sum(), 1.0)
    better, worse = sorted((top_first / as_it_is, bottom_first / as_it_is))
    if better > _NEARLY_AS_GOOD or (better > _WORSE and worse < _ALIKE * better):
        return "progressive"
    if worse > (_UNLIKE if better < _AS_GOOD else _VERY_UNLIKE) * better:
        return "tff" if top_first < bottom_first else "bff"
    return None


def count_fields(frames: Sequence[Luma]) -> dict[Fields, int]:
    """How many of the frames, which follow each other and have one size, are of which kind."""
    counted: dict[Fields, int] = {"tff": 0, "bff": 0, "progressive": 0}
    for before, frame, after in zip(frames, frames[1:], frames[2:], strict=False):
        found = field_order(before, frame, after)
        if found is not None:
            counted[found] += 1
    return counted
