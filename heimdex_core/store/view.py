"""One moment of a library: what is visible, its model set, and the indexes that contain all of it.

A view never changes. It stays usable while the library changes, and all its answers belong together: one model set,
one generation of each video. If it needs a file that has been removed meanwhile, it raises ViewOutdated and never
answers from a newer one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from heimdex_core.errors import HeimdexError, LibraryDamaged, ViewOutdated
from heimdex_core.store import sets
from heimdex_core.store.analysis import parse_query
from heimdex_core.store.hits import Hits, KeyframeMatches, Keyframes, no_hits, rows_in, table_of
from heimdex_core.store.keyframe_vectors import Floats, Numbers
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.scene_set import SceneSet
from heimdex_core.store.scene_view import Ids, SceneView
from heimdex_core.store.search_index import EXCLUDING_FIELDS, LexicalResult, SearchBackend, VectorSearch, WordSearch
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.sqlview import SqlViews
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Filters, Space

T = TypeVar("T")

_CACHED_KEYS = 8
_CACHED_QUERIES = 16


class View(SceneView):
    """Created by `Reader.view()`. Safe to share between threads."""

    def __init__(
        self,
        paths: LibraryPaths,
        snapshot: Snapshot,
        signature: tuple[Any, ...],
        search: SearchBackend,
        opened: OpenedIndexes,
        tables: SqlViews,
    ) -> None:
        """`signature` begins with that of the visible.parquet that the snapshot was read from."""
        super().__init__(paths, snapshot, signature, tables)
        self.set_id = snapshot.model_set.set_id
        self.spaces = dict(snapshot.model_set.spaces)
        """By role."""
        self.token = hashlib.sha256(repr((self.set_id, signature)).encode()).hexdigest()[:16]
        """Changes whenever a search may answer differently. Use it as part of a cache key."""
        self._opened = opened
        self._search = search
        self._indexes: dict[str, Any] = {}
        """Those that this view has used, by the name of the space; that of the words by the empty string."""
        self._lock = threading.Lock()
        """Protects `_keys_of` and `_shares`."""
        self._keys_of: LRUCache[tuple[str, tuple[str, ...] | None], frozenset[Key]] = LRUCache(_CACHED_KEYS)
        """The generations by user_id and video_ids."""
        self._shares: LRUCache[tuple[Any, ...], dict[str, float]] = LRUCache(_CACHED_QUERIES)
        """Which share of the words of a query a scene has."""

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
    ) -> Hits:
        """The user's scenes whose vectors are most similar to `vector`.

        Args:
            space: the space to search in, one of the view's.
            vector: (d,) float.
            k: the number of results at most.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes; a SceneSet of `scene_table` is fast.
            outside: if given, only scenes that have no vector in this space.

        Returns (scene_id, inner product), best first, as rows of `scene_table`. Raises SpaceMismatch, LibraryDamaged if
        the index is missing or damaged, ViewOutdated.
        """
        sets.check_space(self.spaces, space)
        keys, table = self._keys(user_id, video_ids), self.scene_table(user_id)
        if not keys:
            return no_hits(table)
        other = None if outside is None else self._checked(outside)
        index = self._vector_index(space)
        return index.search(vector, k=k, allowed=keys, scene_ids=scene_ids, outside=other, table=table)

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
    ) -> KeyframeMatches:
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
        keys, table = self._keys(user_id, video_ids), self.scene_table(user_id)
        if not keys:
            return KeyframeMatches(no_hits(table), Keyframes.of(()))
        index = self._vector_index(space)
        return index.match(vector, k=k, allowed=keys, scene_ids=scene_ids, temperature=temperature, table=table)

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
        return self._checked(space).has_outside(self._checked(other), allowed=keys, scene_ids=scene_ids)

    def vector(self, space: Space, scene_id: str) -> Floats | None:
        """The (d,) float32 vector of a visible scene as it is indexed; None if it has none.

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        video = self.snapshot.visible.get(scene_id.rsplit("_", 2)[0])
        if video is None:
            return None
        sets.check_space(self.spaces, space)
        return self._vector_index(space).vector(scene_id, (video.video_id, video.generation))

    def vectors(self, space: Space, scene_ids: Sequence[str]) -> tuple[Numbers, Floats]:
        """((m,) the places among `scene_ids` of the visible scenes that have a vector, (m, d) their vectors).

        Raises SpaceMismatch, LibraryDamaged, ViewOutdated.
        """
        index = self._checked(space)
        table = table_of(scene_ids)
        if table is not None:
            return index.vectors_at(table, rows_in(table, scene_ids))
        found, vectors = index.vectors(self._with_keys(scene_ids))
        has_vector = frozenset(found)
        return np.flatnonzero([scene_id in has_vector for scene_id in scene_ids]), vectors

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
        return self._vector_index(space).sample(count, outside=None if outside is None else self._checked(outside))

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
        self,
        text: str,
        *,
        k: int,
        user_id: str,
        video_ids: Ids = None,
        scene_ids: SceneSet | None = None,
        filters: Sequence[Filters] = (),
    ) -> LexicalResult:
        """The user's scenes that fit `text` best by BM25.

        Args:
            text: words, of which any may occur, and quoted phrases, which must.
            k: the number of results at most.
            user_id: whose scenes.
            video_ids: if given, only scenes of these videos.
            scene_ids: if given, only these scenes.
            filters: which all of `scene_ids` pass, so that they are found sooner.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys, table = self._keys(user_id, video_ids), self.scene_table(user_id)
        if not keys:
            return LexicalResult(no_hits(table), parse_query(text).terms)
        return self._word_index().search(text, k=k, allowed=keys, scene_ids=scene_ids, filters=filters, table=table)

    def word_coverage(
        self,
        words: Sequence[Sequence[tuple[str, ...]]],
        *,
        scene_ids: Collection[str],
        user_id: str,
        least: float = 0.0,
    ) -> dict[str, float]:
        """Which share of `words` each of these scenes of the user's has, above 0 to 1.

        Args:
            words: each as the sequences of index terms of which at least one must be in the scene.
            scene_ids: the scenes; they should not be many.
            user_id: whose scenes.
            least: scenes with a smaller share are left out, which takes less time.

        What was found is kept for the last queries: the same page is made again at every move of a slider. Raises
        LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, None)
        if not keys:
            return {}
        asked = user_id, least, tuple(map(tuple, words))
        with self._lock:
            known = self._shares.setdefault(asked, {})
        if new := [scene_id for scene_id in scene_ids if scene_id not in known]:
            found = self._word_index().coverage(words, scene_ids=new, allowed=keys, least=least)
            known.update({scene_id: found.get(scene_id, 0.0) for scene_id in new})
        return {scene_id: known[scene_id] for scene_id in scene_ids if known[scene_id] > 0}

    def scenes_with(self, text: str, *, user_id: str, fields: Sequence[str] = EXCLUDING_FIELDS) -> list[str]:
        """Ids of the user's scenes that have `text`, as a phrase, in one of the fields; none for a text without words.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, None)
        return self._word_index().with_phrase(text, allowed=keys, fields=fields) if keys else []

    def has_word(self, word: str, *, user_id: str) -> bool:
        """Whether any of the user's scenes has the word. Raises LibraryDamaged, ViewOutdated."""
        keys = self._keys(user_id, None)
        return bool(keys) and self._word_index().has_word(word, allowed=keys)

    def scenes_with_similar_word(self, word: str, *, edits: int, k: int, user_id: str) -> list[str]:
        """Ids of up to `k` of the user's scenes with a term at most `edits` (0 to 2) edits from that of `word`.

        Raises LibraryDamaged, ViewOutdated.
        """
        keys = self._keys(user_id, None)
        return self._word_index().with_similar_word(word, edits=edits, k=k, allowed=keys) if keys else []

    def _keys(self, user_id: str, video_ids: Ids) -> frozenset[Key]:
        """The generations of the user's videos. Those of the last questions are kept: there may be ten thousand."""
        asked = user_id, None if video_ids is None else tuple(video_ids)
        with self._lock:
            found = self._keys_of.get(asked)
        if found is None:
            loaded = self.snapshot.loaded
            found = frozenset(loaded[video.video_id].key for video in self.snapshot.of_user(user_id, video_ids))
            with self._lock:
                # One object for all threads: the indexes keep their answers by it, and comparing two that are equal
                # takes milliseconds.
                found = self._keys_of.setdefault(asked, found)
        return found

    def _checked(self, space: Space) -> VectorSearch:
        """The index of a space. Raises SpaceMismatch if it is none of the view's."""
        sets.check_space(self.spaces, space)
        return self._vector_index(space)

    def _vector_index(self, space: Space) -> VectorSearch:
        return self._index(
            space.name, lambda: self._search.vector_index(space, self._opened), f"the index of {space.name}"
        )

    def _word_index(self) -> WordSearch:
        return self._index("", lambda: self._search.word_index(self.set_id, self._opened), "the lexical index")

    def _index(self, name: str, open_now: Callable[[], T | None], what: str) -> T:
        """An index that contains all of the view's generations. Raises LibraryDamaged, ViewOutdated.

        Rows are removed only after visible.parquet has changed, so checking that after opening is enough.
        """
        if name in self._indexes:
            return cast(T, self._indexes[name])
        try:
            index = open_now()
            if index is None:
                raise LibraryDamaged(what=what, reason="it is missing")
        except HeimdexError as error:
            if not self.is_current:
                raise ViewOutdated(what=what) from error
            raise
        if not self.is_current:
            raise ViewOutdated(what=what)
        return cast(T, self._indexes.setdefault(name, index))
