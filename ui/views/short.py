"""The editor of a short: the source, words, captions, choices and what is left of the day's limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.api.links import ShortFrame
from heimdex_core.export.captions import POSITIONS, STYLES
from heimdex_core.export.crop import STRATEGIES
from heimdex_core.export.quality import QUALITIES
from heimdex_core.library import Library
from heimdex_core.library.short_edits import range_of
from heimdex_core.types import CropKeyframe, CropPath, Cue, Scene, ShortAllowance, ShortRequest, Video, Word, utc_now
from ui import media, resources, state
from ui.crop_planning import CropPlanning
from ui.i18n import describe_error, duration, number, t, tn

AROUND_S = 15.0
"""How far the filmstrip and the words reach beyond the scene."""
FRAMES = 12
SNAPS = ("", "word", "sentence")
_LABELS = (
    *("title", "strategy", "captions", "position", "snap", "quality", "preview", "zones", "length", "too_long"),
    *("near_limit", "crop", "keyframes", "path", "path_one", "plan", "add_keyframe"),
    *("keyframe_added", "keyframe", "reset", "keyframe_cut", "keyframe_keys", "play", "pause", "film", "in", "out"),
    *("words", "no_words", "first_word", "last_word", "cues", "cue", "no_cues"),
)


def editor(
    library: Library,
    request: ShortRequest,
    scene: Scene,
    video: Video,
    *,
    cues: Sequence[Cue],
    words: Sequence[Word],
    span: tuple[float, float],
    scenes: Sequence[Scene],
) -> dict[str, Any]:
    """The data of the editor, without its buttons.

    Args:
        library: has the scene.
        request: the short as it is now.
        scene: that it is made of.
        video: of the scene.
        cues: the captions.
        words: within `span`.
        span: [start, end) of the filmstrip, in seconds of the video.
        scenes: of the video, in order.
    """
    start_s, end_s = range_of(request, scene)
    settings = library.settings
    return {
        "media": _media(library, scene, video),
        "scene": [scene.start_s, scene.end_s],
        "span": list(span),
        "frames": _frames(library, scenes, span),
        "words": [[word.text.strip(), word.start_s, word.end_s] for word in words],
        "cues": [_cue(cue) for cue in cues],
        "draft": {
            "start": start_s,
            "end": end_s,
            "strategy": request.strategy,
            "captions": request.captions,
            "position": request.position,
            "quality": request.quality,
            "snap": request.snap,
            "title": request.title,
            "crop": keyframes(request.crop_path),
        },
        "choices": {
            "strategy": [_strategy(library, name, request, scene) for name in STRATEGIES],
            "captions": [{"name": name, "label": t(f"short.captions.{name or 'none'}")} for name in ("", *STYLES)],
            "position": [{"name": name, "label": t(f"short.position.{name}")} for name in POSITIONS],
            "snap": [{"name": name, "label": t(f"short.snap.{name or 'none'}")} for name in SNAPS],
            "quality": [_quality(name, end_s - start_s) for name in QUALITIES],
        },
        "limits": {"max": settings.short_max_s, "warn": settings.short_warn_s},
        "max_title": settings.max_title_chars,
        "labels": {name: t(f"short.{name}") for name in _LABELS} | {"no_path": _no_path(library)},
    }


def _no_path(library: Library) -> str:
    faces = "" if library.shorts.has_face_detector() else f" {t('short.no_faces')}"
    return f"{t('short.no_path')}{faces}"


def _media(library: Library, scene: Scene, video: Video) -> dict[str, Any]:
    info = video.info
    return {
        "src": media.video_url(library, video),
        "poster": media.frame_url(library, scene),
        "title": video.title,
        "width": info.width if info else 16,
        "height": info.height if info else 9,
        "fps": info.fps if info else None,
        "duration": info.duration_s if info else scene.end_s,
    }


def _frames(library: Library, scenes: Sequence[Scene], span: tuple[float, float]) -> list[str | None]:
    """Pictures of moments spread evenly over the filmstrip, each the nearest keyframe."""
    all_frames = [(one.time_s, scene, one) for scene in scenes for one in scene.keyframes]
    if not all_frames:
        return []
    step_s = (span[1] - span[0]) / FRAMES
    times = [span[0] + (n + 0.5) * step_s for n in range(FRAMES)]
    nearest = [min(all_frames, key=lambda frame, at=at: abs(frame[0] - at)) for at in times]  # type: ignore[misc]
    return [media.frame_url(library, scene, keyframe) for _, scene, keyframe in nearest]


def _cue(cue: Cue) -> dict[str, Any]:
    words = [[word.start_s, word.end_s, word.text] for word in cue.words]
    return {"start": cue.start_s, "end": cue.end_s, "text": cue.text, "words": words}


def _strategy(library: Library, name: str, request: ShortRequest, scene: Scene) -> dict[str, Any]:
    start_s, end_s = range_of(request, scene)
    at_s = round((start_s + end_s) / 2, 2)
    has_path = name == "smart_crop" and request.crop_path is not None
    place = request.crop_path.at(at_s) if has_path and request.crop_path else None
    frame = ShortFrame(scene.scene_id, name, at_s, place, library.user_id)
    label = t(f"short.strategy.{name}")
    return {"name": name, "label": label, "hint": label, "picture": resources.links().short_frame_url(frame)}


def _quality(name: str, duration_s: float) -> dict[str, Any]:
    size = fmt.size(QUALITIES[name].max_bytes(duration_s))
    return {"name": name, "label": t("short.quality.limit", name=t(f"short.quality.{name}"), size=size)}


def keyframes(path: CropPath | None) -> list[list[Any]] | None:
    """A crop path for the page: [time in seconds of the video, x, y, whether it jumps there]."""
    return [[one.time_s, one.x, one.y, one.cut] for one in path.keyframes] if path else None


def crop_path(value: Any) -> CropPath | None:
    """The crop path that the page sent, in order; of two keyframes at one moment the later one counts."""
    by_time = {float(time): (float(x), float(y), bool(cut)) for time, x, y, cut in value or ()}
    found = tuple(CropKeyframe(time, *place) for time, place in sorted(by_time.items()))
    return CropPath(found) if found else None


def actions(tray_count: int, allowance: ShortAllowance, *, is_usable: bool) -> list[dict[str, Any]]:
    """The buttons that make shorts."""
    is_full = allowance.remaining == 0
    found: list[dict[str, Any]] = [
        {"name": "make", "label": t("short.make"), "primary": True, "disabled": is_full or not is_usable}
    ]
    if tray_count:
        found.append({"name": "batch", "label": tn("short.batch", tray_count), "disabled": False})
    return found


def planning(running: CropPlanning | None) -> dict[str, Any] | None:
    """How far a crop path is that is being worked out; None if none is."""
    if running is None:
        return None
    percent = round(100 * running.fraction)
    return {"fraction": running.fraction, "text": f"{t('short.planning')} {percent}%", "stop": t("action.cancel")}


def remaining(allowance: ShortAllowance) -> str:
    """How many shorts may still be made, and when the next one may."""
    if allowance.remaining is None:
        return ""
    text = t("short.remaining", n=number(allowance.remaining), limit=number(allowance.limit))
    if allowance.resets_at is None:
        return text
    left_s = max(60.0, math.ceil((allowance.resets_at - utc_now()).total_seconds() / 60) * 60)
    return f"{text} · {t('short.one_more' if allowance.remaining else 'short.resets', time=duration(left_s))}"


def error_texts(error: Mapping[str, Any] | None) -> dict[str, str] | None:
    """An error as the editor shows it."""
    if error is None:
        return None
    message, hint = describe_error(error, state.language())
    return {"message": message, "hint": hint}
