"""The whole picture on black."""

from __future__ import annotations

from heimdex_core.export.crop.strategy import CropStrategy

STRATEGY = CropStrategy("letterbox", "fit")
