"""The library's model sets: which there are, which is active, what a switch still waits for, and removing old ones.

A switch is one catalog transaction and one rename of visible.parquet. The generations and indexes of the
set that was active stay as they are, so going back is another switch; they are removed when the set is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from heimdex_core import files
from heimdex_core.errors import InvalidValue, MoveIncomplete, SpaceMismatch
from heimdex_core.files import file_signature, remove_tree, tree_bytes
from heimdex_core.store import indexing, sets, videos, visible
from heimdex_core.store.context import StoreContext
from heimdex_core.store.layout import check_uuid
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Json, ModelSet, Space, Video, VideoState


@dataclass(frozen=True)
class PendingVideos:
    """Videos that have no generation in a set, or one of other subtitles or parameters than they have now."""

    missing: tuple[tuple[str, str], ...]
    """(user_id, video_id), newest first."""
    total: int


class ModelSets:
    """The model sets of one library. Safe to share between threads."""

    def __init__(self, context: StoreContext) -> None:
        self._context = context
        self._paths = context.paths
        self._catalog = context.catalog
        self._published: tuple[object, ModelSet] | None = None

    # --- reading ----------------------------------------------------------------------------------

    def active(self) -> ModelSet:
        """The set whose generations everybody sees. Read from visible.parquet, so it never waits for a writer."""
        signature = file_signature(self._paths.visible)
        known = self._published
        if known is not None and known[0] == signature:
            return known[1]
        found = visible.read_active_set(self._paths.visible)
        if found is None or not found.choice:  # published by a version that did not write it
            with self._catalog.transaction() as transaction:
                found = sets.get(transaction, sets.active_id(transaction))
        self._published = (signature, found)
        return found

    def all(self) -> list[ModelSet]:
        """Every set that has generations here or is to have them, oldest first."""
        with self._catalog.transaction() as transaction:
            return sets.every(transaction)

    def get(self, set_id: int) -> ModelSet:
        """One set; UnknownName where it is not there (any more)."""
        active = self.active()
        if active.set_id == set_id:
            return active
        with self._catalog.transaction() as transaction:
            return sets.get(transaction, set_id)

    def previous(self) -> ModelSet | None:
        """The set that was active before, while it is kept."""
        with self._catalog.transaction() as transaction:
            before = sets.before_active_id(transaction)
            return None if before is None else sets.get(transaction, before)

    def generation_of(self, video_id: str, set_id: int) -> int | None:
        """The video's generation in a set; None where it has none."""
        with self._catalog.transaction() as transaction:
            found = sets.generations(transaction, set_id=set_id, video_id=check_uuid(video_id))
        return found[0].generation if found else None

    def inputs_of(self, video: Video) -> str:
        """What a generation is made from besides models, as a hash; read it before the work begins."""
        return sets.inputs_of(self._paths, video)

    def check_spaces(self, spaces: Iterable[Space], set_id: int | None = None) -> None:
        """Raise SpaceMismatch unless every one of `spaces` belongs to the set (None: the active one)."""
        given = list(spaces)
        if not given:
            return
        known = (self.active() if set_id is None else self.get(set_id)).spaces
        by_name = {space.name: space for space in known.values()}
        for space in given:
            if space.name not in by_name:
                raise SpaceMismatch(space=space.name, expected=", ".join(by_name), found=space.model)
            by_name[space.name].check(space)

    # --- switching --------------------------------------------------------------------------------

    def add(self, profile: str, choice: Json, spaces: Mapping[str, Space]) -> ModelSet:
        """A new set, or the one of these very models that exists already."""
        with self._catalog.transaction() as transaction:
            return sets.add(transaction, profile, choice, spaces)

    def pending(self, set_id: int) -> PendingVideos:
        """The videos that a switch to the set still waits for.

        Deleted videos do not hold it up: they are indexed when they are restored.
        """
        with self._catalog.transaction() as transaction:
            sets.get(transaction, set_id)
            return self._pending(transaction, set_id)

    def switch(self, set_id: int) -> ModelSet:
        """Make the set the active one for everybody, at once. Raises MoveIncomplete while videos are pending."""
        with self._context.index_lock.hold():
            indexing.sync(self._context, set_ids={set_id})
            files.crash_point("switch-synced")
            with self._catalog.transaction() as transaction:
                wanted = sets.get(transaction, set_id)
                active = sets.active_id(transaction)
                if active == set_id:
                    return wanted
                pending = self._pending(transaction, set_id)
                if pending.missing:
                    raise MoveIncomplete(missing=len(pending.missing), total=pending.total, profile=wanted.profile)
                _keep_facts(transaction, active)
                videos.show_set(transaction, sets.generations(transaction, set_id=set_id))
                sets.activate(transaction, set_id)
                files.crash_point("switch-ready")
            with self._catalog.transaction() as transaction:
                return sets.get(transaction, set_id)

    def drop(self, set_ids: Iterable[int]) -> list[ModelSet]:
        """Remove sets with the generations and indexes that no other set has.

        Raises InvalidValue for the active set, UnknownName.
        """
        with self._context.index_lock.hold():
            with self._catalog.transaction() as transaction:
                dropped = [sets.get(transaction, set_id) for set_id in set_ids]
                if any(one.is_active for one in dropped):
                    reason = "the library uses it; move to another one first"
                    raise InvalidValue(name="set", value="active", reason=reason)
                gone = {
                    (row.video_id, row.generation)
                    for one in dropped
                    for row in sets.generations(transaction, set_id=one.set_id)
                }
                for one in dropped:
                    sets.remove(transaction, one.set_id)
                gone -= {(row.video_id, row.generation) for row in sets.generations(transaction)}
                left = sets.every(transaction)
            files.crash_point("set-dropped")
            indexing.sync(self._context)
            self._remove_indexes(left)
            for key in gone:
                remove_tree(self._paths.generation(*key))
        return dropped

    def inactive_bytes(self) -> int:
        """Bytes that dropping every set but the active one would free."""
        with self._catalog.transaction() as transaction:
            every = sets.every(transaction)
            rows = sets.generations(transaction)
        paths = self._paths
        active = next(one for one in every if one.is_active)
        kept = {paths.generation(row.video_id, row.generation) for row in rows if row.set_id == active.set_id}
        gone = {paths.generation(row.video_id, row.generation) for row in rows} - kept
        gone |= {paths.lexical_of(one.set_id) for one in every if not one.is_active}
        gone |= {paths.vector_index(space) for one in every for space in one.spaces.values()}
        gone -= {paths.vector_index(space) for space in active.spaces.values()}
        return sum(tree_bytes(folder) for folder in gone)

    def _pending(self, transaction: Transaction, set_id: int) -> PendingVideos:
        made = {one.video_id: one for one in sets.generations(transaction, set_id=set_id)}
        present = [video for video in videos.with_generation(transaction) if video.state != VideoState.DELETED]
        missing = []
        for video in present:
            one = made.get(video.video_id)
            # one without inputs is of a library from before they were kept, and is taken as it is
            if one is None or (one.inputs is not None and one.inputs != sets.inputs_of(self._paths, video)):
                missing.append((video.user_id, video.video_id))
        return PendingVideos(tuple(missing), len(present))

    def _remove_indexes(self, left: list[ModelSet]) -> None:
        """Remove every index and work folder that belongs to no set, also those that a killed process left."""
        paths = self._paths
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


def _keep_facts(transaction: Transaction, set_id: int) -> None:
    """What the catalog says of the videos now belongs to the set that is being left."""
    for one in sets.generations(transaction, set_id=set_id):
        video = videos.get(transaction, one.video_id)
        facts = {name: getattr(video, name) for name in sets.FACTS}
        sets.put(transaction, one.video_id, set_id, one.generation, one.inputs, facts)
