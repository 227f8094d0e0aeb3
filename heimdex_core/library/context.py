"""What the parts of a Library share: the store, the models, whose library it is, and the queue for durable work."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cachetools import LRUCache

from heimdex_core.errors import (
    InvalidValue,
    JobsUnavailable,
    LibraryBusy,
    LibraryDamaged,
    LibraryNotFound,
    ProfileMismatch,
    printable,
)
from heimdex_core.models.profiles import is_as_asked
from heimdex_core.models.registry import ModelChoice, Models, Purpose, choose_profile
from heimdex_core.search.channels.channel_set import KEPT_SETS, ChannelSets
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.types import QueueDepth, StageProgress, WorkerActivity

log = logging.getLogger(__name__)

OnProgress = Callable[[StageProgress], None]


class WorkQueue(Protocol):
    """Where durable work is handed to; jobs.client.JobQueue is one."""

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str: ...
    def enqueue_reel(self, export_id: str) -> str: ...
    def enqueue_reindex(self) -> str: ...
    def enqueue_migration(self, set_id: int) -> str: ...
    def enqueue_sweep(self, sweep_id: str) -> str: ...
    def enqueue_faces(self, scan_id: str) -> str: ...
    def cancel(self, *job_ids: str) -> None: ...
    def check(self, *, timeout_s: float) -> None: ...
    def depths(self) -> list[QueueDepth]: ...
    def workers(self) -> list[WorkerActivity]: ...


class ModelsBySet:
    """The models of each set, made once per process; what two sets have in common is loaded once.

    Safe to share between threads.
    """

    def __init__(self, store: Store, settings: Settings, purpose: Purpose) -> None:
        self._store = store
        self._settings = settings
        self._purpose: Purpose = purpose
        self._lock = threading.Lock()
        self._made: LRUCache[int, Models] = LRUCache(KEPT_SETS)

    def active(self) -> Models:
        """The models of the active set; asking for them never waits for a writer."""
        return self.of(self._store.sets.active().set_id)

    def of(self, set_id: int) -> Models:
        """The models of a set, not loaded; UnknownName for a set that is not there."""
        with self._lock:
            found = self._made.get(set_id)
            if found is None:
                choice = ModelChoice.from_dict(self._store.sets.get(set_id).choice)
                shared = {key: model for made in self._made.values() for key, model in made.parts.items()}
                found = self._made[set_id] = Models(choice, self._settings, self._purpose, shared)
            return found


@dataclass
class LibraryContext:
    """An open library as one person sees it."""

    store: Store
    models: ModelsBySet
    channels: ChannelSets
    """Those of `models`, for the searches of all users."""
    settings: Settings
    user_id: str
    queue: WorkQueue | None = None
    is_operator: bool = False
    """Whether it is used with the rights of an admin, by who owns the library's folder; see Library.as_operator."""

    def require_queue(self) -> WorkQueue:
        """The queue; JobsUnavailable where the library was opened without one."""
        if self.queue is None:
            raise JobsUnavailable(reason="this library was opened without one")
        return self.queue

    def cancel(self, works: Sequence[tuple[str, str | None]], mark: Callable[[], object]) -> None:
        """End the work on videos or exports, whoever does it.

        What counts is the catalog, which `mark` changes: no job begins on what is cancelled there. The marks tell
        stages that are running, and the queue drops jobs that wait.

        Args:
            works: (id of the video or export, id of its job or None).
            mark: records the end.
        """
        # Beside the work folder, not in it: a run must find it before it has created the folder.
        for work_id, _ in works:
            self.store.cancel_marks.add(work_id)
        mark()
        jobs = [job_id for _, job_id in works if job_id]
        if jobs and self.queue is not None:
            try:
                self.queue.cancel(*jobs)
            except (JobsUnavailable, LibraryBusy) as error:
                log.warning("the queue still has %s, which will end when they begin: %s", ", ".join(jobs), error)


def require_usable_path(root: Path) -> None:
    """Raise InvalidValue for a folder whose path is too long, or not UTF-8: databases cannot open files there."""
    if printable(str(root)) != str(root):
        raise InvalidValue(name="library", value=str(root), reason="its path is not UTF-8")
    try:
        root.lstat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise InvalidValue(name="library", value=f"{root}"[:200], reason=error.strerror) from error
    except ValueError as error:  # a null character
        raise InvalidValue(name="library", value=str(root), reason=str(error)) from error


def _create(place: LibraryPlace, settings: Settings, profile: str | None) -> Store:
    choice = choose_profile(profile or settings.profile, settings)
    spaces = Models(choice, settings).spaces
    with place.creating(settings):
        if place.address is not None and place.refresh(settings):  # another machine was first
            return Store.open(place.root, settings)
        return Store.create(
            place.root,
            profile=choice.name,
            models=choice.to_dict(),
            spaces=spaces,
            settings=settings,
            address=place.address,
        )


def open_context(
    place: LibraryPlace, settings: Settings, *, user_id: str, profile: str | None, create: bool, purpose: Purpose
) -> LibraryContext:
    """Open the library at a place, or create it there; see Library.open."""
    root = place.root
    require_usable_path(root)
    if not place.refresh(settings):
        if not create and (root / "catalog.duckdb").exists():
            raise LibraryDamaged(what="library.json", reason="it is missing")
        if not create:
            raise LibraryNotFound(path=str(place))
        store = _create(place, settings, profile)
    else:
        store = Store.open(root, settings)
        pinned = ModelChoice.from_dict(store.sets.active().choice)
        if profile is not None and not is_as_asked(pinned, profile, settings):
            raise ProfileMismatch(pinned=pinned.name, asked=profile)
    models = ModelsBySet(store, settings, purpose)
    return LibraryContext(store, models, ChannelSets(models.of), settings, user_id)
