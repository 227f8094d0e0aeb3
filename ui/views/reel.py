"""The reel's clips as rows and as one sequence to play, and its exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState, ReelClip, Scene, StageProgress, Video, utc_now
from ui import media, state
from ui.i18n import describe_error, t, t_or
from ui.views.videos import time_left

RUNNING = frozenset({ExportState.PENDING, ExportState.PROCESSING})
Found = tuple[ReelClip, Scene, Video]


def rows(library: Library, found: Sequence[Found]) -> list[dict[str, Any]]:
    """The editor's rows."""
    return [
        {
            "id": clip.scene_id,
            "title": video.title,
            "thumb": media.picture(library, scene),
            "frames": [
                {"time": keyframe.time_s, "src": media.picture(library, scene, keyframe)}
                for keyframe in scene.keyframes
            ],
            "start": clip.start_s,
            "end": clip.end_s,
            "scene_start": clip.scene_start_s,
            "scene_end": clip.scene_end_s,
        }
        for clip, scene, video in found
    ]


def sequence(library: Library, found: Sequence[Found]) -> list[dict[str, Any]]:
    """What the player plays, one after the other."""
    return [
        {
            "id": clip.scene_id,
            "media": f"{video.video_id}/{video.generation}",
            "src": media.playable(library, video),
            "poster": media.picture(library, scene),
            "start": clip.start_s,
            "end": clip.end_s,
        }
        for clip, scene, video in found
    ]


def finished(export: Export, url: str) -> list[dict[str, Any]]:
    """A rendered file as the player's only clip."""
    clip = {"id": export.export_id, "media": export.export_id, "src": url, "poster": None, "start": 0.0}
    return [{**clip, "end": export.measured_duration_s or 0.0}]


def progress_card(export: Export, progress: StageProgress | None) -> dict[str, Any]:
    """The title, the text and the bar of a render under way."""
    if progress is None:
        return {"title": t("progress.waiting"), "text": "", "fraction": 0.0}
    share = progress.overall or progress.fraction
    parts = [f"{round(100 * share)} %"]
    if progress.eta_s is not None:
        parts.append(time_left(progress.eta_s))
    title = t_or(f"stage.{progress.stage}", t("reel.rendering"))
    return {"title": title, "text": "".join(f" · {part}" for part in parts), "fraction": share}


def history(library: Library, exports: Sequence[Export], shown: str | None) -> list[dict[str, Any]]:
    """The last exports: what each is, how long its file is kept, and links while it is there."""
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
                "shown": export.export_id == shown,
            }
        )
    return items


def export_facts(export: Export, *, has_file: bool) -> list[str]:
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
    parts.append(expiry(export.expires_at) if has_file else t("export.gone"))
    return parts


def expiry(expires_at: datetime | None) -> str:
    if expires_at is None:
        return ""
    left_s = (expires_at - utc_now()).total_seconds()
    if left_s <= 0:
        return t("export.gone")
    if left_s < 3600:
        return t("export.minutes", n=max(1, round(left_s / 60)))
    return t("export.hours", n=round(left_s / 3600))
