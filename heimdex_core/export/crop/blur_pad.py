"""The whole picture over an enlarged, blurred copy of it."""

from __future__ import annotations

from heimdex_core.export.crop.strategy import CropStrategy

STRATEGY = CropStrategy("blur_pad", "blur")
