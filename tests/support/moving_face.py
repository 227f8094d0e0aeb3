"""A face from a photograph as the target of a clip; the photograph is not part of this repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from heimdex_core.media.images import Image
from heimdex_core.models.base import Face
from tests.support.moving_target import TARGET

_AROUND = 0.55
"""How much of what is around the face is taken with it, as a share of its width and height."""


class FaceTarget:
    """A Draw: the largest face of a photograph, as wide as targets are, with what is around it fading out."""

    def __init__(self, photograph: Image, faces: list[Face]) -> None:
        self._photograph = photograph
        self._face = max(faces, key=lambda face: face.width * face.height)

    def __call__(self, image: Image, x: float, number: int) -> None:
        """Draw it; every second one is mirrored."""
        height, width = image.shape[:2]
        head, alpha = self._sized(2 * TARGET * width)
        if number % 2:
            head, alpha = head[:, ::-1], alpha[:, ::-1]
        left, top = round(x * width - head.shape[1] / 2), round(0.45 * height - head.shape[0] / 2)
        first, last = max(0, -left), min(head.shape[1], width - left)
        under = image[top : top + head.shape[0], left + first : left + last]
        mixed = under * (1 - alpha[:, first:last]) + head[:, first:last] * alpha[:, first:last]
        under[:] = np.round(mixed).astype(np.uint8)

    def _sized(self, face_px: float) -> tuple[Image, np.ndarray]:
        """(the head, its opacity 0 to 1) with a face of this width."""
        face, (rows, columns) = self._face, self._photograph.shape[:2]
        box = (
            round((face.x - _AROUND * face.width) * columns),
            round((face.y - _AROUND * face.height) * rows),
            round((face.x + (1 + _AROUND) * face.width) * columns),
            round((face.y + (1 + _AROUND) * face.height) * rows),
        )
        scale = face_px / (face.width * columns)
        size = (round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale))
        head = Pictures.fromarray(self._photograph).crop(box).resize(size, Pictures.Resampling.LANCZOS)
        y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
        return np.asarray(head), np.clip((1 - np.hypot(x, y)) * 6, 0, 1)[..., None]


def read_picture(path: Path) -> Image:
    """A picture as RGB."""
    with Pictures.open(path) as opened:
        return np.asarray(opened.convert("RGB"))
