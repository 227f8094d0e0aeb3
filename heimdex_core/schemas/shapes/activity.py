"""What goes on in a library."""

from __future__ import annotations

from heimdex_core import types
from heimdex_core.schemas.shapes.base import Error, Moment, Shape
from heimdex_core.types import to_json


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
