"""Where the workers of a library say what they do: a file for each machine, or a row for each worker in Postgres."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from heimdex_core.jobs.status import WorkerStatus, read_status, status_of
from heimdex_core.types import to_json

if TYPE_CHECKING:
    from heimdex_core.library.work import LibraryWork
    from heimdex_core.store.shared_tables import SharedTables


class Statuses(Protocol):
    """What the workers of a library say, also those that have ended lately."""

    def all(self) -> list[WorkerStatus]:
        """Each worker's last one, the latest first."""
        ...


class FileStatuses:
    """A file for each machine.

    Args:
        folder: LibraryWork.worker_folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[WorkerStatus]:
        """What can be read of the files."""
        read = ((path.stem, read_status(path)) for path in self._folder.glob("*.json"))
        found = [replace(status, machine=machine) for machine, status in read if status is not None]
        return sorted(found, key=lambda one: one.updated_at, reverse=True)


class TableStatuses:
    """Rows by the number of the worker, see table_place.py."""

    def __init__(self, shared: SharedTables) -> None:
        self._shared = shared

    def all(self) -> list[WorkerStatus]:
        """The rows. Raises DatabaseUnavailable."""
        found = self._shared.rows("select status from shared.worker_status order by updated_at desc limit 100")
        return [status for (text,) in found if (status := status_of(json.loads(text))) is not None]

    def write(self, number: int, status: WorkerStatus) -> None:
        """Replace the status of a worker. Raises DatabaseUnavailable."""
        self._shared.rows(
            """insert into shared.worker_status values (%s, %s, now())
               on conflict (number) do update set status = excluded.status, updated_at = excluded.updated_at""",
            [number, json.dumps(to_json(status))],
            wait_s=0,
        )


def statuses_of(work: LibraryWork) -> Statuses:
    """Those of a library's workers."""
    return FileStatuses(work.worker_folder) if work.shared is None else TableStatuses(work.shared)
