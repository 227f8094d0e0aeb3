"""What goes on in a library: the figures that its admins see. Times are in seconds unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from heimdex_core.types.library import VideoState
from heimdex_core.types.values import Json


@dataclass(frozen=True, slots=True)
class FailedVideo:
    """A video that could not be indexed."""

    video_id: str
    title: str
    user_id: str
    stage: str
    """Where it failed; "" for a failure outside of the stages."""
    failed_at: datetime
    """In UTC."""
    error: Json
    """As HeimdexError.to_dict makes it."""


@dataclass(frozen=True, slots=True)
class ProcessingTimes:
    """How long a stage took, by the last time that each video went through it."""

    stage: str
    """ "total" is all of the work on a video that was indexed from the beginning; stages side by side count once."""
    videos: int
    p50_s: float
    p90_s: float
    p99_s: float
    real_time_factor: float | None
    """Seconds of work for each second of video, over all videos: below 1 is faster than playing. None where no video
    has a length."""


@dataclass(frozen=True, slots=True)
class SearchTimes:
    """How many searches there were, and how long they took."""

    searches: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class SearchPeriod:
    """The searches of all users in the last days; no texts."""

    days: int
    total: SearchTimes
    by_method: Mapping[str, SearchTimes]
    """By the name of the fusion method."""
    by_day: Mapping[date, SearchTimes]
    """By day in UTC, oldest first; days without searches are left out."""


@dataclass(frozen=True, slots=True)
class UserDisk:
    """What the files of a user take, in bytes."""

    user_id: str
    name: str
    videos: int
    """Deleted ones included, until clean-up removes them."""
    source_bytes: int
    derived_bytes: int
    """Generations and previews."""
    export_bytes: int
    unmeasured_videos: int = 0
    """Indexed by a version that did not record how much it wrote: their derived files are not counted."""

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.source_bytes + self.derived_bytes + self.export_bytes


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What waits in a queue of jobs and what is worked on."""

    queue: str
    waiting: int = 0
    running: int = 0
    oldest_waiting_at: datetime | None = None
    """When the job was queued that has waited longest, in UTC; None where none waits."""


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """A stage that a worker is at."""

    job_id: str
    subject: str
    """The id of the video or export."""
    stage: str
    since: datetime | None
    """In UTC."""


@dataclass(frozen=True, slots=True)
class WorkerActivity:
    """What a worker said last."""

    machine: str
    pid: int
    state: str
    """ "silent" for one that has not said anything for a minute."""
    queues: tuple[str, ...]
    updated_at: datetime
    """In UTC."""
    tasks: tuple[WorkerTask, ...] = ()


@dataclass(frozen=True, slots=True)
class ActivityReport:
    """What goes on in a library, of all users, at one moment."""

    at: datetime
    """In UTC."""
    videos: Mapping[VideoState, int]
    """By state; those that no video is in are 0."""
    duration_s: float
    """Of the indexed videos together."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """How many videos failed, by stage."""
    failed_videos: tuple[FailedVideo, ...] = ()
    """The last ones, newest first."""
    processing: tuple[ProcessingTimes, ...] = ()
    """All of the work first, then the stages, the longest first."""
    searches: tuple[SearchPeriod, ...] = ()
    """Of the last 7 and the last 30 days."""
    disk: tuple[UserDisk, ...] = ()
    """The largest first."""
    queues: tuple[QueueDepth, ...] = ()
    workers: tuple[WorkerActivity, ...] = ()
    jobs_error: Json | None = None
    """Why queues and workers are not known; None if they are."""
