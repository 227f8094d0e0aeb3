"""Strategies for frames of another shape, one file each, and crop paths: planned (smart.py) and as files (files.py).

To add a strategy, write one file with its CropStrategy and add that to STRATEGIES.
"""

from __future__ import annotations

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.export.crop import blur_pad, center_crop, letterbox, smart_crop
from heimdex_core.export.crop.strategy import CropStrategy
from heimdex_core.media.framing import Framing
from heimdex_core.types.crop import CropPath

STRATEGIES: dict[str, CropStrategy] = {
    found.name: found for found in (center_crop.STRATEGY, letterbox.STRATEGY, blur_pad.STRATEGY, smart_crop.STRATEGY)
}


def strategy(name: str) -> CropStrategy:
    """The strategy of that name. Raises UnknownName."""
    if name not in STRATEGIES:
        raise UnknownName(kind="strategy", name=name, known=", ".join(STRATEGIES))
    return STRATEGIES[name]


def framing_of(name: str, crop_path: CropPath | None = None) -> Framing:
    """How a strategy puts a picture into the frame.

    Args:
        name: one of STRATEGIES.
        crop_path: where the crop is; for strategies that follow something, and only for those.

    Raises UnknownName, InvalidValue.
    """
    found = strategy(name)
    if found.follows != (crop_path is not None):
        reason = "it needs a crop path" if found.follows else "it takes no crop path, which is for smart_crop"
        raise InvalidValue(name="strategy", value=name, reason=reason)
    return Framing(found.kind, crop_path)
