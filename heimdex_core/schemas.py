"""The JSON shapes of the command line and the HTTP API, as described in docs/command-line.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heimdex_core.errors import printable
from heimdex_core.types import (
    ActivityReport,
    ChannelState,
    Correction,
    EvaluationRun,
    Export,
    FolderReport,
    Hit,
    Json,
    MediaInfo,
    Pause,
    Reel,
    RelinkReport,
    RunComparison,
    Scene,
    SceneEdit,
    SearchResult,
    Video,
    to_json,
)

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
        "audio_track": _audio_track(info) if info else None,
        "scene_count": found.scene_count,
        "transcript_source": found.transcript_source,
        "transcript_rough": found.transcript_rough,
        "notes": list(found.notes),
        "created_at": found.created_at.isoformat(),
        "error": error(found.error),
    }


def _audio_track(info: MediaInfo) -> Json | None:
    """The sound track that is used, by its number from 1, and why others are not; null where none was chosen."""
    if info.sound is None:
        return None
    numbers = {track.stream_index: n for n, track in enumerate(info.audio_tracks, 1)}
    number = numbers[info.sound.stream_index]
    return {
        "number": number,
        "title": info.audio_tracks[number - 1].title,
        "by_hand": info.sound.by_hand,
        "passed_over": {str(numbers[int(index)]): why for index, why in info.sound.passed_over.items()},
    }


def refused_video(path: str, found: Json) -> Json:
    """The shape of a video for a file that was refused: `video_id` is null, and `error` has the reason `found`."""
    return {
        "video_id": None,
        "title": printable(Path(path).stem),
        "filename": printable(Path(path).name),
        "state": "failed",
        "duration_s": None,
        "width": None,
        "height": None,
        "rotation": None,
        "has_audio": None,
        "audio_track": None,
        "scene_count": 0,
        "transcript_source": None,
        "transcript_rough": False,
        "notes": [],
        "created_at": None,
        "error": error(found),
    }


def scene(found: Scene, thumbnail: Path | None) -> Json:
    """The shape of a scene: the fields of Scene, with the path of its thumbnail file instead of the file's name."""
    row: Json = to_json(found)
    return {**row, "thumbnail": str(thumbnail) if thumbnail else None}


def scene_edit(found: SceneEdit) -> Json:
    """The shape of an edit of scenes: the fields of SceneEdit."""
    row: Json = to_json(found)
    return row


def correction(found: Correction) -> Json:
    """The shape of a correction: the fields of TranscriptEdit or TagEdit, and `op`, "transcript" or "tags"."""
    row: Json = to_json(found)
    return {"edit_id": row.pop("edit_id"), "op": "transcript" if "text" in row else "tags", **row}


def search_result(found: SearchResult) -> Json:
    """The shape of a page of hits."""
    return {
        "query": found.query.text,
        "fusion": found.fusion,
        "total": found.total,
        "nothing_close": found.nothing_close,
        "corrected": dict(found.corrected),
        "notes": list(found.notes),
        "hits": [_hit(hit) for hit in found.hits],
        "channels": {name: _channel(state) for name, state in found.channels.items()},
        "timing_ms": {name: round(value, 3) for name, value in found.timing_ms.items()},
    }


def evaluation_run(found: EvaluationRun) -> Json:
    """The shape of a run. `queries` has the value of each measure for each query that was scored."""
    return {
        "run_id": found.run_id,
        "name": found.name,
        "measures": {name: to_json(summary) for name, summary in found.measures.items()},
        "queries": {query_id: dict(values) for query_id, values in found.per_query.items()},
    }


def run_comparison(found: RunComparison) -> Json:
    """The shape of a comparison: by measure, the second run's mean minus the first one's."""
    names = ("delta", "low", "high", "p", "p_corrected")
    return {measure: {name: getattr(delta, name) for name in names} for measure, delta in found.measures.items()}


def watched_folder(found: FolderReport) -> Json:
    """The shape of a watched folder. `state` is "new" until a worker has looked at it."""
    status = found.status
    return {
        "folder_id": found.folder.folder_id,
        "path": found.folder.path,
        "state": status.state if status else "new",
        "looked_at": status.looked_at.isoformat() if status else None,
        "files": status.files if status else None,
        "waiting": status.waiting if status else None,
        "counts": dict(found.counts),
        "error": error(status.error) if status else None,
        "next_files": [to_json(file) for file in status.next_files] if status else [],
        "refused": [{"path": file.path, "error": error(file.error)} for file in found.refused],
    }


def relink_report(found: RelinkReport) -> Json:
    """The shape of what became of looking for videos' files."""
    return {"videos": to_json(found.videos), "searched": found.searched, "unreadable": found.unreadable}


def reel(found: Reel) -> Json:
    """The shape of a reel: its clips with the id and the scene of each, and how long all of them are."""
    return {
        "reel_id": found.reel_id,
        "title": found.title,
        "duration_s": round(sum(clip.duration_s for clip in found.clips), 3),
        "updated_at": found.updated_at.isoformat(),
        "clips": [{"clip_id": clip.clip_id, "scene_id": clip.scene_id, **to_json(clip)} for clip in found.clips],
    }


def pause(found: Pause) -> Json:
    """The shape of a pause: its id, and the fields of Pause."""
    return {"pause_id": found.pause_id, **to_json(found), "duration_s": round(found.duration_s, 3)}


def export(found: Export, out: Path | None) -> Json:
    """The shape of an export: the fields of Export, strategy, quality and scene_id, and as `out` the path of its file.

    `out` is null where there is no file.
    """
    asked = {"scene_id": found.scene_id, "strategy": found.strategy, "quality": found.quality}
    return {**to_json(found), **asked, "out": str(out) if out is not None else None}


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
        "strength": hit.strength,
        "keyframe_s": hit.keyframe_s,
        "duplicates": list(hit.duplicates),
        "then": hit.then,
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


def activity(report: ActivityReport) -> Json:
    """The shape of the figures of activity: the fields of ActivityReport, errors without their details."""
    shape: Json = to_json(report)
    shape["jobs_error"] = error(report.jobs_error)
    for row in shape["failed_videos"]:
        row["error"] = error(row["error"])
    return shape
