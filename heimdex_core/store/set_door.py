"""The part of the store that is about sets of models: which there are, which is active, moving and dropping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heimdex_core.errors import SpaceMismatch
from heimdex_core.store import adopt, moving, sets, videos
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.commit import Shelf
from heimdex_core.store.files import write_json
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.store.library_json import LibraryManifest, manifest_json, read_manifest
from heimdex_core.types import Json, ModelSet, Space, Video


class SetDoor:
    """What Store offers for sets of models."""

    paths: LibraryPaths
    catalog: Catalog
    shelf: Shelf
    manifest: LibraryManifest

    def model_sets(self) -> list[ModelSet]:
        """Every set of models that has generations here or is to have them, oldest first."""
        with self.catalog.transaction() as transaction:
            return sets.every(transaction)

    def model_set(self, set_id: int) -> ModelSet:
        """UnknownName where it is not there (any more)."""
        with self.catalog.transaction() as transaction:
            return sets.get(transaction, set_id)

    def active_set(self) -> ModelSet:
        """The set whose generations everybody sees."""
        with self.catalog.transaction() as transaction:
            return sets.get(transaction, sets.active_id(transaction))

    def previous_set(self) -> ModelSet | None:
        """The set that was active before, while it is kept."""
        with self.catalog.transaction() as transaction:
            before = sets.before_active_id(transaction)
            return None if before is None else sets.get(transaction, before)

    def add_set(self, profile: str, choice: Json, spaces: Mapping[str, Space]) -> ModelSet:
        """A new set of models, or the one of these very models that there is."""
        with self.catalog.transaction() as transaction:
            return sets.add(transaction, profile, choice, spaces)

    def left_to_make(self, set_id: int) -> moving.Todo:
        """The videos that a switch to the set still waits for."""
        return moving.todo(self.shelf, set_id)

    def switch_set(self, set_id: int) -> ModelSet:
        """Make the set the active one for everybody, at once. MoveIncomplete while videos are still to be made."""
        active = moving.switch(self.shelf, set_id)
        self._write_manifest(active)
        for video in self._with_generation():
            adopt.write_video_json(self.paths, video)
        return active

    def drop_sets(self, set_ids: Iterable[int]) -> list[ModelSet]:
        """Remove sets that are not active, with what only they have. InvalidValue, UnknownName."""
        return moving.drop(self.shelf, set_ids)

    def bytes_of_old_sets(self) -> int:
        """Room that only the sets that are not active take."""
        return moving.bytes_of_old(self.shelf)

    def _with_generation(self) -> list[Video]:
        with self.catalog.transaction() as transaction:
            return videos.with_generation(transaction)

    def generation_in(self, video_id: str, set_id: int) -> int | None:
        """The video's generation in a set of models; None where it has none."""
        with self.catalog.transaction() as transaction:
            made = sets.made(transaction, set_id=set_id, video_id=check_uuid(video_id))
        return made[0].generation if made else None

    def inputs_of(self, video: Video) -> str:
        """What a generation is made from besides models, in short; read it before the work begins."""
        return sets.inputs_of(self.paths, video)

    def check_spaces(self, spaces: Mapping[str, Space] | Iterable[Space] | None, set_id: int | None = None) -> None:
        """SpaceMismatch unless every one of `spaces` belongs to the set of models (the active one for None)."""
        given = list(spaces.values() if isinstance(spaces, Mapping) else spaces or ())
        if not given:
            return
        known = (self.active_set() if set_id is None else self.model_set(set_id)).spaces
        by_name = {space.name: space for space in known.values()}
        for space in given:
            if space.name not in by_name:
                raise SpaceMismatch(space=space.name, expected=", ".join(by_name), found=space.model)
            by_name[space.name].check(space)

    def _write_manifest(self, active: ModelSet) -> None:
        """library.json follows the catalog; a crash after a switch may have left it behind."""
        now = self.manifest
        if (now.profile, now.choice, dict(now.spaces)) != (active.profile, active.choice, dict(active.spaces)):
            value = manifest_json(active.profile, active.choice, active.spaces, created_at=now.created_at)
            write_json(self.paths.manifest, value)
            self.manifest = read_manifest(self.paths)
