"""The export kind "reel": clips one after the other in one frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from heimdex_core.errors import DecoderFailed, FileUnreadable, NotAVideo, RenderCheckFailed, RenderFailed
from heimdex_core.export.captions import (
    ABOVE_CAPTIONS,
    CaptionPosition,
    caption_notes,
    caption_position,
    write_captions,
)
from heimdex_core.export.check import check_render
from heimdex_core.export.crop import framing_of, strategy
from heimdex_core.export.crop.smart import NOTE_NO_DETECTOR, plan_crop
from heimdex_core.export.fast import NOTE_COPIED, NOTE_EXACT, CopiedPicture, NotCopied, own_format, why_exact
from heimdex_core.export.kind import ExportKind
from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.burning import caption_filter
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.graph import RenderFormat, exact_fps
from heimdex_core.media.loudness import Loudness
from heimdex_core.media.render import RenderClip, RenderMeasure, measure, render_reel
from heimdex_core.models.faces.yunet import model_file
from heimdex_core.settings import Settings, get_settings
from heimdex_core.types import Cue, Json, ReelOptions, WorkContext, frame_size
from heimdex_core.types.crop import CropPath

_log = logging.getLogger(__name__)

Stretch = tuple[Path, float, float]
"""[start_s, end_s) of a file."""

TITLE_S = 3.0
LOWER_THIRD_S = 4.0
_TITLE_CHARS = 80
_SPACE_S = 0.3
"""How long after its clip begins a lower third comes."""


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
    options = ReelOptions.from_params({**params, "height_px": None})
    if options.mode != "fast":
        return _write(clips, out, params, timeout_s, context)
    reason = why_exact(options, clips)
    if reason is None:
        try:
            return _write_fast(clips, out, params, timeout_s, context)
        except NotCopied as error:
            reason = str(error)
        except (RenderFailed, RenderCheckFailed, DecoderFailed, FileUnreadable, NotAVideo) as error:
            _log.warning("A reel is rendered exactly, because frames cannot be copied: %s", error)
            reason = "failed"
    measured = _write(clips, out, params, timeout_s, context)
    return replace(measured, notes=(*measured.notes, f"{NOTE_EXACT}:{reason}"))


def _write_fast(
    clips: Sequence[RenderClip], out: Path, params: Json, timeout_s: float | None, context: WorkContext
) -> RenderMeasure:
    own = own_format(clips, str(params["aspect"])) if params.get("own_format") else None
    if own is not None:
        width, height, params = own[0], own[1], {**params, "fps": own[2], "height_px": min(own[:2])}
    width, height = frame_size(str(params["aspect"]), int(params["height_px"]))
    target = RenderFormat(width, height, exact_fps(float(params["fps"])), int(params["crf"]), str(params["preset"]))
    reel = Arrangement.of(clips, target.fps)
    picture = CopiedPicture()
    measured = _write(clips, out, params, timeout_s, context, picture)
    if measured.frame_count != reel.frames:
        raise RenderCheckFailed(reason=f"it has {measured.frame_count} frames instead of {reel.frames}")
    return replace(measured, notes=(*measured.notes, f"{NOTE_COPIED}:{picture.copied}/{reel.frames}"))


def _write(
    clips: Sequence[RenderClip],
    out: Path,
    params: Json,
    timeout_s: float | None,
    context: WorkContext,
    picture: CopiedPicture | None = None,
) -> RenderMeasure:
    options = ReelOptions.from_params({**params, "height_px": None})
    width, height = frame_size(options.aspect, int(params["height_px"]))
    fps = float(params["fps"])
    title_s = TITLE_S if options.title_card else 0.0
    planned = Arrangement.of(clips, exact_fps(fps), crossfade_s=options.crossfade_s, title_s=title_s)
    clips, context = _framed(clips, options.strategy, (width, height), planned.duration_s, context)
    joins = len(planned.clips) - (0 if planned.title else 1)
    durations_s = [clip.duration_s for clip in clips]
    extra_s = float((planned.title - joins * planned.crossfade) / planned.fps)
    layers = _Texts(options, str(params.get("title", "")), out.parent, width, height)
    made = render_reel(
        clips,
        out,
        width=width,
        height=height,
        fps=fps,
        crf=int(params["crf"]),
        preset=str(params["preset"]),
        timeout_s=timeout_s,
        context=context,
        crossfade_s=options.crossfade_s,
        title_s=title_s,
        even=True,
        draw=layers.filters,
        picture=picture,
    )
    measured = measure(out)
    check_render(measured, durations_s, fps=fps, width=width, height=height, extra_s=extra_s)
    found = made.loudness or Loudness(None, None)
    notes = (*made.notes, *layers.notes)
    if any(map(_follows, clips)) and not _detector():
        notes = (*notes, NOTE_NO_DETECTOR)
    return replace(measured, loudness_lufs=found.integrated_lufs, true_peak_dbtp=found.true_peak_dbtp, notes=notes)


def _framed(
    clips: Sequence[RenderClip], name: str | None, size: tuple[int, int], reel_s: float, context: WorkContext
) -> tuple[list[RenderClip], WorkContext]:
    """The clips, each framed by its own strategy or else by `name`, and the context to render them with.

    A crop path is planned once for each stretch of a video. Progress counts those stretches, and then the reel, which
    is `reel_s` long.
    """
    clips = [replace(clip, strategy=clip.strategy or name) for clip in clips]
    following = {_stretch(clip): clip for clip in clips if _follows(clip)}
    planned_s = sum(clip.duration_s for clip in following.values())
    paths: dict[Stretch, CropPath] = {}
    done_s = 0.0
    for stretch, clip in following.items():
        paths[stretch] = _crop_path(clip, size, _counting(context, done_s, planned_s + reel_s - clip.duration_s))
        done_s += clip.duration_s
    framed = []
    for clip in clips:
        path = paths[_stretch(clip)] if _follows(clip) else None
        framed.append(replace(clip, framing=framing_of(clip.strategy, path)) if clip.strategy else clip)
    return framed, _counting(context, planned_s, planned_s)


def _follows(clip: RenderClip) -> bool:
    return clip.strategy is not None and strategy(clip.strategy).follows


def _stretch(clip: RenderClip) -> Stretch:
    return clip.path, clip.start_s, clip.end_s


def _counting(context: WorkContext, before_s: float, more_s: float) -> WorkContext:
    """A context for a part of the work: there are `more_s` besides it, and `before_s` of them come before it."""
    return replace(context, report=lambda done, total: context.report(before_s + done, total + more_s))


def _crop_path(clip: RenderClip, size: tuple[int, int], context: WorkContext) -> CropPath:
    settings = get_settings()
    return plan_crop(
        clip.path,
        clip.info,
        clip.start_s,
        clip.end_s,
        width=size[0],
        height=size[1],
        faces=_detector(),
        boundaries_s=clip.cuts_s,
        limits=ChildLimits.of(settings),
        context=context,
    )


def _detector() -> Path | None:
    return model_file(get_settings().models_dir)


class _Texts:
    """What is drawn on a reel."""

    def __init__(self, options: ReelOptions, title: str, folder: Path, width: int, height: int) -> None:
        self._options, self._title, self._folder = options, title, folder
        self._size = {"width": width, "height": height}
        self.notes: dict[str, None] = {}
        """Codes of what is to be known of them, in order."""

    def filters(self, reel: Arrangement) -> str:
        """The filters that draw it: titles first, captions last; "" for none."""
        found = []
        if reel.title and self._title:
            shown_s = float((reel.title - reel.crossfade) / reel.fps)
            cue = Cue(0.0, max(shown_s, 0.1), _shortened(self._title))
            found.append(self._layer("title.ass", [cue], "plain", "middle"))
        if self._options.lower_thirds:
            found.append(self._layer("lower.ass", _lower_thirds(reel), "boxed", self._lower_third_place()))
        if self._options.captions:
            cues = [cue for cue in _in_reel_time(reel) if cue.text]
            found.append(self._layer("captions.ass", cues, self._options.captions, self._options.position))
        return ",".join(found)

    def _lower_third_place(self) -> CaptionPosition:
        place, is_tall = self._options.position, self._size["height"] > self._size["width"]
        below = self._options.captions and (place == "low" or (place == "safe" and is_tall))
        return ABOVE_CAPTIONS if below else caption_position("low")

    def _layer(self, name: str, cues: Sequence[Cue], style: str, position: str | CaptionPosition) -> str:
        layer = write_captions(cues, self._folder / name, **self._size, style=style, position=position)
        self.notes |= dict.fromkeys(caption_notes(layer))
        return caption_filter(layer)


def _in_reel_time(reel: Arrangement) -> list[Cue]:
    found: list[Cue] = []
    for clip, start in zip(reel.clips, reel.starts, strict=True):
        begins_s = float(start / reel.fps)
        for cue in clip.cues:
            moved = cue.moved(begins_s - clip.start_s)
            # captions of clips that fade into each other do not overlap
            if found and found[-1].end_s > moved.start_s:
                found[-1] = replace(found[-1], end_s=max(found[-1].start_s + 0.01, moved.start_s))
            found.append(moved)
    return found


def _lower_thirds(reel: Arrangement) -> list[Cue]:
    found = []
    for clip, start, length in zip(reel.clips, reel.starts, reel.lengths, strict=True):
        begins_s = float((start + reel.crossfade) / reel.fps)
        ends_s = float((start + length - reel.crossfade) / reel.fps)
        begins_s = min(begins_s + _SPACE_S, ends_s)
        if clip.title and ends_s - begins_s > _SPACE_S:
            found.append(Cue(begins_s, min(begins_s + LOWER_THIRD_S, ends_s), _shortened(clip.title, 40)))
    return found


def _shortened(text: str, most: int = _TITLE_CHARS) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


KIND = ExportKind("reel", params, write)
