"""The nouns of the workbench: frozen values that check themselves.

Times are seconds as float, counted from the start of the file as a player shows it (its earliest
stream starts at 0). Intervals are half open, [start_s, end_s). Timestamps are timezone-aware UTC.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from heimdex_core.errors import InvalidValue

Json = dict[str, Any]


def utc_now() -> datetime:
    """The present moment, timezone-aware."""
    return datetime.now(UTC)


def to_json(value: Any) -> Any:
    """Dataclasses, enums, datetimes and tuples as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(v) for v in value]
    return value


# --- work in progress -----------------------------------------------------------------------------

ReportProgress = Callable[[float, float], None]
"""Called with (done, total) in the stage's own unit; total 0 means not known yet."""


@dataclass(frozen=True)
class WorkContext:
    """What a long piece of work gets to report with and to look for cancellation."""

    report: ReportProgress = lambda done, total: None
    is_cancelled: Callable[[], bool] = lambda: False

    def check(self) -> None:
        """Raise Cancelled if somebody asked for it."""
        if self.is_cancelled():
            from heimdex_core.errors import Cancelled

            raise Cancelled()


@dataclass(frozen=True, slots=True)
class StageProgress:
    """Where a video's (or an export's) work stands; `eta_s` is None while nothing is known."""

    stage: str
    stage_number: int
    stage_count: int
    done: float
    total: float
    eta_s: float | None
    updated_at: str
    overall: float = 0.0
    """Share of the whole work that is done, 0 to 1; never falls within one attempt."""
    unit: str = "s"
    """What done and total count: "s" for seconds of the video, "items", "bytes"."""

    @property
    def fraction(self) -> float:
        return min(self.done / self.total, 1.0) if self.total > 0 else 0.0


# --- media ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """[start_s, end_s) in seconds."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.start_s <= self.end_s):
            raise InvalidValue(
                name="interval", value=f"[{self.start_s}, {self.end_s})", reason="0 <= start <= end is needed"
            )

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Interval) -> float:
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Interval) -> float:
        """Intersection over union of the two intervals, 0 to 1."""
        shared = self.overlap_s(other)
        union = self.duration_s + other.duration_s - shared
        return shared / union if union > 0 else float(self == other)


@dataclass(frozen=True, slots=True)
class AudioTrack:
    stream_index: int
    codec: str
    sample_rate_hz: int
    channels: int
    language: str | None
    title: str | None
    is_default: bool
    is_commentary: bool


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    stream_index: int
    codec: str
    language: str | None
    is_text: bool


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds. `claimed` comes from the header, everything else from looking.

    width and height are as displayed, after rotation. `origin_s` is the container's own time of
    our 0. `notes` are machine codes of what is odd but workable (for example "no_audio").
    """

    container: str
    size_bytes: int
    claimed_duration_s: float | None
    duration_s: float
    origin_s: float
    video_stream_index: int
    video_codec: str
    video_profile: str | None
    pixel_format: str | None
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation_deg: int
    fps: float
    frame_count: int
    is_variable_frame_rate: bool
    first_frame_s: float
    audio_tracks: tuple[AudioTrack, ...] = ()
    subtitle_tracks: tuple[SubtitleTrack, ...] = ()
    created_at: str | None = None
    camera: str | None = None
    gps: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def has_audio(self) -> bool:
        return bool(self.audio_tracks)

    @staticmethod
    def from_json(data: Json) -> MediaInfo:
        fields = dict(data)
        fields["audio_tracks"] = tuple(AudioTrack(**t) for t in data.get("audio_tracks", ()))
        fields["subtitle_tracks"] = tuple(SubtitleTrack(**t) for t in data.get("subtitle_tracks", ()))
        fields["notes"] = tuple(data.get("notes", ()))
        return MediaInfo(**fields)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A line of speech. `words` may be empty where the source has no word times."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    no_speech: float | None = None
    words: tuple[Word, ...] = ()


TranscriptSource = Literal["subtitles", "embedded", "recognised", "none"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said. `rough` means: expect wrong words. `dropped` counts filtered segments by reason."""

    segments: tuple[Segment, ...]
    source: TranscriptSource
    language: str | None = None
    model: str | None = None
    rough: bool = False
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: Json) -> Transcript:
        segments = tuple(
            Segment(**{**s, "words": tuple(Word(**w) for w in s.get("words", ()))}) for s in data["segments"]
        )
        return Transcript(**{**data, "segments": segments, "notes": tuple(data.get("notes", ()))})


# --- the library ----------------------------------------------------------------------------------


class VideoState(StrEnum):
    UPLOADING = "uploading"
    VALIDATING = "validating"
    PROCESSING = "processing"
    INDEXED = "indexed"
    FAILED = "failed"
    DELETED = "deleted"


TRANSITIONS: Mapping[VideoState, frozenset[VideoState]] = {
    VideoState.UPLOADING: frozenset({VideoState.VALIDATING, VideoState.FAILED, VideoState.DELETED}),
    VideoState.VALIDATING: frozenset({VideoState.PROCESSING, VideoState.FAILED, VideoState.DELETED}),
    VideoState.PROCESSING: frozenset({VideoState.INDEXED, VideoState.FAILED, VideoState.DELETED}),
    VideoState.INDEXED: frozenset({VideoState.PROCESSING, VideoState.DELETED}),
    VideoState.FAILED: frozenset({VideoState.VALIDATING, VideoState.DELETED}),
    # undone: back to what it was
    VideoState.DELETED: frozenset({VideoState.INDEXED, VideoState.FAILED, VideoState.VALIDATING}),
}


@dataclass(frozen=True, slots=True)
class Video:
    video_id: str
    user_id: str
    sha256: str
    title: str
    filename: str
    state: VideoState
    created_at: datetime
    updated_at: datetime
    description: str = ""
    generation: int | None = None
    info: MediaInfo | None = None
    scene_count: int = 0
    transcript_source: TranscriptSource | None = None
    transcript_rough: bool = False
    language: str = "auto"
    notes: tuple[str, ...] = ()
    error: Json | None = None
    job_id: str | None = None
    has_preview: bool = False
    params: Json = field(default_factory=dict)
    """Ingest parameters of this video alone, by the names in Settings."""


@dataclass(frozen=True, slots=True)
class Space:
    """One embedding model's vector space; `name` is '<kind>/<model>', safe as a folder name per part."""

    name: str
    kind: Literal["text", "vision"]
    model: str
    revision: str
    dim: int

    def check(self, other: Space) -> None:
        """Raise SpaceMismatch unless `other` is this very space."""
        from heimdex_core.errors import SpaceMismatch

        if self != other:
            raise SpaceMismatch(
                space=self.name,
                expected=f"{self.model} {self.revision} ({self.dim}-d)",
                found=f"{other.model} {other.revision} ({other.dim}-d)",
            )


@dataclass(frozen=True)
class ModelSet:
    """The models that generations of the library are made with, numbered from 1; one set is the active one.

    `spaces` by role: "text" and "vision" (the first ones), "caption" where scenes are described, and every
    further space under its own name. `choice` is the ModelChoice as JSON.
    """

    set_id: int
    profile: str
    choice: Json
    spaces: Mapping[str, Space]
    created_at: datetime
    is_active: bool = False


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A frame that stands for its scene; brightness 0 to 255, sharpness = variance of the Laplacian."""

    time_s: float
    brightness: float
    sharpness: float
    score: float
    file: str
    """Name inside the generation's frames/ folder."""


def make_scene_id(video_id: str, start_s: float, end_s: float) -> str:
    """The convenience name of a scene: video and milliseconds."""
    return f"{video_id}_{round(start_s * 1000)}_{round(end_s * 1000)}"


def parse_scene_id(scene_id: str) -> tuple[str, int, int]:
    """(video_id, start_ms, end_ms) of a scene name; SceneNotFound if it is not one."""
    from heimdex_core.errors import SceneNotFound

    parts = scene_id.rsplit("_", 2)
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        raise SceneNotFound(scene_id=scene_id)
    return parts[0], int(parts[1]), int(parts[2])


@dataclass(frozen=True, slots=True)
class Scene:
    """One row of scenes.parquet: a stretch of one video and everything known about it."""

    scene_id: str
    video_id: str
    index: int
    start_s: float
    end_s: float
    divided: bool = False
    """True where a long take was divided at a pause, False where the picture cuts."""
    transcript: str = ""
    language: str | None = None
    tags: tuple[str, ...] = ()
    on_screen_text: str = ""
    caption: str = ""
    """One line about the picture, where a model describes pictures."""
    keyframes: tuple[Keyframe, ...] = ()
    thumbnail: str | None = None
    """Name inside frames/ of the 320 px picture."""
    speech_ratio: float = 0.0
    motion: float = 0.0
    """Mean absolute luma difference between neighbouring sampled frames, 0 to 255."""
    brightness: float = 0.0
    dominant_colours: tuple[str, ...] = ()
    """Up to three #rrggbb, most common first."""
    near_duplicate_group: int | None = None
    created_at: datetime | None = None

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def interval(self) -> Interval:
        return Interval(self.start_s, self.end_s)


# --- search ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Query:
    """A search. `weights` None means the person's saved ones, else the defaults."""

    text: str
    weights: Mapping[str, float] | None = None
    fusion: str | None = None
    video_ids: tuple[str, ...] | None = None
    limit: int = 20
    offset: int = 0
    spaces: tuple[str, ...] = ()
    """Spaces that take the place of their kind's first one, by name or by the part after the stroke."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Whether a channel took part; `reason` is a machine code where it did not.

    `kind` is "transcript", "vision", "caption" or "lexical"; `space` the name of the space that it looks in.
    `error` is the error as JSON where the channel failed for a known one.
    """

    active: bool
    weight: float = 0.0
    """Normalised over the active channels; 0 when it abstains."""
    reason: str | None = None
    detail: str = ""
    used_words: tuple[str, ...] = ()
    kind: str = ""
    space: str | None = None
    error: Json | None = None


@dataclass(frozen=True, slots=True)
class ChannelScore:
    """One channel's part in a hit. score and rank are None where the channel did not offer the scene."""

    score: float | None
    rank: int | None
    weight: float
    normalised: float
    contribution: float
    """What it added to the hit's score, in the units of that score."""


@dataclass(frozen=True, slots=True)
class Hit:
    scene: Scene
    video_title: str
    score: float
    rank: int
    channels: Mapping[str, ChannelScore]
    matched_words: tuple[str, ...] = ()
    """Words of the transcript, title, tags or on-screen text that matched the query, as written there."""
    transcript_spans: tuple[tuple[int, int], ...] = ()
    """[start, end) character positions in the scene's transcript of the words that matched."""

    @property
    def scene_id(self) -> str:
        return self.scene.scene_id


# --- exports --------------------------------------------------------------------------------------


class ExportState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ReelClip:
    """A piece of a reel: the scene it came from by identity, and what of it is used."""

    video_id: str
    start_s: float
    end_s: float
    scene_start_s: float
    scene_end_s: float

    def __post_init__(self) -> None:
        if not (self.scene_start_s <= self.start_s < self.end_s <= self.scene_end_s + 1e-6):
            raise InvalidValue(
                name="clip",
                value=f"{self.start_s:.3f} to {self.end_s:.3f} s",
                reason=f"it must lie inside its scene, {self.scene_start_s:.3f} to {self.scene_end_s:.3f} s",
            )

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def scene_id(self) -> str:
        return make_scene_id(self.video_id, self.scene_start_s, self.scene_end_s)


@dataclass(frozen=True, slots=True)
class Reel:
    """A named list of clips kept in the library; the tray is the one called by its reserved id."""

    reel_id: str
    user_id: str
    title: str
    clips: tuple[ReelClip, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Export:
    export_id: str
    user_id: str
    kind: Literal["reel", "short"]
    title: str
    state: ExportState
    clips: tuple[ReelClip, ...]
    created_at: datetime
    params: Json = field(default_factory=dict)
    error: Json | None = None
    path: str | None = None
    """Relative to the library; None until completed."""
    size_bytes: int | None = None
    measured_duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    completed_at: datetime | None = None
    expires_at: datetime | None = None
    job_id: str | None = None
