"""The JSON shapes as models: the command line prints them, the HTTP API answers with them, its client returns them.

Fields that only the API has are named in API_FIELDS. Times of scenes and clips are seconds of their video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from heimdex_core import types
from heimdex_core.types import Json, to_json

Moment = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""UTC."""


class Shape(BaseModel):
    """Base class; fields that a newer server adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self, exclude: Any = None) -> Json:
        """Plain JSON values."""
        return self.model_dump(mode="json", exclude=exclude)


class Error(Shape):
    """What went wrong, in words."""

    code: str
    category: str | None
    message: str | None
    hint: str | None

    @classmethod
    def of(cls, found: Json | None) -> Error | None:
        """From HeimdexError.to_dict(); None where there is no error."""
        if not found:
            return None
        return cls(**{name: found.get(name) for name in ("category", "message", "hint")}, code=str(found.get("code")))


# --- videos ---------------------------------------------------------------------------------------


class AudioTrack(Shape):
    """The sound track that is used, by its number from 1, and why others are not."""

    number: int
    title: str | None
    by_hand: bool
    passed_over: dict[str, str]

    @classmethod
    def of(cls, info: types.MediaInfo) -> AudioTrack | None:
        """None where no track was chosen."""
        if info.sound is None:
            return None
        numbers = {track.stream_index: n for n, track in enumerate(info.audio_tracks, 1)}
        number = numbers[info.sound.stream_index]
        return cls(
            number=number,
            title=info.audio_tracks[number - 1].title,
            by_hand=info.sound.by_hand,
            passed_over={str(numbers[int(index)]): str(why) for index, why in info.sound.passed_over.items()},
        )


class Video(Shape):
    """A video. What only the file tells (duration, size, ...) is null until it has been probed."""

    video_id: str | None = Field(description="null for a file that was refused")
    title: str
    filename: str
    state: str = Field(description="uploading, validating, processing, indexed, failed or deleted")
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    has_audio: bool | None = None
    audio_track: AudioTrack | None = None
    scene_count: int = 0
    transcript_source: str | None = None
    transcript_rough: bool = False
    notes: tuple[str, ...] = ()
    created_at: Moment | None = None
    error: Error | None = None
    description: str = ""
    language: str = "auto"
    updated_at: Moment | None = None
    owner_id: str | None = None

    @classmethod
    def of(cls, found: types.Video) -> Video:
        info = found.info
        return cls(
            video_id=found.video_id,
            title=found.title,
            filename=found.filename,
            state=str(found.state),
            duration_s=info.duration_s if info else None,
            width=info.width if info else None,
            height=info.height if info else None,
            rotation=info.rotation_deg if info else None,
            has_audio=info.has_audio if info else None,
            audio_track=AudioTrack.of(info) if info else None,
            scene_count=found.scene_count,
            transcript_source=found.transcript_source,
            transcript_rough=found.transcript_rough,
            notes=found.notes,
            created_at=found.created_at,
            error=Error.of(found.error),
            description=found.description,
            language=found.language,
            updated_at=found.updated_at,
            owner_id=found.user_id,
        )


class Progress(Shape):
    """Where the work on a video or an export stands."""

    stage: str
    stage_number: int
    stage_count: int
    done: float
    total: float
    unit: str
    eta_s: float | None = Field(description="seconds left; null while nothing is known")
    overall: float = Field(description="share of the whole work that is done, 0 to 1")
    updated_at: str

    @classmethod
    def of(cls, found: types.StageProgress | None) -> Progress | None:
        return None if found is None else cls.model_validate(to_json(found))


# --- people in the picture ------------------------------------------------------------------------


class Face(Shape):
    """A face in a keyframe of a video, and who it is."""

    face_id: str
    video_id: str
    generation: int
    keyframe: str = Field(description="the name of the keyframe's file")
    time_s: float
    box: tuple[float, float, float, float] = Field(description="left, top, width, height as shares of the picture")
    score: float = Field(description="how certain it is that this is a face, 0 to 1")
    person_id: str | None
    name: str | None
    similarity: float | None = Field(description="the cosine to the person")
    is_by_hand: bool

    @classmethod
    def of(cls, found: types.SceneFace) -> Face:
        return cls(**to_json(found))


class Person(Shape):
    """A person whom the user has named."""

    person_id: str
    name: str
    created_at: Moment
    photos: int
    confirmed: int = Field(description="faces that were assigned by hand")
    faces: int = Field(description="all faces of the person, those that were matched included")
    videos: int
    best_face: str | None = Field(description="the id of a face to show")

    @classmethod
    def of(cls, found: types.Person) -> Person:
        best = found.best_face.face_id if found.best_face else None
        return cls(**{**to_json(found), "best_face": best})


class FaceCluster(Shape):
    """Faces that look like one person whom nobody has named, the best ones first."""

    cluster_id: str
    faces: list[Face]
    videos: int

    @classmethod
    def of(cls, found: types.FaceCluster) -> FaceCluster:
        return cls(cluster_id=found.cluster_id, faces=[Face.of(face) for face in found.faces], videos=found.videos)


# --- scenes ---------------------------------------------------------------------------------------


class Keyframe(Shape):
    """A frame that stands for its scene."""

    time_s: float
    brightness: float
    sharpness: float
    score: float
    file: str


class Scene(Shape):
    """A stretch of a video, [start_s, end_s), and what is known of it."""

    scene_id: str
    video_id: str
    index: int
    start_s: float
    end_s: float
    divided: bool
    transcript: str
    language: str | None
    tags: tuple[str, ...]
    on_screen_text: str
    caption: str
    keyframes: tuple[Keyframe, ...]
    thumbnail: str | None = Field(description="where its picture is: a link of the API, a path of the command line")
    speech_ratio: float
    motion: float
    brightness: float
    dominant_colours: tuple[str, ...]
    near_duplicate_group: int | None
    created_at: Moment | None

    @classmethod
    def of(cls, found: types.Scene, thumbnail: str | None) -> Scene:
        return cls.model_validate({**to_json(found), "thumbnail": thumbnail})


# --- search ---------------------------------------------------------------------------------------


class Channel(Shape):
    """Whether a channel took part; `reason` is a code where it did not, and `error` says why it failed."""

    active: bool
    reason: str | None
    space: str | None
    error: Json | None = None
    weight: float = 0.0


class ChannelPart(Shape):
    """One channel's part in a hit; score and rank are null where it did not offer the scene."""

    score: float | None
    rank: int | None
    weight: float
    contribution: float


class Hit(Shape):
    """A scene that was found, with the reasons."""

    scene_id: str
    video_id: str
    start_s: float
    end_s: float
    score: float
    strength: str | None
    keyframe_s: float | None
    duplicates: tuple[str, ...]
    then: str | None
    transcript: str
    channels: dict[str, ChannelPart]
    rank: int = 0
    video_title: str = ""
    is_close: bool = True
    on_screen_text: str = ""
    matched_words: tuple[str, ...] = ()
    matched_on_screen: tuple[str, ...] = ()
    """Those of `matched_words` that can be read in the picture."""
    transcript_spans: tuple[tuple[int, int], ...] = ()
    tags: tuple[str, ...] = ()
    thumbnail: str | None = None

    @classmethod
    def of(cls, hit: types.Hit, thumbnail: str | None) -> Hit:
        return cls(
            scene_id=hit.scene_id,
            video_id=hit.scene.video_id,
            start_s=hit.scene.start_s,
            end_s=hit.scene.end_s,
            score=hit.score,
            strength=hit.strength,
            keyframe_s=hit.keyframe_s,
            duplicates=hit.duplicates,
            then=hit.then,
            transcript=hit.scene.transcript,
            channels={
                name: ChannelPart(score=part.score, rank=part.rank, weight=part.weight, contribution=part.contribution)
                for name, part in hit.channels.items()
            },
            rank=hit.rank,
            video_title=hit.video_title,
            is_close=hit.is_close,
            on_screen_text=hit.scene.on_screen_text,
            matched_words=hit.matched_words,
            matched_on_screen=hit.matched_on_screen,
            transcript_spans=hit.transcript_spans,
            tags=hit.scene.tags,
            thumbnail=thumbnail,
        )


class SearchResult(Shape):
    """A page of hits, best first; `total` counts all that were found."""

    query: str
    fusion: str
    total: int
    nothing_close: bool
    corrected: dict[str, str]
    notes: tuple[str, ...]
    hits: tuple[Hit, ...]
    channels: dict[str, Channel]
    timing_ms: dict[str, float]
    total_videos: int = 0
    weights: dict[str, float] = {}
    facets: dict[str, dict[str, int]] = {}
    view_token: str = Field("", description="sent with the next pages, so that they fit this one")
    cached: bool = False

    @classmethod
    def of(cls, found: types.SearchResult, thumbnails: Mapping[str, str] | None = None) -> SearchResult:
        """`thumbnails` are links by scene_id."""
        links = thumbnails or {}
        return cls(
            query=found.query.text,
            fusion=found.fusion,
            total=found.total,
            nothing_close=found.nothing_close,
            corrected=dict(found.corrected),
            notes=found.notes,
            hits=tuple(Hit.of(hit, links.get(hit.scene_id)) for hit in found.hits),
            channels={
                name: Channel(
                    active=state.active, reason=state.reason, space=state.space, error=state.error, weight=state.weight
                )
                for name, state in found.channels.items()
            },
            timing_ms={name: round(value, 3) for name, value in found.timing_ms.items()},
            total_videos=found.total_videos,
            weights=dict(found.weights),
            facets={name: dict(counts) for name, counts in found.facets.items()},
            view_token=found.view_token,
            cached=found.cached,
        )


# --- exports --------------------------------------------------------------------------------------


class Clip(Shape):
    """A piece of a reel: [start_s, end_s) of a video, and the scene that it came from."""

    video_id: str
    start_s: float
    end_s: float
    scene_start_s: float
    scene_end_s: float
    copy_: int = Field(0, alias="copy")
    strategy: str | None = None

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)


class Export(Shape):
    """A reel or a short that was rendered, or is going to be."""

    export_id: str
    user_id: str
    kind: str
    title: str
    state: str = Field(description="pending, processing, completed, failed or cancelled")
    clips: tuple[Clip, ...]
    created_at: Moment
    params: Json
    error: Json | None
    path: str | None
    size_bytes: int | None
    measured_duration_s: float | None
    width: int | None
    height: int | None
    completed_at: Moment | None
    expires_at: Moment | None
    job_id: str | None
    left_out: tuple[Json, ...]
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    scene_id: str | None
    strategy: str | None
    quality: str | None
    out: str | None = Field(description="where its file is: a link of the API, a path of the command line")

    @classmethod
    def of(cls, found: types.Export, out: str | None) -> Export:
        asked = {"scene_id": found.scene_id, "strategy": found.strategy, "quality": found.quality}
        return cls.model_validate({**to_json(found), **asked, "out": out})

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in ("pending", "processing")


# --- evaluation -----------------------------------------------------------------------------------


class Measure(Shape):
    """A measure of a run, with its 95 % confidence interval."""

    mean: float
    low: float | None
    high: float | None
    unjudged: float


class EvaluationRun(Shape):
    """A run. `queries` has the value of each measure for each query that was scored."""

    run_id: str
    name: str
    measures: dict[str, Measure]
    queries: dict[str, dict[str, float]]
    query_set: str = ""
    created_at: Moment | None = None

    @classmethod
    def of(cls, found: types.EvaluationRun) -> EvaluationRun:
        return cls(
            run_id=found.run_id,
            name=found.name,
            measures={name: Measure(**to_json(summary)) for name, summary in found.measures.items()},
            queries={query_id: dict(values) for query_id, values in found.per_query.items()},
            query_set=found.query_set,
            created_at=found.created_at,
        )


class Judgement(Shape):
    """What one judge says about one scene for one query; `scene_id` is null where no scene of today is the judged
    one."""

    judgement_id: str
    query_set: str
    query: str
    video_id: str
    start_ms: int
    end_ms: int
    grade: int
    judge: str
    judged_at: Moment
    reason: str
    scene_id: str | None

    @classmethod
    def of(cls, found: types.SceneJudgement) -> Judgement:
        return cls.model_validate(to_json(found))


API_FIELDS: Mapping[type[Shape], Sequence[str]] = {
    Video: ("description", "language", "updated_at", "owner_id"),
    Hit: ("rank", "video_title", "is_close", "transcript_spans", "tags", "thumbnail"),
    Channel: ("weight",),
    SearchResult: ("total_videos", "weights", "facets", "view_token", "cached"),
    EvaluationRun: ("query_set", "created_at"),
}
"""What the command line leaves out, by shape."""


# --- activity -------------------------------------------------------------------------------------


class FailedVideo(Shape):
    """A video that could not be indexed, and at which stage."""

    video_id: str
    title: str
    user_id: str
    stage: str
    failed_at: Moment
    error: Error | None

    @classmethod
    def of(cls, found: types.FailedVideo) -> FailedVideo:
        fields = {name: getattr(found, name) for name in ("video_id", "title", "user_id", "stage", "failed_at")}
        return cls(**fields, error=Error.of(found.error))


class SearchPeriod(Shape):
    """The searches of the last days: altogether, by fusion method, and by day in UTC."""

    days: int
    total: types.SearchTimes
    by_method: dict[str, types.SearchTimes]
    by_day: dict[str, types.SearchTimes]

    @classmethod
    def of(cls, found: types.SearchPeriod) -> SearchPeriod:
        by_day = {day.isoformat(): times for day, times in found.by_day.items()}
        return cls(days=found.days, total=found.total, by_method=dict(found.by_method), by_day=by_day)


class QueueDepth(Shape):
    """What waits in a queue of jobs, since when, and what is worked on."""

    queue: str
    waiting: int
    running: int
    oldest_waiting_at: Moment | None


class WorkerTask(Shape):
    """A stage that a worker is at, of a video or an export."""

    job_id: str
    subject: str
    stage: str
    since: Moment | None


class Worker(Shape):
    """What a worker said last."""

    machine: str
    pid: int
    state: str
    queues: tuple[str, ...]
    updated_at: Moment
    tasks: tuple[WorkerTask, ...]


class Activity(Shape):
    """What goes on in a library, of all users; docs/activity.md explains the figures."""

    at: Moment
    videos: dict[str, int]
    duration_s: float
    failures: dict[str, int]
    failed_videos: tuple[FailedVideo, ...]
    processing: tuple[types.ProcessingTimes, ...]
    searches: tuple[SearchPeriod, ...]
    disk: tuple[types.UserDisk, ...]
    queues: tuple[QueueDepth, ...]
    workers: tuple[Worker, ...]
    jobs_error: Error | None

    @classmethod
    def of(cls, found: types.ActivityReport) -> Activity:
        return cls(
            at=found.at,
            videos={str(state): count for state, count in found.videos.items()},
            duration_s=found.duration_s,
            failures=dict(found.failures),
            failed_videos=tuple(FailedVideo.of(one) for one in found.failed_videos),
            processing=found.processing,
            searches=tuple(SearchPeriod.of(one) for one in found.searches),
            disk=found.disk,
            queues=tuple(QueueDepth(**to_json(one)) for one in found.queues),
            workers=tuple(Worker(**to_json(one)) for one in found.workers),
            jobs_error=Error.of(found.jobs_error),
        )
