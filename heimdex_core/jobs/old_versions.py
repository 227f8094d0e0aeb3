"""Jobs that another version of the software left: this one does not know the names or the order of their steps.

DBOS gives a worker only jobs of its own version, so these would wait for ever. They are cancelled and queued
again; the work folder still has the stages that are finished.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

from heimdex_core.jobs.client import ACTIVE, enqueue
from heimdex_core.jobs.config import APP_VERSION, EXPORT_QUEUE, INGEST_QUEUE, MAINTENANCE_QUEUE, MIGRATION_QUEUE
from heimdex_core.jobs.worker_slot import cancel_mark
from heimdex_core.library.work import JobKind, LibraryWork

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

logger = logging.getLogger(__name__)

_SUCCESSORS = {
    "ingest": ("ingest", INGEST_QUEUE),
    "export": ("export", EXPORT_QUEUE),
    "reindex": ("reindex", MAINTENANCE_QUEUE),
    "move": ("migration", MIGRATION_QUEUE),  # its name up to version 2
    "migration": ("migration", MIGRATION_QUEUE),
}
"""By a workflow's name in any version: its name now, and its queue."""
_FOR_ONE_SUBJECT: dict[str, JobKind] = {"ingest": "ingest", "export": "export"}
_LOOK_BACK = 200


def queue_old_jobs_again(
    client: DBOSClient, work: LibraryWork, executor_ids: Collection[str], *, half_done: bool = False
) -> int:
    """Take over unfinished jobs of other versions: those that wait, and those that were under way at workers
    known to be gone (`executor_ids`, or this worker's own before it has begun anything); how many there were.

    With `half_done` those too that were cancelled here and, because of a crash, not queued again.
    """
    count = 0
    for job in client.list_workflows(
        status=[*ACTIVE, *(["CANCELLED"] if half_done else [])],
        name=[*_SUCCESSORS, "clean-up"],
        has_parent=False,
        sort_desc=True,
        limit=_LOOK_BACK,
        load_output=False,
    ):
        if job.app_version in (None, APP_VERSION) or (job.status == "PENDING" and job.executor_id not in executor_ids):
            continue
        if job.status == "CANCELLED":
            # a person's wish to stop has left its mark
            is_wish = cancel_mark(work.worker_folder, job.workflow_id).exists()
            if job.name not in _FOR_ONE_SUBJECT or is_wish:
                continue
        else:
            client.cancel_workflow(job.workflow_id, cancel_children=True)
        if job.name in _SUCCESSORS and _is_wanted(work, job):
            _queue(client, work, job)
            count += 1
    return count


def _is_wanted(work: LibraryWork, job: WorkflowStatus) -> bool:
    """Whether what the job is for still waits for it, and not for another job."""
    kind = _FOR_ONE_SUBJECT.get(job.name)
    if kind is None:
        return True
    user_id, subject = _args(job)[:2]
    return work.is_waiting_for(kind, str(user_id), str(subject), job.workflow_id)


def _queue(client: DBOSClient, work: LibraryWork, job: WorkflowStatus) -> None:
    workflow, queue = _SUCCESSORS[job.name]
    args, kind = _args(job), _FOR_ONE_SUBJECT.get(job.name)
    subject = str(args[1]) if kind is not None else "library"
    job_id = enqueue(client, workflow, queue, subject, *args)
    logger.warning("the job %s is of another version and was queued again as %s", job.workflow_id, job_id)
    if kind is not None:
        work.set_job(kind, subject, job_id)


def _args(job: WorkflowStatus) -> list[str | int]:
    return list((job.input or {}).get("args") or ()) if isinstance(job.input, dict) else []
