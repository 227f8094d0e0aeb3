"""The export kind "reel": clips one after the other in a 16:9 frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heimdex_core.export.check import check_render
from heimdex_core.export.kind import ExportKind
from heimdex_core.media.render import RenderClip, RenderMeasure, measure, render_reel, wide_size
from heimdex_core.settings import Settings
from heimdex_core.types import Json, WorkContext


def params(settings: Settings) -> Json:
    """height_px, fps, crf (libx264, 0 to 51) and preset (libx264)."""
    return {
        "height_px": settings.reel_height_px,
        "fps": settings.reel_fps,
        "crf": settings.render_crf,
        "preset": settings.render_preset,
    }


def write(
    clips: Sequence[RenderClip], out: Path, params: Json, timeout_s: float | None, context: WorkContext
) -> RenderMeasure:
    """See ExportKind.write."""
    width, height = wide_size(int(params["height_px"]))
    fps = float(params["fps"])
    crf, preset = int(params["crf"]), str(params["preset"])
    render_reel(
        clips, out, width=width, height=height, fps=fps, crf=crf, preset=preset, timeout_s=timeout_s, context=context
    )
    measured = measure(out)
    check_render(measured, [clip.duration_s for clip in clips], fps=fps, width=width, height=height)
    return measured


KIND = ExportKind("reel", params, write)
