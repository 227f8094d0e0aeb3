"""The process's reader of a library: keeps the present view of it. Never waits for a writer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from heimdex_core.errors import ViewOutdated
from heimdex_core.files import file_signature
from heimdex_core.store import scene_segments, sets, shares, snapshot
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.scene_segments import SceneIndex
from heimdex_core.store.search_index import SearchBackend
from heimdex_core.store.sql_process import SqlLimits
from heimdex_core.store.sqlview import SqlViews
from heimdex_core.store.view import View
from heimdex_core.types import ModelSet

T = TypeVar("T")


class Reader:
    """Keeps the present view. Safe to share between threads; one per process is enough."""

    def __init__(
        self,
        paths: LibraryPaths,
        catalog: Catalog,
        search: SearchBackend,
        sql_limits: SqlLimits | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`sql_limits` None takes those of the environment's settings; `on_change` is called after each new view."""
        self.paths = paths
        self._catalog = catalog
        self.search = search
        self._lock = threading.RLock()
        self._view: View | None = None
        self._opened = OpenedIndexes()
        self._tables = SqlViews(paths, catalog, sql_limits)
        self._on_change = on_change

    def view(self) -> View:
        """The library as it is now; the same object until something changes.

        Raises LibraryDamaged; LibraryNotFound if it has been moved or removed.
        """
        while True:
            self.refresh()
            view = self._view
            if view is not None:  # `close` may come in between
                return view

    def refresh(self) -> bool:
        """Take a new view if anything has changed since the last call; whether it had. Otherwise a few `stat` calls."""
        if self._catalog.mirror is not None:
            self._catalog.mirror.pull()
        held = self._view
        if held is not None and self._signature(held.snapshot.model_set) == held.signature:
            return False
        with self._lock:
            held = self._view
            view = self._take(held)
            if held is not None and view.signature == held.signature:
                return False
            self._view = view
            self._opened.keep_only(self.index_folders(view.snapshot.model_set))
        self._on_change()
        return True

    def _take(self, held: View | None) -> View:
        published = file_signature(self.paths.visible)
        if published is None:
            self.paths.require()
        if held is not None and held.signature[0] == published:
            shot = held.snapshot
        else:
            shot = snapshot.take(self.paths, self.open_scenes, held.snapshot if held is not None else None)
        shared = file_signature(self.paths.shares)
        if held is None or held.signature[1] != shared:
            shot = shot.share(shares.read(self.paths))
        elif shot is not held.snapshot:
            shot = shot.share(held.snapshot.sharing)
        # If visible.parquet was replaced meanwhile, this signature is older than the snapshot, so the next refresh
        # takes a new view.
        signature = (published, shared, *self._signature(shot.model_set)[2:])
        return View(self.paths, shot, signature, self.search, self._opened, self._tables)

    def _signature(self, model_set: ModelSet) -> tuple[Any, ...]:
        manifests = [folder / "manifest.json" for folder in self.index_folders(model_set)]
        return tuple(file_signature(path) for path in (self.paths.visible, self.paths.shares, *manifests))

    def index_folders(self, model_set: ModelSet) -> list[Path]:
        """The folders whose manifests tell that a search in the set, or its scene table, may have changed."""
        return [*self.search.folders(model_set), self.paths.scene_index]

    def open_scenes(self) -> SceneIndex | None:
        """The present scene table, which is opened once for each revision. Raises LibraryDamaged."""
        folder = self.paths.scene_index
        return self._opened.get(folder, lambda held: scene_segments.open_index(folder, held))

    def ask(self, question: Callable[[View], T]) -> T:
        """Call `question` with the present view, and again with a newer one each time it raises ViewOutdated.

        Raises ViewOutdated in the end if files of every view were removed while it was asked.
        """
        for _ in range(snapshot.ATTEMPTS):
            try:
                return question(self.view())
            except ViewOutdated:
                continue
        return question(self.view())

    def of_set(self, set_id: int) -> SetReader:
        """A reader of the visible videos as one model set has indexed them. Nothing is read yet."""
        return SetReader(set_id, self, self._catalog, self._tables)

    def close(self) -> None:
        """Release indexes and tables. The reader can be used again."""
        with self._lock:
            self._view = None
            self._opened.keep_only(())
            self._tables.close()


class SetReader:
    """Keeps the view of a model set that need not be the active one. Unlike Reader it may wait for a writer.

    Safe to share between threads.
    """

    def __init__(self, set_id: int, reader: Reader, catalog: Catalog, tables: SqlViews) -> None:
        self._set_id = set_id
        self._reader = reader
        self._catalog = catalog
        self._tables = tables
        self._opened = OpenedIndexes()
        self._lock = threading.Lock()
        self._view: View | None = None

    def view(self) -> View:
        """The set as it is now; the same object until something changes. The library's own view for the active set.

        Raises UnknownModelSet for a set that does not exist or was dropped; what `Reader.view` raises.
        """
        present = self._reader.view()
        if present.set_id == self._set_id:
            return present
        with self._lock:
            held = self._view
            is_held = held is not None and self._signature(present, held.snapshot.model_set) == held.signature
            if held is None or not is_held:
                held = self._view = self._take(present)
            return held

    def _take(self, present: View) -> View:
        with self._catalog.transaction() as transaction:
            model_set = sets.get(transaction, self._set_id)
            generations = {row.video_id: row.generation for row in sets.generations(transaction, set_id=self._set_id)}
        reader = self._reader
        shot = snapshot.of_set(reader.paths, reader.open_scenes, present.snapshot, model_set, generations)
        signature = self._signature(present, model_set)
        return View(reader.paths, shot, signature, reader.search, self._opened, self._tables)

    def _signature(self, present: View, model_set: ModelSet) -> tuple[Any, ...]:
        manifests = [folder / "manifest.json" for folder in self._reader.index_folders(model_set)]
        return (*present.signature[:2], *(file_signature(path) for path in manifests))
