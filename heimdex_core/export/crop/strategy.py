"""What a strategy is: how the pictures of a clip are put into a frame of another shape."""

from __future__ import annotations

from dataclasses import dataclass

from heimdex_core.media.framing import FramingKind


@dataclass(frozen=True, slots=True)
class CropStrategy:
    """One strategy, registered in export/crop/__init__.py."""

    name: str
    """Stored with every export, so it must not change."""
    kind: FramingKind
    follows: bool = False
    """Whether it needs a crop path, which is planned for the clip or given."""
