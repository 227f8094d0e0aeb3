"""Search in files of the library: vectors in FAISS, words in tantivy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import numpy.typing as npt

from heimdex_core.errors import DiskFull
from heimdex_core.files import remove_tree
from heimdex_core.store import lexical, lexical_writing, vector_merging, vectors
from heimdex_core.store.hits import Hits, KeyframeMatches
from heimdex_core.store.keyframe_vectors import Floats, Numbers, VectorRows
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.lexical import LexicalIndex
from heimdex_core.store.locks import FileLock
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.search_index import IndexOrder
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_methods import Mask
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import ModelSet, Space, WorkContext

log = logging.getLogger(__name__)


class SegmentSearch:
    """A vector index as a view asks it: sets of scenes become masks of its rows."""

    def __init__(self, index: VectorIndex) -> None:
        self.index = index
        self.space = index.space
        self._outside: dict[str, Mask] = {}
        """By the name of the other space."""

    def search(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: Collection[str] | None = None,
        outside: SegmentSearch | None = None,
        table: SceneTable | None = None,
    ) -> Hits:
        """See VectorSearch."""
        rows = None if outside is None else self._rows_outside(outside)
        if isinstance(scene_ids, SceneSet):
            chosen = self.index.mask_of(scene_ids)
            rows, scene_ids = (chosen if rows is None else rows & chosen), None
        found = self.index.search(vector, k=k, allowed=allowed, scene_ids=scene_ids, rows=rows)
        return found.of_table(table)

    def match(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: Collection[str] | None = None,
        temperature: float,
        table: SceneTable | None = None,
    ) -> KeyframeMatches:
        """See VectorSearch."""
        rows = None
        if isinstance(scene_ids, SceneSet):
            rows, scene_ids = self.index.mask_of(scene_ids), None
        found = self.index.match(vector, k=k, allowed=allowed, scene_ids=scene_ids, rows=rows, temperature=temperature)
        return found.of_table(table)

    def has_outside(self, other: SegmentSearch, *, allowed: frozenset[Key], scene_ids: SceneSet | None = None) -> bool:
        """See VectorSearch."""
        rows = self._rows_outside(other)
        if scene_ids is not None:
            rows = rows & self.index.mask_of(scene_ids)
        return bool((rows & self.index.row_mask(allowed)).any())

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """See VectorSearch."""
        return self.index.vector(scene_id, key)

    def vectors(self, scenes: Sequence[tuple[str, Key]]) -> tuple[list[str], Floats]:
        """See VectorSearch."""
        return self.index.vectors(scenes)

    def vectors_at(self, table: SceneTable, rows: Numbers) -> tuple[Numbers, Floats]:
        """See VectorSearch."""
        return self.index.vectors_at(table, rows)

    def sample(self, count: int, *, outside: SegmentSearch | None = None) -> Floats:
        """See VectorSearch."""
        return self.index.sample(count, None if outside is None else self._rows_outside(outside))

    def keyframe_vectors(self, scenes: Sequence[tuple[str, Key]]) -> dict[str, Floats]:
        """See VectorSearch."""
        return self.index.keyframe_vectors(scenes)

    def _rows_outside(self, other: SegmentSearch) -> Mask:
        """(n,) whether each row of the index is of a scene without a vector in the other."""
        found = self._outside.get(other.space.name)
        if found is None:
            found = self._outside[other.space.name] = self.index.rows_outside(other.index)
        return found


class LocalSearch:
    """See SearchBackend."""

    def __init__(self, paths: LibraryPaths) -> None:
        self._paths = paths
        self._written = OpenedIndexes()
        """The vector indexes that were written, open for the next write."""

    def folders(self, model_set: ModelSet) -> list[Path]:
        """See SearchBackend."""
        spaces = [self._paths.vector_index(space) for space in model_set.spaces.values()]
        return [*spaces, self._paths.lexical_of(model_set.set_id)]

    def vector_index(self, space: Space, opened: OpenedIndexes) -> SegmentSearch | None:
        """See SearchBackend. What the answer has worked out is its own: a view keeps one."""
        folder = self._paths.vector_index(space)
        index = opened.get(folder, partial(vectors.open_index, folder, space))
        return None if index is None else SegmentSearch(index)

    def word_index(self, set_id: int, opened: OpenedIndexes) -> LexicalIndex | None:
        """See SearchBackend."""
        folder = self._paths.lexical_of(set_id)

        def open_now(held: LexicalIndex | None) -> LexicalIndex | None:
            return LexicalIndex.open(folder)

        return opened.get(folder, open_now)

    def write(self, order: IndexOrder, work: WorkContext) -> None:
        """See SearchBackend."""
        tasks: list[Callable[[], object]] = []
        for space, keys in order.spaces.items():
            write = partial(vectors.sync, self._paths.vector_index(space), space, keys, _rows_of(order, space))
            redo = keys if order.rebuild else order.redo
            opened = None if order.rebuild else self._written
            tasks.append(partial(write, redo=redo, index_type=order.index_type, erase=order.erase, opened=opened))
        for set_id, keys in order.words.items():
            redo = keys if order.rebuild else order.redo
            folder = self._paths.lexical_of(set_id)
            tasks.append(partial(lexical_writing.sync, folder, keys, order.source.texts, redo=redo))
        for done, task in enumerate(tasks):
            work.check()
            work.report(done, len(tasks))
            task()
        work.report(len(tasks), len(tasks))

    def keep_only(self, model_sets: Sequence[ModelSet]) -> None:
        """See SearchBackend."""
        paths = self._paths
        kept = {
            paths.scene_index,
            paths.lance_index,
            *(folder for model_set in model_sets for folder in self.folders(model_set)),
        }
        for folder in (*paths.indexes.glob("lexical*"), *paths.indexes.glob("*/*")):
            if folder.is_dir() and folder not in kept and folder.parent not in kept:
                remove_tree(folder)

    def count(self, space: Space) -> int:
        """See SearchBackend."""
        manifest = vectors.read_manifest(self._paths.vector_index(space))
        return int(manifest["count"]) if manifest else 0

    def check_vectors(self, space: Space) -> Collection[Key]:
        """See SearchBackend."""
        return vectors.check(self._paths.vector_index(space), space)

    def check_words(self, set_id: int) -> Collection[Key]:
        """See SearchBackend."""
        return lexical.check(self._paths.lexical_of(set_id))

    def is_merge_due(self, model_sets: Sequence[ModelSet]) -> bool:
        """See SearchBackend."""
        return any(vector_merging.is_due(self._paths.vector_index(space)) for space in _spaces(model_sets))

    def merge(self, model_sets: Sequence[ModelSet], index_lock: FileLock, work: WorkContext) -> int:
        """See SearchBackend."""
        count = 0
        for space in _spaces(model_sets):
            try:
                while vector_merging.merge(self._paths.vector_index(space), space, index_lock, work):
                    count += 1
            except DiskFull as error:
                log.warning("the index of %s is searched as it was, not merged: %s", space.name, error)
                raise
        self._written.keep_only(())  # files that are open keep their place on the disk when they are removed
        return count


def _rows_of(order: IndexOrder, space: Space) -> Callable[[Key], VectorRows | None]:
    return partial(order.source.vector_rows, space)


def _spaces(model_sets: Sequence[ModelSet]) -> list[Space]:
    """The spaces of these sets, each once."""
    return list(dict.fromkeys(space for model_set in model_sets for space in model_set.spaces.values()))
