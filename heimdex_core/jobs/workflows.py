"""The workflows as DBOS knows them. Their names, their steps' names and order are stored in the queue:
changing those is a new APP_VERSION.

    ingest      the plan of ingest/execution.py; the branches are children, started in a fixed order. Then the faces
    export      render, never tried again by itself
    migration   the plan of library/migration.py: a step for each video, then the switch. Then faces are searched for
    sweep       the plan of library/sweeps.py: a step for each query
    faces       a step for each video of a user that is to be looked through
    reindex     the indexes from the sidecars
    clean-up    hourly, and when the index of a large library has grown

Steps exchange ids and fingerprints; what stages hand each other lies in the work folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

from dbos import DBOS, SetWorkflowID, StepOptions
from dbos import error as dbos_errors

from heimdex_core.errors import HeimdexError
from heimdex_core.ingest import execution
from heimdex_core.jobs.config import POLL_S, has_ended
from heimdex_core.jobs.crash_guard import StageAttempt, WorkerStopping
from heimdex_core.jobs.tasks import CLEAN_UP, MIGRATION, REINDEX, Tasks
from heimdex_core.library import migration as migrations
from heimdex_core.library import sweeps
from heimdex_core.library.migration import OwnedVideo
from heimdex_core.types import Json

_bound: Tasks | None = None


def bind(tasks: Tasks) -> None:
    """Say who does the work; once per process, before launch."""
    global _bound
    _bound = tasks


def tasks() -> Tasks:
    if _bound is None:
        raise RuntimeError("no tasks are bound: workflows run in a worker only")
    return _bound


P = ParamSpec("P")


def workflow(name: str) -> Callable[[Callable[P, Json]], Callable[P, Json]]:
    """DBOS.workflow for a function that is left, not failed, where the worker ends DBOS under it."""

    def wrap(run: Callable[P, Json]) -> Callable[P, Json]:
        @wraps(run)
        def left_when_dbos_ends(*args: P.args, **kwargs: P.kwargs) -> Json:
            try:
                return run(*args, **kwargs)
            except (dbos_errors.DBOSException, RuntimeError) as error:
                if has_ended(error):  # DBOS may still record it as the job's outcome, as its database closes last
                    raise WorkerStopping from error
                raise

        return DBOS.workflow(name=name)(left_when_dbos_ends)

    return wrap


def run_step(subject: str, name: str, work: Callable[[StageAttempt], Json | None], *, once: bool = False) -> Json:
    """Run `work` as a recorded step, tried again with growing pauses when it raises, unless `once`."""
    job_id = str(DBOS.workflow_id)
    policy = execution.RetryPolicy.of(tasks().library.settings)
    attempts = 1 if once else policy.attempts
    options: StepOptions = {
        "name": name,
        "retries_allowed": attempts > 1,
        "max_attempts": attempts,
        "interval_seconds": policy.first_pause_s,
        "backoff_rate": execution.BACKOFF_RATE,
    }

    def attempt() -> Json:
        status = DBOS.step_status
        # DBOS counts from 0, and not at all where nothing is retried
        number = (status.current_attempt or 0) + 1 if status else 1
        return work(StageAttempt(job_id, subject, name, number, attempts)) or {}

    return DBOS.run_step(options, attempt)


def _error(result: Json) -> HeimdexError | None:
    return HeimdexError.from_dict(result["error"]) if result.get("error") else None


def _result(error: HeimdexError | None) -> Json:
    return {"error": error.to_dict()} if error is not None else {}


# --- ingest ---------------------------------------------------------------------------------------


class _IngestSteps:
    """Runs stages as steps of the current workflow; an execution.StageRunner."""

    def __init__(self, job_id: str, user_id: str, video_id: str) -> None:
        self._job_id = job_id
        """Of the whole ingest, also in a branch, which is a workflow of its own."""
        self._user_id = user_id
        self._video_id = video_id

    def sequence(self, names: Sequence[str]) -> HeimdexError | None:
        for name in names:
            error = _error(run_step(self._video_id, name, self._stage))
            if error is not None:
                return error
        return None

    def _stage(self, attempt: StageAttempt) -> Json:
        return tasks().stage(replace(attempt, job_id=self._job_id), self._user_id)

    def branches(self, names: Mapping[str, Sequence[str]]) -> list[HeimdexError | None]:
        # Children, not threads: DBOS does not record a step called from a thread of our own. They are
        # started in a fixed order, because a replay has to meet the same steps.
        handles = []
        for name, sequence in names.items():
            with SetWorkflowID(f"{self._job_id}-{name}"):
                handles.append(
                    DBOS.start_workflow(ingest_branch, self._job_id, self._user_id, self._video_id, list(sequence))
                )
        return [_error(handle.get_result(polling_interval_sec=POLL_S)) for handle in handles]

    def finish(self, error: HeimdexError | None) -> None:
        run_step(
            self._video_id,
            "finish",
            lambda attempt: tasks().finish_ingest(self._job_id, self._user_id, self._video_id, error),
        )


@workflow("ingest")
def ingest(user_id: str, video_id: str) -> Json:
    """One video from probe to commit. The result is {} or {"error"}."""
    error = execution.run_plan(_IngestSteps(str(DBOS.workflow_id), user_id, video_id))
    if error is None:
        run_step(video_id, "faces", lambda attempt: tasks().find_faces(attempt, user_id), once=True)
    return _result(error)


@workflow("ingest-branch")
def ingest_branch(job_id: str, user_id: str, video_id: str, stages: list[str]) -> Json:
    """Some stages of a video one after the other, beside another branch."""
    return _result(_IngestSteps(job_id, user_id, video_id).sequence(stages))


# --- migration ------------------------------------------------------------------------------------


class _MigrationSteps:
    """Runs the steps of a migration in the current workflow; a migration.MigrationRunner."""

    def __init__(self, set_id: int) -> None:
        self._set_id = set_id

    def pending(self) -> list[OwnedVideo]:
        result = self._step("pending", lambda attempt: tasks().pending_videos(attempt, self._set_id))
        return [(user_id, video_id) for user_id, video_id in result["pending"]]

    def index_video(self, user_id: str, video_id: str) -> None:
        self._step("index", lambda attempt: tasks().index_video(attempt, self._set_id, user_id, video_id))

    def switch(self) -> None:
        self._step("switch", lambda attempt: tasks().switch(attempt, self._set_id))

    def finish(self, error: HeimdexError | None) -> None:
        self._step("finish", lambda attempt: tasks().finish_migration(attempt.job_id, self._set_id, error))

    def _step(self, name: str, work: Callable[[StageAttempt], Json | None]) -> Json:
        result = run_step(MIGRATION, name, work)
        error = _error(result)
        if error is not None:
            raise error
        return result


@workflow(MIGRATION)
def migration(set_id: int) -> Json:
    """Every video indexed for the set, then the switch. The result is {} or {"error"}."""
    error = migrations.run_plan(_MigrationSteps(set_id))
    if error is None:
        run_step(MIGRATION, "faces", lambda attempt: tasks().queue_scans(attempt))
    return _result(error)


# --- sweeps ---------------------------------------------------------------------------------------


class _SweepSteps:
    """Runs the steps of a sweep in the current workflow; a sweeps.SweepRunner."""

    def __init__(self, user_id: str, sweep_id: str) -> None:
        self._user_id = user_id
        self._sweep_id = sweep_id

    def pending(self) -> list[int]:
        result = self._step("pending", lambda attempt: tasks().pending_queries(attempt, self._user_id))
        return [int(number) for number in result["pending"]]

    def try_query(self, number: int) -> None:
        self._step("query", lambda attempt: tasks().try_query(attempt, self._user_id, number))

    def finish(self, error: HeimdexError | None) -> None:
        job_id = str(DBOS.workflow_id)
        run_step(
            self._sweep_id,
            "finish",
            lambda attempt: tasks().finish_sweep(job_id, self._user_id, self._sweep_id, error),
        )

    def _step(self, name: str, work: Callable[[StageAttempt], Json | None]) -> Json:
        result = run_step(self._sweep_id, name, work)
        error = _error(result)
        if error is not None:
            raise error
        return result


@workflow("sweep")
def sweep(user_id: str, sweep_id: str) -> Json:
    """All queries of a sweep tried with all settings. The result is {} or {"error"}."""
    return _result(sweeps.run_plan(_SweepSteps(user_id, sweep_id)))


# --- faces ----------------------------------------------------------------------------------------


@workflow("faces")
def faces(user_id: str, scan_id: str) -> Json:
    """The videos of a user looked through for faces. The result is {} or {"error"}."""
    job_id = str(DBOS.workflow_id)
    found = run_step(scan_id, "pending", lambda attempt: tasks().pending_scans(attempt, user_id))
    error = _error(found)
    for video_id in found.get("pending", ()) if error is None else ():
        error = _error(run_step(scan_id, "look", lambda attempt: tasks().look_at(attempt, user_id, video_id)))  # noqa: B023
        if error is not None:
            break
    run_step(scan_id, "finish", lambda attempt: tasks().finish_scan(job_id, user_id, scan_id, error))
    return _result(error)


# --- the others -----------------------------------------------------------------------------------


@workflow("export")
def export(user_id: str, export_id: str) -> Json:
    """One export rendered. The result is {} or {"error"}."""
    job_id = str(DBOS.workflow_id)
    result = run_step(export_id, "render", lambda attempt: tasks().render(attempt, user_id), once=True)
    error = _error(result)
    run_step(export_id, "finish", lambda attempt: tasks().finish_export(job_id, user_id, export_id, error))
    return _result(error)


@workflow(REINDEX)
def reindex() -> Json:
    """All indexes built again from the videos' own files; the counts or {"error"}."""
    return run_step(REINDEX, REINDEX, lambda attempt: tasks().attempt(attempt, tasks().library.reindex))


@workflow(CLEAN_UP)
def clean_up() -> Json:
    """What is past its time is removed, and indexes are merged; the counts by kind or {"error"}."""
    return run_step(CLEAN_UP, CLEAN_UP, lambda attempt: tasks().clean_up(attempt))
