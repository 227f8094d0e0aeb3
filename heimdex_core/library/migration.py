"""Moving a library to another model set: every video is indexed beside what there is, then all switch at once.

What a migration has done lies in the catalog (generations of the set) and in the videos' work folders, so it can
be stopped anywhere and continued by any process. work/migration.json only tells people where it stands.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from heimdex_core.errors import (
    Cancelled,
    HeimdexError,
    MoveIncomplete,
    VideoNotFound,
    WorkerReplaced,
)
from heimdex_core.ingest import stages
from heimdex_core.ingest.execution import PASSES, RetryPolicy, try_repeatedly, wrap_error
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.progress import read_progress
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.store import Store
from heimdex_core.store.cancel_marks import CancelMarks, FileCancelMarks
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock, video_lock
from heimdex_core.store.progress_records import FileProgress, ProgressRecord, TableProgress, progress_record
from heimdex_core.types import Json, ModelSet, StageProgress, to_json, utc_now

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

log = logging.getLogger(__name__)

MIGRATION = "migration"
MAX_ROUNDS = 50
"""Videos that come in while others are made need another round; more than so many means that it never ends."""
_WRITE_EVERY_S = 0.5
_QUIET_ELSEWHERE_S = 300.0
_QUIET_S = 20.0
"""A move that nobody holds the lock of, that has been silent for so long and whose process is gone was interrupted."""

OwnedVideo = tuple[str, str]
"""(user_id, video_id)"""


@dataclass(frozen=True)
class MigrationStatus:
    """Where a move stands. `state`: waiting, running, done, failed, cancelled or interrupted."""

    set_id: int
    profile: str
    state: str
    total: int = 0
    done: int = 0
    """Videos that are ready in the new set."""
    video_id: str | None = None
    job_id: str | None = None
    pid: int | None = None
    error: Json | None = None
    failed: Json = field(default_factory=dict)
    """Errors by video, of this try."""
    started_at: str = ""
    updated_at: str = ""
    progress: StageProgress | None = None
    """Of the video that is being made."""

    @property
    def is_running(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def overall(self) -> float:
        """Share of the whole that is done, 0 to 1."""
        current = self.progress.overall if self.progress is not None and self.is_running else 0.0
        return min((self.done + current) / self.total, 1.0) if self.total else float(self.state == "done")

    @property
    def seconds(self) -> float:
        """Since it began."""
        return _seconds_since(self.started_at)

    def to_dict(self) -> Json:
        """As `--json` prints it."""
        found: Json = to_json(self)
        return {**found, "overall": self.overall}


def status_path(paths: LibraryPaths) -> Path:
    return paths.work_root / "migration.json"


def cancel_marks(store: Store) -> CancelMarks:
    """Where a move is asked to stop, by the id MIGRATION."""
    if store.catalog.engine.shared is not None:
        return store.cancel_marks
    return FileCancelMarks(lambda name: store.paths.work_root / f"{name}.cancel")


def migration_lock(paths: LibraryPaths) -> FileLock:
    """Held while a video is indexed for a set or the library switches: one at a time."""
    return video_lock(paths.work_root / ".migration.lock", what="A move to other models")


def read_migration_status(paths: LibraryPaths, shared: SharedTables | None = None) -> MigrationStatus | None:
    """The last recorded status of a migration, with the progress of its current video; None if there was none.

    `shared` is where the library keeps it, if not in files.
    """
    data = _record(paths, shared).read()
    if data is None:
        return None
    try:
        status = MigrationStatus(**{**data, "progress": None})
    except TypeError:
        return None  # of another version: it tells nothing that is needed
    if status.state == "running" and _is_abandoned(paths, status, is_shared=shared is not None):
        status = replace(status, state="interrupted")
    if status.video_id and status.is_running:
        record = progress_record(shared, paths.work(status.video_id, status.set_id) / "progress.json")
        status = replace(status, progress=read_progress(record))
    return status


def _is_abandoned(paths: LibraryPaths, status: MigrationStatus, *, is_shared: bool) -> bool:
    """Whether nobody goes on with a move. The job of one is taken over; a process is looked for on its own machine."""
    if is_shared:
        return status.job_id is None and _seconds_since(status.updated_at) > _QUIET_ELSEWHERE_S
    return (
        _seconds_since(status.updated_at) > _QUIET_S
        and not migration_lock(paths).is_held()
        # loading models takes longer than that on a busy machine, and reports nothing
        and not (status.pid is not None and psutil.pid_exists(status.pid))
    )


def _record(paths: LibraryPaths, shared: SharedTables | None) -> ProgressRecord:
    if shared is None:
        return FileProgress(status_path(paths), durable=True)
    return TableProgress(shared, MIGRATION, is_strict=True)


def write_waiting(
    paths: LibraryPaths, target: ModelSet, job_id: str, shared: SharedTables | None = None
) -> MigrationStatus:
    """Say that a move is queued, unless its job has begun already."""
    known = read_migration_status(paths, shared)
    if known is not None and known.job_id == job_id:
        return known
    now = utc_now().isoformat()
    status = MigrationStatus(target.set_id, target.profile, "waiting", job_id=job_id, started_at=now, updated_at=now)
    _write(paths, status, shared)
    return status


def replace_migration_job(paths: LibraryPaths, old: str | None, new: str, shared: SharedTables | None = None) -> bool:
    """Name another job of an unfinished move; False if it has ended, or names another job than `old`."""
    status = read_migration_status(paths, shared)
    if status is None or status.job_id not in (old, new) or status.state not in ("waiting", "running", "interrupted"):
        return False
    _write(paths, replace(status, state="waiting", job_id=new, updated_at=utc_now().isoformat()), shared)
    return True


def mark_migration_failed(
    paths: LibraryPaths, job_id: str, error: HeimdexError, shared: SharedTables | None = None
) -> bool:
    """Say how a job's move ended where its last step never ran; false if there was nothing to end."""
    status = read_migration_status(paths, shared)
    if status is None or status.job_id != job_id or status.state not in ("waiting", "running", "interrupted"):
        return False
    changes = _ended_with(error)
    _write(paths, replace(status, **changes, updated_at=utc_now().isoformat()), shared)
    return True


def _ended_with(error: HeimdexError) -> dict[str, Any]:
    return {"state": "cancelled" if isinstance(error, Cancelled) else "failed", "error": error.to_dict()}


def _write(paths: LibraryPaths, status: MigrationStatus, shared: SharedTables | None = None) -> None:
    _record(paths, shared).write(to_json(replace(status, progress=None)))


def _seconds_since(moment: str) -> float:
    return (utc_now() - datetime.fromisoformat(moment)).total_seconds() if moment else 0.0


class ModelMigration:
    """The steps of one migration. Each may be run by another process than the one before, and again."""

    def __init__(
        self,
        context: LibraryContext,
        set_id: int,
        *,
        progress: OnProgress | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        job_id: str | None = None,
    ) -> None:
        """`job_id` names the job whose steps these are."""
        self.store = context.store
        self.settings = context.settings
        self.target = context.store.sets.get(set_id)
        self._models_of = context.models.of
        self._on_progress = progress
        self._shared = self.store.catalog.engine.shared
        known = read_migration_status(self.store.paths, self._shared)
        if known is None or known.set_id != set_id or known.job_id != job_id or not known.is_running:
            known = MigrationStatus(set_id, self.target.profile, "running", started_at=utc_now().isoformat())
        self.status = replace(known, state="running", job_id=job_id, pid=os.getpid())
        self._is_cancelled = is_cancelled or cancel_marks(self.store).asked(MIGRATION)
        self._written = 0.0

    def pending(self) -> list[OwnedVideo]:
        """The videos still to be indexed, without those that failed in this attempt."""
        self._check()
        pending = self.store.sets.pending(self.target.set_id)
        self._update(total=pending.total, done=pending.total - len(pending.missing), video_id=None)
        return [owned for owned in pending.missing if owned[1] not in self.status.failed]

    def index_video(self, user_id: str, video_id: str) -> None:
        """Index one video for the set. What stops it is noted and the next one can go on.

        Raises Cancelled; LibraryBusy, which says nothing about the video.
        """
        self._check()
        self._update(video_id=video_id)
        try:
            IngestRun(
                self.store,
                self._models_of(self.target.set_id),
                self.settings,
                self.store.video(user_id, video_id),
                model_set=self.target,
                is_cancelled=self._is_cancelled,
                on_progress=self._show,
            ).run()
            self._update(done=self.status.done + 1)
        except (Cancelled, WorkerReplaced, *PASSES):
            raise
        except VideoNotFound:
            log.info("video %s is gone; the migration continues without it", video_id)
        except Exception as error:
            self.note_failed(video_id, wrap_error(error, "index_video"))

    def finished_stages(self, video_id: str) -> int:
        """How many stages of the video's generation for the set have left a record so far."""
        folder = self.store.paths.work(video_id, self.target.set_id)
        return sum((folder / f"{spec.name}.json").exists() for spec in stages.SPECS)

    def note_failed(self, video_id: str, error: HeimdexError) -> None:
        """Leave a video out of this attempt; the switch will say that it is missing."""
        log.warning("video %s was not indexed for set %d: %s", video_id, self.target.set_id, error)
        self._update(failed={**self.status.failed, video_id: error.to_dict()})

    def switch(self) -> None:
        """Make the set the active one. Raises MoveIncomplete where videos are missing."""
        self._check()
        self.store.switch_set(self.target.set_id)
        self._update(state="done", video_id=None, error=None, done=self.status.total)

    def finish(self, error: HeimdexError | None) -> None:
        """Record how the migration ended, where that is without a switch."""
        if error is None:
            return
        if isinstance(error, MoveIncomplete) and self.status.failed:
            first = next(iter(self.status.failed.values()))
            error = MoveIncomplete(**{**error.details, "first": first["message"]})
        self._update(**_ended_with(error), video_id=None)
        cancel_marks(self.store).remove(MIGRATION)

    def _check(self) -> None:
        if self._is_cancelled():
            raise Cancelled()

    def _update(self, **changes: Any) -> None:
        self.status = replace(self.status, updated_at=utc_now().isoformat(), **changes)
        self._written = time.monotonic()
        if self.status.state == "running" and self._has_ended():
            return  # a stage that has not noticed it yet must not bring the move back to life
        _write(self.store.paths, self.status, self._shared)

    def _has_ended(self) -> bool:
        written = _record(self.store.paths, self._shared).read() or {}
        job_id = self.status.job_id
        is_over = written.get("state") in ("cancelled", "done", "failed")
        return job_id is not None and written.get("job_id") == job_id and is_over

    def _show(self, progress: StageProgress) -> None:
        if time.monotonic() - self._written > _WRITE_EVERY_S:
            self._update()
        if self._on_progress is not None:
            whole = max(self.status.total, 1)
            overall = min((self.status.done + progress.overall) / whole, 1.0)
            self._on_progress(replace(progress, stage_number=self.status.done + 1, stage_count=whole, overall=overall))


# --- the plan, followed in this process or as steps of a durable job ------------------------------


class MigrationRunner(Protocol):
    """Runs the steps of a migration, with their further attempts. Each raises the error that ended it for good."""

    def pending(self) -> list[OwnedVideo]: ...
    def index_video(self, user_id: str, video_id: str) -> None: ...
    def switch(self) -> None: ...
    def finish(self, error: HeimdexError | None) -> None: ...


def run_plan(runner: MigrationRunner) -> HeimdexError | None:
    """All of a migration; the error that ended it without a switch, None where the set is the active one."""
    error: HeimdexError | None = None
    try:
        for _ in range(MAX_ROUNDS):
            pending = runner.pending()
            for owned in pending:
                runner.index_video(*owned)
            if not pending:
                break
        runner.switch()
    except HeimdexError as found:
        error = found
    runner.finish(error)
    return error


class _LocalMigration(ModelMigration):
    """A migration whose steps are tried again here; the stages of a video are tried repeatedly already."""

    def pending(self) -> list[OwnedVideo]:
        return try_repeatedly(super().pending, name="pending", policy=RetryPolicy.of(self.settings))

    def switch(self) -> None:
        try_repeatedly(super().switch, name="switch", policy=RetryPolicy.of(self.settings))


def run_here(context: LibraryContext, set_id: int, *, progress: OnProgress | None = None) -> MigrationStatus:
    """Every step in this process. Raises Cancelled, MoveIncomplete; what is made is kept for the next time."""
    migration = _LocalMigration(context, set_id, progress=progress)
    cancel_marks(context.store).remove(MIGRATION)
    with migration_lock(context.store.paths).hold(context.settings.lock_timeout_s):
        error = run_plan(migration)
    if error is not None:
        raise error
    return migration.status
