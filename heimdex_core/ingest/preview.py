"""Stage: a copy that browsers can play, where they cannot play the source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heimdex_core.media.preview import make_preview, preview_plan
from heimdex_core.types import MediaInfo, WorkContext

VERSION = 2
PARAMS = ("preview_height_px",)
FILE = "preview.mp4"


@dataclass(frozen=True)
class Preview:
    """How the preview was made ("none" where the source plays as it is) and its file in the work folder."""

    plan: str
    file: str | None = None


def prepare(
    source: Path, info: MediaInfo, out: Path, *, damaged: bool, height_px: int, context: WorkContext
) -> Preview:
    """Write `out` if one is needed; browsers stop at a `damaged` picture. Raises RenderFailed, DiskFull, Cancelled."""
    plan = preview_plan(info, damaged=damaged)
    if plan == "none":
        return Preview(plan)
    make_preview(source, info, out, plan, height_px=height_px, context=context)
    return Preview(plan, out.name)
