"""What the queue and the worker have to know of a library, and what they may change in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heimdex_core.errors import ExportNotFound, HeimdexError, JobsUnavailable, ValidationError, VideoNotFound
from heimdex_core.export.interrupted import end_export
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.work_folder import WorkFolder
from heimdex_core.library import face_scan_jobs, sweeps
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.importing import IncomingFile, register
from heimdex_core.library.migration import mark_migration_failed, read_migration_status, replace_migration_job
from heimdex_core.library.people import owners, people_of
from heimdex_core.store.adopt import ADOPTING
from heimdex_core.store.cancel_marks import CancelMarks, FileCancelMarks
from heimdex_core.store.exports import UNFINISHED as UNFINISHED_EXPORT
from heimdex_core.store.locks import video_lock
from heimdex_core.store.video_records import UNFINISHED_VIDEO
from heimdex_core.types import ExportState, Video, VideoState

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables
    from heimdex_core.store.transaction import Transaction

log = logging.getLogger(__name__)

JobKind = Literal["ingest", "export", "migration", "sweep", "faces"]
"""What a job is for: a video, an export, the library as a whole, a sweep, or a search for faces."""


@dataclass(frozen=True, slots=True)
class UnfinishedJob:
    """A job that the library names and that has not said how it ended."""

    kind: JobKind
    job_id: str | None
    subject: str | None
    """The id of the video, export, sweep or search for faces; None for work on the library as a whole."""
    args: tuple[str | int, ...]
    """Of its workflow."""


@lru_cache
def warn_once(text: str) -> None:
    """Log a warning, the first time in this process."""
    log.warning(text)


class LibraryWork:
    """Durable work on one library, of all its users unless a user_id is given."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._store = context.store

    @property
    def key(self) -> str:
        """12 hexadecimal digits that name the library, the same on every machine that shares it."""
        return self._store.manifest.key

    @property
    def jobs_url(self) -> str:
        """The database of the queue: HEIMDEX_DATABASE_URL, else jobs.sqlite in the library."""
        settings = self._context.settings
        if settings.database_url is None and settings.jobs_url is not None:
            warn_once("HEIMDEX_JOBS_URL is deprecated: HEIMDEX_DATABASE_URL keeps catalog and jobs in Postgres")
        url = settings.database_url or settings.jobs_url
        return url.get_secret_value() if url is not None else f"sqlite:///{self._store.paths.jobs}"

    @property
    def ingest_queue(self) -> str:
        """The queue that new videos go to."""
        return self._context.settings.ingest_queue

    @property
    def worker_folder(self) -> Path:
        """Where workers keep their locks, status and marks; clean-up leaves names with a dot alone."""
        return self._store.paths.work_root / ".worker"

    @property
    def job_marks(self) -> CancelMarks:
        """Wishes to cancel a job, by its id.

        Beside those for a video or an export: a retry removes that one, and may come while the cancelled job is still
        on its way out.
        """
        if self.shared is not None:
            return self._store.cancel_marks
        folder = self.worker_folder / "cancelled"
        return FileCancelMarks(folder.joinpath, lambda: list(folder.glob("*")))

    @property
    def shared(self) -> SharedTables | None:
        """The tables that take the place of worker_folder; None for a library that keeps its catalog in a file."""
        return self._store.catalog.engine.shared

    @contextmanager
    def checked_by(self, check: Callable[[Transaction], None]) -> Iterator[None]:
        """Have `check` called at the beginning of each of this process's transactions, which fails if it raises."""
        self._store.catalog.checks.append(check)
        try:
            yield
        finally:
            self._store.catalog.checks.remove(check)

    def catalog_signature(self) -> object:
        """A value that differs once something was written to the catalog; None where that cannot be told."""
        return self._store.catalog.engine.signature()

    def is_merge_due(self) -> bool:
        """Whether a clean-up would merge an index."""
        return self._store.maintenance.is_merge_due()

    # --- videos -----------------------------------------------------------------------------------

    def import_file(
        self, incoming: IncomingFile, *, queue: bool, progress: OnProgress | None, is_awaited: bool = True
    ) -> Video:
        """Register a file and index its video where that is necessary; see Library.add."""
        registered = register(self._store, self._context.settings, self._context.user_id, incoming)
        if not registered.needs_work:
            return registered.video
        try:
            return self.start_ingest(registered.video, queue=queue, progress=progress, is_awaited=is_awaited)
        except (ValidationError, JobsUnavailable):
            if registered.is_new:
                # A file that cannot be used leaves no trace; other failures stay, to be retried.
                self._store.purge_video(registered.video.video_id)
            raise
        except HeimdexError as error:
            error.video_id = registered.video.video_id
            raise

    def start_ingest(self, video: Video, *, queue: bool, progress: OnProgress | None, is_awaited: bool = True) -> Video:
        """Have a video's stages run: by the worker with `queue`, else in this process.

        The worker takes videos that are not awaited after those that are.
        """
        self._store.cancel_marks.remove(video.video_id)
        if queue:
            # Who may change a shared video works on it for its owner.
            job_id = self._context.require_queue().enqueue_ingest(
                video.video_id, owner_id=video.user_id, is_awaited=is_awaited
            )
            return self._store.set_job(video.video_id, job_id)
        self._store.set_job(video.video_id, None)
        # A second process that is asked for the same video waits, and then finds it done.
        timeout_s = self._context.settings.lock_timeout_s
        with video_lock(self._store.paths.work_root / f".{video.video_id}.lock", timeout_s=timeout_s).hold():
            indexed = self.ingest_run(video.video_id, progress=progress).run()
        people_of(self._context, video.user_id).look_at_new(video.video_id)
        return indexed

    def reindex(
        self,
        video_id: str,
        *,
        language: str | None,
        params: Mapping[str, Any] | None,
        queue: bool,
        progress: OnProgress | None,
    ) -> Video:
        """Index one video again; see Library.reindex_video."""
        video = self._store.video(self._context.user_id, video_id, "write")
        own = None
        if params is not None:
            own = {name: value for name, value in {**video.params, **params}.items() if value is not None}
            IngestParams.from_settings(self._context.settings, **own)  # refuses what cannot be
        video = self._store.set_params(video_id, params=own, language=language)
        WorkFolder(self._store.paths.work(video_id)).ask_for_renewal()
        if video.state == VideoState.INDEXED:
            self._store.set_state(video_id, VideoState.PROCESSING)
        elif video.state == VideoState.FAILED:
            self._store.set_state(video_id, VideoState.VALIDATING)
        if video.state in (VideoState.INDEXED, VideoState.FAILED):
            self.forget_progress(video_id)
        return self.start_ingest(video, queue=queue, progress=progress)

    def forget_progress(self, video_id: str) -> None:
        """Drop what is known of an attempt that has ended: else it would be shown while the video waits again."""
        self._store.progress(WorkFolder(self._store.paths.work(video_id)).progress_path).remove()

    def ingest_run(
        self, video_id: str, *, progress: OnProgress | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> IngestRun:
        """The stages of one of the person's videos, to be run together or one by one. Raises VideoNotFound.

        `is_cancelled` is asked often; None asks whether the library's `cancel` was called.
        """
        context = self._context
        return IngestRun(
            self._store,
            context.models.active(),
            context.settings,
            self._store.video(context.user_id, video_id),
            models_of=lambda one: context.models.of(one.set_id),
            is_cancelled=is_cancelled or self._store.cancel_marks.asked(video_id),
            on_progress=progress,
        )

    def stranded_videos(self, silent_s: float) -> Iterator[tuple[str, str]]:
        """(user_id, video_id) of videos that nobody works on though their state says so.

        One whose progress was written in the last `silent_s` seconds is worked on by a process without a queue.
        """
        paths = self._store.paths
        for user_id, video_id in self._store.unfinished_videos(silent_s):
            age_s = self._store.progress(paths.work(video_id) / "progress.json").age_s()
            is_busy = age_s is not None and age_s < silent_s
            if not is_busy and paths.source(video_id, missing_ok=True) is not None:
                yield user_id, video_id

    def edited_videos(self) -> list[tuple[str, str]]:
        """(user_id, video_id) of videos whose edits are newer than their scenes, and that nobody works on."""
        return self._store.scene_edits.outdated()

    def begin_again(self, user_id: str, video_id: str) -> bool:
        """Send an edited video back to the stages; False where somebody else did."""
        return self._store.scene_edits.begin_again(user_id, video_id)

    def owners(self) -> list[str]:
        """The users who have videos that are indexed."""
        return owners(self._store)

    def count_videos(self, *, timeout_s: float | None = None) -> int:
        """How many videos of all users the catalog has. Raises LibraryBusy if it is in use for longer than that."""
        return self._store.count_videos(timeout_s)

    def allow_again(self, video_id: str) -> None:
        """Remove a wish to cancel that is older than the state of an unfinished video."""
        self._store.cancel_marks.remove(video_id)

    # --- jobs -------------------------------------------------------------------------------------

    def set_job(self, kind: JobKind, subject: str, job_id: str) -> None:
        """Name the job that works on a video or an export."""
        if kind == "ingest":
            self._store.set_job(subject, job_id)
        elif kind == "export":
            self._store.exports.update(subject, job_id=job_id)
        elif kind == "sweep":
            sweeps.replace_job(self._store, subject, None, job_id)
        elif kind == "faces":
            face_scan_jobs.replace_scan_job(self._store, subject, None, job_id)

    def job_of(self, user_id: str, video_id: str) -> str | None:
        """The job that a video names; None without one, and for a video that is gone."""
        try:
            return self._store.video(user_id, video_id).job_id
        except VideoNotFound:
            return None

    def replace_job(self, kind: JobKind, subject: str, old: str | None, new: str) -> bool:
        """Name another job of unfinished work; False if it is finished, gone, or named another job than `old`."""
        if kind == "ingest":
            return self._store.replace_job(subject, old, new)
        if kind == "export":
            return self._store.exports.replace_job(subject, old, new)
        if kind == "sweep":
            return sweeps.replace_job(self._store, subject, old, new)
        if kind == "faces":
            return face_scan_jobs.replace_scan_job(self._store, subject, old, new)
        return replace_migration_job(self._store.paths, old, new, self.shared)

    def unfinished_jobs(self) -> list[UnfinishedJob]:
        """The jobs that the library waits for: of videos, exports, sweeps, face scans and a move to other models."""
        found = [
            UnfinishedJob("ingest", row["job_id"], row["video_id"], (row["user_id"], row["video_id"]))
            for row in self._store.unfinished_jobs()
            if row["job_id"] != ADOPTING
        ]
        found += [
            UnfinishedJob("export", row["job_id"], row["export_id"], (row["user_id"], row["export_id"]))
            for row in self._store.exports.unfinished_jobs()
        ]
        found += [
            UnfinishedJob("sweep", job_id, sweep_id, (user_id, sweep_id))
            for user_id, sweep_id, job_id in sweeps.unfinished(self._store)
        ]
        found += [
            UnfinishedJob("faces", scan.job_id, scan.scan_id, (user_id, scan.scan_id))
            for user_id, scan in face_scan_jobs.unfinished_scans(self._store)
        ]
        move = read_migration_status(self._store.paths, self.shared)
        if move is not None and move.job_id is not None and move.state in ("waiting", "running", "interrupted"):
            found.append(UnfinishedJob("migration", move.job_id, None, (move.set_id,)))
        return found

    def is_waiting_for(self, kind: JobKind, user_id: str, subject: str, job_id: str) -> bool:
        """Whether a video, export, sweep or search for faces still waits for this job, and not for another one."""
        if kind == "sweep":
            return (user_id, subject, job_id) in sweeps.unfinished(self._store)
        if kind == "faces":
            scan = face_scan_jobs.last_scan(self._store, user_id)
            return scan is not None and not scan.is_over and (scan.scan_id, scan.job_id) == (subject, job_id)
        try:
            if kind == "export":
                export = self._store.exports.get(user_id, subject)
                return export.state in UNFINISHED_EXPORT and export.job_id in (None, job_id)
            video = self._store.video(user_id, subject)
            return video.state in UNFINISHED_VIDEO and video.job_id in (None, job_id)
        except (VideoNotFound, ExportNotFound):
            return False

    def is_cancel_requested(self, subject: str) -> bool:
        """Whether a person asked for the end of the work on a video or an export."""
        return self._store.cancel_marks.has(subject)

    def mark_failed(self, kind: JobKind, user_id: str, subject: str, job_id: str, error: HeimdexError) -> bool:
        """Record how a job ended whose last step never ran; False if there was nothing to end.

        Only what is still being worked on changes: a video deleted meanwhile stays deleted. May run twice.
        """
        if kind == "migration":
            return mark_migration_failed(self._store.paths, job_id, error, self.shared)
        if kind == "export":
            return end_export(self._store, user_id, subject, error)
        if kind == "sweep":
            return sweeps.mark(self._store, user_id, subject, job_id, error)
        if kind == "faces":
            return face_scan_jobs.end_scan(self._store, user_id, subject, job_id, error)
        return self._store.mark_video_failed(user_id, subject, error)

    def mark_all_failed(self, user_id: str, video_ids: Sequence[str], error: HeimdexError) -> None:
        """Record how the jobs of videos ended whose last step never ran, as `mark_failed` does."""
        if video_ids:
            self._store.bulk.end_work(user_id, video_ids, error)

    def reopen_export(self, export_id: str) -> None:
        """Let an export wait again: its render was interrupted by the end of the worker."""
        self._store.exports.update(export_id, state=ExportState.PENDING, error=None)
