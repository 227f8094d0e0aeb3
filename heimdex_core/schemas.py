"""The JSON shapes of the command line and the HTTP API, as described in docs/command-line.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.types import ChannelState, Export, Hit, Json, Scene, SearchResult, Video, to_json

ERROR_FIELDS = ("code", "category", "message", "hint")


def error(found: Json | None) -> Json | None:
    """The shape of an error without its details, from HeimdexError.to_dict(); None where there is no error."""
    return {name: found.get(name) for name in ERROR_FIELDS} if found else None


def video(found: Video) -> Json:
    """The shape of a video. What only the file tells (duration, size, ...) is null until it has been probed."""
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
    """The shape of a video for a file that was refused; `video_id` is null and `error` has the reason."""
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
        "transcript_rough": False,
        "notes": [],
        "created_at": None,
        "error": error(found.to_dict()),
    }


def scene(found: Scene, thumbnail: Path | None) -> Json:
    """The shape of a scene: the fields of Scene, with the path of its thumbnail file instead of the file's name."""
    row: Json = to_json(found)
    return {**row, "thumbnail": str(thumbnail) if thumbnail else None}


def search_result(found: SearchResult) -> Json:
    """The shape of a page of hits."""
    return {
        "query": found.query.text,
        "fusion": found.fusion,
        "hits": [_hit(hit) for hit in found.hits],
        "channels": {name: _channel(state) for name, state in found.channels.items()},
        "timing_ms": {name: round(value, 3) for name, value in found.timing_ms.items()},
    }


def export(found: Export, out: Path) -> Json:
    """The shape of an export: the fields of Export, and the path of the file that was written as `out`."""
    return {**to_json(found), "out": str(out)}


def _channel(state: ChannelState) -> Json:
    """`error` is only present where there is one."""
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
