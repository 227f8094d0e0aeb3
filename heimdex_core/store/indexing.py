"""Keeping the indexes equal to the catalog: every generation of every model set, in the indexes of that set.

Whoever writes an index next also drops what is no longer referred to, so a crash between the steps of a
commit leaves nothing that would have to be looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from heimdex_core.errors import HeimdexError
from heimdex_core.store import (
    damage,
    scene_segments,
    sets,
    sidecar,
    videos,
)
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.store.search_index import IndexOrder
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import ModelSet, Scene, Space, WorkContext

log = logging.getLogger(__name__)

T = TypeVar("T")
RebuildReport = dict[str, Any]
"""videos, scenes, vectors (count by space), problems (list of messages)."""


@dataclass(frozen=True)
class NewGeneration:
    """A generation that is being committed and that the catalog does not name yet."""

    set_id: int
    video_id: str
    generation: int

    @property
    def key(self) -> Key:
        """(video_id, generation), as indexes name it."""
        return (self.video_id, self.generation)


@dataclass(frozen=True)
class IndexContents:
    """What the indexes have to hold, read in one transaction."""

    sets: tuple[ModelSet, ...]
    keys: Mapping[int, frozenset[Key]]
    """The generations of each set, by set_id."""
    titles: Mapping[str, str]
    """Of the videos that are being committed, by video_id."""

    def space_keys(self, space: Space) -> frozenset[Key]:
        """The generations of every set that has the space; several sets may share one."""
        with_space = [model_set for model_set in self.sets if space in model_set.spaces.values()]
        return frozenset().union(*(self.keys[model_set.set_id] for model_set in with_space))

    def spaces(self, set_ids: Collection[int] | None = None) -> list[Space]:
        """The spaces of these sets (None: of all), each once."""
        chosen = [model_set for model_set in self.sets if set_ids is None or model_set.set_id in set_ids]
        return list(dict.fromkeys(space for model_set in chosen for space in model_set.spaces.values()))


def wanted_contents(context: StoreContext, new: Collection[NewGeneration] = ()) -> IndexContents:
    """What the catalog refers to, and the generations that are being committed."""
    with context.catalog.transaction() as transaction:
        known = sets.every(transaction)
        numbers = sets.generation_numbers(transaction)
        titles = videos.titles(transaction, {one.video_id for one in new})
    keys: dict[int, set[Key]] = {model_set.set_id: numbers.get(model_set.set_id, set()) for model_set in known}
    for one in new:
        # The older generation stays in the index until the catalog has changed: readers still search it.
        keys[one.set_id].add(one.key)
    return IndexContents(tuple(known), {set_id: frozenset(pairs) for set_id, pairs in keys.items()}, titles)


def sync(
    context: StoreContext,
    *,
    set_ids: Collection[int] | None = None,
    new: Collection[NewGeneration] = (),
    rebuild: bool = False,
    work: WorkContext | None = None,
    index_type: str | None = None,
    erase: bool = False,
) -> list[str]:
    """Bring indexes to what the catalog refers to. The caller holds index.lock.

    A generation that cannot be read is left out and reported, except for one being committed, which raises.

    Args:
        set_ids: only the indexes of these model sets; None means all.
        new: the generations being committed.
        rebuild: read every generation again instead of those that are missing.
        work: progress is counted in indexes; cancellation is checked before each.
        index_type: a FAISS type of vectors.INDEX_TYPES for all vector indexes; None keeps each as it is.
        erase: whether what is removed is to leave the index files now, and not when segments are merged.

    Returns: messages about generations that could not be read.

    Raises Cancelled, DiskFull, UnknownName for an unknown index_type.
    """
    wanted = wanted_contents(context, new)
    chosen = [model_set.set_id for model_set in wanted.sets if set_ids is None or model_set.set_id in set_ids]
    work = work or WorkContext()
    new_keys = frozenset(one.key for one in new)
    source = _Generations(context, wanted.titles, new_keys, [])
    order = IndexOrder(
        source,
        {space: wanted.space_keys(space) for space in wanted.spaces(chosen)},
        {set_id: wanted.keys[set_id] for set_id in chosen},
        redo=new_keys,
        rebuild=rebuild,
        index_type=index_type,
        erase=erase,
    )
    count = len(order.spaces) + len(order.words) + 1
    context.search.write(order, WorkContext(lambda done, _: work.report(done, count), work.is_cancelled))
    work.check()
    keys = frozenset().union(*wanted.keys.values())
    redo = keys if rebuild else new_keys
    scene_segments.sync(context.paths.scene_index, keys, source.scenes, redo=redo, erase=erase)
    work.report(count, count)
    return sorted(set(source.problems))


def write_title_again(context: StoreContext, video_id: str) -> None:
    """Index the scenes of a video again with its title as it is now, in every set. The caller holds index.lock."""
    wanted = wanted_contents(context)
    source = _Generations(context, wanted.titles, frozenset(), [])
    own = frozenset(key for keys in wanted.keys.values() for key in keys if key[0] == video_id)
    words = {set_id: keys for set_id, keys in wanted.keys.items() if keys & own}
    context.search.write(IndexOrder(source, words=words, redo=own), WorkContext())


def rebuild(context: StoreContext, work: WorkContext, index_type: str | None = None) -> RebuildReport:
    """Rebuild all indexes from the sidecars, as new revisions; readers keep the old ones until then. See `sync`.

    Whatever is damaged in the videos' folders is among the problems; the rest is indexed.
    """
    with context.index_lock.hold():
        problems = sync(context, rebuild=True, work=work, index_type=index_type)
        wanted = wanted_contents(context)
        counts = {space.name: context.search.count(space) for space in wanted.spaces()}
    visible = next(wanted.keys[model_set.set_id] for model_set in wanted.sets if model_set.is_active)
    scenes = 0
    for key in visible:
        try:
            scenes += len(sidecar.read_scenes_table(context.paths.generation(*key)))
        except (HeimdexError, OSError):
            continue  # reported in `problems`
    found = damage.of_library(context)
    named = {one.video_id for one in found}
    problems = [text for text in problems if not any(f"video {video_id}" in text for video_id in named)]
    problems += [f"{one.message} {one.hint}" for one in found]
    return {"videos": len(visible), "scenes": scenes, "vectors": counts, "problems": problems}


def merge(context: StoreContext, work: WorkContext) -> int:
    """Merge segments of the vector indexes until there is nothing to merge; how many times. index.lock is not held.

    A library of a version without a scene table gets one, which counts as one time.

    Raises Cancelled, DiskFull, LibraryDamaged; then what was not merged is as it was.
    """
    count = 0
    if _lacks_scene_table(context):
        with context.index_lock.hold():
            sync(context, set_ids=())
        count += 1
    return count + context.search.merge(_model_sets(context), context.index_lock, work)


def is_merge_due(context: StoreContext) -> bool:
    """Whether `merge` would do something. It reads manifests only."""
    return _lacks_scene_table(context) or context.search.is_merge_due(_model_sets(context))


def _model_sets(context: StoreContext) -> list[ModelSet]:
    with context.catalog.transaction() as transaction:
        return sets.every(transaction)


def _lacks_scene_table(context: StoreContext) -> bool:
    if (context.paths.scene_index / "manifest.json").exists():
        return False
    with context.catalog.transaction() as transaction:
        return bool(transaction.rows("select 1 from video_generations limit 1"))


def check(context: StoreContext) -> list[str]:
    """What is missing or damaged in the indexes, as messages; empty when every generation is in its indexes."""
    with context.index_lock.hold():
        wanted = wanted_contents(context)
        problems: list[str] = []
        for space in wanted.spaces():
            in_vectors = partial(context.search.check_vectors, space)
            problems += _missing(f"The index of {space.name}", wanted.space_keys(space), in_vectors)
        for model_set in wanted.sets:
            in_lexical = partial(context.search.check_words, model_set.set_id)
            problems += _missing("The lexical index", wanted.keys[model_set.set_id], in_lexical)
        folder, every = context.paths.scene_index, frozenset().union(*wanted.keys.values())
        if folder.exists():  # libraries of earlier versions have none, and get one in time
            problems += _missing("The scene table", every, partial(scene_segments.check, folder))
    return problems


def _missing(index: str, wanted: frozenset[Key], indexed: Callable[[], Collection[Key]]) -> list[str]:
    try:
        missing = wanted.difference(indexed())
    except HeimdexError as error:
        return [error.message]
    return [f"{index} lacks {len(missing)} of {len(wanted)} videos."] if missing else []


@dataclass(frozen=True)
class _Generations:
    """Reads generations for the indexes."""

    context: StoreContext
    titles: Mapping[str, str]
    required: frozenset[Key]
    """The generations whose errors are raised instead of reported."""
    problems: list[str]

    def vector_rows(self, space: Space, key: Key) -> VectorRows | None:
        """See GenerationReader."""
        folder = self.context.paths.generation(*key)
        if folder.is_dir() and not sidecar.vectors_path(folder, space.name).exists():
            self.problems.append(f"video {key[0]}: generation {key[1]} has no vectors of {space.name}")
            return VectorRows([], np.empty((0, space.dim), np.float32))
        return self._read(key, lambda: sidecar.read_vector_rows(folder, space))

    def texts(self, key: Key) -> tuple[str, list[Scene]] | None:
        folder = self.context.paths.generation(*key)
        return self._read(key, lambda: (self._title(key[0]), sidecar.read_scenes(folder)))

    def _title(self, video_id: str) -> str:
        return self.titles[video_id] if video_id in self.titles else self._all_titles[video_id]

    @cached_property
    def _all_titles(self) -> Mapping[str, str]:
        """Read where more than what is being committed has to be indexed, which is seldom and not after each commit."""
        with self.context.catalog.transaction() as transaction:
            return videos.titles(transaction)

    def scenes(self, key: Key) -> pa.Table | None:
        return self._read(key, lambda: sidecar.read_scenes_table(self.context.paths.generation(*key)))

    def _read(self, key: Key, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (HeimdexError, OSError) as error:
            if key in self.required:
                raise
            log.warning("generation %s of video %s cannot be indexed: %s", key[1], key[0], error)
            self.problems.append(f"video {key[0]}: {error}")
            return None
