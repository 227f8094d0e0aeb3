"""Wishes to cancel, for the stages that are running: files in work/, or rows in Postgres, which all machines see.

What counts is the catalog, where cancelled work has ended; a mark only tells those who are in the middle of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from heimdex_core.errors import HeimdexError
from heimdex_core.files import make_folder

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

logger = logging.getLogger(__name__)

LOOK_S = 0.3
"""A stage may ask in every frame whether to stop; the table is looked into no more often than this."""


class CancelMarks(Protocol):
    """Marks by the id of what is worked on: a video, an export, a sweep, a job."""

    def add(self, work_id: str) -> None:
        """Ask the work to stop; more than once is as once. Raises DiskFull, DatabaseUnavailable."""
        ...

    def remove(self, work_id: str) -> None:
        """Take the wish back; nothing happens if there is none. Raises DatabaseUnavailable."""
        ...

    def has(self, work_id: str) -> bool:
        """Whether the work is asked to stop. False where that cannot be found out."""
        ...

    def asked(self, work_id: str) -> Callable[[], bool]:
        """A function that says so and may be called very often, from one thread or several."""
        ...

    def forget_before(self, epoch_s: float) -> None:
        """Remove marks that are older, in seconds since 1970."""
        ...


class FileCancelMarks:
    """A file for each mark.

    Args:
        path_of: the file of an id; its folder is made. Raises InvalidValue for a malformed id.
        every: the files of all marks that `forget_before` may remove.
    """

    def __init__(self, path_of: Callable[[str], Path], every: Callable[[], list[Path]] = list) -> None:
        self._path_of = path_of
        self._every = every

    def add(self, work_id: str) -> None:
        """Create the file."""
        path = self._path_of(work_id)
        make_folder(path.parent, levels=3)
        path.touch()

    def remove(self, work_id: str) -> None:
        """Remove the file."""
        self._path_of(work_id).unlink(missing_ok=True)

    def has(self, work_id: str) -> bool:
        """Whether the file exists."""
        return self._path_of(work_id).exists()

    def asked(self, work_id: str) -> Callable[[], bool]:
        """Whether the file exists."""
        return self._path_of(work_id).exists

    def forget_before(self, epoch_s: float) -> None:
        """Remove older files."""
        for path in self._every():
            if path.stat().st_mtime < epoch_s:
                path.unlink(missing_ok=True)


class TableCancelMarks:
    """A row for each mark."""

    def __init__(self, shared: SharedTables) -> None:
        self._shared = shared

    def add(self, work_id: str) -> None:
        """Insert the row."""
        self._shared.rows("insert into shared.cancel_marks (work_id) values (%s) on conflict do nothing", [work_id])

    def remove(self, work_id: str) -> None:
        """Delete the row."""
        self._shared.rows("delete from shared.cancel_marks where work_id = %s", [work_id])

    def has(self, work_id: str) -> bool:
        """Whether there is a row. While the database is away, work goes on."""
        try:
            return bool(self._shared.rows("select 1 from shared.cancel_marks where work_id = %s", [work_id], wait_s=0))
        except HeimdexError as error:
            logger.info("whether %s is cancelled cannot be asked: %s", work_id, error)
            return False

    def asked(self, work_id: str) -> Callable[[], bool]:
        """Look every LOOK_S, and no more once it is so."""
        looked_at, found = -LOOK_S, False

        def look() -> bool:
            nonlocal looked_at, found
            now = time.monotonic()
            if not found and now - looked_at >= LOOK_S:
                looked_at, found = now, self.has(work_id)
            return found

        return look

    def forget_before(self, epoch_s: float) -> None:
        """Delete older rows."""
        self._shared.rows("delete from shared.cancel_marks where asked_at < to_timestamp(%s)", [epoch_s])
