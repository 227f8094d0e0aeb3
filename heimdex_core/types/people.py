"""People who are seen in videos. A *person* is somebody in the picture, a *user* somebody who uses the library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from heimdex_core.errors import FaceNotFound
from heimdex_core.types.values import Json

_FACE_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([0-9]{1,12})_([0-9]{1,4})_([0-9]{1,4})")

Box = tuple[float, float, float, float]
"""Left edge, upper edge, width and height, as shares of the picture's width and height."""


def make_face_id(video_id: str, time_ms: int, box: Box) -> str:
    """The name of a face: its video, when it was first found there, and its middle in thousandths of the picture."""
    x, y = (round(1000 * min(max(place + side / 2, 0.0), 1.0)) for place, side in zip(box[:2], box[2:], strict=True))
    return f"{video_id}_{time_ms}_{x}_{y}"


def video_of_face(face_id: str) -> str:
    """The video that a face is in. Raises FaceNotFound for what is no id of a face."""
    found = _FACE_ID.fullmatch(face_id)
    if found is None:
        raise FaceNotFound(face_id=face_id[:80])
    return found[1]


@dataclass(frozen=True, slots=True)
class SceneFace:
    """A face in a keyframe, and who it is."""

    face_id: str
    """Kept when the video is looked through again."""
    video_id: str
    generation: int
    """That has the keyframe."""
    keyframe: str
    """The name of its file in the generation."""
    time_s: float
    box: Box
    score: float
    """How certain it is that this is a face, 0 to 1."""
    person_id: str | None = None
    name: str | None = None
    similarity: float | None = None
    """The cosine to the person, -1 to 1."""
    is_by_hand: bool = False
    """Whether somebody has said who it is; else it was matched."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person that a user has named."""

    person_id: str
    name: str
    created_at: datetime
    photos: int = 0
    """How many photos the person is known by."""
    confirmed: int = 0
    """How many faces the user has assigned by hand; the person is known by them, too."""
    faces: int = 0
    """How many faces are this person's, those that were matched included."""
    videos: int = 0
    """In how many videos."""
    best_face: SceneFace | None = None
    """To be shown for the person."""


@dataclass(frozen=True, slots=True)
class FaceCluster:
    """Faces that look like one person whom nobody has named."""

    cluster_id: str
    """The id of one of its faces; it names the cluster for as long as the face is in it."""
    faces: tuple[SceneFace, ...]
    """The best ones first."""
    videos: int

    @property
    def face_ids(self) -> list[str]:
        """The ids of the faces."""
        return [face.face_id for face in self.faces]


@dataclass(frozen=True, slots=True)
class FaceScan:
    """A search for faces in a user's videos, and where it stands."""

    scan_id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    created_at: datetime
    video_ids: tuple[str, ...] | None = None
    """Where it looks; None for all of the user's videos."""
    again: bool = False
    """Whether also in videos that have been looked through as they are now."""
    total: int = 0
    """How many videos there are to look at; 0 while nobody has begun."""
    videos: int = 0
    """How many videos were looked through."""
    faces: int = 0
    """How many faces these have."""
    skipped: int = 0
    """How many videos had been looked through before."""
    problems: Mapping[str, Json] = field(default_factory=dict)
    """By video_id: why a video could not be looked through, from HeimdexError.to_dict."""
    job_id: str | None = None
    error: Json | None = None
    """Why the whole search ended early."""

    @property
    def done(self) -> int:
        """How many of the videos are done with."""
        return self.videos + self.skipped + len(self.problems)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be found."""
        return self.state not in ("waiting", "running")


@dataclass(frozen=True, slots=True)
class RemovedFaces:
    """What a removal has removed."""

    faces: int
    photos: int
    videos: int
    """In how many videos the faces were."""


@dataclass(frozen=True, slots=True)
class PeopleState:
    """Whether people can be searched for here."""

    is_on: bool
    note: str | None
    """Why faces are not searched for: "off", "off_shared" (until an administrator turns it on), "no_models"."""
    videos: int
    """The user's own videos that have been indexed."""
    scanned: int
    """How many of them have been looked through for faces as they are now."""
    faces: int
