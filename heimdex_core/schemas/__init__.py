"""The JSON shapes of the command line and the HTTP API, as described in docs/command-line.md."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.errors import printable
from heimdex_core.schemas import shapes
from heimdex_core.types import (
    ActivityReport,
    Correction,
    EvaluationRun,
    Export,
    FaceCluster,
    FaceScan,
    FolderReport,
    Json,
    Pause,
    Person,
    Reel,
    RelinkReport,
    RunComparison,
    Scene,
    SceneEdit,
    SceneFace,
    SearchResult,
    Video,
    to_json,
)


def error(found: Json | None) -> Json | None:
    """The shape of an error without its details, from HeimdexError.to_dict(); None where there is no error."""
    shape = shapes.Error.of(found)
    return shape.to_json() if shape else None


def video(found: Video) -> Json:
    """The shape of a video. What only the file tells (duration, size, ...) is null until it has been probed."""
    return shapes.Video.of(found).to_json(_of_api(shapes.Video))


def refused_video(path: str, found: Json) -> Json:
    """The shape of a video for a file that was refused: `video_id` is null, and `error` has the reason `found`."""
    shape = shapes.Video(
        video_id=None,
        title=printable(Path(path).stem),
        filename=printable(Path(path).name),
        state="failed",
        error=shapes.Error.of(found),
    )
    return shape.to_json(_of_api(shapes.Video))


def scene(found: Scene, thumbnail: Path | None) -> Json:
    """The shape of a scene: the fields of Scene, with the path of its thumbnail file instead of the file's name."""
    return shapes.Scene.of(found, str(thumbnail) if thumbnail else None).to_json()


def scene_edit(found: SceneEdit) -> Json:
    """The shape of an edit of scenes: the fields of SceneEdit."""
    row: Json = to_json(found)
    return row


def correction(found: Correction) -> Json:
    """The shape of a correction: the fields of TranscriptEdit or TagEdit, and `op`, "transcript" or "tags"."""
    row: Json = to_json(found)
    return {"edit_id": row.pop("edit_id"), "op": "transcript" if "text" in row else "tags", **row}


def person(found: Person) -> Json:
    """The shape of a person in the picture."""
    return shapes.Person.of(found).to_json()


def scene_face(found: SceneFace) -> Json:
    """The shape of a face: its box is [left, top, width, height] as shares of the picture."""
    return shapes.Face.of(found).to_json()


def face_cluster(found: FaceCluster) -> Json:
    """The shape of a group of faces that nobody has named."""
    return shapes.FaceCluster.of(found).to_json()


def face_scan(found: FaceScan) -> Json:
    """The shape of a search for faces."""
    return shapes.FaceScan.of(found).to_json()


def search_result(found: SearchResult) -> Json:
    """The shape of a page of hits. `error` of a channel is only present where there is one."""
    row = shapes.SearchResult.of(found).to_json(
        {
            **dict.fromkeys(shapes.API_FIELDS[shapes.SearchResult], True),
            "hits": {"__all__": _of_api(shapes.Hit)},
            "channels": {"__all__": _of_api(shapes.Channel)},
        }
    )
    for channel in row["channels"].values():
        if channel["error"] is None:
            del channel["error"]
    return row


def evaluation_run(found: EvaluationRun) -> Json:
    """The shape of a run. `queries` has the value of each measure for each query that was scored."""
    return shapes.EvaluationRun.of(found).to_json(_of_api(shapes.EvaluationRun))


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
    return shapes.Export.of(found, str(out) if out is not None else None).to_json()


def activity(report: ActivityReport) -> Json:
    """The shape of the figures of activity."""
    return shapes.Activity.of(report).to_json()


def _of_api(shape: type[shapes.Shape]) -> set[str]:
    """The fields that only the HTTP API has."""
    return set(shapes.API_FIELDS[shape])
