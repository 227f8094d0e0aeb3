"""Pictures that people search with. They come from anywhere, so only three formats are read, and no large ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from heimdex_core.errors import FileUnreadable, ImageTooLarge, InvalidValue, NotAnImage
from heimdex_core.models.base import Image

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_MEGAPIXELS = 80
"""Of a JPEG, which is decoded at a reduced size. Above it Pillow itself soon warns of a decompression bomb."""
MAX_MEGAPIXELS_WHOLE = 40
"""Of the other formats, which are decoded as a whole: 4 bytes a pixel, and as much again for what is transparent."""
SIDE_PX = 512
"""Longer pictures are reduced to it, as the candidates for keyframes are (HEIMDEX_CANDIDATE_SIDE_PX)."""
LEAST_SIDE_PX = 8

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as parts of the picture's width and height, 0 to 1."""


def read_picture(path: Path, box: Box | None = None, *, side_px: int = SIDE_PX) -> Image:
    """The picture in a file as RGB, (height, width, 3) uint8, upright, at most `side_px` long; `box` is cut out of it.

    Raises FileUnreadable, NotAnImage, ImageTooLarge, InvalidValue for a box that cannot be used.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    if not path.is_file():
        reason = "there is no such file" if not path.exists() else "it is not a file"
        raise FileUnreadable(filename=path.name, reason=reason)
    try:
        with Pillow.open(path, formats=FORMATS) as file:
            most = MAX_MEGAPIXELS if file.format == "JPEG" else MAX_MEGAPIXELS_WHOLE
            if file.width * file.height > most * 1_000_000:
                raise ImageTooLarge(filename=path.name, limit_megapixels=most)
            reduced = 2 * side_px / max(file.size)
            if box is None and reduced < 1:
                # of the formats only JPEG can
                file.draft(None, (math.ceil(reduced * file.width), math.ceil(reduced * file.height)))
            ImageOps.exif_transpose(file, in_place=True)
            upright: Pillow.Image = file
            if upright.mode.startswith("I"):  # 16 bits a pixel: Pillow would show everything above 255 as white
                upright = Pillow.fromarray((np.asarray(upright) >> 8).clip(0, 255).astype(np.uint8))
            part = upright if box is None else upright.crop(_pixels(box, upright.width, upright.height))
            has_alpha = "transparency" in part.info or part.mode in ("RGBA", "LA", "PA")
            mode = "RGBA" if has_alpha else "RGB"
            if part.mode not in ("L", mode) or (has_alpha and part.mode == "L"):
                part = part.convert(mode)
            # before it is put on white: each further copy at its full size takes as much memory as the picture
            part.thumbnail((side_px, side_px), Pillow.Resampling.LANCZOS, reducing_gap=2.0)
            if has_alpha:
                part = Pillow.alpha_composite(Pillow.new("RGBA", part.size, "white"), part)
            return np.array(part.convert("RGB"), dtype=np.uint8)
    except Pillow.DecompressionBombError as error:
        raise ImageTooLarge(filename=path.name, limit_megapixels=MAX_MEGAPIXELS) from error
    except PermissionError as error:
        raise FileUnreadable(filename=path.name, reason=str(error.strerror)) from error
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's readers raise any of them for damaged files
        reason = "it is none of these formats" if isinstance(error, Pillow.UnidentifiedImageError) else str(error)
        raise NotAnImage(filename=path.name, reason=reason[:200]) from error


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The box in pixels, at least LEAST_SIDE_PX on each side. Raises InvalidValue."""
    shown = ",".join(str(value)[:8] for value in box)
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise InvalidValue(name="box", value=shown, reason="four numbers from 0 to 1 are needed")
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InvalidValue(
            name="box", value=shown, reason="left, top, right and bottom must be from 0 to 1 and in order"
        )
    pixels = (math.floor(left * width), math.floor(top * height), math.ceil(right * width), math.ceil(bottom * height))
    if min(pixels[2] - pixels[0], pixels[3] - pixels[1]) < LEAST_SIDE_PX:
        raise InvalidValue(name="box", value=shown, reason=f"it must be at least {LEAST_SIDE_PX} pixels wide and high")
    return pixels
