"""Moving a library to another set of models: every video is indexed beside what there is, then all switch at once.

What a move has done lies in the catalog (generations of the set) and in the videos' work folders, so it can
be stopped anywhere and gone on with by any process. work/move.json only tells people where it stands.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.door import OnProgress
from heimdex_core.errors import Cancelled, HeimdexError, MoveIncomplete, VideoNotFound
from heimdex_core.ingest.files import read_json, write_json
from heimdex_core.ingest.progress import STAGES
from heimdex_core.ingest.retry import in_words
from heimdex_core.ingest.work import WorkFolder
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock, video_lock
from heimdex_core.types import Json, ModelSet, StageProgress, to_json, utc_now

if TYPE_CHECKING:
    from heimdex_core.library import Library

log = logging.getLogger(__name__)

ROUNDS = 50
"""Videos that come in while others are made need another round; more than so many means that it never ends."""
_WRITE_EVERY_S = 0.5
_QUIET_S = 20.0
"""A move that nobody holds the lock of and that has been silent for so long was interrupted."""

Owned = tuple[str, str]
"""(user_id, video_id)"""


@dataclass(frozen=True)
class MoveStatus:
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
        return (utc_now() - datetime.fromisoformat(self.started_at)).total_seconds() if self.started_at else 0.0

    def cancel_marker(self, paths: LibraryPaths) -> Path:
        """The file whose presence asks the move to stop."""
        return paths.work_root / "move.cancel"

    def to_dict(self) -> Json:
        """As `--json` prints it."""
        found: Json = to_json(self)
        return {**found, "overall": self.overall}


def status_path(paths: LibraryPaths) -> Path:
    return paths.work_root / "move.json"


def move_lock(paths: LibraryPaths) -> FileLock:
    """Held by whoever makes a video for a set or switches: one at a time."""
    return video_lock(paths.work_root / ".move.lock")


def read_move_status(paths: LibraryPaths) -> MoveStatus | None:
    """What was last told of a move, with the progress of its current video; None where there never was one."""
    data = read_json(status_path(paths))
    if data is None:
        return None
    try:
        status = MoveStatus(**{**data, "progress": None})
    except TypeError:
        return None  # of another version: it tells nothing that is needed
    if status.state == "running" and _seconds_since(status.updated_at) > _QUIET_S and not move_lock(paths).is_held():
        status = replace(status, state="interrupted")
    if status.video_id and status.is_running:
        status = replace(status, progress=WorkFolder(paths.work(status.video_id, status.set_id)).progress.read())
    return status


def write_waiting(paths: LibraryPaths, target: ModelSet, job_id: str) -> MoveStatus:
    """Say that a move is queued, unless its job has begun already."""
    now = utc_now().isoformat()
    status = MoveStatus(target.set_id, target.profile, "waiting", job_id=job_id, started_at=now, updated_at=now)
    known = read_move_status(paths)
    if known is not None and known.job_id == job_id:
        return known
    _write(paths, status)
    return status


def settle_move(paths: LibraryPaths, job_id: str, error: HeimdexError) -> bool:
    """Say how a job's move ended where its last step never ran; false if there was nothing to end."""
    status = read_move_status(paths)
    if status is None or status.job_id != job_id or status.state not in ("waiting", "running", "interrupted"):
        return False
    state = "cancelled" if isinstance(error, Cancelled) else "failed"
    _write(paths, replace(status, state=state, error=error.to_dict(), updated_at=utc_now().isoformat()))
    return True


def _write(paths: LibraryPaths, status: MoveStatus) -> None:
    write_json(status_path(paths), to_json(replace(status, progress=None)))


def _seconds_since(moment: str) -> float:
    return (utc_now() - datetime.fromisoformat(moment)).total_seconds() if moment else float("inf")


class Mover:
    """The steps of one move. Each may be run by another process than the one before, and again."""

    def __init__(
        self,
        library: Library,
        set_id: int,
        *,
        progress: OnProgress | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        job_id: str | None = None,
    ) -> None:
        self.library = library
        self.paths = library.store.paths
        self.target = library.store.model_set(set_id)
        self._on_progress = progress
        known = read_move_status(self.paths)
        if known is None or known.set_id != set_id or known.job_id != job_id or not known.is_running:
            known = MoveStatus(set_id, self.target.profile, "running", started_at=utc_now().isoformat())
        self.status = replace(known, state="running", job_id=job_id, pid=os.getpid())
        marker = self.status.cancel_marker(self.paths)
        self._is_cancelled = is_cancelled or marker.exists
        self._written = 0.0

    # --- all of it --------------------------------------------------------------------------------

    def run(self) -> MoveStatus:
        """Every step in this process. Raises Cancelled, MoveIncomplete; what is made is kept for the next time."""
        self.status.cancel_marker(self.paths).unlink(missing_ok=True)
        try:
            with move_lock(self.paths).hold():
                for _ in range(ROUNDS):
                    todo = self.left()
                    if not todo:
                        break
                    for owned in todo:
                        self.make(*owned)
                return self.switch()
        except HeimdexError as error:
            self.end(error)
            raise

    # --- the steps --------------------------------------------------------------------------------

    def left(self) -> list[Owned]:
        """The videos still to be made, without those that failed in this try."""
        todo = self.library.store.left_to_make(self.target.set_id)
        self._tell(total=todo.total, done=todo.total - len(todo.missing), video_id=None)
        return [owned for owned in todo.missing if owned[1] not in self.status.failed]

    def make(self, user_id: str, video_id: str) -> None:
        """Index one video for the set. What stops it is noted and the next one can go on; Cancelled is raised."""
        from heimdex_core.ingest.pipeline import IngestRun

        if self._is_cancelled():
            raise Cancelled()
        self._tell(video_id=video_id)
        library = self.library
        try:
            IngestRun(
                library.store,
                library.models_of(self.target.set_id),
                library.settings,
                library.store.video(user_id, video_id),
                model_set=self.target,
                is_cancelled=self._is_cancelled,
                on_progress=self._show,
            ).run()
            self._tell(done=self.status.done + 1)
        except (Cancelled, VideoNotFound) as error:
            if isinstance(error, Cancelled):
                raise
            log.info("video %s is gone; the move goes on without it", video_id)
        except Exception as error:
            told = in_words(error, "move")
            self.note_failed(video_id, told)

    def finished_stages(self, video_id: str) -> int:
        """How many stages of the video's generation for the set have left a record so far."""
        folder = self.paths.work(video_id, self.target.set_id)
        return sum((folder / f"{stage}.json").exists() for stage in STAGES)

    def note_failed(self, video_id: str, error: HeimdexError) -> None:
        """Leave a video out of this try; the switch will say that it is missing."""
        log.warning("video %s was not indexed for set %d: %s", video_id, self.target.set_id, error)
        self._tell(failed={**self.status.failed, video_id: error.to_dict()})

    def switch(self) -> MoveStatus:
        """Make the set the active one. MoveIncomplete where videos are missing."""
        if self._is_cancelled():
            raise Cancelled()
        self.library.store.switch_set(self.target.set_id)
        self.library.reader.refresh()
        self._tell(state="done", video_id=None, error=None, done=self.status.total)
        return self.status

    def end(self, error: HeimdexError) -> None:
        """Say how the move ended without a switch."""
        if isinstance(error, MoveIncomplete) and self.status.failed:
            first = next(iter(self.status.failed.values()))
            error = MoveIncomplete(**{**error.details, "first": first["message"]})
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        self._tell(state=state, error=error.to_dict(), video_id=None)
        self.status.cancel_marker(self.paths).unlink(missing_ok=True)

    # --- telling ----------------------------------------------------------------------------------

    def _tell(self, **changes: object) -> None:
        self.status = replace(self.status, updated_at=utc_now().isoformat(), **changes)  # type: ignore[arg-type]
        self._written = time.monotonic()
        _write(self.paths, self.status)

    def _show(self, progress: StageProgress) -> None:
        if time.monotonic() - self._written > _WRITE_EVERY_S:
            self._tell()
        if self._on_progress is not None:
            whole = max(self.status.total, 1)
            overall = min((self.status.done + progress.overall) / whole, 1.0)
            self._on_progress(replace(progress, stage_number=self.status.done + 1, stage_count=whole, overall=overall))
