"""Still images on disk, and the measures that keyframes are chosen by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import FileUnreadable
from heimdex_core.files import atomic_path
from heimdex_core.media.limits import most_pixels

Image = npt.NDArray[np.uint8]
"""RGB unless stated otherwise, (height, width, 3) uint8."""


def write_webp(image: Image, path: Path, *, quality: int, width_px: int | None = None) -> None:
    """Write a lossy WebP file atomically. Raises DiskFull.

    Args:
        image: RGB, (height, width, 3) uint8.
        path: the file; an existing one is replaced.
        quality: 0 (smallest file) to 100 (best image).
        width_px: wider images are reduced to this width; narrower ones are not enlarged.
    """
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(image))
    if width_px is not None and picture.width > width_px:
        height_px = max(1, round(picture.height * width_px / picture.width))
        picture = picture.resize((width_px, height_px), Pillow.Resampling.LANCZOS, reducing_gap=2.0)
    with atomic_path(path, needed_bytes=image.nbytes) as partial:
        picture.save(partial, "WEBP", quality=quality, method=2)


def read_image(path: Path) -> Image:
    """Read a WebP or JPEG file as RGB, (height, width, 3) uint8, upright as its EXIF says.

    Raises FileUnreadable, also for one with more pixels than a frame of a video may have.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        # only what this software writes: Pillow's readers of other formats are not needed, and have had faults
        with Pillow.open(path, formats=("WEBP", "JPEG")) as picture:
            if picture.width * picture.height > most_pixels():
                size = f"{picture.width} x {picture.height} pixels"
                raise FileUnreadable(filename=path.name, reason=f"it has {size}, more than {most_pixels()}")
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error


def luma(image: Image) -> npt.NDArray[np.uint8]:
    """BT.601 luma of an RGB image: Y = 0.299 R + 0.587 G + 0.114 B, (height, width) uint8."""
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def brightness(image: Image) -> float:
    """Mean luma of an RGB image, 0 (black) to 255 (white)."""
    return float(luma(image).mean())


def sharpness(image: Image) -> float:
    """Variance of the Laplacian of the luma (Pech-Pacheco et al., 2000); from 0 for an image of one colour."""
    import cv2

    return float(cv2.Laplacian(luma(image), cv2.CV_64F).var())
