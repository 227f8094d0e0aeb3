"""From one set of models to another: what is still to be made, the switch, and dropping a set.

The switch is one catalog transaction and one rename of visible.parquet. The generations and indexes of
the set that was active stay as they are, so going back is another switch; they go when the set is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heimdex_core.errors import InvalidValue, MoveIncomplete
from heimdex_core.store import indexing, sets, videos, visible
from heimdex_core.store.catalog import Transaction
from heimdex_core.store.commit import Shelf
from heimdex_core.store.files import remove_tree, tree_bytes
from heimdex_core.types import VideoState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heimdex_core.types import ModelSet


@dataclass(frozen=True)
class Todo:
    """Videos (with their owners) that have no generation in a set, or one of older subtitles or choices."""

    missing: tuple[tuple[str, str], ...]
    """(user_id, video_id), newest first."""
    total: int


def todo(shelf: Shelf, set_id: int) -> Todo:
    """What a move to the set still has to make. Deleted videos do not hold it up: restored, they are indexed then."""
    with shelf.catalog.transaction() as transaction:
        sets.get(transaction, set_id)
        return _todo(shelf, transaction, set_id)


def _todo(shelf: Shelf, transaction: Transaction, set_id: int) -> Todo:
    made = {one.video_id: one for one in sets.made(transaction, set_id=set_id)}
    missing = []
    there = [video for video in videos.with_generation(transaction) if video.state != VideoState.DELETED]
    for video in there:
        one = made.get(video.video_id)
        # one without inputs is of a library from before they were kept, and is taken as it is
        if one is None or (one.inputs is not None and one.inputs != sets.inputs_of(shelf.paths, video)):
            missing.append((video.user_id, video.video_id))
    return Todo(tuple(missing), len(there))


def switch(shelf: Shelf, set_id: int) -> ModelSet:
    """Make the set the active one for everybody, at once. MoveIncomplete while a video is still to be made."""
    with shelf.index_lock.hold():
        indexing.sync(shelf, set_ids={set_id})
        visible.hook("switch-synced")
        with shelf.catalog.transaction() as transaction:
            wanted = sets.get(transaction, set_id)
            active = sets.active_id(transaction)
            if active == set_id:
                return wanted
            left = _todo(shelf, transaction, set_id)
            if left.missing:
                raise MoveIncomplete(missing=len(left.missing), total=left.total, profile=wanted.profile)
            _keep_facts(transaction, active)
            videos.show_set(transaction, sets.made(transaction, set_id=set_id))
            sets.activate(transaction, set_id)
            visible.hook("switch-ready")
        with shelf.catalog.transaction() as transaction:
            return sets.get(transaction, set_id)


def _keep_facts(transaction: Transaction, set_id: int) -> None:
    """What the catalog says of the videos now belongs to the set that is being left."""
    for one in sets.made(transaction, set_id=set_id):
        video = videos.get(transaction, one.video_id)
        facts = {name: getattr(video, name) for name in sets.FACTS}
        sets.put(transaction, one.video_id, set_id, one.generation, one.inputs, facts)


def drop(shelf: Shelf, set_ids: Iterable[int]) -> list[ModelSet]:
    """Remove sets with the generations and indexes that no other set has. InvalidValue for the active one."""
    with shelf.index_lock.hold():
        with shelf.catalog.transaction() as transaction:
            dropped = [sets.get(transaction, set_id) for set_id in set_ids]
            if any(one.is_active for one in dropped):
                raise InvalidValue(name="set", value="active", reason="the library uses it; move to another one first")
            gone = {
                (row.video_id, row.generation) for one in dropped for row in sets.made(transaction, set_id=one.set_id)
            }
            for one in dropped:
                sets.remove(transaction, one.set_id)
            gone -= {(row.video_id, row.generation) for row in sets.made(transaction)}
            left = sets.every(transaction)
        visible.hook("set-dropped")
        indexing.sync(shelf)
        _remove_indexes(shelf, left)
        for key in gone:
            remove_tree(shelf.paths.generation(*key))
    return dropped


def bytes_of_old(shelf: Shelf) -> int:
    """What dropping every set but the active one would free."""
    with shelf.catalog.transaction() as transaction:
        every = sets.every(transaction)
        rows = sets.made(transaction)
    paths = shelf.paths
    active = next(one for one in every if one.is_active)
    kept = {(row.video_id, row.generation) for row in rows if row.set_id == active.set_id}
    gone = {paths.generation(row.video_id, row.generation) for row in rows} - {paths.generation(*key) for key in kept}
    gone |= {paths.lexical_of(one.set_id) for one in every if not one.is_active}
    gone |= {paths.vector_index(space) for one in every for space in one.spaces.values()}
    gone -= {paths.vector_index(space) for space in active.spaces.values()}
    return sum(tree_bytes(folder) for folder in gone)


def _remove_indexes(shelf: Shelf, left: Iterable[ModelSet]) -> None:
    """Every index and work folder that is no set's any more, those too that a killed process left behind."""
    left = list(left)
    paths = shelf.paths
    kept = {paths.lexical_of(one.set_id) for one in left}
    kept |= {paths.vector_index(space) for one in left for space in one.spaces.values()}
    for folder in (*paths.indexes.glob("lexical*"), *paths.indexes.glob("*/*")):
        if folder.is_dir() and folder not in kept and folder.parent not in kept:
            remove_tree(folder)
    numbers = {one.set_id for one in left}
    for work in paths.work_root.glob("*-set*"):
        number = work.name.rpartition("-set")[2]
        if number.isdecimal() and int(number) not in numbers:
            remove_tree(work)
