"""One moment of a library: what is visible, its model set, and the indexes that contain all of it.

A view never changes. It stays usable while the library changes, and all its answers belong together: one model set,
one generation of each video. If it needs a file that has been removed meanwhile, it raises ViewOutdated and never
answers from a newer one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from heimdex_core.errors import HeimdexError, LibraryDamaged, SceneNotFound, VideoNotFound, ViewOutdated
from heimdex_core.files import file_signature
from heimdex_core.store import sets, sidecar, vectors
from heimdex_core.store.analysis import parse_query
from heimdex_core.store.keyframe_vectors import Floats, KeyframeMatch
from heimdex_core.store.layout import LibraryPaths, check_file_name
from heimdex_core.store.lexical import LexicalIndex, LexicalResult
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.sqlview import SqlViews
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Interval, Scene, Segment, Space, VisibleVideo, parse_scene_id

if TYPE_CHECKING:
    import pandas as pd

Ids = Sequence[str] | None
T = TypeVar("T")

MIN_IOU = 0.5
"""After re-indexing, a scene of at least this overlap with an old one counts as the same scene."""


class OpenedIndexes:
    """The opened indexes by folder, shared by the views of one process; each is opened again when its manifest changes.

    Safe to share between threads; opening one does not block the use of others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[Path, threading.Lock] = {}
        self._held: dict[Path, tuple[Any, Any]] = {}

    def get(self, folder: Path, open_now: Callable[[T | None], T | None]) -> T | None:
        """The present index of a folder, from `open_now` unless it is held already; None if there is none.

        `open_now` is given the index as it was held before, if it was.
        """
        with self._lock:
            opening = self._opening.setdefault(folder, threading.Lock())
        with opening:
            signature = file_signature(folder / "manifest.json")
            with self._lock:
                held = self._held.get(folder)
            if held is not None and held[0] == signature:
                return cast(T, held[1])
            index = open_now(cast(T, held[1]) if held is not None else None)
            if index is not None:
                with self._lock:
                    self._held[folder] = (signature, index)
            return index

    def keep_only(self, folders: Collection[Path]) -> None:
        """Forget the indexes of all other folders. Views that use them keep them."""
        with self._lock:
            self._held = {folder: held for folder, held in self._held.items() if folder in folders}


class View:
    """Created by `Reader.view()`. Safe to share between threads."""

    def __init__(
        self,
        paths: LibraryPaths,
        snapshot: Snapshot,
        signature: tuple[Any, ...],
        opened: OpenedIndexes,
        tables: SqlViews,
    ) -> None:
        """`signature` begins with that of the visible.parquet that the snapshot was read from."""
        self.paths = paths
        self.snapshot = snapshot
        self.set_id = snapshot.model_set.set_id
        self.spaces = dict(snapshot.model_set.spaces)
        """By role."""
        self.signature = signature
        self.token = hashlib.sha256(repr((self.set_id, signature)).encode()).hexdigest()[:16]
        """Changes whenever a search may answer differently. Use it as part of a cache key."""
        self._opened = opened
        self._tables = tables
        self._indexes: dict[Path, Any] = {}
        """Those that this view has used, by folder."""
        self._outside: dict[tuple[str, str], npt.NDArray[np.bool_]] = {}
        self._scene_tables: dict[str, SceneTable] = {}
        """By user_id."""
        self._table_rows: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        """By space and user_id."""

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
            scene = video.scene(scene_id) if video is not None else None
            if scene is not None:
                found[scene_id] = scene
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
        videos = self.snapshot.of_user(user_id, video_ids)
        scene_ids = [scene_id for video in videos for scene_id in self.snapshot.loaded[video.video_id].scene_ids]
        if where is None:
            return scene_ids
        query = f"select scene_id from scenes where {where}"  # noqa: S608 - read only, the user's own rows
        chosen = frozenset(self.sql(query, params, user_id=user_id)["scene_id"])
        return [scene_id for scene_id in scene_ids if scene_id in chosen]

    def scene_table(self, user_id: str) -> SceneTable:
        """The user's scenes as columns, made once."""
        found = self._scene_tables.get(user_id)
        if found is None:
            videos = self.snapshot.of_user(user_id)
            tables = [self.snapshot.loaded[video.video_id].table for video in videos]
            found = self._scene_tables.setdefault(user_id, SceneTable.of(videos, tables))
        return found

    def words(self, user_id: str, video_id: str) -> list[Segment]:
        """The transcript of a video: its segments, with word times where they are known.

        Raises VideoNotFound, ViewOutdated.
        """
        owned = self.snapshot.of_user(user_id, (video_id,))
        if not owned:
            raise VideoNotFound(video_id=video_id)
        folder = self.paths.generation(video_id, owned[0].generation)
        segments = sidecar.read_words(folder).segments
        if not folder.is_dir() and not self.is_current:
            raise ViewOutdated(what=f"the transcript of video {video_id}")
        return list(segments)

    def has_transcripts(self, user_id: str, video_ids: Ids = None) -> bool:
        """Whether any of the user's videos (of `video_ids`, if given) has a transcript."""
        videos = self.snapshot.of_user(user_id, video_ids)
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
            rows = self._tables.query(self.snapshot, user_id, query, params)
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
        wanted: list[Callable[[], object]] = [partial(self._vector_index, space) for space in spaces]
        if words:
            wanted.append(self._word_index)
        for open_now in wanted:
            try:
                open_now()
            except ViewOutdated:
                raise
            except HeimdexError:
                continue  # raised again when the index is used

    def vector_search(
        self,
        space: Space,
        vector: npt.ArrayLike,
        *,
        k: int,
        user_id: str,
        video_ids: Ids = None,
        scene_ids: Collection[str] | None = None,
        outside: Space | None = None,
    ) -> list[tuple[str, float]]:
        """The user's scenes whose vectors are most similar to `vector`.

        Args:
            space: the space to search in, one of the view's.
            vector: (d,) float.
            k: the number of results at most.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes; a SceneSet of `scene_table` is fast.
            outside: if given, only scenes that have no vector in this space.

        Returns (scene_id, inner product), best first. Raises SpaceMismatch, LibraryDamaged if the index is missing or
        damaged, ViewOutdated.
        """
        sets.check_space(self.spaces, space)
        keys = self._keys(user_id, video_ids)
        if not keys:
            return []
        rows = None if outside is None else self._rows_outside(space, outside)
        if isinstance(scene_ids, SceneSet):
            chosen = self._rows_of(space, scene_ids, user_id)
            rows, scene_ids = (chosen if rows is None else rows & chosen), None
        return self._vector_index(space).search(vector, k=k, allowed=keys, scene_ids=scene_ids, rows=rows)

    def keyframe_search(
        self,
        space: Space,
        vector: npt.ArrayLike,
        *,
        k: int,
        user_id: str,
        video_ids: Ids = None,
        scene_ids: Collection[str] | None = None,
        temperature: float,
    ) -> list[KeyframeMatch]:
        """As `vector_search`, scored by the scenes' keyframes: softmax-weighted mean of their cosines.

        Args:
            space: the space to search in, one of the view's.
            vector: (d,) float.
            k: the number of results at most; they are the scenes that `vector_search` finds.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes; a SceneSet of `scene_table` is fast.
            temperature: of the softmax, from 0 (the maximum) to infinity (the mean).

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        sets.check_space(self.spaces, space)
        keys = self._keys(user_id, video_ids)
        if not keys:
            return []
        rows = None
        if isinstance(scene_ids, SceneSet):
            rows, scene_ids = self._rows_of(space, scene_ids, user_id), None
        index = self._vector_index(space)
        return index.match(vector, k=k, allowed=keys, scene_ids=scene_ids, rows=rows, temperature=temperature)

    def has_vectors_outside(
        self,
        space: Space,
        other: Space,
        *,
        user_id: str,
        video_ids: Ids = None,
        scene_ids: SceneSet | None = None,
    ) -> bool:
        """Whether any of the user's scenes has a vector in `space` and none in `other`.

        Args:
            space: the space that has the vector.
            other: the space that has none.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, video_ids)
        if not keys:
            return False
        rows = self._rows_outside(space, other)
        if scene_ids is not None:
            rows = rows & self._rows_of(space, scene_ids, user_id)
        return bool((rows & self._vector_index(space).row_mask(keys)).any())

    def vector(self, space: Space, scene_id: str) -> Floats | None:
        """The (d,) float32 vector of a visible scene as it is indexed; None if it has none.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        video = self.snapshot.visible.get(scene_id.rsplit("_", 2)[0])
        if video is None:
            return None
        sets.check_space(self.spaces, space)
        return self._vector_index(space).vector(scene_id, (video.video_id, video.generation))

    def vectors(self, space: Space, scene_ids: Iterable[str]) -> tuple[list[str], Floats]:
        """(n scene ids, (n, d) their vectors as they are indexed) of those of the visible scenes that have one.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        sets.check_space(self.spaces, space)
        return self._vector_index(space).vectors(self._with_keys(scene_ids))

    def sample_vectors(self, space: Space, count: int, *, outside: Space | None = None) -> Floats:
        """The vectors (n, d) of some scenes of the library, `count` at most: always the same ones, evenly spread.

        They stand for all of them in statistics. Which scenes they are is not told, and they may be anybody's.

        Args:
            space: the space of the vectors, one of the view's.
            count: the number of scenes at most.
            outside: if given, only scenes that have no vector in this space.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        sets.check_space(self.spaces, space)
        if not self.snapshot.loaded:
            return np.zeros((0, space.dim), dtype=np.float32)
        rows = None if outside is None else self._rows_outside(space, outside)
        return self._vector_index(space).sample(count, rows)

    def keyframe_vectors(self, space: Space, scene_ids: Iterable[str]) -> dict[str, Floats]:
        """By scene: the (k, d) vectors of its keyframes, or the scene's own (1, d) where it has no others.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        sets.check_space(self.spaces, space)
        return self._vector_index(space).keyframe_vectors(self._with_keys(scene_ids))

    def _with_keys(self, scene_ids: Iterable[str]) -> list[tuple[str, Key]]:
        """The visible ones of these scenes with their generations."""
        visible = self.snapshot.visible
        named = [(scene_id, visible.get(scene_id.rsplit("_", 2)[0])) for scene_id in scene_ids]
        return [(scene_id, (video.video_id, video.generation)) for scene_id, video in named if video is not None]

    def lexical_search(
        self, text: str, *, k: int, user_id: str, video_ids: Ids = None, scene_ids: SceneSet | None = None
    ) -> LexicalResult:
        """The user's scenes that fit `text` best by BM25.

        Args:
            text: words, of which any may occur, and quoted phrases, which must.
            k: the number of results at most.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, video_ids)
        if not keys:
            return LexicalResult([], parse_query(text).terms)
        return self._word_index().search(text, k=k, allowed=keys, scene_ids=scene_ids)

    def word_coverage(
        self,
        words: Sequence[Sequence[tuple[str, ...]]],
        *,
        k: int,
        user_id: str,
        video_ids: Ids = None,
        scene_ids: SceneSet | None = None,
    ) -> dict[str, float]:
        """Which share of `words` each of the user's scenes has, above 0 to 1; the `k` best of them.

        Args:
            words: each as the sequences of index terms of which at least one must be in the scene.
            k: the number of results at most.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, video_ids)
        if not keys:
            return {}
        return self._word_index().coverage(words, k=k, allowed=keys, scene_ids=scene_ids)

    def scenes_with(self, text: str, *, user_id: str) -> list[str]:
        """Ids of the user's scenes that have `text`, as a phrase, in transcript, title or tags.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, None)
        return self._word_index().with_phrase(text, allowed=keys) if keys else []

    def scenes_with_similar_word(self, word: str, *, edits: int, k: int, user_id: str) -> list[str]:
        """Ids of up to `k` of the user's scenes with a term at most `edits` (0 to 2) edits from that of `word`.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, None)
        return self._word_index().with_similar_word(word, edits=edits, k=k, allowed=keys) if keys else []

    def _keys(self, user_id: str, video_ids: Ids) -> list[Key]:
        return [(v.video_id, v.generation) for v in self.snapshot.of_user(user_id, video_ids)]

    def _rows_of(self, space: Space, scenes: SceneSet, user_id: str) -> npt.NDArray[np.bool_]:
        """(n,) whether each row of the index of `space` is of one of the scenes."""
        rows = self._table_rows.get((space.name, user_id))
        if rows is None:
            ids = self.scene_table(user_id).table.column("scene_id").combine_chunks()
            own = self._vector_index(space).scene_ids
            found = pc.fill_null(pc.index_in(own, value_set=ids), -1)
            rows = found.to_numpy().astype(np.int64)
            rows = self._table_rows.setdefault((space.name, user_id), rows)
        # a row of no scene of the user's takes the last value, which is False
        return np.append(scenes.mask, False)[rows]

    def _rows_outside(self, space: Space, other: Space) -> npt.NDArray[np.bool_]:
        """(n,) whether each row of the index of `space` is of a scene without a vector in `other`."""
        sets.check_space(self.spaces, space)
        sets.check_space(self.spaces, other)
        found = self._outside.get((space.name, other.name))
        if found is None:
            found = self._vector_index(space).rows_outside(self._vector_index(other))
            self._outside[space.name, other.name] = found
        return found

    def _vector_index(self, space: Space) -> VectorIndex:
        folder = self.paths.vector_index(space)
        return self._index(folder, partial(vectors.open_index, folder, space), f"the index of {space.name}")

    def _word_index(self) -> LexicalIndex:
        folder = self.paths.lexical_of(self.set_id)
        return self._index(folder, lambda held: LexicalIndex.open(folder), "the lexical index")

    def _index(self, folder: Path, open_now: Callable[[T | None], T | None], what: str) -> T:
        """An index that contains all of the view's generations. Raises LibraryDamaged, ViewOutdated.

        Rows are removed only after visible.parquet has changed, so checking that after opening is enough.
        """
        if folder in self._indexes:
            return cast(T, self._indexes[folder])
        try:
            index = self._opened.get(folder, open_now)
            if index is None:
                raise LibraryDamaged(what=what, reason="it is missing")
        except HeimdexError as error:
            if not self.is_current:
                raise ViewOutdated(what=what) from error
            raise
        if not self.is_current:
            raise ViewOutdated(what=what)
        return cast(T, self._indexes.setdefault(folder, index))
