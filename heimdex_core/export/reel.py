"""The export kind "reel": clips one after the other in one frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heimdex_core.export.check import check_render
from heimdex_core.export.kind import ExportKind
from heimdex_core.media.render import RenderClip, RenderMeasure, measure, render_reel
from heimdex_core.settings import Settings
from heimdex_core.types import Json, ReelOptions, WorkContext, frame_size


def params(settings: Settings) -> Json:
    """The defaults of ReelOptions; fps, crf (libx264, 0 to 51) and preset (libx264)."""
    return {
        **ReelOptions().params,
        "height_px": settings.reel_height_px,
        "fps": settings.reel_fps,
        "crf": settings.render_crf,
        "preset": settings.render_preset,
    }


def write(
    clips: Sequence[RenderClip], out: Path, params: Json, timeout_s: float | None, context: WorkContext
) -> RenderMeasure:
    """See ExportKind.write."""
    width, height = frame_size(str(params["aspect"]), int(params["height_px"]))
    fps = float(params["fps"])
    crf, preset = int(params["crf"]), str(params["preset"])
    render_reel(
        clips, out, width=width, height=height, fps=fps, crf=crf, preset=preset, timeout_s=timeout_s, context=context
    )
    measured = measure(out)
    check_render(measured, [clip.duration_s for clip in clips], fps=fps, width=width, height=height)
    return measured


KIND = ExportKind("reel", params, write)
