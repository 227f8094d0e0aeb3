"""The JSON shapes that the command line prints and the HTTP API answers with. docs/command-line.md describes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.types import ChannelState, Export, Hit, Json, Scene, SearchResult, Video, to_json

ERROR_FIELDS = ("code", "category", "message", "hint")


def error(found: Json | None) -> Json | None:
    """An error without its details, from HeimdexError.to_dict; None for none."""
    return {name: found.get(name) for name in ERROR_FIELDS} if found else None


def video(found: Video) -> Json:
    info = found.info
    return {
        "video_id": found.video_id,
        "title": found.title,
        "filename": found.filename,
        "state": str(found.state),
        "duration_s": info.duration_s if info else None,
        "width": info.width if info else None,
        "height": info.height if info else None,
        "rotation": info.rotation_deg if info else None,
        "has_audio": info.has_audio if info else None,
        "scene_count": found.scene_count,
        "transcript_source": found.transcript_source,
        "transcript_rough": found.transcript_rough,
        "notes": list(found.notes),
        "created_at": found.created_at.isoformat(),
        "error": error(found.error),
    }


def refused_video(path: str, found: HeimdexError) -> Json:
    """A file that was not taken in, in the shape of a video."""
    return {
        "video_id": None,
        "title": Path(path).stem,
        "filename": Path(path).name,
        "state": "failed",
        "duration_s": None,
        "width": None,
        "height": None,
        "rotation": None,
        "has_audio": None,
        "scene_count": 0,
        "transcript_source": None,
        "error": error(found.to_dict()),
    }


def scene(found: Scene, thumbnail: Path | None) -> Json:
    row: Json = to_json(found)
    return {**row, "thumbnail": str(thumbnail) if thumbnail else None}


def search_result(found: SearchResult) -> Json:
    return {
        "query": found.query.text,
        "fusion": found.fusion,
        "hits": [_hit(hit) for hit in found.hits],
        "channels": {name: _channel(state) for name, state in found.channels.items()},
        "timing_ms": {name: round(value, 3) for name, value in found.timing_ms.items()},
    }


def export(found: Export, out: Path) -> Json:
    """An export and the file that was written for it."""
    return {**to_json(found), "out": str(out)}


def _channel(state: ChannelState) -> Json:
    """`error` only where there is one."""
    about: dict[str, Any] = {"active": state.active, "reason": state.reason, "space": state.space}
    return about if state.error is None else {**about, "error": state.error}


def _hit(hit: Hit) -> Json:
    return {
        "scene_id": hit.scene_id,
        "video_id": hit.scene.video_id,
        "start_s": hit.scene.start_s,
        "end_s": hit.scene.end_s,
        "score": hit.score,
        "transcript": hit.scene.transcript,
        "channels": {
            name: {
                "score": part.score,
                "rank": part.rank,
                "weight": part.weight,
                "contribution": part.contribution,
            }
            for name, part in hit.channels.items()
        },
    }
