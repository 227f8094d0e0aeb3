"""The steps of the workflows: what a worker does for a job, outside DBOS.

Steps give back small JSON: {"error": ...} where the work failed for good, so that nothing but JSON is
ever stored and a failure is read like any other result. They raise only what is worth another attempt (DBOS
then retries), or WorkerStopping, which leaves no trace and is taken up by the next worker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from heimdex_core import logs
from heimdex_core.errors import (
    Cancelled,
    HeimdexError,
    UnknownName,
    VideoNotFound,
    WorkerLost,
    WorkerReplaced,
)
from heimdex_core.ingest import execution, stages
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.crash_guard import CrashGuard, StageAttempt, WorkerStopping
from heimdex_core.library import Library
from heimdex_core.library.face_scan_jobs import FaceScanWork
from heimdex_core.library.migration import ModelMigration
from heimdex_core.library.sweeps import SweepWork
from heimdex_core.store.cancel_marks import LOOK_S
from heimdex_core.types import Json

logger = logging.getLogger(__name__)

REINDEX, CLEAN_UP, MIGRATION = "reindex", "clean-up", "migration"
_WHOLE_LIBRARY = (REINDEX, CLEAN_UP, MIGRATION)
"""Subjects of work on the library as a whole."""

T = TypeVar("T")

BUSY_PAUSE_S = 1.0
"""Before work is begun again that met a library in use by another process; it has waited for that already."""


class Tasks:
    """One per worker; its methods are called from DBOS' threads."""

    def __init__(self, library: Library, guard: CrashGuard) -> None:
        self.library = library
        self.guard = guard
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[str, IngestRun]] = {}
        """(job_id, run) by video_id; made again after a restart."""

    # --- ingest -----------------------------------------------------------------------------------

    def stage(self, attempt: StageAttempt, user_id: str) -> Json:
        """Run one stage of a video: {"fingerprint", "skipped", "seconds"} or {"error"}."""

        def work() -> Json:
            run = self._run(attempt.job_id, user_id, attempt.subject)
            if attempt.stage == stages.SPECS[0].name and attempt.number == 1:
                run.progress.begin()
            outcome = execution.run_stage(run, attempt.stage)
            return {
                "fingerprint": outcome.fingerprint,
                "skipped": outcome.skipped,
                "seconds": round(outcome.seconds, 3),
            }

        result = self.attempt(attempt, work)
        if "error" in result and (run := self._known_run(attempt.job_id, attempt.subject)):
            run.abort.set()  # the other branch need not go on
        return result

    def finish_ingest(self, job_id: str, user_id: str, video_id: str, error: HeimdexError | None) -> None:
        """The last step of an ingest job: the video says how it ended."""
        try:
            self._until_free("finish", video_id, lambda: self._run(job_id, user_id, video_id).finish(error))
        except VideoNotFound:
            logger.info("%s is gone; its job %s ends", video_id, job_id)
        except HeimdexError as second:  # the first error is the one to report
            logger.error("video %s could not be marked as failed: %s", video_id, second)
        with self._lock:
            if self._known_run(job_id, video_id):
                del self._runs[video_id]
        self.guard.forget(job_id)

    def find_faces(self, attempt: StageAttempt, user_id: str) -> Json:
        """Look for faces in a video that has been indexed, where people are searched for: {"faces"} or {"error"}."""
        stop_asked = self._stop_asked(attempt.job_id, attempt.subject)

        def work() -> Json:
            people = self.library.as_user(user_id).people
            return {"faces": people.look_at_new(attempt.subject, is_cancelled=stop_asked)}

        return self.attempt(attempt, work)

    def _run(self, job_id: str, user_id: str, video_id: str) -> IngestRun:
        """The job's run, made when a worker first touches it; a cancelled job's is dropped here."""
        with self._lock:
            known = self._known_run(job_id, video_id)
            if known is None:
                work = self.library.as_user(user_id).work
                known = work.ingest_run(video_id, is_cancelled=self._stop_asked(job_id, video_id))
                self._runs[video_id] = (job_id, known)
            return known

    def _known_run(self, job_id: str, video_id: str) -> IngestRun | None:
        known_job, run = self._runs.get(video_id, (None, None))
        return run if known_job == job_id else None

    def _stop_asked(self, job_id: str, subject: str) -> Callable[[], bool]:
        """Whether work for the job should stop: a person's mark, or the worker's end."""
        looked_at = -LOOK_S
        found = False

        def asked() -> bool:
            nonlocal looked_at, found
            if self.guard.stopping:
                return True
            now = time.monotonic()
            if not found and now - looked_at >= LOOK_S:
                looked_at, found = now, self._is_marked(job_id, subject)
            return found

        return asked

    # --- the library as a whole ---------------------------------------------------------------------

    def clean_up(self, attempt: StageAttempt) -> Json:
        """Remove what is past its time, and merge indexes: the counts by kind or {"error"}."""
        stop_asked = self._stop_asked(attempt.job_id, CLEAN_UP)
        return self.attempt(attempt, lambda: dict(self.library.clean_up(is_cancelled=stop_asked)))

    # --- exports ----------------------------------------------------------------------------------

    def render(self, attempt: StageAttempt, user_id: str) -> Json:
        """Render an export; one attempt, since a render that failed once will fail again."""

        def work() -> Json:
            stop_asked = self._stop_asked(attempt.job_id, attempt.subject)
            export = self.library.as_user(user_id).exports.render(attempt.subject, is_cancelled=stop_asked)
            return {"path": export.path}

        try:
            return self.attempt(attempt, work)
        except WorkerStopping:
            # The render took the stop for a wish to cancel and noted it so; it waits for the next worker.
            # What is marked was cancelled by a person, perhaps just now.
            if not self._is_marked(attempt.job_id, attempt.subject):
                self.library.work.reopen_export(attempt.subject)
                if self._is_marked(attempt.job_id, attempt.subject):
                    self.library.work.mark_failed("export", user_id, attempt.subject, attempt.job_id, Cancelled())
            raise

    def finish_export(self, job_id: str, user_id: str, export_id: str, error: HeimdexError | None) -> None:
        """The last step of an export job."""
        if error is not None:
            mark_failed = self.library.work.mark_failed
            self._until_free("finish", export_id, lambda: mark_failed("export", user_id, export_id, job_id, error))
        self.guard.forget(job_id)

    # --- migration --------------------------------------------------------------------------------

    def pending_videos(self, attempt: StageAttempt, set_id: int) -> Json:
        """{"pending": [[user_id, video_id], ...]} or {"error"}."""

        def work() -> Json:
            return {"pending": [list(one) for one in self._migration(attempt.job_id, set_id).pending()]}

        return self.attempt(attempt, work)

    def index_video(self, attempt: StageAttempt, set_id: int, user_id: str, video_id: str) -> Json:
        """Index one video. Its failure is noted with the migration, which goes on with the others."""
        migration = self._migration(attempt.job_id, set_id)
        # A worker that dies ever further on is not one that keeps dying of the same: with each finished stage the
        # guard counts from zero.
        stage = f"{attempt.stage}-{video_id}-{migration.finished_stages(video_id)}"
        result = self.attempt(replace(attempt, stage=stage), lambda: migration.index_video(user_id, video_id))
        error = result.get("error")
        if error and error.get("code") != Cancelled.code:
            # a worker that died in it again and again, for one; without a note it would be tried for ever
            migration.note_failed(video_id, HeimdexError.from_dict(error))
            return {}
        return result

    def switch(self, attempt: StageAttempt, set_id: int) -> Json:
        """Make the set the active one."""
        return self.attempt(attempt, lambda: self._migration(attempt.job_id, set_id).switch())

    def finish_migration(self, job_id: str, set_id: int, error: HeimdexError | None) -> None:
        """The last step of a migration job."""
        self._migration(job_id, set_id).finish(error)
        self.guard.forget(job_id)

    def _migration(self, job_id: str, set_id: int) -> ModelMigration:
        stop_asked = self._stop_asked(job_id, MIGRATION)
        return self.library.model_sets.migration(set_id, job_id=job_id, is_cancelled=stop_asked)

    # --- sweeps -----------------------------------------------------------------------------------

    def pending_queries(self, attempt: StageAttempt, user_id: str) -> Json:
        """{"pending": [number of a query, ...]} or {"error"}."""
        return self.attempt(
            attempt, lambda: {"pending": self._sweep(attempt.job_id, user_id, attempt.subject).pending()}
        )

    def try_query(self, attempt: StageAttempt, user_id: str, number: int) -> Json:
        """Try all settings of a sweep with one query."""
        # The guard counts crashes by stage, and a sweep has as many steps of this name as queries.
        numbered = replace(attempt, stage=f"{attempt.stage}-{number}")
        return self.attempt(numbered, lambda: self._sweep(attempt.job_id, user_id, attempt.subject).try_query(number))

    def finish_sweep(self, job_id: str, user_id: str, sweep_id: str, error: HeimdexError | None) -> None:
        """The last step of a sweep job."""
        try:
            self._sweep(job_id, user_id, sweep_id).finish(error)
        except UnknownName:
            logger.info("the sweep %s is gone; its job %s ends", sweep_id, job_id)
        self.guard.forget(job_id)

    def _sweep(self, job_id: str, user_id: str, sweep_id: str) -> SweepWork:
        evaluation = self.library.as_user(user_id).evaluation
        return evaluation.sweep_work(sweep_id, job_id=job_id, is_cancelled=self._stop_asked(job_id, sweep_id))

    # --- faces ------------------------------------------------------------------------------------

    def queue_scans(self, attempt: StageAttempt) -> Json:
        """Have the worker look for faces in the videos of all users, whose keyframes are others after a move."""

        def work() -> None:
            queue = JobQueue(self.library)
            try:
                for user_id in self.library.work.owners():
                    owned = self.library.as_user(user_id)
                    owned.queue = owned.queue or queue.as_user(owned)
                    owned.people.look_at_new(queue=True)
            finally:
                queue.close()

        return self.attempt(attempt, work)

    def pending_scans(self, attempt: StageAttempt, user_id: str) -> Json:
        """{"pending": [video_id, ...]} or {"error"}."""
        return self.attempt(
            attempt, lambda: {"pending": self._scan(attempt.job_id, user_id, attempt.subject).pending()}
        )

    def look_at(self, attempt: StageAttempt, user_id: str, video_id: str) -> Json:
        """Look for faces in one video. Where workers keep dying of it, the others are looked through all the same."""
        scan = self._scan(attempt.job_id, user_id, attempt.subject)
        # The guard counts crashes by stage, and a scan has as many steps of this name as videos.
        numbered = replace(attempt, stage=f"{attempt.stage}-{video_id}")
        result = self.attempt(numbered, lambda: scan.look_at(video_id))
        error = result.get("error")
        if error and error.get("code") == WorkerLost.code:
            return self.attempt(attempt, lambda: scan.note_problem(video_id, HeimdexError.from_dict(error)))
        return result

    def finish_scan(self, job_id: str, user_id: str, scan_id: str, error: HeimdexError | None) -> None:
        """The last step of a search for faces."""
        self._scan(job_id, user_id, scan_id).finish(error)
        self.guard.forget(job_id)

    def _scan(self, job_id: str, user_id: str, scan_id: str) -> FaceScanWork:
        people = self.library.as_user(user_id).people
        return people.scan_work(scan_id, job_id=job_id, is_cancelled=self._stop_asked(job_id, scan_id))

    # --- what every step shares -------------------------------------------------------------------

    def attempt(self, attempt: StageAttempt, work: Callable[[], Json | None]) -> Json:
        """Do `work` once: its result, {"error"} where trying again will not help, else what it raised."""
        try:
            with logs.ids(job_id=attempt.job_id), self.guard.working(attempt):
                try:
                    return self._until_free(attempt.stage, attempt.subject, lambda: self._unless_marked(attempt, work))
                except Exception as error:
                    # A stop shows itself as Cancelled, or as a broken child process; either way the
                    # work is unfinished, not failed, unless a person asked for the end of it.
                    if self.guard.stopping and not self._is_marked(attempt.job_id, attempt.subject):
                        raise WorkerStopping from error
                    raise
        except VideoNotFound as error:
            logger.info("%s is gone; its job %s ends", attempt.subject, attempt.job_id)
            return {"error": error.to_dict()}
        except Exception as error:
            if execution.is_retryable(error) and not attempt.is_last:
                logger.warning("%s of %s failed, trying again: %s", attempt.stage, attempt.subject, error)
                raise
            return {"error": execution.wrap_error(error, attempt.stage).to_dict()}

    def _unless_marked(self, attempt: StageAttempt, work: Callable[[], Json | None]) -> Json:
        if self._is_marked(attempt.job_id, attempt.subject):
            raise Cancelled()
        return work() or {}

    def _until_free(self, name: str, subject: str, work: Callable[[], T]) -> T:
        """The result of `work`, done again while another process has the library, or its database or storage is away.

        That says nothing about the work, so it neither fails nor counts as one of its attempts.
        """
        while True:
            try:
                return work()
            except WorkerReplaced as error:
                logger.warning("%s of %s is left to others: %s", name, subject, error)
                raise WorkerStopping from error
            except execution.PASSES as error:
                logger.warning("%s of %s waits: %s", name, subject, error)
                if self.guard.wait_for_stop(BUSY_PAUSE_S):
                    raise WorkerStopping from error

    def _is_marked(self, job_id: str, subject: str) -> bool:
        """Whether a person asked for the end of this job, or of whatever works on its subject."""
        work = self.library.work
        if work.job_marks.has(job_id):
            return True
        return subject not in _WHOLE_LIBRARY and work.is_cancel_requested(subject)
