"""Text that can be read in the picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text in an image. Places and sizes are shares of the image's width and height, 0 to 1."""

    text: str
    confidence: float
    """Mean probability of its characters, 0 to 1."""
    x: float
    """The left edge of the upright rectangle around it."""
    y: float
    """The upper edge."""
    width: float
    height: float


@dataclass(frozen=True)
class FrameText:
    """The lines of one keyframe, from top to bottom; `file` is its name in frames/."""

    file: str
    lines: tuple[TextLine, ...]
