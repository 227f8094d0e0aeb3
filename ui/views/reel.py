"""The clips of the reel, as rows and as a sequence to play, and its exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import ClipsFailed
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, ReelClip, Scene, StageProgress, Video, utc_now
from ui import media, state, tray
from ui.i18n import clip_text, describe_error, duration, t, t_or, time_left, tn

RUNNING = frozenset({ExportState.PENDING, ExportState.PROCESSING})
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
            "scene_start": min(clip.scene_start_s, clip.start_s),
            "scene_end": max(clip.scene_end_s, clip.end_s),
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


def progress_card(progress: StageProgress | None) -> dict[str, Any]:
    """Title, text and bar of a running export; None means that it waits in the queue."""
    if progress is None:
        return {"title": t("progress.waiting"), "text": "", "fraction": 0.0}
    fraction = progress.overall or progress.fraction
    parts = [f"{round(100 * fraction)}%"]
    if progress.eta_s is not None:
        parts.append(time_left(progress.eta_s))
    title = t_or(f"stage.{progress.stage}", progress.stage)
    return {"title": title, "text": "".join(f" · {part}" for part in parts), "fraction": fraction}


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
                "meta": " · ".join(export_facts(export, has_file=urls is not None)),
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


def skip_label(error: Mapping[str, Any] | None, clip_count: int) -> str:
    """The button to render a reel without the clips that it failed because of; "" if that is not possible."""
    if error is None or error.get("code") != ClipsFailed.code:
        return ""
    failed = len(error.get("details", {}).get("clips", ()))
    return tn("reel.skip_failed", failed) if failed < clip_count else ""


def left_out_text(export: Export) -> str:
    """Which clips a finished export does not contain, and why; "" if it contains all."""
    if export.state is not ExportState.COMPLETED or not export.left_out:
        return ""
    clips = " ".join(clip_text(clip, state.language()) for clip in export.left_out)
    return t("reel.left_out", clips=clips)


def export_facts(export: Export, *, has_file: bool) -> list[str]:
    """The state of an export, or the facts about its file."""
    if export.state in RUNNING:
        return [t(f"export.{export.state}")]
    if export.state is not ExportState.COMPLETED:
        message = describe_error(export.error, state.language())[0] if export.error else ""
        return [part for part in (t(f"export.{export.state}"), message) if part]
    parts = [fmt.clock(export.measured_duration_s or 0.0)]
    if export.width and export.height:
        parts.append(f"{export.width}×{export.height}")
    if export.size_bytes:
        parts.append(fmt.size(export.size_bytes))
    parts.append(expiry(export.expires_at) if has_file else t("export.expired"))
    return parts


def keep_action(export: Export) -> dict[str, Any]:
    """The button that keeps the file of a completed export, or lets it be deleted after all."""
    is_kept = export.expires_at is None
    label = t("export.do_not_keep") if is_kept else t("export.keep")
    return {"name": "keep", "label": label, "value": {"id": export.export_id, "keep": not is_kept}}


def expiry(expires_at: datetime | None) -> str:
    """When the file of a completed export is deleted."""
    if expires_at is None:
        return t("export.kept")
    left_s = (expires_at - utc_now()).total_seconds()
    if left_s <= 0:
        return t("export.expired")
    rounded_s = max(60, round(left_s / 60) * 60) if left_s < 3600 else round(left_s / 3600) * 3600
    return t("export.deleted_in", time=duration(rounded_s))
