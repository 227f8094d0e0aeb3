"""The library's model sets: listing and adding them, switching to another one, and removing old ones.

A switch is one catalog transaction and one rename of visible.parquet. The generations and indexes of the
set that was active stay as they are, so going back is another switch; they are removed when the set is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from heimdex_core import files
from heimdex_core.errors import InvalidValue, MoveIncomplete
from heimdex_core.files import file_signature, remove_tree, tree_bytes
from heimdex_core.store import indexing, sets, videos, visible
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Json, ModelSet, Space, Video, VideoState


@dataclass(frozen=True)
class PendingVideos:
    """Videos that have no generation in a set, or one that was made from other subtitles or parameters."""

    missing: tuple[tuple[str, str], ...]
    """(user_id, video_id), newest first."""
    total: int
    """The number of videos that are not deleted, pending or not."""


class ModelSets:
    """The model sets of one library. Safe to share between threads."""

    def __init__(self, context: StoreContext) -> None:
        self._context = context
        self._paths = context.paths
        self._catalog = context.catalog
        self._published: tuple[object, ModelSet] | None = None

    # --- reading ----------------------------------------------------------------------------------

    def active(self) -> ModelSet:
        """The set whose generations are visible. Read from visible.parquet, so it never waits for a writer."""
        signature = file_signature(self._paths.visible)
        known = self._published
        if known is not None and known[0] == signature:
            return known[1]
        active = visible.read_active_set(self._paths.visible)
        if active is None:  # published meanwhile by an older version of this software
            with self._catalog.transaction() as transaction:
                active = sets.get(transaction, sets.active_id(transaction))
        self._published = (signature, active)
        return active

    def all(self) -> list[ModelSet]:
        """All sets, oldest first."""
        with self._catalog.transaction() as transaction:
            return sets.every(transaction)

    def get(self, set_id: int) -> ModelSet:
        """One set. Raises UnknownName if it does not exist or was dropped."""
        active = self.active()
        if active.set_id == set_id:
            return active
        with self._catalog.transaction() as transaction:
            return sets.get(transaction, set_id)

    def previous(self) -> ModelSet | None:
        """The set that was active before; None if there was none or it was dropped."""
        with self._catalog.transaction() as transaction:
            before = sets.before_active_id(transaction)
            return None if before is None else sets.get(transaction, before)

    def generation_of(self, video_id: str, set_id: int) -> int | None:
        """The number of the video's generation in a set; None if it has none."""
        with self._catalog.transaction() as transaction:
            return sets.generation_of(transaction, video_id, set_id)

    def inputs_of(self, video: Video) -> str:
        """A hash of what a generation is made from besides models. Read it before the work begins."""
        return sets.inputs_of(self._paths, video)

    def check_spaces(self, spaces: Iterable[Space], set_id: int | None = None) -> None:
        """Raise SpaceMismatch unless every one of `spaces` belongs to the set (None: the active one)."""
        given = list(spaces)
        if not given:
            return
        known = (self.active() if set_id is None else self.get(set_id)).spaces
        for space in given:
            sets.check_space(known, space)

    # --- switching --------------------------------------------------------------------------------

    def add(self, profile: str, choice: Json, spaces: Mapping[str, Space]) -> ModelSet:
        """Add a set; if one of the same models exists, that is returned. `choice` is a ModelChoice as JSON."""
        with self._catalog.transaction() as transaction:
            return sets.add(transaction, profile, choice, spaces)

    def pending(self, set_id: int) -> PendingVideos:
        """The videos that a switch to the set still waits for. Raises UnknownName.

        Deleted videos are not among them: they are indexed when they are restored.
        """
        with self._catalog.transaction() as transaction:
            sets.get(transaction, set_id)
            return self._pending(transaction, set_id)

    def switch(self, set_id: int) -> ModelSet:
        """Make the set the active one for everybody, at once.

        Raises UnknownName, MoveIncomplete while videos are pending.
        """
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
                switched = sets.get(transaction, set_id)
                files.crash_point("switch-ready")
        return switched

    def drop(self, set_ids: Iterable[int]) -> list[ModelSet]:
        """Remove sets, and the generations and indexes that belong to no other set.

        Returns the removed sets. Raises InvalidValue for the active set, UnknownName.
        """
        with self._context.index_lock.hold():
            with self._catalog.transaction() as transaction:
                dropped = [sets.get(transaction, set_id) for set_id in set_ids]
                if any(model_set.is_active for model_set in dropped):
                    reason = "the library uses it; switch to another one first"
                    raise InvalidValue(name="set", value="active", reason=reason)
                unused = {
                    (row.video_id, row.generation)
                    for model_set in dropped
                    for row in sets.generations(transaction, set_id=model_set.set_id)
                }
                for model_set in dropped:
                    sets.remove(transaction, model_set.set_id)
                unused -= {(row.video_id, row.generation) for row in sets.generations(transaction)}
                remaining = sets.every(transaction)
                transaction.removed_files |= {f"videos/{video_id}/gen/{n}" for video_id, n in unused}
            files.crash_point("set-dropped")
            indexing.sync(self._context)
            self._context.search.keep_only(remaining)
            self._remove_work(remaining)
            for key in unused:
                remove_tree(self._paths.new_generation(*key))
        return dropped

    def inactive_bytes(self) -> int:
        """The bytes on disk that dropping all sets but the active one would free."""
        with self._catalog.transaction() as transaction:
            every = sets.every(transaction)
            rows = sets.generations(transaction)
        paths = self._paths
        active = next(model_set for model_set in every if model_set.is_active)
        kept = {paths.new_generation(row.video_id, row.generation) for row in rows if row.set_id == active.set_id}
        unused = {paths.new_generation(row.video_id, row.generation) for row in rows} - kept
        search = self._context.search
        unused |= {folder for model_set in every for folder in search.folders(model_set)}
        unused -= set(search.folders(active))
        return sum(tree_bytes(folder) for folder in unused)

    def _pending(self, transaction: Transaction, set_id: int) -> PendingVideos:
        rows = {row.video_id: row for row in sets.generations(transaction, set_id=set_id)}
        present = [video for video in videos.with_generation(transaction) if video.state != VideoState.DELETED]
        missing = []
        for video in present:
            row = rows.get(video.video_id)
            # Older libraries have generations without inputs; those count as up to date.
            if row is None or (row.inputs is not None and row.inputs != sets.inputs_of(self._paths, video)):
                missing.append((video.user_id, video.video_id))
        return PendingVideos(tuple(missing), len(present))

    def _remove_work(self, remaining: list[ModelSet]) -> None:
        """Remove every work folder that belongs to no set, also those that a killed process left."""
        numbers = {model_set.set_id for model_set in remaining}
        for work in self._paths.work_root.glob("*-set*"):
            number = work.name.rpartition("-set")[2]
            if number.isdecimal() and int(number) not in numbers:
                remove_tree(work)


def _keep_facts(transaction: Transaction, set_id: int) -> None:
    """Store the videos' present facts with the set that stops being the active one."""
    for row in sets.generations(transaction, set_id=set_id):
        video = videos.get(transaction, row.video_id)
        facts = {name: getattr(video, name) for name in sets.FACTS}
        sets.put(transaction, row.video_id, set_id, row.generation, row.inputs, facts)
