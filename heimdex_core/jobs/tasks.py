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

from heimdex_core.errors import Cancelled, HeimdexError, VideoNotFound
from heimdex_core.jobs.guard import Guard, Piece, WorkerStopping
from heimdex_core.jobs.outcome import settle_export, settle_video
from heimdex_core.jobs.retry import as_heimdex_error, may_pass
from heimdex_core.types import Json

if TYPE_CHECKING:
    from heimdex_core.ingest.pipeline import IngestRun
    from heimdex_core.library import Library

logger = logging.getLogger(__name__)

_REINDEX, _CLEAN_UP = "reindex", "clean-up"
_UPKEEP = (_REINDEX, _CLEAN_UP)
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

    # --- ingest -----------------------------------------------------------------------------------

    def stage(self, job_id: str, user_id: str, video_id: str, stage: str, attempt: Attempt) -> Json:
        """Run one stage of a video: {"fingerprint", "skipped", "seconds"} or {"error"}."""

        def work() -> Json:
            job = self._job(job_id, user_id, video_id)
            outcome = job.run.run_stage(stage)
            return {
                "fingerprint": outcome.fingerprint,
                "skipped": outcome.skipped,
                "seconds": round(outcome.seconds, 3),
            }

        result = self._attempt(Piece(job_id, video_id, stage), attempt, work)
        if "error" in result:
            with self._lock:
                job = self._jobs.get(job_id)
            if job is not None:
                job.failed.set()
        return result

    def finish_ingest(self, job_id: str, user_id: str, video_id: str, error: Json | None) -> Json:
        """The last step of an ingest job: the video's state says how it ended."""
        with self._lock:
            self._jobs.pop(job_id, None)
        if error is not None:
            settle_video(self.library.store, user_id, video_id, HeimdexError.from_dict(error))
        self._clear(job_id, video_id)
        return {}

    def _job(self, job_id: str, user_id: str, video_id: str) -> _Job:
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                job = _Job(run=self._make_run(job_id, user_id, video_id))
                self._jobs[job_id] = job
            return job

    def _make_run(self, job_id: str, user_id: str, video_id: str) -> IngestRun:
        from heimdex_core.ingest.params import IngestParams
        from heimdex_core.ingest.pipeline import IngestRun

        library = self.library
        return IngestRun(
            library.store,
            library.models,
            library.settings,
            library.store.video(user_id, video_id),
            params=IngestParams.from_settings(library.settings),
            is_cancelled=self._cancelled(video_id, lambda: self._has_failed(job_id)),
        )

    def _has_failed(self, job_id: str) -> bool:
        job = self._jobs.get(job_id)
        return job is not None and job.failed.is_set()

    # --- exports ----------------------------------------------------------------------------------

    def render(self, job_id: str, user_id: str, export_id: str) -> Json:
        """Render an export; one attempt, since a render that failed once will fail again."""
        piece = Piece(job_id, export_id, "render")
        return self._attempt(piece, Attempt(), lambda: self._render(user_id, export_id))

    def _render(self, user_id: str, export_id: str) -> Json:
        export = self._as_user(user_id).render_export(export_id, is_cancelled=self._cancelled(export_id))
        return {"path": export.path}

    def finish_export(self, job_id: str, user_id: str, export_id: str, error: Json | None) -> Json:
        """The last step of an export job."""
        if error is not None:
            settle_export(self.library.store, user_id, export_id, HeimdexError.from_dict(error))
        self._clear(job_id, export_id)
        return {}

    # --- upkeep -----------------------------------------------------------------------------------

    def reindex(self, job_id: str, attempt: Attempt) -> Json:
        """Make the indexes again from the videos' own files."""

        def work() -> Json:
            self.library.reindex()
            return {}

        return self._attempt(Piece(job_id, _REINDEX, _REINDEX), attempt, work)

    def clean_up(self, job_id: str, attempt: Attempt) -> Json:
        """Remove what is past its time; the counts by kind."""
        return self._attempt(Piece(job_id, _CLEAN_UP, _CLEAN_UP), attempt, lambda: dict(self.library.clean_up()))

    # --- what every step shares -------------------------------------------------------------------

    def _attempt(self, piece: Piece, attempt: Attempt, work: Callable[[], Json]) -> Json:
        try:
            with self.guard.working(piece):
                try:
                    return work()
                except Exception as error:
                    # A stop shows itself as Cancelled, or as a broken child process; either way the
                    # work is unfinished, not failed, unless a person asked for the end of it.
                    if self.guard.stopping and not self._is_marked(piece.subject):
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
            return {"error": as_heimdex_error(error, piece.stage).to_dict()}

    def _cancelled(self, subject: str, also: Callable[[], bool] = lambda: False) -> Callable[[], bool]:
        """Whether work on `subject` should stop: asked for by mark, by the worker's end, or by `also`."""
        marker = self.library.store.paths.cancel_marker(subject)
        looked_at = 0.0
        found = False

        def is_cancelled() -> bool:
            nonlocal looked_at, found
            if self.guard.stopping or also():
                return True
            now = time.monotonic()
            if now - looked_at >= CANCEL_LOOK_S:
                looked_at, found = now, marker.exists()
            return found

        return is_cancelled

    def _is_marked(self, subject: str) -> bool:
        return subject not in _UPKEEP and self.library.store.paths.cancel_marker(subject).exists()

    def _clear(self, job_id: str, subject: str) -> None:
        self.library.store.paths.cancel_marker(subject).unlink(missing_ok=True)
        self.guard.forget(job_id)

    def _as_user(self, user_id: str) -> Library:
        """The same library as another person sees it: it shares the store and the models."""
        if user_id == self.library.user_id:
            return self.library
        from heimdex_core.library import Library

        return Library(self.library.store, self.library.models, self.library.settings, user_id)


def first_error(results: list[Json]) -> Json | None:
    """The error to tell of several branches': the first that is not just the echo of another."""
    errors = [result["error"] for result in results if result.get("error")]
    real = [error for error in errors if error.get("code") != Cancelled.code]
    return (real or errors or [None])[0]
