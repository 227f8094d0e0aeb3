"""How captions look (STYLES), and where they stand (POSITIONS). To add one, add a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from heimdex_core.errors import UnknownName


@dataclass(frozen=True)
class CaptionStyle:
    """Lengths are in em, colours are RRGGBB."""

    text: str = "FFFFFF"
    outline: str = "000000"
    outline_em: float = 0.07
    shadow_em: float = 0.03
    box_em: float = 0.0
    """How far a box behind the text reaches beyond it; 0 for no box."""
    box_alpha: int = 0
    """0 (opaque) to 255 (invisible)."""
    spoken: str | None = None
    """Colour of the word that is being said; None for that of the others."""

    @property
    def beyond_em(self) -> float:
        """How far the outline, shadow or box reaches beyond the text."""
        return self.box_em or self.outline_em + self.shadow_em


@dataclass(frozen=True)
class CaptionPosition:
    """Where the block of lines stands in the frame."""

    vertical: Literal["bottom", "middle"]
    wide_share: float = 0.0
    """How much of the height stays free below it in frames that are at least as wide as they are high."""
    tall_share: float = 0.0
    """The same in higher frames, whose lowest 15 % the pages of video services draw over."""

    def bottom_share(self, width: int, height: int) -> float:
        """How much of the height stays free below it in a frame of that size."""
        return self.wide_share if width >= height else self.tall_share


STYLES: dict[str, CaptionStyle] = {
    "plain": CaptionStyle(),
    "boxed": CaptionStyle(outline_em=0.0, shadow_em=0.0, box_em=0.28, box_alpha=70),
    "karaoke": CaptionStyle(outline_em=0.09, spoken="FFD60A"),
}

POSITIONS: dict[str, CaptionPosition] = {
    "low": CaptionPosition("bottom", 0.05, 0.16),
    "safe": CaptionPosition("bottom", 0.18, 0.18),
    "middle": CaptionPosition("middle"),
}

ABOVE_CAPTIONS = CaptionPosition("bottom", 0.22, 0.30)
"""Above two lines of captions, wherever they stand at the bottom; in wide frames, "low" ones."""


def caption_style(name: str) -> CaptionStyle:
    """The style of that name. Raises UnknownName."""
    if name not in STYLES:
        raise UnknownName(kind="caption style", name=name, known=", ".join(STYLES))
    return STYLES[name]


def caption_position(name: str) -> CaptionPosition:
    """The position of that name. Raises UnknownName."""
    if name not in POSITIONS:
        raise UnknownName(kind="caption position", name=name, known=", ".join(POSITIONS))
    return POSITIONS[name]
