"""The model sets of a library, and moving it from one to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from heimdex_core.errors import InvalidValue, LibraryBusy, NoneYet, UnknownName
from heimdex_core.library.accounts import require_admin_of_shared
from heimdex_core.library.arguments import checked
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.migration import (
    MIGRATION,
    MigrationStatus,
    ModelMigration,
    cancel_marks,
    read_migration_status,
    run_here,
    write_waiting,
)
from heimdex_core.library.people import owners, people_of
from heimdex_core.models.registry import ModelChoice, Models, choose_profile
from heimdex_core.types import ModelSet


class LibraryModelSets:
    """Which models a library has generations of, which are in use, and the way to others.

    In a shared library only admins change any of it; others get NotAllowed.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._sets = context.store.sets

    @checked
    def models(self, set_id: int) -> Models:
        """The models of a set, not loaded; UnknownName for a set that is not there."""
        return self._context.models.of(set_id)

    def all(self) -> list[ModelSet]:
        """The sets that the library has generations of or is moving to, oldest first."""
        return self._sets.all()

    def active(self) -> ModelSet:
        """The set that searches use."""
        return self._sets.active()

    def previous(self) -> ModelSet | None:
        """The set that `undo` goes back to; None where there is none."""
        return self._sets.previous()

    # --- moving -----------------------------------------------------------------------------------

    @checked
    def move_to(
        self,
        profile: str | None = None,
        *,
        speech: str | None = None,
        text: str | None = None,
        vision: str | None = None,
        caption: str | None = None,
        ocr: str | None = None,
        add_spaces: Sequence[str] = (),
        drop_spaces: Sequence[str] = (),
        keep_spaces: bool = False,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> MigrationStatus:
        """Index every video with other models, beside what there is, then switch to them all at once.

        Search goes on with the models in use until the switch. Called again after an interruption, it continues.
        What was made for other models stays until `drop_old`.

        Args:
            profile: names all of the models ("offline", "laptop", "studio" or "auto").
            speech, text, vision: single models by spec, for example "sentence:BAAI/bge-m3".
            caption: the model that describes scenes; "" for none.
            ocr: the model that reads text in pictures; "" for none. It is kept where a profile is named.
            add_spaces: models to index beside the first ones, as "text=SPEC" or "vision=SPEC".
            drop_spaces: names of such spaces to leave out.
            keep_spaces: index the models that are in use now beside the new ones.
            queue: leave the work to the worker.

        Raises ProfileWeightsMissing, UnknownName, InvalidValue before anything begins; MoveIncomplete where some
        videos could not be indexed: then nothing has changed for anybody.
        """
        require_admin_of_shared(self._context)
        now = ModelChoice.from_dict(self.active().choice)
        named = {"speech": speech, "text": text, "vision": vision, "caption": caption, "ocr": ocr}
        choice = self._chosen(now, profile, named)
        extra = [*(now.extra if profile is None or keep_spaces else ()), *add_spaces]
        if keep_spaces:
            extra += [f"{kind}={spec}" for kind, spec in now.searched]
        first = {f"{kind}={spec}" for kind, spec in choice.searched}
        choice = replace(choice, extra=tuple(one for one in dict.fromkeys(extra) if one not in first))
        choice = self._without(choice, drop_spaces)
        spaces = Models(choice, self._context.settings).spaces
        target = self._sets.add(choice.name, choice.to_dict(), spaces)
        return self._move(target, queue=queue, progress=progress)

    @checked
    def undo(self, *, queue: bool = False, progress: OnProgress | None = None) -> MigrationStatus:
        """Back to the models that were in use before; at once, unless videos came or changed meanwhile.

        Raises InvalidValue where there is nothing to go back to.
        """
        require_admin_of_shared(self._context)
        before = self.previous()
        if before is None:
            raise InvalidValue(name="undo", value="none", reason="there are no earlier models to go back to")
        return self._move(before, queue=queue, progress=progress)

    @checked
    def resume(self, set_id: int, *, queue: bool = False, progress: OnProgress | None = None) -> MigrationStatus:
        """Continue a move that was begun. Raises UnknownName for a set that is not there."""
        require_admin_of_shared(self._context)
        return self._move(self._sets.get(set_id), queue=queue, progress=progress)

    def status(self) -> MigrationStatus | None:
        """Where the last move stands; None where there never was one."""
        return read_migration_status(self._context.store.paths, self._context.store.catalog.engine.shared)

    def cancel(self) -> None:
        """Ask a running move to stop. What it has made is kept for the next time."""
        require_admin_of_shared(self._context)
        status = self.status()
        if status is None or not status.is_running:
            return
        cancel_marks(self._context.store).add(MIGRATION)
        if status.job_id and self._context.queue is not None:
            self._context.queue.cancel(status.job_id)

    def migration(
        self,
        set_id: int,
        *,
        progress: OnProgress | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        job_id: str | None = None,
    ) -> ModelMigration:
        """The steps of a move to a set, for whoever runs them one by one."""
        require_admin_of_shared(self._context)
        return ModelMigration(self._context, set_id, progress=progress, is_cancelled=is_cancelled, job_id=job_id)

    def _move(self, target: ModelSet, *, queue: bool, progress: OnProgress | None) -> MigrationStatus:
        if queue:
            job_id = self._context.require_queue().enqueue_migration(target.set_id)
            return write_waiting(self._context.store.paths, target, job_id, self._context.store.catalog.engine.shared)
        status = run_here(self._context, target.set_id, progress=progress)
        for user_id in owners(self._context.store):
            people_of(self._context, user_id).look_at_new()
        return status

    def _chosen(self, now: ModelChoice, profile: str | None, named: Mapping[str, str | None]) -> ModelChoice:
        if profile is not None:
            given = {kind: spec for kind, spec in named.items() if spec}
            choice = choose_profile(profile, self._context.settings, **given)
            return choice if choice.ocr or named["ocr"] == "" else replace(choice, ocr=now.ocr)
        return now.with_models(**{kind: spec for kind, spec in named.items() if spec is not None})

    # --- extra spaces -----------------------------------------------------------------------------

    def extra_spaces(self, choice: ModelChoice | None = None) -> dict[str, str]:
        """Spaces that are indexed beside the first models of `choice` (None: those in use): name -> "KIND=SPEC"."""
        choice = choice or ModelChoice.from_dict(self.active().choice)
        return {self._space_name(choice, one): one for one in choice.extra}

    def _without(self, choice: ModelChoice, names: Sequence[str]) -> ModelChoice:
        if not names:
            return choice
        by_name = self.extra_spaces(choice)
        for name in names:
            if not by_name:
                command = "python -m heimdex_core reindex --add-space KIND=SPEC"
                raise NoneYet(kind="further space", name=name, command=command)
            if name not in by_name:
                raise UnknownName(kind="further space", name=name, known=", ".join(by_name))
        return replace(choice, extra=tuple(one for name, one in by_name.items() if name not in names))

    def _space_name(self, choice: ModelChoice, extra: str) -> str:
        spaces = Models(replace(choice, extra=(extra,)), self._context.settings).spaces
        return next(space.name for role, space in spaces.items() if role == space.name)

    # --- what is not in use -----------------------------------------------------------------------

    def drop_old(self) -> list[ModelSet]:
        """Remove what was made for models that are not in use; there is no way back to them then.

        Raises LibraryBusy while a move is running.
        """
        require_admin_of_shared(self._context)
        status = self.status()
        if status is not None and status.is_running:
            raise LibraryBusy(
                what="A move to other models",
                pid=status.pid or "?",
                program="the worker" if status.job_id else "reindex",
                seconds=round(status.seconds),
            )
        return self._sets.drop([one.set_id for one in self.all() if not one.is_active])

    def old_bytes(self) -> int:
        """Bytes that `drop_old` would free."""
        return self._sets.inactive_bytes()
