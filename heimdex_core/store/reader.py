"""The process's reader of a library: keeps its present view, and answers from it. Never waits for a writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from heimdex_core.errors import ViewOutdated
from heimdex_core.store import snapshot, visible
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.lexical import LexicalResult
from heimdex_core.store.opened import OpenedIndexes
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.vectors import Floats
from heimdex_core.store.view import Ids, View
from heimdex_core.store.visible import VisibleVideo
from heimdex_core.types import Scene, Segment, Space

if TYPE_CHECKING:
    import pandas as pd

    from heimdex_core.store.sqlview import SqlViews

T = TypeVar("T")


class Reader:
    """One for each process; every method may be called from any thread.

    What belongs together is asked of one `view()`. The reader's own methods each ask the view of the last
    `refresh()`, and take a new one where that has outlived its files.
    """

    def __init__(self, paths: LibraryPaths, spaces: Mapping[str, Space], catalog: Catalog) -> None:
        """`spaces` by role: those of a library that has published no set of models yet."""
        self.paths = paths
        self._spaces = dict(spaces)
        self._catalog = catalog
        self._lock = threading.RLock()
        self._view: View | None = None
        self._opened = OpenedIndexes(paths)
        self._tables: SqlViews | None = None

    # --- freshness --------------------------------------------------------------------------------

    def view(self) -> View:
        """The library as it is now; the same object until something changes."""
        self.refresh()
        return self._now()

    def refresh(self) -> bool:
        """Take up what has changed since the last call; true if anything had. A few `stat`s if nothing."""
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

    @property
    def token(self) -> str:
        """Changes whenever a search might answer differently; the key of caches."""
        return self._now().token

    @property
    def problems(self) -> tuple[str, ...]:
        """Videos that are visible but cannot be read."""
        return self._now().snapshot.problems

    def _now(self) -> View:
        view = self._view
        while view is None:  # `close` may come in between
            self.refresh()
            view = self._view
        return view

    def _take(self, held: View | None) -> View:
        published = visible.signature(self.paths.visible)
        if held is not None and held.signature[0] == published:
            shot = held.snapshot
        else:
            shot = snapshot.take(self.paths, held.snapshot if held is not None else snapshot.empty())
        spaces = self._spaces if shot.made_with is None else shot.made_with.spaces
        # If visible.parquet was replaced meanwhile, this is older than the snapshot: the next look takes a new one.
        signature = (published, *self._signature(shot.set_id, spaces)[1:])
        return View(self.paths, shot, shot.set_id, spaces, signature, self._opened, self._run_sql)

    def _signature(self, set_id: int, spaces: Mapping[str, Space]) -> tuple[Any, ...]:
        manifests = [self.paths.vector_index(space) / "manifest.json" for space in spaces.values()]
        manifests.append(self.paths.lexical_of(set_id) / "manifest.json")
        return (visible.signature(self.paths.visible), *(visible.signature(path) for path in manifests))

    def _ask(self, question: Callable[[View], T]) -> T:
        for _ in range(snapshot.ATTEMPTS):
            try:
                return question(self._now())
            except ViewOutdated:
                self.refresh()
        return question(self._now())

    # --- videos and scenes: see View --------------------------------------------------------------

    def visible_videos(self, user_id: str) -> list[VisibleVideo]:
        """The person's indexed videos, newest first."""
        return self._now().visible_videos(user_id)

    def scenes(self, user_id: str, video_id: str | None = None) -> list[Scene]:
        """The scenes of one video (none while it is not indexed), or of all the person's videos."""
        return self._now().scenes(user_id, video_id)

    def scene(self, user_id: str, scene_id: str) -> Scene:
        """A scene by its name, else the one that overlaps its times most (IoU .5 at least). SceneNotFound."""
        return self._now().scene(user_id, scene_id)

    def scenes_by_id(self, scene_ids: Collection[str]) -> dict[str, Scene]:
        """The scenes of these exact names; those that are not visible are left out."""
        return self._now().scenes_by_id(scene_ids)

    def scene_ids(
        self, user_id: str, video_ids: Ids = None, where: str | None = None, params: Sequence[Any] = ()
    ) -> list[str]:
        """Names of the person's scenes; `where` is an SQL condition over the table scenes, with its `params`."""
        return self._ask(lambda view: view.scene_ids(user_id, video_ids, where, params))

    def words(self, user_id: str, video_id: str) -> list[Segment]:
        """What is said in a video, line by line with word times where known. VideoNotFound."""
        return self._ask(lambda view: view.words(user_id, video_id))

    def has_transcripts(self, user_id: str, video_ids: Ids = None) -> bool:
        """Whether anything is said in any of the videos."""
        return self._now().has_transcripts(user_id, video_ids)

    def frame_path(self, scene: Scene, name: str) -> Path:
        """The file of one of the scene's pictures. SceneNotFound if its video is not visible any more."""
        return self._now().frame_path(scene, name)

    # --- search -----------------------------------------------------------------------------------

    def vector_search(
        self,
        space: Space,
        vector: npt.ArrayLike,
        *,
        k: int,
        user_id: str,
        video_ids: Ids = None,
        scene_ids: Collection[str] | None = None,
    ) -> list[tuple[str, float]]:
        """The k best (scene_id, inner product), best first, of the visible generations.

        `vector` is (d,). Raises SpaceMismatch, LibraryDamaged where the index is missing.
        """
        return self._ask(
            lambda view: view.vector_search(
                space, vector, k=k, user_id=user_id, video_ids=video_ids, scene_ids=scene_ids
            )
        )

    def vector(self, space: Space, scene_id: str) -> Floats | None:
        """The (d,) vector of a visible scene as it is indexed; None if it has none."""
        return self._ask(lambda view: view.vector(space, scene_id))

    def lexical_search(self, text: str, *, k: int, user_id: str, video_ids: Ids = None) -> LexicalResult:
        """BM25 over the visible generations; "quoted phrases" must occur. LibraryDamaged."""
        return self._ask(lambda view: view.lexical_search(text, k=k, user_id=user_id, video_ids=video_ids))

    # --- SQL --------------------------------------------------------------------------------------

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, user_id: str) -> pd.DataFrame:
        """One reading statement over copies of the person's rows; `show tables` lists them. InvalidSql."""
        self.refresh()
        return self._ask(lambda view: view.sql(query, params, user_id=user_id))

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
        """Give the memory back; the reader can be used again."""
        with self._lock:
            self._view = None
            self._opened.clear()
            if self._tables is not None:
                self._tables.close()
                self._tables = None
