"""What moves, stands out or looks like text in small pictures, without a model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heimdex_core.export.crop.tracks import Extent
from heimdex_core.media.images import Image, luma

Map = npt.NDArray[np.float64]

_MOVES = 14
"""Levels by which a pixel changes where something moves."""
_LEAST_AREA, _MOST_AREA = 0.0008, 0.45
"""Shares of the picture: less is noise, more is the camera."""
_MOST_LENGTH = 0.8
"""Along the direction of the crop, as a share of the picture: what is longer is a fade or the light."""
_CUT_LEVEL = 27.0


def change(before: Image, after: Image) -> float:
    """How much two pictures differ: the mean change of hue, saturation and value (PySceneDetect's content value)."""
    import cv2

    pair = [cv2.cvtColor(cv2.resize(one, (64, 36), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HSV)
            for one in (before, after)]  # fmt: skip
    return float(np.abs(pair[0].astype(np.int16) - pair[1]).mean())


def is_cut(before: Image, after: Image) -> bool:
    """Whether a new shot begins with `after`."""
    return change(before, after) >= _CUT_LEVEL


def moving(before: Image, after: Image, *, down: bool) -> list[Extent]:
    """What moves between two pictures of one shot, apart from the camera.

    Args:
        before, after: RGB of one size.
        down: whether to return extents from top to bottom instead of from left to right.
    """
    import cv2

    old, new = (cv2.GaussianBlur(luma(image), (5, 5), 0) for image in (before, after))
    height, width = new.shape
    if width < 2:  # OpenCV's phaseCorrelate fails
        return []
    (dx, dy), response = cv2.phaseCorrelate(old.astype(np.float32), new.astype(np.float32))
    moved = response > 0.15 and max(abs(dx), abs(dy)) > 0.3 and abs(dx) < width / 4 and abs(dy) < height / 4
    if moved:
        shifted = cv2.warpAffine(
            old, np.array([[1, 0, dx], [0, 1, dy]]), (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        if np.abs(shifted.astype(np.int16) - new).mean() < np.abs(old.astype(np.int16) - new).mean():
            old = shifted
    mask = (cv2.absdiff(old, new) > _MOVES).astype(np.uint8)
    near = max(3, width // 24) | 1
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((near, near), np.uint8))
    joined = cv2.dilate(joined, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    total = width * height
    if count < 2 or stats[1:, cv2.CC_STAT_AREA].sum() > _MOST_AREA * total:
        return []
    found = []
    for n in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[n][:5])
        changed = int(mask[labels == n].sum())
        if changed < _LEAST_AREA * total / 2 or area < _LEAST_AREA * total:
            continue
        low, high = (y / height, (y + h) / height) if down else (x / width, (x + w) / width)
        if high - low < _MOST_LENGTH:
            found.append(Extent(low, high, area / total))
    return found


def interest(image: Image) -> Map:
    """(height, width): how much each pixel stands out, by contrast to its surroundings, detail and text."""
    import cv2

    gray = luma(image)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    # distance of the blurred colour to the mean one (Achanta et al., "Frequency-tuned salient region detection", 2009)
    standing_out = np.linalg.norm(cv2.GaussianBlur(lab, (5, 5), 0) - lab.mean(axis=(0, 1)), axis=2)
    detail = cv2.GaussianBlur(np.abs(cv2.Laplacian(gray, cv2.CV_32F)), (0, 0), 3)
    strokes = (np.abs(cv2.Sobel(gray, cv2.CV_32F, 1, 0)) > 80).astype(np.float32)
    # lines of text: strokes close to each other in a wide and low box
    text = (cv2.boxFilter(strokes, -1, (31, 7)) > 0.25).astype(np.float32)
    return np.asarray(_scaled(standing_out) + 0.5 * _scaled(detail) + text, np.float64)


def _scaled(values: npt.ArrayLike) -> Map:
    array = np.asarray(values, np.float64)
    most = float(array.max())
    return array / most if most > 0 else array


def best_place(profile: Map, share: float) -> float:
    """The middle of the part of a profile that holds most of it; of equal ones that nearest to the middle.

    Args:
        profile: (n,) interest along the direction of the crop.
        share: length of the part, as a share of the profile.
    """
    count = len(profile)
    length = max(1, round(share * count))
    sums = np.convolve(profile, np.ones(length), "valid")
    middles = (np.arange(len(sums)) + length / 2) / count
    mean = float(profile.sum()) * share
    # the middle is preferred unless something clearly stands out elsewhere
    scores = sums - 0.5 * (mean or 1.0) * np.abs(middles - 0.5)
    return float(middles[int(np.argmax(scores))])
