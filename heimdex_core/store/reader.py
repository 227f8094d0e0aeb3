"""The process's reader of a library: keeps the present view of it. Never waits for a writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from heimdex_core.errors import ViewOutdated
from heimdex_core.files import file_signature
from heimdex_core.store import snapshot
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.opened import OpenedIndexes
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.view import View
from heimdex_core.types import Space

if TYPE_CHECKING:
    import pandas as pd

    from heimdex_core.store.sqlview import SqlViews

T = TypeVar("T")


class Reader:
    """Keeps the present view. Safe to share between threads; one per process is enough."""

    def __init__(self, paths: LibraryPaths, spaces: Mapping[str, Space], catalog: Catalog) -> None:
        """`spaces` by role are used while visible.parquet names no model set."""
        self.paths = paths
        self._spaces = dict(spaces)
        self._catalog = catalog
        self._lock = threading.RLock()
        self._view: View | None = None
        self._opened = OpenedIndexes(paths)
        self._tables: SqlViews | None = None

    # --- freshness --------------------------------------------------------------------------------

    def view(self) -> View:
        """The library as it is now; the same object until something changes. Raises LibraryDamaged."""
        self.refresh()
        return self._now()

    def refresh(self) -> bool:
        """Take a new view if anything has changed since the last call; whether it had. Otherwise a few `stat` calls."""
        held = self._view
        if held is not None and self._signature(held.set_id, held.spaces) == held.signature:
            return False
        with self._lock:
            held = self._view
            view = self._take(held)
            if held is not None and view.signature == held.signature:
                return False
            self._view = view
            self._opened.keep_only(tuple(view.spaces.values()), view.set_id)
        return True

    def _now(self) -> View:
        view = self._view
        while view is None:  # `close` may come in between
            self.refresh()
            view = self._view
        return view

    def _take(self, held: View | None) -> View:
        published = file_signature(self.paths.visible)
        if held is not None and held.signature[0] == published:
            shot = held.snapshot
        else:
            shot = snapshot.take(self.paths, held.snapshot if held is not None else snapshot.empty())
        spaces = self._spaces if shot.model_set is None else shot.model_set.spaces
        # If visible.parquet was replaced meanwhile, this signature is older than the snapshot, so the next refresh
        # takes a new view.
        signature = (published, *self._signature(shot.set_id, spaces)[1:])
        return View(self.paths, shot, shot.set_id, spaces, signature, self._opened, self._run_sql)

    def _signature(self, set_id: int, spaces: Mapping[str, Space]) -> tuple[Any, ...]:
        manifests = [self.paths.vector_index(space) / "manifest.json" for space in spaces.values()]
        manifests.append(self.paths.lexical_of(set_id) / "manifest.json")
        return (file_signature(self.paths.visible), *(file_signature(path) for path in manifests))

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

    def _run_sql(
        self, shot: Snapshot, user_id: str, query: str, params: Sequence[Any] | Mapping[str, Any]
    ) -> pd.DataFrame:
        from heimdex_core.store.sqlview import SqlViews

        with self._lock:
            if self._tables is None:
                self._tables = SqlViews(self.paths, self._catalog)
            tables = self._tables
        return tables.query(shot, user_id, query, params)

    def close(self) -> None:
        """Release indexes and tables. The reader can be used again."""
        with self._lock:
            self._view = None
            self._opened.clear()
            if self._tables is not None:
                self._tables.close()
                self._tables = None
