"""The colours that most of a scene is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_BITS = 3
_ALIKE = 48.0
"""Euclidean distance in RGB under which two means count as one colour."""
_LEAST_SHARE = 0.05


def dominant_colours(images: Sequence[npt.NDArray[np.uint8]], *, count: int = 3) -> tuple[str, ...]:
    """Up to `count` colours as #rrggbb, most common first: means of the fullest cells of an 8x8x8 RGB grid.

    Neighbouring cells that hold nearly the same colour count as one; what covers under 5 % is left out.
    """
    if not images:
        return ()
    pixels = np.concatenate([image[:: _step(image), :: _step(image)].reshape(-1, 3) for image in images])
    cells = pixels >> (8 - _BITS)
    keys = (cells[:, 0].astype(np.int64) << (2 * _BITS)) | (cells[:, 1].astype(np.int64) << _BITS) | cells[:, 2]
    sizes = np.bincount(keys, minlength=1 << (3 * _BITS))
    sums = np.stack([np.bincount(keys, pixels[:, n], minlength=sizes.size) for n in range(3)], axis=1)
    found: list[tuple[float, npt.NDArray[np.float64]]] = []
    for cell in np.argsort(-sizes, kind="stable")[:32]:
        if sizes[cell] == 0:
            break
        mean = sums[cell] / sizes[cell]
        for n, (size, colour) in enumerate(found):
            if np.linalg.norm(colour - mean) < _ALIKE:
                found[n] = (size + sizes[cell], colour)
                break
        else:
            found.append((float(sizes[cell]), mean))
    found.sort(key=lambda c: -c[0])
    kept = [colour for size, colour in found if size >= _LEAST_SHARE * len(pixels)][:count]
    return tuple("#" + "".join(f"{round(float(value)):02x}" for value in colour) for colour in kept)


def _step(image: npt.NDArray[np.uint8]) -> int:
    return max(1, max(image.shape[:2]) // 64)
