"""The steps of the workflows: what a worker does for a job, outside DBOS.

Steps give back small JSON: {"error": ...} where the work failed for good, so that nothing but JSON is
ever stored and a failure is read like any other result. They raise only what may pass when tried
again (DBOS then retries), or WorkerStopping, which leaves no trace and is taken up by the next worker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heimdex_core.errors import Cancelled, HeimdexError, ModelsChanged, VideoNotFound
from heimdex_core.ingest.progress import STAGES
from heimdex_core.ingest.retry import in_words, may_pass
from heimdex_core.jobs.guard import Guard, Piece, WorkerStopping
from heimdex_core.jobs.outcome import settle_export, settle_video
from heimdex_core.jobs.place import cancel_mark
from heimdex_core.types import ExportState, Json

if TYPE_CHECKING:
    from heimdex_core.ingest.pipeline import IngestRun, StageOutcome
    from heimdex_core.library import Library
    from heimdex_core.models.registry import Models

logger = logging.getLogger(__name__)

_REINDEX, _CLEAN_UP = "reindex", "clean-up"
_UPKEEP = (_REINDEX, _CLEAN_UP, "move")
"""Work on the library as a whole; its stage is its subject."""

CANCEL_LOOK_S = 0.3
"""A stage may ask in every frame whether to stop; the mark is looked for no more often than this."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which try of a step this is, from 1, and how many there are."""

    number: int = 1
    of: int = 1

    @property
    def is_last(self) -> bool:
        return self.number >= self.of


@dataclass
class _Job:
    """What a worker holds in memory for an ingest job; made again after a restart."""

    job_id: str
    run: IngestRun
    failed: threading.Event = field(default_factory=threading.Event)
    """Set when a stage failed for good: the other branch need not go on."""


class Tasks:
    """One per worker; its methods are called from DBOS' threads."""

    def __init__(self, library: Library, guard: Guard) -> None:
        self.library = library
        self.guard = guard
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._joined: dict[Models, Models] = {}
        self._models_lock = threading.Lock()

    # --- ingest -----------------------------------------------------------------------------------

    def stage(self, job_id: str, user_id: str, video_id: str, stage: str, attempt: Attempt) -> Json:
        """Run one stage of a video: {"fingerprint", "skipped", "seconds"} or {"error"}."""

        def work() -> Json:
            job = self._job(job_id, user_id, video_id)
            if stage == STAGES[0] and attempt.number == 1:
                job.run.work.progress.begin()
            outcome = run_for_active(job.run, stage)
            return {
                "fingerprint": outcome.fingerprint,
                "skipped": outcome.skipped,
                "seconds": round(outcome.seconds, 3),
            }

        result = self.attempt(Piece(job_id, video_id, stage), attempt, work)
        if "error" in result and (job := self._known(job_id, video_id)):
            job.failed.set()
        return result

    def finish_ingest(self, job_id: str, user_id: str, video_id: str, error: Json | None) -> Json:
        """The last step of an ingest job: the video's state says how it ended."""
        with self._lock:
            if self._known(job_id, video_id):
                del self._jobs[video_id]
        if error is not None:
            settle_video(self.library.store, user_id, video_id, HeimdexError.from_dict(error))
        self.guard.forget(job_id)
        return {}

    def _job(self, job_id: str, user_id: str, video_id: str) -> _Job:
        """The job's run, made when a worker first touches it; a cancelled job's is dropped here."""
        with self._lock:
            job = self._jobs.get(video_id)
            if job is None or job.job_id != job_id:
                job = _Job(job_id, self.make_run(job_id, user_id, video_id))
                self._jobs[video_id] = job
            return job

    def _known(self, job_id: str, video_id: str) -> _Job | None:
        job = self._jobs.get(video_id)
        return job if job is not None and job.job_id == job_id else None

    def make_run(self, job_id: str, user_id: str, video_id: str) -> IngestRun:
        """The stages of a video, to be run for this job."""
        from heimdex_core.ingest.pipeline import IngestRun

        library = self.library
        return IngestRun(
            library.store,
            self._shared(library.models),
            library.settings,
            library.store.video(user_id, video_id),
            models_of=lambda one: self._shared(library.models_of(one.set_id)),
            is_cancelled=self.stop_asked(job_id, video_id),
        )

    def _shared(self, models: Models) -> Models:
        """The same models; where several videos are worked on at once, their pictures and sentences go together."""
        if self.library.settings.ingest_concurrency == 1:
            return models
        from heimdex_core.models.shared_batches import SharedModels

        with self._models_lock:
            return self._joined.setdefault(models, SharedModels(models))

    def stop_asked(self, job_id: str, subject: str) -> Callable[[], bool]:
        """Whether work for the job should stop: a person's mark, the worker's end, or a branch that failed."""
        looked_at = -CANCEL_LOOK_S
        found = False

        def asked() -> bool:
            nonlocal looked_at, found
            job = self._known(job_id, subject)
            if self.guard.stopping or (job is not None and job.failed.is_set()):
                return True
            now = time.monotonic()
            if not found and now - looked_at >= CANCEL_LOOK_S:
                looked_at, found = now, self._is_marked(job_id, subject)
            return found

        return asked

    # --- exports ----------------------------------------------------------------------------------

    def render(self, job_id: str, user_id: str, export_id: str) -> Json:
        """Render an export; one attempt, since a render that failed once will fail again."""
        piece = Piece(job_id, export_id, "render")

        def work() -> Json:
            library = self.library.as_user(user_id)
            export = library.render_export(export_id, is_cancelled=self.stop_asked(job_id, export_id))
            return {"path": export.path}

        try:
            return self.attempt(piece, Attempt(), work)
        except WorkerStopping:
            # The render took the stop for a wish to cancel and noted it so; it waits for the next worker.
            self.library.store.update_export(export_id, state=ExportState.PENDING, error=None)
            raise

    def finish_export(self, job_id: str, user_id: str, export_id: str, error: Json | None) -> Json:
        """The last step of an export job."""
        if error is not None:
            settle_export(self.library.store, user_id, export_id, HeimdexError.from_dict(error))
        self.guard.forget(job_id)
        return {}

    # --- upkeep -----------------------------------------------------------------------------------

    def reindex(self, job_id: str, attempt: Attempt) -> Json:
        """Make the indexes again from the videos' own files."""

        def work() -> Json:
            self.library.reindex()
            return {}

        return self.attempt(Piece(job_id, _REINDEX, _REINDEX), attempt, work)

    def clean_up(self, job_id: str, attempt: Attempt) -> Json:
        """Remove what is past its time; the counts by kind."""
        return self.attempt(Piece(job_id, _CLEAN_UP, _CLEAN_UP), attempt, lambda: dict(self.library.clean_up()))

    # --- what every step shares -------------------------------------------------------------------

    def attempt(self, piece: Piece, attempt: Attempt, work: Callable[[], Json]) -> Json:
        """Do `work` once: its result, {"error"} where trying again will not help, else what it raised."""
        try:
            with self.guard.working(piece):
                try:
                    if self._is_marked(piece.job_id, piece.subject):
                        raise Cancelled()
                    return work()
                except Exception as error:
                    # A stop shows itself as Cancelled, or as a broken child process; either way the
                    # work is unfinished, not failed, unless a person asked for the end of it.
                    if self.guard.stopping and not self._is_marked(piece.job_id, piece.subject):
                        raise WorkerStopping from error
                    raise
        except VideoNotFound as error:
            logger.info("%s is gone; its job %s ends", piece.subject, piece.job_id)
            return {"error": error.to_dict()}
        except Exception as error:
            if may_pass(error) and not attempt.is_last:
                logger.warning("%s of %s failed, to be tried again: %s", piece.stage, piece.subject, error)
                raise
            if not isinstance(error, HeimdexError):
                logger.exception("%s of %s failed", piece.stage, piece.subject)
            return {"error": in_words(error, piece.stage).to_dict()}

    def _is_marked(self, job_id: str, subject: str) -> bool:
        """Whether a person asked for the end of this job, or of whatever works on its subject."""
        paths = self.library.store.paths
        marks = [cancel_mark(paths, job_id)]
        if subject not in _UPKEEP:
            marks.append(paths.cancel_marker(subject))
        return any(mark.exists() for mark in marks)


def run_for_active(run: IngestRun, stage: str) -> StageOutcome:
    """Run a stage. Where the library moved to other models meanwhile, the run is made anew for those: the
    commit then runs what does not hold any more, within its own step."""
    while True:
        try:
            return run.run_stage(stage)
        except ModelsChanged as error:
            logger.info("video %s goes on with other models: %s", run.video_id, error)
            run.renew()


def first_error(results: list[Json]) -> Json | None:
    """The error to tell of several branches': the first that is not just the echo of another."""
    errors = [result["error"] for result in results if result.get("error")]
    real = [error for error in errors if error.get("code") != Cancelled.code]
    return (real or errors or [None])[0]
