"""The middle of the picture."""

from __future__ import annotations

from heimdex_core.export.crop.strategy import CropStrategy

STRATEGY = CropStrategy("center_crop", "crop")
