"""The clips of the reel, as rows and as a sequence to play, and its exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, ReelClip, Scene, Video, utc_now
from ui import media, state, tray
from ui.i18n import describe_error, duration, t
from ui.views.exports import RUNNING, export_facts, keep_action, left_out_text, skip_label

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
            "unavailable": "" if scene else tray.unavailable_reason(library, clip),
        }
        for clip, scene, _ in clips
    ]


def _frames(library: Library, scene: Scene) -> list[dict[str, Any]]:
    return [{"time": keyframe.time_s, "src": media.frame_url(library, scene, keyframe)} for keyframe in scene.keyframes]


def sequence(library: Library, clips: Sequence[ClipWithScene]) -> list[dict[str, Any]]:
    """The clips for the player, which plays those that can be used one after the other."""
    return [
        {
            "id": clip.clip_id,
            "media": f"{video.video_id}/{video.generation}",
            "src": media.video_url(library, video),
            "poster": media.frame_url(library, scene),
            "start": clip.start_s,
            "end": clip.end_s,
        }
        for clip, scene, video in clips
        if scene is not None and video is not None
    ]


def rendered_clip(export: Export, url: str) -> list[dict[str, Any]]:
    """A rendered file as the only clip of the player."""
    clip = {"id": export.export_id, "media": export.export_id, "src": url, "poster": None, "start": 0.0}
    return [{**clip, "end": export.measured_duration_s or 0.0}]


def render_notice(settings: Settings) -> str:
    """What will be rendered, and how long its file stays."""
    file_format = t("reel.format", height=settings.reel_height_px, fps=f"{settings.reel_fps:g}")
    kept_for = duration(settings.export_ttl_s).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{file_format} · {t('reel.expires', time=kept_for)}"


def history(
    library: Library, exports: Sequence[Export], shown: str | None, current: str | None = None
) -> list[dict[str, Any]]:
    """The last exports, with links while their files exist.

    `shown` is the one in the player, `current` the one whose buttons are drawn above.
    """
    items = []
    for export in exports:
        urls = media.export_urls(library, export) if export.state is ExportState.COMPLETED else None
        items.append(
            {
                "id": export.export_id,
                "state": str(export.state),
                "title": export.title or t("reel.untitled"),
                "meta": " · ".join(_facts(export, has_file=urls is not None)),
                "watch": t("reel.watch") if urls else "",
                "url": urls[1] if urls else None,
                "filename": media.export_file_name(export),
                "download": t("reel.download"),
                "keep": keep_action(export) if urls else None,
                "shown": export.export_id == shown,
                "note": left_out_text(export),
                "skip": skip_label(export.error, len(export.clips)) if export.export_id != current else "",
            }
        )
    return items


def _facts(export: Export, *, has_file: bool) -> list[str]:
    if export.state in RUNNING:
        return [t(f"export.{export.state}")]
    facts = export_facts(export, has_file=has_file)
    if export.error:
        facts.append(describe_error(export.error, state.language())[0])
    if has_file and export.expires_at is not None:
        facts.append(expiry(export.expires_at))
    return facts


def expiry(expires_at: datetime) -> str:
    """When the file of a completed export is deleted."""
    left_s = (expires_at - utc_now()).total_seconds()
    if left_s <= 0:
        return t("export.expired")
    rounded_s = max(60, round(left_s / 60) * 60) if left_s < 3600 else round(left_s / 3600) * 3600
    return t("export.deleted_in", time=duration(rounded_s))
