"""The record of a new short, checked before anything is rendered."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from datetime import datetime

from heimdex_core.errors import InvalidValue, SceneTooLong
from heimdex_core.export.captions import caption_position, caption_style, make_cues
from heimdex_core.export.crop import strategy
from heimdex_core.export.plan import SceneLookup, clip_of, spoken_language
from heimdex_core.export.quality import quality
from heimdex_core.export.short import KIND
from heimdex_core.export.snapping import snap
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, ReelClip, ShortRequest, Video, Word, to_json

NOTE_LONG = "almost_too_long"
_ROUNDING_S = 0.001
"""Times beyond the end of a video that are only rounded."""


def plan_short(
    view: SceneLookup,
    video: Video,
    request: ShortRequest,
    words: Sequence[Word],
    *,
    user_id: str,
    settings: Settings,
    now: datetime,
) -> Export:
    """The record of a short that can be rendered; what it is rendered with is decided here and stored with it.

    Args:
        view: the library's current view.
        video: that of the scene.
        request: what was asked for.
        words: what is said in the video, with times in seconds of the video; for captions and for snapping.
        user_id: whose short it is. The video may be another user's who shares it.
        settings: the limits, and the parameters of the encoder.
        now: when the record is made.

    Raises SceneNotFound, SceneTooLong, UnknownName, InvalidValue for a trim outside the video, for a crop path of a
    strategy that follows nothing, for captions out of order and for a wrong title.
    """
    _check_names(request)
    clip = short_clip(view, video, request, words, settings)
    cues = request.cues
    if request.captions is None:
        cues = None
    elif cues is None:
        language = spoken_language(view, video, clip.scene_id)
        cues = make_cues(words, start_s=clip.start_s, end_s=clip.end_s, language=language)
    asked = {**to_json(request), "scene_id": clip.scene_id, "cues": to_json(cues) if cues is not None else None}
    notes = {"notes": [NOTE_LONG]} if clip.duration_s >= settings.short_warn_s else {}
    return Export(
        export_id=str(uuid.uuid4()),
        user_id=user_id,
        kind=KIND.name,
        title=_title(request.title or video.title, settings),
        state=ExportState.PENDING,
        clips=(clip,),
        created_at=now,
        params={**KIND.params(settings), **asked, **notes},
    )


def short_clip(
    view: SceneLookup, video: Video, request: ShortRequest, words: Sequence[Word], settings: Settings
) -> ReelClip:
    """The stretch of the video that is used: the scene, or the trim, snapped if that was asked for.

    Raises SceneNotFound, SceneTooLong, InvalidValue.
    """
    scene = view.scene(video.user_id, request.scene_id)
    start_s, end_s = request.trim or (scene.start_s, scene.end_s)
    last_s = max(video.info.duration_s if video.info is not None else scene.end_s, scene.end_s)
    if request.trim is not None and end_s > last_s + _ROUNDING_S:
        value = f"{start_s:.3f} to {end_s:.3f} s"
        raise InvalidValue(name="trim", value=value, reason=f"it must lie in its video, 0 to {last_s:.3f} s")
    if request.snap is not None:
        start_s, end_s = snap(words, start_s, end_s, request.snap)
    clip = clip_of(scene, start_s, end_s, video_end_s=last_s)
    if clip.duration_s > settings.short_max_s + 1e-9:
        # rounded up: 180.004 s must not read as the limit of 180 s
        shown_s = math.ceil(clip.duration_s * 100 - 1e-6) / 100
        raise SceneTooLong(scene_duration_s=shown_s, max_duration_s=settings.short_max_s)
    return clip


def _check_names(request: ShortRequest) -> None:
    quality(request.quality)
    if request.captions is not None:
        caption_style(request.captions)
    caption_position(request.position)
    if request.crop_path is not None and not strategy(request.strategy).follows:
        raise InvalidValue(name="crop_path", value=request.strategy, reason="only smart_crop follows one")
    strategy(request.strategy)
    for before, after in zip(request.cues or (), (request.cues or ())[1:], strict=False):
        if after.start_s < before.end_s - _ROUNDING_S:
            value = f"{after.start_s:.3f} s"
            raise InvalidValue(name="cues", value=value, reason="a caption must begin after the one before has ended")


def _title(title: str, settings: Settings) -> str:
    title = title.strip()
    if len(title) > settings.max_title_chars:
        reason = f"it has {len(title)} characters; at most {settings.max_title_chars} are possible"
        raise InvalidValue(name="title", value=f"{title[:40]}...", reason=reason)
    if any(ord(character) < 32 for character in title):
        raise InvalidValue(name="title", value=title, reason="it has a line break or another control character")
    return title
