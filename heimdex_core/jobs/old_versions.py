"""Jobs that another version of the app left: their recorded steps are in an order that this one does not know.

DBOS gives a worker only jobs of its own version, so these would wait for ever. They are cancelled and queued
anew; the work folder still has the stages that are finished.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

from heimdex_core.errors import ExportNotFound, VideoNotFound
from heimdex_core.ingest.ending import WORKING
from heimdex_core.jobs.client import describe, enqueue
from heimdex_core.jobs.config import APP_VERSION, EXPORT_QUEUE, INGEST_QUEUE, MOVE_QUEUE, UPKEEP_QUEUE
from heimdex_core.jobs.outcome import RENDERING
from heimdex_core.jobs.place import cancel_mark

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

    from heimdex_core.store.store import Store

logger = logging.getLogger(__name__)

_QUEUE_OF = {"ingest": INGEST_QUEUE, "export": EXPORT_QUEUE, "reindex": UPKEEP_QUEUE, "move": MOVE_QUEUE}
_LOOK_BACK = 200
_UNFINISHED = ["ENQUEUED", "DELAYED", "PENDING"]


def queue_old_jobs_anew(
    client: DBOSClient, store: Store, executor_ids: Collection[str], *, half_done: bool = False
) -> int:
    """Take over unfinished jobs of other versions: those that wait, and those that were under way at workers
    known to be gone (`executor_ids`, or this worker's own before it has begun anything); how many there were.

    With `half_done` those too that were cancelled here and, because of a crash, not queued again.
    """
    count = 0
    for job in client.list_workflows(
        status=[*_UNFINISHED, *(["CANCELLED"] if half_done else [])],
        name=[*_QUEUE_OF, "clean-up"],
        has_parent=False,
        sort_desc=True,
        limit=_LOOK_BACK,
        load_output=False,
    ):
        if job.app_version in (None, APP_VERSION) or (job.status == "PENDING" and job.executor_id not in executor_ids):
            continue
        if job.status == "CANCELLED":
            # a person's wish to stop has left its mark
            if job.name not in ("ingest", "export") or cancel_mark(store.paths, job.workflow_id).exists():
                continue
        else:
            client.cancel_workflow(job.workflow_id, cancel_children=True)
        if job.name in _QUEUE_OF and _is_wanted(store, job):
            _queue(client, store, job)
            count += 1
    return count


def _is_wanted(store: Store, job: WorkflowStatus) -> bool:
    """Whether what the job is for still waits for it, and not for another job."""
    if job.name not in ("ingest", "export"):
        return True
    user_id, subject = _args(job)[:2]
    try:
        if job.name == "export":
            export = store.export(str(user_id), str(subject))
            return export.state in RENDERING and export.job_id in (None, job.workflow_id)
        video = store.video(str(user_id), str(subject))
        return video.state in WORKING and video.job_id in (None, job.workflow_id)
    except (VideoNotFound, ExportNotFound):
        return False


def _queue(client: DBOSClient, store: Store, job: WorkflowStatus) -> None:
    subject = describe(job).subject
    args = _args(job)
    job_id = enqueue(client, job.name, _QUEUE_OF[job.name], subject or "library", *args)
    logger.warning("the job %s is of another version and was queued again as %s", job.workflow_id, job_id)
    if subject is not None and job.name == "ingest":
        store.set_job(subject, job_id)
    elif subject is not None and job.name == "export":
        store.update_export(subject, job_id=job_id)


def _args(job: WorkflowStatus) -> list[str | int]:
    return list((job.input or {}).get("args") or ()) if isinstance(job.input, dict) else []
