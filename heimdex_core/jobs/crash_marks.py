"""Marks of the stages that workers are at, by which their crashes are counted: files in the worker's folder, or rows in
Postgres, where the next worker may be on another machine."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from heimdex_core.errors import HeimdexError, StorageError
from heimdex_core.files import read_json, write_json

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

logger = logging.getLogger(__name__)


class CrashMarks(Protocol):
    """As one worker has them. Where they cannot be read or written, that is logged, and the work goes on."""

    def begin(self, job_id: str, stage: str) -> int:
        """Mark the stage as this worker's; how often workers have died in it, by the marks that they left."""
        ...

    def leave(self, job_id: str, stage: str, *, wait_s: float) -> None:
        """Note that this worker left the stage on purpose: the crashes before it still count, this is none.

        A database that is away is awaited for `wait_s`.
        """
        ...

    def end(self, job_id: str, stage: str, *, wait_s: float) -> None:
        """Remove this worker's mark, since the stage has ended. `wait_s` as in `leave`."""
        ...

    def has(self, job_id: str) -> bool:
        """Whether any stage of the job is marked."""
        ...

    def forget(self, job_id: str) -> None:
        """Remove all marks of a job."""
        ...

    def forget_before(self, epoch_s: float) -> None:
        """Remove marks that are older, in seconds since 1970."""
        ...


class FileCrashMarks:
    """A file for each stage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, job_id: str, stage: str) -> int:
        """Read the file that there is, and replace it."""
        data = self._read(job_id, stage)
        crashes = int(data.get("crashes", 0)) + (1 if data.get("running") else 0)
        self._write(job_id, stage, crashes=crashes, running=True)
        return crashes

    def leave(self, job_id: str, stage: str, *, wait_s: float) -> None:
        """Replace the file."""
        self._write(job_id, stage, crashes=int(self._read(job_id, stage).get("crashes", 0)), running=False)

    def end(self, job_id: str, stage: str, *, wait_s: float) -> None:
        """Remove the file."""
        self._path(job_id, stage).unlink(missing_ok=True)

    def has(self, job_id: str) -> bool:
        """Look for files."""
        return any(self._folder.glob(f"{job_id}.*.json"))

    def forget(self, job_id: str) -> None:
        """Remove the files."""
        for path in self._folder.glob(f"{job_id}.*.json"):
            path.unlink(missing_ok=True)

    def forget_before(self, epoch_s: float) -> None:
        """By the times of the files."""
        for path in self._folder.glob("*.json"):
            if path.stat().st_mtime < epoch_s:
                path.unlink(missing_ok=True)

    def _path(self, job_id: str, stage: str) -> Path:
        return self._folder / f"{job_id}.{stage}.json"

    def _read(self, job_id: str, stage: str) -> dict[str, int | bool]:
        try:
            data = read_json(self._path(job_id, stage))
        except FileNotFoundError:
            return {}
        except ValueError:
            # written halfway when the power went: that worker did die in this stage
            return {"running": True}
        return data if isinstance(data, dict) else {}

    def _write(self, job_id: str, stage: str, *, crashes: int, running: bool) -> None:
        mark = {"crashes": crashes, "running": running, "pid": os.getpid()}
        try:
            write_json(self._path(job_id, stage), mark, durable=False)
        except (OSError, StorageError) as error:
            # on a full disk the stage itself says so, in better words
            logger.warning("the mark of %s in %s cannot be written: %s", stage, job_id, error)


class TableCrashMarks:
    """A row for each stage.

    Args:
        worker: the executor id of this worker, which no other one has or had.
    """

    def __init__(self, shared: SharedTables, worker: str) -> None:
        self._shared = shared
        self._worker = worker

    def begin(self, job_id: str, stage: str) -> int:
        """Insert or replace the row. One that this worker could not remove is no crash: it lives."""
        sql = """insert into shared.crash_marks as mark (job_id, stage, crashes, is_running, worker)
            values (%s, %s, 0, true, %s)
            on conflict (job_id, stage) do update set
                crashes = mark.crashes + (mark.is_running and mark.worker <> excluded.worker)::integer,
                is_running = true, worker = excluded.worker, updated_at = now()
            returning crashes"""
        found = self._rows(sql, job_id, stage, self._worker)
        return int(found[0][0]) if found else 0

    def leave(self, job_id: str, stage: str, *, wait_s: float) -> None:
        """Change the row, unless another worker has taken over."""
        sql = "update shared.crash_marks set is_running = false where job_id = %s and stage = %s and worker = %s"
        self._rows(sql, job_id, stage, self._worker, wait_s=wait_s)

    def end(self, job_id: str, stage: str, *, wait_s: float) -> None:
        """Delete the row, unless another worker has taken over."""
        sql = "delete from shared.crash_marks where job_id = %s and stage = %s and worker = %s"
        self._rows(sql, job_id, stage, self._worker, wait_s=wait_s)

    def has(self, job_id: str) -> bool:
        """Look for rows."""
        return bool(self._rows("select 1 from shared.crash_marks where job_id = %s limit 1", job_id))

    def forget(self, job_id: str) -> None:
        """Delete the rows."""
        self._rows("delete from shared.crash_marks where job_id = %s", job_id)

    def forget_before(self, epoch_s: float) -> None:
        """By the clock of the database."""
        self._rows("delete from shared.crash_marks where updated_at < to_timestamp(%s)", epoch_s)

    def _rows(self, sql: str, *params: str | float, wait_s: float = 5.0) -> list[tuple[Any, ...]]:
        try:
            return self._shared.rows(sql, params, wait_s=wait_s)
        except HeimdexError as error:
            logger.warning("crashes in stages of %s cannot be counted: %s", params[0], error)
            return []
