"""What a library holds: videos and their states, scenes, the spaces and sets of models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from heimdex_core.errors import SceneNotFound, SpaceMismatch
from heimdex_core.types.media import Interval, MediaInfo, TranscriptSource
from heimdex_core.types.values import Json


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
        if self != other:
            raise SpaceMismatch(
                space=self.name,
                expected=f"{self.model} {self.revision} ({self.dim}-d)",
                found=f"{other.model} {other.revision} ({other.dim}-d)",
            )


MULTILINGUAL = "multilingual"
"""The role of a second text space, for what is said in languages that the model of the first does not read."""


@dataclass(frozen=True)
class ModelSet:
    """The models that generations of the library are made with, numbered from 1; one set is the active one.

    `spaces` by role: "text" and "vision" (the first ones), "caption" where scenes are described, MULTILINGUAL where
    there is a second text model, and every further space under its own name. `choice` is the ModelChoice as JSON.
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


_MILLISECONDS = re.compile(r"[0-9]{1,12}")


def make_scene_id(video_id: str, start_s: float, end_s: float) -> str:
    """The convenience name of a scene: video and milliseconds."""
    return f"{video_id}_{round(start_s * 1000)}_{round(end_s * 1000)}"


def parse_scene_id(scene_id: str) -> tuple[str, int, int]:
    """(video_id, start_ms, end_ms) of a scene name; SceneNotFound if it is not one."""
    parts = scene_id.rsplit("_", 2)
    if len(parts) != 3 or not all(_MILLISECONDS.fullmatch(part) for part in parts[1:]):
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


@dataclass(frozen=True, slots=True)
class VisibleVideo:
    """One indexed video as readers see it."""

    video_id: str
    user_id: str
    generation: int
    title: str
    deleted: bool
    filename: str = ""
    duration_s: float | None = None
    scene_count: int = 0
    created_at: datetime | None = None

    @property
    def key(self) -> str:
        """The name of the visible generation in the indexes."""
        return f"{self.video_id}#{self.generation}"
