"""The data of a video's timeline and of its whole transcript."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.types import Scene, SceneEdit, Video
from ui import media, state
from ui.i18n import t, tn
from ui.views import videos

_LABELS = ("slider", "position", "split", "merge", "undo", "zoom_in", "zoom_out", "busy")


def data(
    library: Library, video: Video, scenes: Sequence[Scene], edits: Sequence[SceneEdit], *, selected: str
) -> dict[str, Any]:
    """The timeline of a video.

    Args:
        library: has the video.
        video: which is indexed.
        scenes: its scenes, in order; at least one.
        edits: what was split and merged by hand, oldest first.
        selected: id of the scene in the player.
    """
    minimum_s = float(video.params.get("min_scene_s") or library.settings.min_scene_s)
    # not the generation: the video and its scenes are read one after the other, and a new one may come between
    version = zlib.crc32("".join(scene.scene_id for scene in scenes).encode())
    return {
        "version": str(version),
        "media": media_id(video),
        "duration": max(video.info.duration_s if video.info else 0.0, scenes[-1].end_s),
        "scenes": [[scene.scene_id, scene.start_s, scene.end_s, media.frame_url(library, scene)] for scene in scenes],
        "selected": selected,
        "minimum": minimum_s,
        "busy": video.state in videos.RUNNING,
        "edits": [_edit(edit) for edit in edits],
        "labels": {name: t(f"timeline.{name}") for name in _LABELS}
        | {
            "language": state.language(),
            "too_short": t("timeline.too_short", length=t("unit.seconds", n=f"{minimum_s:g}")),
            "edits": tn("edits.heading", len(edits)),
            "undo_one": t("action.undo"),
        },
    }


def _edit(edit: SceneEdit) -> dict[str, Any]:
    text = t(f"edits.{edit.op}", time=fmt.precise(edit.at_s))
    return {
        "id": edit.edit_id,
        "text": text,
        "state": edit.state,
        "note": "" if edit.state == "applied" else t(f"edits.state.{edit.state}"),
        "undo": t("edits.undo_label", edit=text),
    }


def transcript(library: Library, video: Video) -> dict[str, Any]:
    """The transcript of an indexed video."""
    return {
        "version": media_id(video),
        "media": media_id(video),
        "lines": _lines(library, video.video_id, video.generation or 0),
        "labels": {name: t(f"transcript.{name}") for name in ("search", "count", "no_match", "previous", "next")}
        | {
            "heading": t("player.transcript"),
            "no_speech": t("scene.no_speech"),
            "rough": t("player.rough") if video.transcript_rough else "",
        },
    }


@lru_cache(maxsize=16)
def _lines(library: Library, video_id: str, generation: int) -> list[list[Any]]:
    # `generation` is part of the cache key: a generation never changes
    return [[line.start_s, line.end_s, line.text] for line in library.words(video_id) if line.text.strip()]


def media_id(video: Video) -> str:
    """What the player calls the file that it plays, as in ui.views.scenes.panel."""
    return f"{video.video_id}/{video.generation}"
