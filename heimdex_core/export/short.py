"""The export kind "short": one scene in a 9:16 frame, with normalised sound and perhaps captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from heimdex_core.errors import RenderCheckFailed, SourceMissing
from heimdex_core.export.captions import caption_notes, write_captions
from heimdex_core.export.check import check_render
from heimdex_core.export.clips import known_cuts
from heimdex_core.export.crop import framing_of, strategy
from heimdex_core.export.crop.smart import NOTE_NO_DETECTOR, plan_crop
from heimdex_core.export.kind import ExportKind
from heimdex_core.export.quality import quality
from heimdex_core.export.source import require_source
from heimdex_core.media.burning import caption_filter
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.graph import RenderFormat, exact_fps
from heimdex_core.media.loudness import MAX_TRUE_PEAK_DBTP
from heimdex_core.media.render import RenderClip, RenderMeasure, measure
from heimdex_core.media.short import ShortFormat, fps_of, render_short
from heimdex_core.models.faces.yunet import model_file
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import CropPath, Export, Json, ShortRequest, Video, WorkContext, to_json

WIDTH, HEIGHT = 1080, 1920


def params(settings: Settings) -> Json:
    """strategy, quality, preset (libx264), max_fps, width_px and height_px."""
    return {
        "strategy": "center_crop",
        "quality": "medium",
        "preset": settings.short_preset,
        "max_fps": settings.short_max_fps,
        "width_px": WIDTH,
        "height_px": HEIGHT,
    }


def prepare(store: Store, export: Export, settings: Settings, context: WorkContext) -> Export:
    """See ExportKind.prepare: the crop path of a strategy that follows something, where none was given."""
    request = ShortRequest.from_json(export.params)
    if request.crop_path is not None or not strategy(request.strategy).follows:
        return export
    [clip] = export.clips
    video = store.video(export.user_id, clip.video_id)
    quiet = WorkContext(is_cancelled=context.is_cancelled)  # the progress is that of the rendering
    path = crop_path_of(store, video, clip.start_s, clip.end_s, settings=settings, context=quiet)
    params = {**export.params, "crop_path": to_json(path)}
    if model_file(settings.models_dir) is None:
        params["notes"] = [*export.notes, NOTE_NO_DETECTOR]
    return store.exports.update(export.export_id, unless_cancelled=True, params=params)


def crop_path_of(
    store: Store, video: Video, start_s: float, end_s: float, *, settings: Settings, context: WorkContext
) -> CropPath:
    """Where smart_crop crops in [start_s, end_s) of a video, in seconds of the video.

    `context` receives the progress in seconds. Raises SourceMissing, SourceChanged, and what `plan_crop` raises.
    """
    source = require_source(store.paths, video)
    if video.info is None:
        raise SourceMissing(title=video.title, video_id=video.video_id)
    return plan_crop(
        source,
        video.info,
        start_s,
        end_s,
        width=WIDTH,
        height=HEIGHT,
        faces=model_file(settings.models_dir),
        boundaries_s=known_cuts(store, video.user_id, video.video_id),
        limits=ChildLimits.of(settings),
        context=context,
    )


def write(
    clips: Sequence[RenderClip], out: Path, params: Json, timeout_s: float | None, context: WorkContext
) -> RenderMeasure:
    """See ExportKind.write. `params` also has the fields of the ShortRequest."""
    [clip] = clips
    width, height = int(params["width_px"]), int(params["height_px"])
    request = ShortRequest.from_json(params)
    clip = replace(clip, framing=framing_of(request.strategy, request.crop_path))
    chosen = quality(request.quality)
    fps = fps_of(clip.info, float(params["max_fps"]))
    target = ShortFormat(
        RenderFormat(width, height, exact_fps(fps), chosen.crf, str(params["preset"])),
        chosen.audio_bps,
        chosen.max_bytes(clip.duration_s),
    )
    last_filter, notes = _captions(request, out, clip.start_s, width, height)
    made = render_short(clip, out, target, last_filter=last_filter, timeout_s=timeout_s, context=context)
    measured = measure(out)
    check_render(measured, [clip.duration_s], fps=fps, width=width, height=height)
    if measured.size_bytes > target.max_bytes:
        raise RenderCheckFailed(reason=f"it has {measured.size_bytes} bytes, and may have {target.max_bytes}")
    peak = made.loudness.true_peak_dbtp
    if peak is not None and peak > MAX_TRUE_PEAK_DBTP:
        raise RenderCheckFailed(reason=f"its true peak is {peak} dBTP, and may be {MAX_TRUE_PEAK_DBTP}")
    return replace(
        measured,
        loudness_lufs=made.loudness.integrated_lufs,
        true_peak_dbtp=peak,
        notes=(*made.notes, *notes),
    )


def _captions(request: ShortRequest, out: Path, start_s: float, width: int, height: int) -> tuple[str, list[str]]:
    """(the filter that draws the captions, notes); "" where there are none."""
    if not request.captions or not request.cues:
        return "", []
    layer = write_captions(
        request.cues,
        out.with_name("captions.ass"),
        width=width,
        height=height,
        style=request.captions,
        position=request.position,
        offset_s=start_s,
    )
    return caption_filter(layer), caption_notes(layer)


KIND = ExportKind("short", params, write, prepare=prepare, of_one_scene=True)
