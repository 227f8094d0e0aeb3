"""An export kind as somebody would add it: a reel at half the height. One file, and one line in the registry."""

from __future__ import annotations

from heimdex_core.export import reel
from heimdex_core.export.kind import ExportKind
from heimdex_core.settings import Settings
from heimdex_core.types import Json


def params(settings: Settings) -> Json:
    """Those of a reel, with half of its height."""
    return {**reel.params(settings), "height_px": settings.reel_height_px // 2}


KIND = ExportKind("toy", params, reel.write)
