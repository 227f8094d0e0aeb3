"""The record of a new export: its clips, checked before anything is rendered."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

from heimdex_core.errors import ClipsFailed, InvalidReel, InvalidValue, SceneNotFound
from heimdex_core.export.clips import failed_clip, gone_clip
from heimdex_core.export.crop import strategy
from heimdex_core.export.kind import ExportKind
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, Json, ReelClip, Scene, Video, parse_scene_id, utc_now

MIN_CLIP_S = 0.001
"""The shortest clip: one millisecond, the resolution of scene ids."""
PIECES_PER_CLIP = 10
"""How many pieces there may be in a reel for each clip that it may have, on average."""


class SceneLookup(Protocol):
    """The part of `store.view.View` that a plan uses."""

    def scene(self, user_id: str, scene_id: str) -> Scene:
        """The scene as it is now. Raises SceneNotFound."""
        ...


def spoken_language(view: SceneLookup, video: Video, scene_id: str) -> str | None:
    """The language of a scene's speech, as "ko": as it was heard, else as it was chosen for the video; None: unknown.

    Args:
        view: the library's current view.
        video: that of the scene.
        scene_id: also of a scene that is not there any more.
    """
    try:
        heard = view.scene(video.user_id, scene_id).language
    except SceneNotFound:
        heard = None
    spoken = heard or video.language
    return None if spoken == "auto" else spoken


def plan_export(
    view: SceneLookup,
    user_id: str,
    clips: Sequence[ReelClip | str],
    *,
    kind: ExportKind,
    title: str,
    settings: Settings,
    find_video: Callable[[str], Video | None] = lambda video_id: None,
    skip_failed: bool = False,
    params: Mapping[str, Any] | None = None,
) -> Export:
    """The record of an export that can be rendered: its clips are parts of videos, and come from scenes that exist.

    What lies behind the end of a video is cut off. A scene that moved when its video was indexed again is found by its
    overlap; the clip keeps its times, or is the whole scene as it is now if it was given by its id. Clips that have the
    same clip_id get copies of their own. The parameters of the rendering are decided here and stored with the record.

    Args:
        view: the library's current view.
        user_id: whose scenes may be used.
        clips: clips or scene ids, in the order of the reel; 1 to `settings.max_reel_scenes`, see `too_many`.
        kind: what is rendered of them.
        title: at most `settings.max_title_chars` characters without control characters; white space around it is
            removed.
        settings: the limits, and the parameters of the kind.
        find_video: the user's video of an id, deleted ones included; names the clips that fail.
        skip_failed: leave out clips that fail, here or when they are rendered, instead of refusing the export.
        params: parameters that replace those of the kind.

    Raises InvalidReel for a wrong number of clips or a wrong title; ClipsFailed for clips whose scene does not exist
    (any more), or outside their video; SceneNotFound for what is no scene id; UnknownName for the strategy of a clip.
    """
    title = title.strip()
    if not clips:
        raise _invalid("it has no scenes", settings)
    if (reason := too_many(clips, settings)) is not None:
        raise _invalid(reason, settings)
    if len(title) > settings.max_title_chars:
        raise _invalid(f"its title has {len(title)} characters", settings)
    if any(ord(character) < 32 for character in title):
        raise _invalid("its title has a line break or another control character", settings)
    check_strategies(clips)
    planned, failed = _plan_clips(view, user_id, clips, find_video)
    if failed and (not skip_failed or len(failed) == len(clips)):
        raise ClipsFailed(clips=failed)
    return Export(
        export_id=str(uuid.uuid4()),
        user_id=user_id,
        kind=kind.name,
        title=title,
        state=ExportState.PENDING,
        clips=planned,
        created_at=utc_now(),
        params={**kind.params(settings), **(params or {}), **({"skip_failed": True} if skip_failed else {})},
        left_out=tuple(failed),
    )


def check_strategies(clips: Sequence[ReelClip | str]) -> None:
    """Raises UnknownName for a clip's own strategy that is not registered."""
    for clip in clips:
        if isinstance(clip, ReelClip) and clip.strategy is not None:
            strategy(clip.strategy)


def too_many(clips: Sequence[ReelClip | str], settings: Settings) -> str | None:
    """Why these are too many clips for a reel; None if they are not.

    Pieces of one scene that follow each other in its order are one clip: they are what is left of it when pauses are
    cut out. There may be PIECES_PER_CLIP of them for every clip of a reel.
    """
    count = sum(not _continues(before, clip) for before, clip in pairwise([None, *clips]))
    if count > settings.max_reel_scenes:
        return f"it has {count} scenes"
    most = settings.max_reel_scenes * PIECES_PER_CLIP
    return f"it has {len(clips)} pieces without its pauses, and may have {most}" if len(clips) > most else None


def _continues(before: ReelClip | str | None, clip: ReelClip | str | None) -> bool:
    if not isinstance(before, ReelClip) or not isinstance(clip, ReelClip):
        return False
    return before.scene_id == clip.scene_id and before.end_s <= clip.start_s


def clip_of(
    scene: Scene, start_s: float | None = None, end_s: float | None = None, *, video_end_s: float | None = None
) -> ReelClip:
    """A clip from a scene: [start_s, end_s), which may reach beyond the scene, as far as it lies in the video.

    `start_s` and `end_s` are seconds of the video; None means the start or the end of the scene. `video_end_s` is
    where the video ends, None if that is not known. Raises InvalidValue if nothing of the interval lies in the video.
    """
    start_s = scene.start_s if start_s is None else start_s
    end_s = scene.end_s if end_s is None else end_s
    if video_end_s is not None:
        video_end_s = max(video_end_s, scene.end_s)
    start_s, end_s = within_video(start_s, end_s, video_end_s)
    return ReelClip(scene.video_id, start_s, end_s, scene.start_s, scene.end_s)


def within_video(start_s: float, end_s: float, video_end_s: float | None) -> tuple[float, float]:
    """The part of [start_s, end_s) that lies in a video, whose end may be unknown (None).

    Raises InvalidValue if that is less than a millisecond.
    """
    inside_start_s, inside_end_s = max(start_s, 0.0), end_s if video_end_s is None else min(end_s, video_end_s)
    if inside_end_s - inside_start_s < MIN_CLIP_S:
        video = "" if video_end_s is None else f", 0 to {video_end_s:.3f} s"
        reason = f"it lies outside its video{video}" if start_s < end_s else "it must start before it ends"
        raise InvalidValue(name="clip", value=f"{start_s:.3f} to {end_s:.3f} s", reason=reason)
    return inside_start_s, inside_end_s


def distinct(clips: Sequence[ReelClip]) -> tuple[ReelClip, ...]:
    """The same clips, each with a clip_id of its own: a further clip of the same id becomes another copy."""
    taken: dict[str, set[int]] = {}
    searched: dict[str, tuple[int, int]] = {}
    found = []
    for clip in clips:
        copies, copy = taken.setdefault(clip.scene_id, set()), clip.copy
        # [first, free) is taken: hundreds of pieces may have one scene
        first, free = searched.get(clip.scene_id, (copy, copy))
        if not first <= copy <= free:
            first = free = copy
        copy = free
        while copy in copies:
            copy += 1
        searched[clip.scene_id] = (first, copy + 1)
        copies.add(copy)
        found.append(replace(clip, copy=copy))
    return tuple(found)


def _plan_clips(
    view: SceneLookup, user_id: str, clips: Sequence[ReelClip | str], find_video: Callable[[str], Video | None]
) -> tuple[tuple[ReelClip, ...], list[Json]]:
    """(all clips, as they are planned or, where that fails, as they were given; those that fail)."""
    planned: list[ReelClip] = []
    failed: list[Json] = []
    videos: dict[str, Video | None] = {}
    for number, given in enumerate(clips, 1):
        clip = _whole_scene(given) if isinstance(given, str) else given
        video = videos.get(clip.video_id)
        if clip.video_id not in videos:
            video = videos[clip.video_id] = find_video(clip.video_id)
        try:
            scene = view.scene(user_id, clip.scene_id)
            times = (None, None) if isinstance(given, str) else (clip.start_s, clip.end_s)
            video_end_s = video.info.duration_s if video and video.info else None
            found = clip_of(scene, *times, video_end_s=video_end_s)
            clip = replace(found, copy=clip.copy, strategy=clip.strategy)
        except SceneNotFound:
            failed.append(gone_clip(number, clip, video))
        except InvalidValue:
            title = video.title if video else None
            failed.append(failed_clip(number, clip, "clip_outside_video", title=title))
        planned.append(clip)
    return distinct(planned), failed


def _whole_scene(scene_id: str) -> ReelClip:
    video_id, start_ms, end_ms = parse_scene_id(scene_id)
    if start_ms >= end_ms:
        raise SceneNotFound(scene_id=scene_id)
    return ReelClip(video_id, start_ms / 1000, end_ms / 1000, start_ms / 1000, end_ms / 1000)


def _invalid(reason: str, settings: Settings) -> InvalidReel:
    return InvalidReel(reason=reason, max_scenes=settings.max_reel_scenes, max_title=settings.max_title_chars)
