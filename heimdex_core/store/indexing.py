"""Keeping the indexes to what lives: every generation of every set, each index with those it is about.

The caller holds index.lock. Whoever writes an index next drops what no longer lives, so a crash between
a commit's steps leaves nothing that would have to be looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import HeimdexError
from heimdex_core.store import lexical, sets, sidecar, vectors, videos, visible
from heimdex_core.store.vectors import Floats, Key
from heimdex_core.types import ModelSet, Scene, Space, WorkContext

if TYPE_CHECKING:
    from heimdex_core.store.commit import Shelf

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adding:
    """A generation that is on its way in and not in the catalog yet."""

    set_id: int
    video_id: str
    generation: int

    @property
    def key(self) -> Key:
        return (self.video_id, self.generation)


@dataclass(frozen=True)
class Living:
    """What the indexes are to hold, read in one transaction."""

    sets: tuple[ModelSet, ...]
    keys: Mapping[int, frozenset[Key]]
    """By set."""
    titles: Mapping[str, str]

    def space_keys(self, space: Space) -> frozenset[Key]:
        """The generations of every set that has the space: those may be shared by several."""
        with_it = [one for one in self.sets if space in one.spaces.values()]
        return frozenset().union(*(self.keys[one.set_id] for one in with_it))

    def spaces(self, set_ids: Collection[int] | None = None) -> list[Space]:
        """The spaces of these sets, or of all, each once."""
        chosen = [one for one in self.sets if set_ids is None or one.set_id in set_ids]
        return list(dict.fromkeys(space for one in chosen for space in one.spaces.values()))


def living(shelf: Shelf, adding: Adding | None = None) -> Living:
    """What the catalog says, and the generation that is being added in place of its set's older one."""
    with shelf.catalog.transaction() as transaction:
        known = sets.every(transaction)
        rows = sets.made(transaction)
        titles = videos.titles(transaction)
    keys: dict[int, set[Key]] = {one.set_id: set() for one in known}
    for row in rows:
        keys[row.set_id].add((row.video_id, row.generation))
    if adding is not None:
        # the older one stays in until the catalog has changed: readers still look for it
        keys[adding.set_id].add(adding.key)
    return Living(tuple(known), {set_id: frozenset(found) for set_id, found in keys.items()}, titles)


def sync(
    shelf: Shelf,
    *,
    set_ids: Collection[int] | None = None,
    adding: Adding | None = None,
    redo_all: bool = False,
    context: WorkContext | None = None,
    index_type: str | None = None,
) -> list[str]:
    """Bring the indexes of these sets (all, if none are named) to what lives; what could not be read is returned.

    A generation that cannot be read is left out and told, unless it is the one being added: then the
    error is raised. Progress is counted in indexes.
    """
    there = living(shelf, adding)
    chosen = [one.set_id for one in there.sets if set_ids is None or one.set_id in set_ids]
    spaces = there.spaces(chosen)
    context = context or WorkContext()
    problems: list[str] = []
    source = _Sidecars(shelf, there.titles, adding.key if adding else None, problems)
    total = len(spaces) + len(chosen)

    def redo(wanted: frozenset[Key]) -> frozenset[Key]:
        return wanted if redo_all else frozenset({adding.key} if adding else ())

    for done, space in enumerate(spaces):
        context.check()
        context.report(done, total)
        wanted = there.space_keys(space)
        vectors.sync(
            shelf.paths.vector_index(space),
            space,
            wanted,
            source.vectors_of(space),
            redo=redo(wanted),
            index_type=index_type,
            hook=visible.hook,
        )
    for done, set_id in enumerate(chosen, start=len(spaces)):
        context.check()
        context.report(done, total)
        wanted = there.keys[set_id]
        lexical.sync(shelf.paths.lexical_of(set_id), wanted, source.words, redo=redo(wanted), hook=visible.hook)
    context.report(total, total)
    return sorted(set(problems))


@dataclass(frozen=True)
class _Sidecars:
    """Reads generations for the indexes."""

    shelf: Shelf
    titles: Mapping[str, str]
    must: Key | None
    problems: list[str]

    def vectors_of(self, space: Space) -> vectors.Load:
        def load(key: Key) -> tuple[list[str], Floats] | None:
            folder = self.shelf.paths.generation(*key)
            if folder.is_dir() and not sidecar.vectors_path(folder, space.name).exists():
                return [], sidecar.no_vectors(space)
            return self._read(key, lambda: sidecar.read_vectors(folder, space))

        return load

    def words(self, key: Key) -> tuple[str, list[Scene]] | None:
        folder = self.shelf.paths.generation(*key)
        return self._read(key, lambda: (self.titles[key[0]], sidecar.read_scenes(folder)))

    def _read(self, key: Key, read: Any) -> Any:
        try:
            return read()
        except (HeimdexError, OSError) as error:
            if key == self.must:
                raise
            log.warning("generation %s of video %s cannot be indexed: %s", key[1], key[0], error)
            self.problems.append(f"video {key[0]}: {error}")
            return None
