"""Still pictures on disk, and the two measures a keyframe is judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from heimdex_core.errors import FileUnreadable
from heimdex_core.files import atomic_path

Image = npt.NDArray[np.uint8]
"""RGB, (height, width, 3)."""


def write_webp(image: Image, path: Path, *, quality: int, width_px: int | None = None) -> None:
    """Write a lossy WebP, at most `width_px` wide (never enlarged); whole or not at all. Raises DiskFull."""
    picture = Pillow.fromarray(np.ascontiguousarray(image))
    if width_px is not None and picture.width > width_px:
        height_px = max(1, round(picture.height * width_px / picture.width))
        picture = picture.resize((width_px, height_px), Pillow.Resampling.LANCZOS, reducing_gap=2.0)
    with atomic_path(path, needed_bytes=image.nbytes) as partial:
        picture.save(partial, "WEBP", quality=quality, method=2)


def read_image(path: Path) -> Image:
    """A picture file as RGB, upright by its EXIF. Raises FileUnreadable."""
    from PIL import ImageOps

    try:
        with Pillow.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, Pillow.DecompressionBombError) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error


def luma(image: Image) -> npt.NDArray[np.uint8]:
    """(height, width) BT.601 luma, 0 to 255."""
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def brightness(image: Image) -> float:
    """Mean luma, 0 to 255."""
    return float(luma(image).mean())


def sharpness(image: Image) -> float:
    """Variance of the Laplacian of the luma (Pech-Pacheco et al., 2000); 0 for a flat picture."""
    import cv2

    return float(cv2.Laplacian(luma(image), cv2.CV_64F).var())
