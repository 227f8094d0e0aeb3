"""Videos, what is shared, progress, and the people and faces in videos."""

from __future__ import annotations

from pydantic import Field

from heimdex_core import types
from heimdex_core.schemas.shapes.base import Error, Moment, Shape
from heimdex_core.types import to_json


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


class Share(Shape):
    """What another user shares with the user."""

    kind: str = Field(description="video or collection")
    target_id: str = Field(description="a video_id or collection_id")
    access: str = Field(description="read or write")
    title: str | None = Field(description="null for a video that cannot be searched yet")

    @classmethod
    def of(cls, found: types.Share, title: str | None) -> Share:
        return cls(kind=found.kind, target_id=found.target_id, access=found.access, title=title)


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


class FaceScan(Shape):
    """A search for faces, and where it stands."""

    scan_id: str
    state: str = Field(description="waiting, running, done, failed or cancelled")
    created_at: Moment
    total: int = Field(description="videos there are to look at; 0 while nobody has begun")
    done: int = Field(description="videos that are done with")
    videos: int = Field(description="videos that were looked through")
    faces: int = Field(description="faces that these have")
    skipped: int = Field(description="videos that had been looked through before")
    problems: dict[str, Error] = Field(description="why videos could not be looked through, by video_id")
    error: Error | None = Field(description="why the whole search ended early")
    is_over: bool

    @classmethod
    def of(cls, found: types.FaceScan) -> FaceScan:
        problems = {video_id: Error.of(problem) for video_id, problem in found.problems.items()}
        over = {"done": found.done, "is_over": found.is_over, "problems": problems, "error": Error.of(found.error)}
        return cls(**{**to_json(found), **over})
