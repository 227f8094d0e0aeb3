"""Where a piece of work stands, as any machine may read it: a small file in its work folder, or a row in Postgres."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from heimdex_core.errors import HeimdexError
from heimdex_core.files import read_json_object, write_json
from heimdex_core.types import Json, to_json

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

logger = logging.getLogger(__name__)


class ProgressRecord(Protocol):
    """One JSON object about one piece of work."""

    name: str
    """Of the work folder."""

    def read(self) -> Json | None:
        """What was written last; None if there is nothing, or it cannot be read."""
        ...

    def write(self, progress: Json) -> None:
        """Replace it. Raises DiskFull."""
        ...

    def remove(self) -> None:
        """Drop it; nothing happens if there is none."""
        ...

    def age_s(self) -> float | None:
        """How long ago it was written, in seconds; None if there is nothing."""
        ...


class FileProgress:
    """A file, usually in the work folder and removed with it."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        """`durable`: what is written survives a power cut."""
        self.name = path.parent.name
        self._path = path
        self._durable = durable

    def read(self) -> Json | None:
        """Read the file."""
        return read_json_object(self._path)

    def write(self, progress: Json) -> None:
        """Replace the file."""
        write_json(self._path, progress, durable=self._durable)

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    def age_s(self) -> float | None:
        """By the file's time."""
        return time.time() - self._path.stat().st_mtime if self._path.exists() else None


class TableProgress:
    """A row. While the database is away, nothing is shown, and the work goes on.

    Args:
        name: of the work folder.
        is_strict: a database that is away is an error instead (DatabaseUnavailable).
    """

    def __init__(self, shared: SharedTables, name: str, *, is_strict: bool = False) -> None:
        self._shared = shared
        self._is_strict = is_strict
        self.name = name

    def read(self) -> Json | None:
        """Read the row."""
        found = self._rows("select progress from shared.progress where name = %s", self.name)
        value = json.loads(found[0][0]) if found else None
        return value if isinstance(value, dict) else None

    def write(self, progress: Json) -> None:
        """Replace the row."""
        self._rows(
            """insert into shared.progress values (%s, %s, now())
               on conflict (name) do update set progress = excluded.progress, updated_at = excluded.updated_at""",
            self.name,
            json.dumps(to_json(progress)),
        )

    def remove(self) -> None:
        """Delete the row."""
        self._rows("delete from shared.progress where name = %s", self.name)

    def age_s(self) -> float | None:
        """By the clock of the database."""
        sql = "select extract(epoch from now() - updated_at)::float8 from shared.progress where name = %s"
        found = self._rows(sql, self.name)
        return float(found[0][0]) if found else None

    def _rows(self, sql: str, *params: str) -> list[tuple[Any, ...]]:
        if self._is_strict:
            return self._shared.rows(sql, params)
        try:
            return self._shared.rows(sql, params, wait_s=0)
        except HeimdexError as error:
            logger.info("the progress of %s is not known or shown: %s", self.name, error)
            return []


def watching_record(shared: SharedTables | None, work_root: Path, folder_id: str) -> ProgressRecord:
    """That of looking at a watched folder."""
    if shared is not None:
        return TableProgress(shared, f"watching-{folder_id}")
    # a name with a dot: clean-up leaves those alone
    return FileProgress(work_root / ".watching" / f"{folder_id}.json")


def progress_record(shared: SharedTables | None, path: Path) -> ProgressRecord:
    """That of the work in a folder; `path` is the file in it of a library that keeps such things in files."""
    return FileProgress(path) if shared is None else TableProgress(shared, path.parent.name)
