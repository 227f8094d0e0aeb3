"""A crop that follows what matters in the picture."""

from __future__ import annotations

from heimdex_core.export.crop.strategy import CropStrategy

STRATEGY = CropStrategy("smart_crop", "crop", follows=True)
