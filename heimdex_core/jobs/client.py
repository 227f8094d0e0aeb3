"""JobQueue: hands work to the worker and asks after it. It never runs any of it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import Cancelled, HeimdexError, JobsUnavailable, WorkerLost
from heimdex_core.jobs.activity import queue_depths, workers_of
from heimdex_core.jobs.config import APP_VERSION, QUEUE_OF, JobsDatabase
from heimdex_core.jobs.connection import JobsConnection
from heimdex_core.jobs.priorities import next_priority
from heimdex_core.jobs.statuses import statuses_of
from heimdex_core.jobs.wake_up import wake_workers
from heimdex_core.library.work import JobKind, LibraryWork
from heimdex_core.types import Json, QueueDepth, WorkerActivity

if TYPE_CHECKING:
    from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

    from heimdex_core.library import Library

logger = logging.getLogger(__name__)

ACTIVE = ["ENQUEUED", "PENDING", "DELAYED"]
"""DBOS states of a job that waits or is worked on."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands. `subject` is the video, export, sweep or scan for faces it is for.

    `error` is from HeimdexError.to_dict.
    """

    job_id: str
    kind: str
    state: JobState
    subject: str | None
    attempts: int
    created_at: datetime | None
    completed_at: datetime | None
    args: tuple[Any, ...] = ()
    """Of the workflow: for a video or an export its owner and its id."""
    error: Json | None = None

    @property
    def subject_kind(self) -> JobKind | None:
        """What the job is for, where that has a state of its own."""
        kinds: dict[str, JobKind] = {
            "ingest": "ingest",
            "export": "export",
            "migration": "migration",
            "sweep": "sweep",
            "faces": "faces",
        }
        return kinds.get(self.kind)


class JobQueue:
    """The queue of one library, as one person uses it. Connects at its first use. Safe to share between threads.

    Every method raises JobsUnavailable where the queue cannot be reached, LibraryBusy where another process has it
    locked. A queue that was deleted or damaged is made anew.
    """

    def __init__(self, library: Library, connection: JobsConnection | None = None) -> None:
        self._library = library
        timeout_s = library.settings.lock_timeout_s
        self._connection = connection or JobsConnection(lambda: JobsDatabase.of(library.work), timeout_s)

    def as_user(self, library: Library) -> JobQueue:
        """The same queue, over the same connection, for the same library as another user sees it."""
        return JobQueue(library, self._connection)

    def close(self) -> None:
        """Disconnect; the queue can be used again."""
        self._connection.close()

    def check(self, *, timeout_s: float) -> None:
        """Ask the queue whether it can be used, in at most about `timeout_s`, for /health/ready.

        A damaged database is mended, as for any other request. Raises JobsUnavailable, LibraryBusy.
        """
        JobsDatabase.of(self._library.work).mend(timeout_s)
        self._connection.ask(lambda client: client.list_workflows(limit=1, load_input=False, load_output=False))

    # --- handing over -----------------------------------------------------------------------------

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str:
        """Have a video indexed; the id of the job that does it, an unfinished one if there is one.

        `owner_id` is whose video it is; None for the person's own. What nobody waits for comes after what somebody
        does.
        """
        return self._enqueue("ingest", video_id, owner_id or self._library.user_id, video_id, is_awaited=is_awaited)

    def enqueue_reel(self, export_id: str) -> str:
        """Have an export rendered."""
        return self._enqueue("export", export_id, self._library.user_id, export_id)

    def enqueue_reindex(self) -> str:
        """Have the indexes made again."""
        return self._enqueue("reindex", "library")

    def enqueue_migration(self, set_id: int) -> str:
        """Have the library moved to a model set; one migration at a time."""
        return self._enqueue("migration", "library", set_id)

    def enqueue_sweep(self, sweep_id: str) -> str:
        """Have a sweep made, or gone on with."""
        return self._enqueue("sweep", sweep_id, self._library.user_id, sweep_id)

    def enqueue_faces(self, scan_id: str) -> str:
        """Have a search for faces made."""
        return self._enqueue("faces", scan_id, self._library.user_id, scan_id)

    def _enqueue(self, workflow: str, subject: str, *args: str | int, is_awaited: bool = True) -> str:
        work = self._library.work
        job_id = self._connection.ask(
            lambda client: enqueue(client, work, workflow, subject, *args, is_awaited=is_awaited)
        )
        self._wake()
        return job_id

    def _wake(self) -> None:
        work = self._library.work
        if work.shared is None:
            wake_workers(work.worker_folder)
            return
        try:
            work.shared.notify()
        except HeimdexError as error:
            logger.warning("the workers cannot be woken and begin the job later: %s", error)

    # --- stopping ---------------------------------------------------------------------------------

    def cancel(self, *job_ids: str) -> None:
        """Stop jobs: their videos and exports have ended as cancelled when this returns, and can be retried.

        A running stage looks for the mark and stops within a second or so; the next job of the same
        video waits for that. DBOS lets a cancelled workflow take no further step.

        Raises JobsUnavailable for an id that was never given out, after the others have been stopped.
        """
        found = self._find(job_ids)
        self._stop([job for job in found if not job.state.is_over])
        missing = set(job_ids) - {job.job_id for job in found}
        if missing:
            raise JobsUnavailable(reason=f"there is no job {', '.join(sorted(missing))}")

    def _stop(self, jobs: Sequence[JobStatus]) -> None:
        if not jobs:
            return
        work = self._library.work
        for job in jobs:
            work.job_marks.add(job.job_id)
        active = [job.job_id for job in jobs]
        self._connection.ask(lambda client: client.cancel_workflows(active, cancel_children=True))
        user_id = self._library.user_id
        work.mark_all_failed(user_id, [job.subject or "" for job in jobs if job.subject_kind == "ingest"], Cancelled())
        for job in jobs:
            kind = job.subject_kind
            if kind is not None and kind != "ingest":
                work.mark_failed(kind, user_id, job.subject or "", job.job_id, Cancelled())

    # --- asking -----------------------------------------------------------------------------------

    def status(self, job_id: str) -> JobStatus:
        """Where a job stands. Raises JobsUnavailable; also for an id that was never given out."""
        found = self._find([job_id])
        if not found:
            raise JobsUnavailable(reason=f"there is no job {job_id}")
        return found[0]

    def _find(self, job_ids: Sequence[str]) -> list[JobStatus]:
        wanted = list(job_ids)
        if not wanted:
            return []  # DBOS would list all
        return [
            describe(one) for one in self._connection.ask(lambda client: client.list_workflows(workflow_ids=wanted))
        ]

    def active(self) -> list[JobStatus]:
        """The jobs that wait or are worked on, oldest first."""
        found = self._connection.ask(
            lambda client: client.list_workflows(status=ACTIVE, has_parent=False, load_output=False)
        )
        return [describe(item) for item in found if item.name in QUEUE_OF]

    def depths(self) -> list[QueueDepth]:
        """How much waits in each queue, and how much is worked on, of all users."""
        return queue_depths(
            self._connection.ask(
                lambda client: client.list_workflows(
                    status=ACTIVE, has_parent=False, load_input=False, load_output=False
                )
            )
        )

    def workers(self) -> list[WorkerActivity]:
        """What the workers said last, see `workers_of`. Raises DatabaseUnavailable."""
        return workers_of(statuses_of(self._library.work).all())


def enqueue(
    client: DBOSClient, work: LibraryWork, workflow: str, subject: str, *args: str | int, is_awaited: bool = False
) -> str:
    """Queue a workflow for `subject`; the id of the new job, or of the unfinished one that there is.

    The arguments of work for one user begin with his id. `is_awaited` says that a person waits for it.
    """
    queue = work.ingest_queue if workflow == "ingest" else QUEUE_OF[workflow]
    user_id = args[0] if args and isinstance(args[0], str) else None
    options: EnqueueOptions = {
        "workflow_name": workflow,
        "queue_name": queue,
        "priority": next_priority(client, queue, user_id, is_awaited=is_awaited),
        "workflow_id": f"{workflow}-{subject}-{uuid.uuid4().hex[:8]}",
        # one unfinished job per subject, whoever asks and however often
        "deduplication_id": subject,
        "duplication_policy": "return-existing",
        "app_version": APP_VERSION,
    }
    if user_id is not None:
        options["authenticated_user"] = user_id
    handle: Any = client.enqueue(options, *args)
    return str(handle.workflow_id)


_STATES = {
    "ENQUEUED": JobState.QUEUED,
    "DELAYED": JobState.QUEUED,
    "PENDING": JobState.RUNNING,
    "CANCELLED": JobState.CANCELLED,
    "SUCCESS": JobState.SUCCEEDED,
}


def describe(workflow: WorkflowStatus) -> JobStatus:
    """A DBOS row in our words: a workflow that returned an error has failed, though DBOS saw it succeed."""
    output = workflow.output if isinstance(workflow.output, dict) else {}
    error = output.get("error")
    state = _STATES.get(workflow.status, JobState.FAILED)
    if workflow.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        error = WorkerLost(times=workflow.recovery_attempts or 0).to_dict()
    elif workflow.status == "ERROR":
        error = HeimdexError(reason=str(workflow.error)).to_dict()
    elif workflow.status == "CANCELLED":
        error = Cancelled().to_dict()
    elif error:
        state = JobState.CANCELLED if error.get("code") == Cancelled.code else JobState.FAILED
    args = tuple(workflow.input.get("args") or ()) if isinstance(workflow.input, dict) else ()
    return JobStatus(
        job_id=workflow.workflow_id,
        kind=workflow.name,
        state=state,
        subject=str(args[1]) if workflow.name in ("ingest", "export", "sweep", "faces") and len(args) > 1 else None,
        attempts=workflow.recovery_attempts or 0,
        created_at=_moment(workflow.created_at),
        completed_at=_moment(workflow.completed_at),
        args=args,
        error=error,
    )


def _moment(epoch_ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC) if epoch_ms else None
