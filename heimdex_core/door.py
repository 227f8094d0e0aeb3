"""What the parts of Library share: the store, whose library it is, and the way to hand work to the worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from heimdex_core.errors import JobsUnavailable
from heimdex_core.settings import Settings
from heimdex_core.store.store import Store
from heimdex_core.types import StageProgress

if TYPE_CHECKING:
    from heimdex_core.store.reader import Reader

OnProgress = Callable[[StageProgress], None]


class WorkQueue(Protocol):
    """Where lasting work is handed to; jobs.client.JobQueue is one."""

    def enqueue_ingest(self, video_id: str) -> str: ...
    def enqueue_reel(self, export_id: str) -> str: ...
    def enqueue_reindex(self) -> str: ...
    def enqueue_move(self, set_id: int) -> str: ...
    def cancel(self, job_id: str) -> None: ...


class Door:
    """An open library as one person sees it."""

    def __init__(self, store: Store, settings: Settings, user_id: str) -> None:
        self.store = store
        self.settings = settings
        self.user_id = user_id
        self.queue: WorkQueue | None = None

    @property
    def reader(self) -> Reader:
        return self.store.reader()

    def _queue(self) -> WorkQueue:
        if self.queue is None:
            raise JobsUnavailable(reason="this library was opened without one")
        return self.queue

    def _cancel_marker(self, work_id: str) -> Path:
        # Beside the work folder, not in it: a run must find it before it has made the folder.
        return self.store.paths.cancel_marker(work_id)
