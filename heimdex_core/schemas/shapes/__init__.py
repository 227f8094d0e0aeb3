"""The JSON shapes as models: the command line prints them, the HTTP API answers with them, its client returns them.

Fields that only the API has are named in API_FIELDS. Times of scenes and clips are seconds of their video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heimdex_core.schemas.shapes.activity import Activity, FailedVideo, QueueDepth, SearchPeriod, Worker, WorkerTask
from heimdex_core.schemas.shapes.base import Error, Moment, Shape
from heimdex_core.schemas.shapes.evaluation import EvaluationRun, Judgement, Measure
from heimdex_core.schemas.shapes.exports import Clip, Export
from heimdex_core.schemas.shapes.search import (
    Channel,
    ChannelPart,
    Hit,
    Keyframe,
    Scene,
    SearchResult,
    SeenPerson,
)
from heimdex_core.schemas.shapes.videos import (
    AudioTrack,
    Face,
    FaceCluster,
    FaceScan,
    Person,
    Progress,
    Share,
    Video,
)

API_FIELDS: Mapping[type[Shape], Sequence[str]] = {
    Video: ("description", "language", "updated_at", "owner_id"),
    Hit: ("rank", "video_title", "is_close", "transcript_spans", "tags", "thumbnail"),
    Channel: ("weight",),
    SearchResult: ("total_videos", "weights", "facets", "view_token", "cached"),
    EvaluationRun: ("query_set", "created_at"),
}
"""What the command line leaves out, by shape."""

__all__ = [
    "API_FIELDS",
    "Activity",
    "AudioTrack",
    "Channel",
    "ChannelPart",
    "Clip",
    "Error",
    "EvaluationRun",
    "Export",
    "Face",
    "FaceCluster",
    "FaceScan",
    "FailedVideo",
    "Hit",
    "Judgement",
    "Keyframe",
    "Measure",
    "Moment",
    "Person",
    "Progress",
    "QueueDepth",
    "Scene",
    "SearchPeriod",
    "SearchResult",
    "SeenPerson",
    "Shape",
    "Share",
    "Video",
    "Worker",
    "WorkerTask",
]
