"""Pictures with text drawn on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from heimdex_core.export.captions import fonts

FONTS = Path(fonts.__file__).parent / "fonts"
Line = tuple[str, int, int, int, str]
"""Text, left and upper edge, size, all in pixels, and the colour."""


def picture(*lines: Line, size: tuple[int, int] = (512, 288), ground: str = "#303030") -> npt.NDArray[np.uint8]:
    """An RGB picture (height, width, 3) with lines of text."""
    image = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(image)
    for text, x, y, size_px, colour in lines:
        name = "DejaVuSans-Bold.ttf" if text.isascii() else "NanumSquareB.ttf"
        pen.text((x, y), text, font=ImageFont.truetype(FONTS / name, size_px), fill=colour)
    return np.array(image)
