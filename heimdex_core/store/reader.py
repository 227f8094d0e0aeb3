"""What searching and showing read: visible.parquet, the sidecars and the indexes. Never waits for a writer."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from heimdex_core.errors import LibraryDamaged, SceneNotFound, SpaceMismatch, VideoNotFound
from heimdex_core.store import lexical, sidecar, snapshot, vectors, visible
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths, check_file_name
from heimdex_core.store.lexical import LexicalIndex, LexicalResult
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.vectors import Floats, Key, VectorIndex
from heimdex_core.store.visible import VisibleVideo
from heimdex_core.types import Interval, Scene, Segment, Space, parse_scene_id

if TYPE_CHECKING:
    import pandas as pd

    from heimdex_core.store.sqlview import SqlViews

Ids = Sequence[str] | None

MIN_IOU = 0.5
"""A scene that was cut anew counts as the same one from this overlap on."""


class Reader:
    """One for each process; every method may be called from any thread."""

    def __init__(self, paths: LibraryPaths, spaces: Mapping[str, Space], catalog: Catalog) -> None:
        self.paths = paths
        self._spaces = {space.name: space for space in spaces.values()}
        self._catalog = catalog
        self._lock = threading.RLock()
        self._snapshot: Snapshot = snapshot.empty()
        self._signature: tuple[Any, ...] | None = None
        self._indexes: dict[str, tuple[Any, VectorIndex | None]] = {}
        self._lexical: tuple[Any, LexicalIndex | None] | None = None
        self._views: SqlViews | None = None

    # --- freshness --------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Take up what has changed since the last call; true if anything had. A few `stat`s if nothing."""
        signature = self._read_signature()
        if signature == self._signature:
            return False
        with self._lock:
            signature = self._read_signature()
            if signature == self._signature:
                return False
            if self._signature is None or signature[0] != self._signature[0]:
                self._snapshot = snapshot.take(self.paths, self._snapshot)
            self._signature = signature
        return True

    @property
    def token(self) -> str:
        """Changes whenever a search might answer differently; the key of caches."""
        self._ready()
        return hashlib.sha256(repr(self._signature).encode()).hexdigest()[:16]

    @property
    def problems(self) -> tuple[str, ...]:
        """Videos that are visible but cannot be read."""
        return self._ready().problems

    def _read_signature(self) -> tuple[Any, ...]:
        manifests = [self.paths.vector_index(name) / "manifest.json" for name in self._spaces]
        manifests.append(self.paths.lexical_index / "manifest.json")
        return (visible.signature(self.paths.visible), *(visible.signature(path) for path in manifests))

    def _ready(self) -> Snapshot:
        if self._signature is None:
            self.refresh()
        return self._snapshot

    # --- videos and scenes ------------------------------------------------------------------------

    def visible_videos(self, user_id: str) -> list[VisibleVideo]:
        """The person's indexed videos, newest first."""
        return list(self._ready().of_user(user_id))

    def scenes(self, user_id: str, video_id: str | None = None) -> list[Scene]:
        """The scenes of one video (none while it is not indexed), or of all the person's videos."""
        shot = self._ready()
        videos = shot.of_user(user_id, None if video_id is None else (video_id,))
        return [scene for video in videos for scene in shot.loaded[video.video_id].scenes.values()]

    def scene(self, user_id: str, scene_id: str) -> Scene:
        """A scene by its name, else the one that overlaps its times most (IoU .5 at least). SceneNotFound."""
        video_id, start_ms, end_ms = parse_scene_id(scene_id)
        shot = self._ready()
        if not shot.of_user(user_id, (video_id,)) or end_ms < start_ms:
            raise SceneNotFound(scene_id=scene_id)
        scenes = shot.loaded[video_id].scenes
        if scene_id in scenes:
            return scenes[scene_id]
        wanted = Interval(start_ms / 1000, end_ms / 1000)
        best = max(scenes.values(), key=lambda scene: scene.interval.iou(wanted), default=None)
        if best is None or best.interval.iou(wanted) < MIN_IOU:
            raise SceneNotFound(scene_id=scene_id)
        return best

    def scenes_by_id(self, scene_ids: Collection[str]) -> dict[str, Scene]:
        """The scenes of these exact names; those that are not visible are left out."""
        shot = self._ready()
        found: dict[str, Scene] = {}
        for scene_id in scene_ids:
            video = shot.loaded.get(scene_id.rsplit("_", 2)[0])
            if video is not None and scene_id in video.scenes:
                found[scene_id] = video.scenes[scene_id]
        return found

    def scene_ids(
        self, user_id: str, video_ids: Ids = None, where: str | None = None, params: Sequence[Any] = ()
    ) -> list[str]:
        """Names of the person's scenes; `where` is an SQL condition over the table scenes, with its `params`."""
        shot = self._ready()
        videos = shot.of_user(user_id, _as_tuple(video_ids))
        found = [scene_id for video in videos for scene_id in shot.loaded[video.video_id].scene_ids]
        if where is None:
            return found
        query = f"select scene_id from scenes where {where}"  # noqa: S608 - read only, the person's own rows
        chosen = frozenset(self.sql(query, params, user_id=user_id)["scene_id"])
        return [scene_id for scene_id in found if scene_id in chosen]

    def words(self, user_id: str, video_id: str) -> list[Segment]:
        """What is said in a video, line by line with word times where known. VideoNotFound."""
        for _ in range(snapshot.ATTEMPTS):
            mine = self._ready().of_user(user_id, (video_id,))
            if not mine:
                raise VideoNotFound(video_id=video_id)
            folder = self.paths.generation(video_id, mine[0].generation)
            segments = sidecar.segments_of(folder)
            if folder.is_dir() or not self.refresh():
                return segments
        raise LibraryDamaged(what=f"video {video_id}", reason="its generation cannot be read")

    def has_transcripts(self, user_id: str, video_ids: Ids = None) -> bool:
        """Whether anything is said in any of the videos."""
        shot = self._ready()
        return any(shot.loaded[v.video_id].has_transcript for v in shot.of_user(user_id, _as_tuple(video_ids)))

    def frame_path(self, scene: Scene, name: str) -> Path:
        """The file of one of the scene's pictures. SceneNotFound if its video is not visible any more."""
        video = self._ready().visible.get(scene.video_id)
        if video is None:
            raise SceneNotFound(scene_id=scene.scene_id)
        return self.paths.frames(scene.video_id, video.generation) / check_file_name(name)

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
        index, keys = self._index_for(space, user_id, video_ids)
        return index.search(vector, k=k, allowed=keys, scene_ids=scene_ids) if index is not None else []

    def vector(self, space: Space, scene_id: str) -> Floats | None:
        """The (d,) vector of a visible scene as it is indexed; None if it has none."""
        video = self._ready().visible.get(scene_id.rsplit("_", 2)[0])
        if video is None:
            return None
        index, keys = self._index_for(space, video.user_id, (video.video_id,))
        return index.vector(scene_id, keys[0]) if index is not None and keys else None

    def lexical_search(self, text: str, *, k: int, user_id: str, video_ids: Ids = None) -> LexicalResult:
        """BM25 over the visible generations; "quoted phrases" must occur. LibraryDamaged."""
        while True:
            keys = self._keys(user_id, video_ids)
            index = self._open_lexical() if keys else None
            # A generation that the index has dropped already is visible no more: look again.
            if index is not None and index.keys.issuperset(keys):
                break
            if not keys or not self.refresh():
                break
        if index is None and keys:
            raise LibraryDamaged(what="the word index", reason="it is missing")
        if index is None:
            return LexicalResult([], lexical.query_terms(text))
        return index.search(text, k=k, allowed=keys)

    def _keys(self, user_id: str, video_ids: Ids) -> list[Key]:
        return [(v.video_id, v.generation) for v in self._ready().of_user(user_id, _as_tuple(video_ids))]

    def _index_for(self, space: Space, user_id: str, video_ids: Ids) -> tuple[VectorIndex | None, list[Key]]:
        known = self._spaces.get(space.name)
        if known is None:
            names = ", ".join(sorted(self._spaces)) or "no space"
            raise SpaceMismatch(space=space.name, expected=names, found=f"{space.model} {space.revision}")
        known.check(space)
        while True:
            keys = self._keys(user_id, video_ids)
            index = self._open_vectors(known) if keys else None
            if index is not None and index.key_set.issuperset(keys):
                return index, keys
            if not keys or not self.refresh():
                break
        if index is None and keys:
            raise LibraryDamaged(what=f"the index of {space.name}", reason="it is missing")
        return index, keys

    def _open_vectors(self, space: Space) -> VectorIndex | None:
        folder = self.paths.vector_index(space)
        signature = visible.signature(folder / "manifest.json")
        held = self._indexes.get(space.name)
        if held is not None and held[0] == signature:
            return held[1]
        with self._lock:
            held = self._indexes.get(space.name)
            if held is None or held[0] != signature:
                held = (signature, vectors.open_index(folder, space))
                self._indexes[space.name] = held
            return held[1]

    def _open_lexical(self) -> LexicalIndex | None:
        folder = self.paths.lexical_index
        signature = visible.signature(folder / "manifest.json")
        held = self._lexical
        if held is not None and held[0] == signature:
            return held[1]
        with self._lock:
            held = self._lexical
            if held is None or held[0] != signature:
                held = (signature, LexicalIndex.open(folder))
                self._lexical = held
            return held[1]

    # --- SQL --------------------------------------------------------------------------------------

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, user_id: str) -> pd.DataFrame:
        """One reading statement over copies of the person's rows; `show tables` lists them. InvalidSql."""
        from heimdex_core.store.sqlview import SqlViews

        self.refresh()
        with self._lock:
            if self._views is None:
                self._views = SqlViews(self.paths, self._catalog)
            views = self._views
        return views.query(self._ready(), user_id, query, params)

    def close(self) -> None:
        """Give the memory back; the reader can be used again."""
        with self._lock:
            self._snapshot, self._signature = snapshot.empty(), None
            self._indexes, self._lexical = {}, None
            if self._views is not None:
                self._views.close()
                self._views = None


def _as_tuple(ids: Ids) -> tuple[str, ...] | None:
    return None if ids is None else tuple(ids)
