"""The filter that draws captions into the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heimdex_core.media.colour import filters_text


@dataclass(frozen=True)
class CaptionLayer:
    """Captions as files, in times of the output."""

    path: Path
    """An ASS file made for the size of the output."""
    fonts: Path
    """A folder with every font that the file names."""
    left_out: str = ""
    """Characters, each once, that are not drawn because no font has them."""
    font_missing: bool = False
    """Whether a font that comes with the app was not found and another one is used."""


def caption_filter(layer: CaptionLayer) -> str:
    """The filter in ffmpeg's syntax; it must be the last of the video, and used once."""
    return filters_text([
        ("ass", {"filename": str(layer.path.resolve()), "fontsdir": str(layer.fonts.resolve()), "shaping": "complex"})
    ])  # fmt: skip
