"""One moment of a library: what is visible, its model set, and the indexes that contain all of it.

A view never changes. It stays usable while the library changes, and all its answers belong together: one model set,
one generation of each video. If it needs a file that has been removed meanwhile, it raises ViewOutdated and never
answers from a newer one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from heimdex_core.errors import HeimdexError, LibraryDamaged, SceneNotFound, SpaceMismatch, VideoNotFound, ViewOutdated
from heimdex_core.files import file_signature
from heimdex_core.store import lexical, sidecar
from heimdex_core.store.layout import LibraryPaths, check_file_name
from heimdex_core.store.lexical import LexicalIndex, LexicalResult
from heimdex_core.store.opened import OpenedIndexes
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.vectors import Floats, Key, VectorIndex
from heimdex_core.types import Interval, Scene, Segment, Space, VisibleVideo, parse_scene_id

if TYPE_CHECKING:
    import pandas as pd

Ids = Sequence[str] | None
RunSql = Callable[[Snapshot, str, str, Sequence[Any] | Mapping[str, Any]], "pd.DataFrame"]
"""(snapshot, user_id, query, params)"""
T = TypeVar("T")

MIN_IOU = 0.5
"""After re-indexing, a scene of at least this overlap with an old one counts as the same scene."""


class View:
    """Created by `Reader.view()`. Safe to share between threads."""

    def __init__(
        self,
        paths: LibraryPaths,
        snapshot: Snapshot,
        set_id: int,
        spaces: Mapping[str, Space],
        signature: tuple[Any, ...],
        opened: OpenedIndexes,
        run_sql: RunSql,
    ) -> None:
        """`spaces` by role. `signature` begins with that of the visible.parquet that the snapshot was read from."""
        self.paths = paths
        self.snapshot = snapshot
        self.set_id = set_id
        self.spaces = dict(spaces)
        self.signature = signature
        self.token = hashlib.sha256(repr((set_id, signature)).encode()).hexdigest()[:16]
        """Changes whenever a search may answer differently. Use it as part of a cache key."""
        self._opened = opened
        self._run_sql = run_sql
        self._lock = threading.Lock()
        self._vectors: dict[str, VectorIndex] = {}
        self._words: LexicalIndex | None = None

    @property
    def is_current(self) -> bool:
        """Whether visible.parquet is still the file that this view was read from."""
        return file_signature(self.paths.visible) == self.signature[0]

    # --- videos and scenes ------------------------------------------------------------------------

    def visible_videos(self, user_id: str) -> list[VisibleVideo]:
        """The user's indexed videos, newest first."""
        return list(self.snapshot.of_user(user_id))

    def scenes(self, user_id: str, video_id: str | None = None) -> list[Scene]:
        """The scenes of one video (none while it is not indexed), or of all the user's videos."""
        videos = self.snapshot.of_user(user_id, None if video_id is None else (video_id,))
        return [scene for video in videos for scene in self.snapshot.loaded[video.video_id].scenes.values()]

    def scene(self, user_id: str, scene_id: str) -> Scene:
        """A scene by its id; if it does not exist any more, the one with the largest overlap of at least MIN_IOU.

        Raises SceneNotFound.
        """
        video_id, start_ms, end_ms = parse_scene_id(scene_id)
        if not self.snapshot.of_user(user_id, (video_id,)) or end_ms < start_ms:
            raise SceneNotFound(scene_id=scene_id)
        scenes = self.snapshot.loaded[video_id].scenes
        if scene_id in scenes:
            return scenes[scene_id]
        wanted = Interval(start_ms / 1000, end_ms / 1000)
        best = max(scenes.values(), key=lambda scene: scene.interval.iou(wanted), default=None)
        if best is None or best.interval.iou(wanted) < MIN_IOU:
            raise SceneNotFound(scene_id=scene_id)
        return best

    def scenes_by_id(self, scene_ids: Collection[str]) -> dict[str, Scene]:
        """The scenes of exactly these ids; those that are not visible are left out."""
        found: dict[str, Scene] = {}
        for scene_id in scene_ids:
            video = self.snapshot.loaded.get(scene_id.rsplit("_", 2)[0])
            if video is not None and scene_id in video.scenes:
                found[scene_id] = video.scenes[scene_id]
        return found

    def scene_ids(
        self, user_id: str, video_ids: Ids = None, where: str | None = None, params: Sequence[Any] = ()
    ) -> list[str]:
        """Ids of the user's scenes, video by video.

        Args:
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            where: an SQL condition over the table scenes of `sql`.
            params: values for its placeholders.

        Raises InvalidSql, ViewOutdated.
        """
        videos = self.snapshot.of_user(user_id, _as_tuple(video_ids))
        scene_ids = [scene_id for video in videos for scene_id in self.snapshot.loaded[video.video_id].scene_ids]
        if where is None:
            return scene_ids
        query = f"select scene_id from scenes where {where}"  # noqa: S608 - read only, the user's own rows
        chosen = frozenset(self.sql(query, params, user_id=user_id)["scene_id"])
        return [scene_id for scene_id in scene_ids if scene_id in chosen]

    def words(self, user_id: str, video_id: str) -> list[Segment]:
        """The transcript of a video: its segments, with word times where they are known.

        Raises VideoNotFound, ViewOutdated.
        """
        owned = self.snapshot.of_user(user_id, (video_id,))
        if not owned:
            raise VideoNotFound(video_id=video_id)
        folder = self.paths.generation(video_id, owned[0].generation)
        segments = sidecar.segments_of(folder)
        if not folder.is_dir() and not self.is_current:
            raise ViewOutdated(what=f"the transcript of video {video_id}")
        return segments

    def has_transcripts(self, user_id: str, video_ids: Ids = None) -> bool:
        """Whether any of the user's videos (of `video_ids`, if given) has a transcript."""
        videos = self.snapshot.of_user(user_id, _as_tuple(video_ids))
        return any(self.snapshot.loaded[video.video_id].has_transcript for video in videos)

    def frame_path(self, scene: Scene, name: str) -> Path:
        """The file of a frame of the scene, by its name in the frames folder.

        Raises SceneNotFound if the scene's video is not visible, InvalidValue for a name with a folder.
        """
        video = self.snapshot.visible.get(scene.video_id)
        if video is None:
            raise SceneNotFound(scene_id=scene.scene_id)
        return self.paths.frames(scene.video_id, video.generation) / check_file_name(name)

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, user_id: str) -> pd.DataFrame:
        """The result of one SELECT over copies of the user's rows; sqlview.py lists the tables.

        Raises InvalidSql, ViewOutdated.
        """
        try:
            rows = self._run_sql(self.snapshot, user_id, query, params)
        except (OSError, LibraryDamaged) as error:  # a file was removed with its generation
            if self.is_current:
                raise
            raise ViewOutdated(what="the tables") from error
        if not self.is_current:
            # A missing words.parquet is read as an empty transcript.
            owned = self.snapshot.of_user(user_id)
            if not all(self.paths.generation(video.video_id, video.generation).is_dir() for video in owned):
                raise ViewOutdated(what="the tables")
        return rows

    # --- search -----------------------------------------------------------------------------------

    def hold(self, spaces: Collection[Space] = (), *, words: bool = False) -> None:
        """Open these indexes now, so that this view can use them whatever changes in the library. Raises ViewOutdated.

        Args:
            spaces: whose vector indexes.
            words: the lexical index too.

        An index that is missing or damaged raises no error here, but when it is used.
        """
        if not self.snapshot.loaded:
            return
        for space in spaces:
            self._try(lambda space=space: self._vector_index(space))  # type: ignore[misc]
        if words:
            self._try(self._word_index)

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
        """The user's scenes whose vectors are most similar to `vector`.

        Args:
            space: the space to search in, one of the view's.
            vector: (d,) float.
            k: the number of results at most.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes.

        Returns (scene_id, inner product), best first. Raises SpaceMismatch, LibraryDamaged if the index is missing or
        damaged, ViewOutdated.
        """
        known = self._known(space)
        keys = self._keys(user_id, video_ids)
        if not keys:
            return []
        return self._vector_index(known).search(vector, k=k, allowed=keys, scene_ids=scene_ids)

    def vector(self, space: Space, scene_id: str) -> Floats | None:
        """The (d,) float32 vector of a visible scene as it is indexed; None if it has none.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        video = self.snapshot.visible.get(scene_id.rsplit("_", 2)[0])
        if video is None:
            return None
        return self._vector_index(self._known(space)).vector(scene_id, (video.video_id, video.generation))

    def lexical_search(self, text: str, *, k: int, user_id: str, video_ids: Ids = None) -> LexicalResult:
        """The `k` best of the user's scenes by BM25; quoted phrases must occur. Raises LibraryDamaged, ViewOutdated."""
        keys = self._keys(user_id, video_ids)
        if not keys:
            return LexicalResult([], lexical.query_terms(text))
        return self._word_index().search(text, k=k, allowed=keys)

    def _keys(self, user_id: str, video_ids: Ids) -> list[Key]:
        return [(v.video_id, v.generation) for v in self.snapshot.of_user(user_id, _as_tuple(video_ids))]

    def _known(self, space: Space) -> Space:
        """The view's space of that name. Raises SpaceMismatch."""
        by_name = {known.name: known for known in self.spaces.values()}
        known = by_name.get(space.name)
        if known is None:
            names = ", ".join(sorted(by_name)) or "no space"
            raise SpaceMismatch(space=space.name, expected=names, found=f"{space.model} {space.revision}")
        known.check(space)
        return known

    def _vector_index(self, space: Space) -> VectorIndex:
        with self._lock:
            index = self._vectors.get(space.name)
        if index is None:
            index = self._opened_now(lambda: self._opened.vectors(space), f"the index of {space.name}")
            with self._lock:
                index = self._vectors.setdefault(space.name, index)
        return index

    def _word_index(self) -> LexicalIndex:
        with self._lock:
            index = self._words
        if index is None:
            index = self._opened_now(lambda: self._opened.words(self.set_id), "the lexical index")
            with self._lock:
                index = self._words = self._words or index
        return index

    def _opened_now(self, open_now: Callable[[], T], what: str) -> T:
        """Open an index that contains all of the view's generations. Raises LibraryDamaged, ViewOutdated.

        Rows are removed only after visible.parquet has changed, so checking that after opening is enough.
        """
        try:
            index = open_now()
        except (FileNotFoundError, HeimdexError) as error:
            if not self.is_current:
                raise ViewOutdated(what=what) from error
            if isinstance(error, FileNotFoundError):
                raise LibraryDamaged(what=what, reason="it is missing") from error
            raise
        if not self.is_current:
            raise ViewOutdated(what=what)
        return index

    @staticmethod
    def _try(open_now: Callable[[], object]) -> None:
        try:
            open_now()
        except ViewOutdated:
            raise
        except HeimdexError:
            return  # raised again when the index is used


def _as_tuple(ids: Ids) -> tuple[str, ...] | None:
    return None if ids is None else tuple(ids)
