"""The clips of the reel, as rows and as a sequence to play, and a rendered file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from heimdex_core.export.crop import strategy
from heimdex_core.library import Library
from heimdex_core.types import Export, ReelClip, Scene, Video
from ui import media, tray

ClipWithScene = tuple[ReelClip, Scene | None, Video | None]
"""A clip with its scene and its video; None for both if the clip cannot be used at present."""


def rows(library: Library, clips: Sequence[ClipWithScene]) -> list[dict[str, Any]]:
    """The rows of the editor. Times are seconds of the video."""
    return [
        {
            "id": clip.clip_id,
            "title": tray.video_title(library, clip),
            "label": tray.clip_name(library, clip),
            "thumbnail": media.frame_url(library, scene) if scene else None,
            "frames": _frames(library, scene) if scene else [],
            "start": clip.start_s,
            "end": clip.end_s,
            "scene_start": clip.scene_start_s,
            "scene_end": clip.scene_end_s,
            "strategy": clip.strategy,
            "unavailable": "" if scene else tray.unavailable_reason(library, clip),
        }
        for clip, scene, _ in clips
    ]


def _frames(library: Library, scene: Scene) -> list[dict[str, Any]]:
    return [{"time": keyframe.time_s, "src": media.frame_url(library, scene, keyframe)} for keyframe in scene.keyframes]


def sequence(
    library: Library, clips: Sequence[ClipWithScene], strategy_of: Callable[[ReelClip], str | None]
) -> list[dict[str, Any]]:
    """The clips for the player, which plays those that can be used one after the other.

    `strategy_of` names the crop strategy that a clip is shown with; with None all of its picture is shown.
    """
    return [
        {
            "id": clip.clip_id,
            "media": f"{video.video_id}/{video.generation}",
            "src": media.video_url(library, video),
            "poster": media.frame_url(library, scene),
            "start": clip.start_s,
            "end": clip.end_s,
            "fit": _fit(strategy_of(clip)),
        }
        for clip, scene, video in clips
        if scene is not None and video is not None
    ]


def _fit(strategy_name: str | None) -> str:
    return strategy(strategy_name).kind if strategy_name else "fit"


def rendered_clip(export: Export, url: str) -> list[dict[str, Any]]:
    """A rendered file as the only clip of the player."""
    clip = {"id": export.export_id, "media": export.export_id, "src": url, "poster": None, "start": 0.0}
    return [{**clip, "end": export.measured_duration_s or 0.0}]
