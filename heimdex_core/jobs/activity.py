"""What the queues and the workers of a library are doing, as its admins see it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from heimdex_core.jobs.config import QUEUE_OF, QUEUES
from heimdex_core.jobs.status import WorkerStatus
from heimdex_core.types import QueueDepth, WorkerActivity, WorkerTask, utc_now

if TYPE_CHECKING:
    from dbos import WorkflowStatus

_FORGOTTEN_AFTER = timedelta(days=1)


def queue_depths(jobs: Iterable[WorkflowStatus]) -> list[QueueDepth]:
    """How much waits in each queue and how much is worked on; queues without jobs are there, too.

    Args:
        jobs: the unfinished ones, without those that other jobs have begun.
    """
    waiting: dict[str, list[int]] = {name: [] for name in QUEUES}
    running = dict.fromkeys(QUEUES, 0)
    for job in jobs:
        queue = job.queue_name or ""
        if job.name not in QUEUE_OF or queue not in waiting:
            continue
        if job.status == "PENDING":
            running[queue] += 1
        else:
            waiting[queue].append(job.created_at or 0)
    return [
        QueueDepth(
            queue=name,
            waiting=len(since),
            running=running[name],
            oldest_waiting_at=datetime.fromtimestamp(min(since) / 1000, UTC) if since else None,
        )
        for name, since in waiting.items()
    ]


def workers_of(statuses: Iterable[WorkerStatus]) -> list[WorkerActivity]:
    """What the workers said last, but for those that have ended, or have said nothing for a day."""
    found = [activity_of(status) for status in statuses if status.state != "stopped"]
    return [one for one in found if utc_now() - one.updated_at < _FORGOTTEN_AFTER]


def activity_of(status: WorkerStatus) -> WorkerActivity:
    """What a worker said last."""
    return WorkerActivity(
        machine=status.machine,
        pid=status.pid,
        state=status.state if status.is_fresh else "silent",
        queues=status.queues,
        updated_at=_moment(status.updated_at) or utc_now(),
        tasks=tuple(
            WorkerTask(
                job_id=job.get("job_id", ""),
                subject=job.get("subject", ""),
                stage=job.get("stage", ""),
                since=_moment(job.get("since", "")),
            )
            for job in status.jobs
        ),
    )


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    return None
