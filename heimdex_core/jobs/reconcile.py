"""Ends what its job can no longer end by itself, and takes over what a dead worker or another version left.

A workflow that DBOS gave up (too many recoveries), that somebody cancelled in DBOS, or that broke
outside a step, never reaches its last step; without this its video would show as processing for ever.

DBOS gives a worker only jobs of its own version, so those of other versions, whose names or steps this one does not
know, would wait for ever. They are cancelled and queued again; the work folder still has the stages that are finished.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from heimdex_core.errors import HeimdexError
from heimdex_core.jobs.client import ACTIVE, JobStatus, describe, enqueue
from heimdex_core.jobs.config import APP_VERSION, QUEUE_OF, QUEUES
from heimdex_core.jobs.places import WorkerPlace
from heimdex_core.library.work import LibraryWork, UnfinishedJob

if TYPE_CHECKING:
    from dbos import DBOSClient

logger = logging.getLogger(__name__)

_GIVEN_UP = ["CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_LOOK_BACK = 200
_RENAMED = {"move": "migration"}
"""Workflows of older versions whose name has changed: "move" up to version 2."""

STRANDED_AFTER_S = 600.0
"""No stage is silent for so long: they report several times a second, and loading models takes seconds."""

KEEP_DAYS = 30
"""How long an ended job can be asked after."""


def end_given_up_jobs(client: DBOSClient, work: LibraryWork) -> int:
    """Give videos, exports and migrations of given-up jobs their final state; how many there were."""
    ended = 0
    # Only what the library waits for: a video that was tried again names another job by then, or none yet.
    waited_for = {job.job_id for job in work.unfinished_jobs()}
    if not waited_for:
        return 0
    workflows = client.list_workflows(
        status=_GIVEN_UP,
        name=["ingest", "export", "migration", "sweep", "faces"],
        sort_desc=True,
        limit=_LOOK_BACK,
        load_output=False,
    )
    for workflow in workflows:
        job = describe(workflow)
        if job.job_id not in waited_for or job.subject_kind is None or job.error is None:
            continue
        if job.subject is not None and _has_another(client, job.job_id, job.kind, job.subject):
            continue
        error = HeimdexError.from_dict(job.error)
        owner = str(job.args[0]) if job.args else ""
        if work.mark_failed(job.subject_kind, owner, job.subject or "", job.job_id, error):
            logger.warning("the job %s was given up: %s", job.job_id, job.error["message"])
            ended += 1
    return ended


def queue_stranded_videos(client: DBOSClient, work: LibraryWork, *, silent_s: float = STRANDED_AFTER_S) -> int:
    """Queue videos that nobody works on though their state says so; how many.

    The app may be killed between registering an upload and queueing it, an `add` in the middle of its stages.
    """
    queued = 0
    for user_id, video_id in work.stranded_videos(silent_s):
        if _has_another(client, "", "ingest", video_id):
            continue
        if _queue_video(client, work, user_id, video_id):
            logger.warning("the video %s had no job and was queued again", video_id)
            queued += 1
    return queued


def queue_edited_videos(client: DBOSClient, work: LibraryWork) -> int:
    """Queue videos whose edits are newer than their scenes: something was killed between the two; how many."""
    queued = 0
    for user_id, video_id in work.edited_videos():
        if not work.begin_again(user_id, video_id):
            continue
        if _queue_video(client, work, user_id, video_id):
            logger.warning("the edits of video %s were not applied yet: it was queued", video_id)
            queued += 1
    return queued


def queue_lost_jobs(client: DBOSClient, work: LibraryWork) -> int:
    """Queue again what the library waits for and the queue does not know, because its database was lost; how many."""
    queued = 0
    waited_for = work.unfinished_jobs()
    for start in range(0, len(waited_for), _LOOK_BACK):
        jobs = waited_for[start : start + _LOOK_BACK]
        ids = [job.job_id for job in jobs if job.job_id is not None]
        found = client.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        known = {workflow.workflow_id for workflow in found}
        queued += sum(_queue(client, work, job) for job in jobs if job.job_id not in known)
    if queued:
        logger.warning("%d jobs were not in the queue any more and were queued again", queued)
    return queued


def _queue_video(client: DBOSClient, work: LibraryWork, user_id: str, video_id: str) -> bool:
    """Queue a video whose work may have been cancelled; False as for `_queue`."""
    work.allow_again(video_id)
    return _queue(client, work, UnfinishedJob("ingest", work.job_of(user_id, video_id), video_id, (user_id, video_id)))


def _queue(client: DBOSClient, work: LibraryWork, job: UnfinishedJob) -> bool:
    """Queue a job again under a new id; False where the library does not wait for it any more.

    In that case the new job ends when it begins: it finds in the catalog that the work was cancelled or has ended.
    """
    new = enqueue(client, work, job.kind, job.subject or "library", *job.args)
    return work.replace_job(job.kind, job.subject or "", job.job_id, new)


def _has_another(client: DBOSClient, job_id: str, kind: str, subject: str) -> bool:
    """Whether a later job of the same subject is under way: then its state is that one's to set."""
    active = client.list_workflows(
        status=ACTIVE,
        workflow_id_prefix=f"{kind}-{subject}-",
        has_parent=False,
        load_input=False,
        load_output=False,
    )
    return any(other.workflow_id != job_id for other in active)


def queue_old_jobs_again(
    client: DBOSClient, work: LibraryWork, executor_ids: Collection[str], *, half_done: bool = False
) -> int:
    """Take over unfinished jobs of other versions: those that wait, and those that were under way at workers
    known to be gone (`executor_ids`, or this worker's own before it has begun anything); how many there were.

    With `half_done` those too that were cancelled here and, because of a crash, not queued again.
    """
    count = 0
    for workflow in client.list_workflows(
        status=[*ACTIVE, *(["CANCELLED"] if half_done else [])],
        name=[*QUEUE_OF, *_RENAMED],
        has_parent=False,
        sort_desc=True,
        limit=_LOOK_BACK,
        load_output=False,
    ):
        is_elsewhere = workflow.status == "PENDING" and workflow.executor_id not in executor_ids
        if workflow.app_version in (None, APP_VERSION) or is_elsewhere:
            continue
        job = describe(workflow)
        if workflow.status == "CANCELLED":
            # a person's wish to stop has left its mark
            if job.subject is None or work.job_marks.has(job.job_id):
                continue
        else:
            client.cancel_workflow(job.job_id, cancel_children=True)
        if _is_wanted(work, job):
            job_id = enqueue(client, work, _RENAMED.get(job.kind, job.kind), job.subject or "library", *job.args)
            logger.warning("the job %s is of another version and was queued again as %s", job.job_id, job_id)
            if job.subject is not None and job.subject_kind is not None:
                work.set_job(job.subject_kind, job.subject, job_id)
            count += 1
    return count


def _is_wanted(work: LibraryWork, job: JobStatus) -> bool:
    """Whether what the job is for still waits for it, and not for another job."""
    if job.subject is None or job.subject_kind is None:
        return job.kind != "clean-up"  # a worker queues that one anyway
    return work.is_waiting_for(job.subject_kind, str(job.args[0]), job.subject, job.job_id)


def forget_old_jobs(client: DBOSClient, work: LibraryWork, place: WorkerPlace) -> int:
    """Remove what is kept of jobs that ended long ago; how many jobs that were."""
    before = datetime.now(UTC) - timedelta(days=KEEP_DAYS)
    old = client.list_workflows(
        status=[*_GIVEN_UP, "SUCCESS"],
        completed_before=before.isoformat(),
        has_parent=False,
        limit=_LOOK_BACK,
        load_input=False,
        load_output=False,
    )
    if old:
        client.delete_workflows([workflow.workflow_id for workflow in old], delete_children=True)
    work.job_marks.forget_before(before.timestamp())
    place.crash_marks.forget_before(before.timestamp())
    if work.shared is not None:
        from heimdex_core.jobs.table_place import forget_old_rows

        forget_old_rows(work.shared, KEEP_DAYS)
    return len(old)


def has_work(client: DBOSClient, place: WorkerPlace, queues: Collection[str]) -> bool:
    """Whether a job of these queues waits, or one is under way here or at a worker that is gone.

    What others work on is not counted.
    """
    found = client.list_workflows(status=ACTIVE, load_input=False, load_output=False)
    under_way = {str(one.executor_id) for one in found if one.status == "PENDING"}
    # what DBOS itself queues, as the branch of an ingest that was taken over, is done by any worker
    if any(one.status != "PENDING" and (one.queue_name in queues or one.queue_name not in QUEUES) for one in found):
        return True
    with place.gone(under_way) as gone:
        return not under_way.isdisjoint([place.executor_id, *gone])


def take_over(client: DBOSClient, work: LibraryWork, place: WorkerPlace) -> int:
    """Queue again what dead workers of this library left; how many workflows that were.

    DBOS has to be launched.
    """
    found = client.list_workflows(status="PENDING", load_input=False, load_output=False)
    with place.gone({str(one.executor_id) for one in found}) as executor_ids:
        if not executor_ids:
            return 0
        taken = recover(executor_ids)
        older = queue_old_jobs_again(client, work, executor_ids)
    if taken:
        logger.warning("took over %d workflows of %s", taken, ", ".join(executor_ids))
    return taken + older


def recover(executor_ids: Sequence[str]) -> int:
    """Run again the unfinished workflows of these executors, from where they were; how many.

    The only use of a private name of DBOS: it is what DBOS does itself on launch for its own id.
    """
    from dbos import DBOS

    return len(DBOS._recover_pending_workflows(list(executor_ids)))  # noqa: SLF001
