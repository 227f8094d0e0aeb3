"""The workflows as DBOS knows them. Their names, their steps' names and order are stored in the queue:
changing those is a new APP_VERSION.

    ingest   probe, audio, subtitles; then two children, sound and picture, started in this order; then the
             joined stages
    export   render, never tried again by itself
    reindex  the indexes from the sidecars
    clean-up by schedule

Steps exchange ids and fingerprints; what stages hand each other lies in the work folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from dbos import DBOS, SetWorkflowID, StepOptions

from heimdex_core.ingest.progress import EARLY, JOINED, PICTURE, SOUND
from heimdex_core.jobs.config import POLL_S
from heimdex_core.jobs.tasks import Attempt, Tasks, first_error
from heimdex_core.types import Json

_BACKOFF_RATE = 2.0

_bound: Tasks | None = None


def bind(tasks: Tasks) -> None:
    """Say who does the work; once per process, before launch."""
    global _bound
    _bound = tasks


def tasks() -> Tasks:
    if _bound is None:
        raise RuntimeError("no tasks are bound: workflows run in a worker only")
    return _bound


@DBOS.workflow(name="ingest")
def ingest(user_id: str, video_id: str) -> Json:
    """One video from probe to commit. The result is {} or {"error"}."""
    job_id = str(DBOS.workflow_id)
    error = _stages(job_id, user_id, video_id, EARLY)
    if error is None:
        error = _branches(job_id, user_id, video_id)
    if error is None:
        error = _stages(job_id, user_id, video_id, JOINED)
    run_step("finish", lambda attempt: tasks().finish_ingest(job_id, user_id, video_id, error))
    return {"error": error} if error else {}


@DBOS.workflow(name="ingest-branch")
def ingest_branch(job_id: str, user_id: str, video_id: str, stages: list[str]) -> Json:
    """Some stages of a video one after the other, beside another branch."""
    error = _stages(job_id, user_id, video_id, stages)
    return {"error": error} if error else {}


def _branches(job_id: str, user_id: str, video_id: str) -> Json | None:
    # Children, not threads: DBOS does not record a step called from a thread of our own. They are
    # started in a fixed order, because a replay has to meet the same steps.
    handles = []
    for name, stages in (("sound", SOUND), ("picture", PICTURE)):
        with SetWorkflowID(f"{job_id}-{name}"):
            handles.append(DBOS.start_workflow(ingest_branch, job_id, user_id, video_id, list(stages)))
    return first_error([handle.get_result(polling_interval_sec=POLL_S) for handle in handles])


def _stages(job_id: str, user_id: str, video_id: str, stages: Sequence[str]) -> Json | None:
    for stage in stages:
        result = run_step(
            stage,
            lambda attempt, name=stage: tasks().stage(job_id, user_id, video_id, name, attempt),  # type: ignore[misc]
        )
        if result.get("error"):
            return dict(result["error"])
    return None


@DBOS.workflow(name="export")
def export(user_id: str, export_id: str) -> Json:
    """One export rendered. The result is {} or {"error"}."""
    job_id = str(DBOS.workflow_id)
    result = run_step("render", lambda attempt: tasks().render(job_id, user_id, export_id), retries=0)
    error = result.get("error")
    run_step("finish", lambda attempt: tasks().finish_export(job_id, user_id, export_id, error))
    return {"error": error} if error else {}


@DBOS.workflow(name="reindex")
def reindex() -> Json:
    """All indexes made again."""
    job_id = str(DBOS.workflow_id)
    return run_step("reindex", lambda attempt: tasks().reindex(job_id, attempt))


@DBOS.workflow(name="clean-up")
def clean_up(scheduled_at: datetime, context: Any) -> None:
    """What is past its time goes."""
    job_id = str(DBOS.workflow_id)
    run_step("clean-up", lambda attempt: tasks().clean_up(job_id, attempt))


def run_step(name: str, work: Callable[[Attempt], Json], *, retries: int | None = None) -> Json:
    """Run `work` as a recorded step, tried again with growing pauses when it raises."""
    settings = tasks().library.settings
    tries = 1 + (settings.stage_retries if retries is None else retries)
    options: StepOptions = {
        "name": name,
        "retries_allowed": tries > 1,
        "max_attempts": tries,
        "interval_seconds": settings.retry_backoff_s,
        "backoff_rate": _BACKOFF_RATE,
    }

    def attempt() -> Json:
        status = DBOS.step_status
        # DBOS counts from 0, and not at all where nothing is retried
        return work(Attempt(number=(status.current_attempt or 0) + 1, of=tries) if status else Attempt(of=tries))

    return DBOS.run_step(options, attempt)
