"""The part of Library that is about models: which are used, moving to others, and indexing a video anew."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heimdex_core.door import Door, OnProgress
from heimdex_core.errors import InvalidValue, LibraryBusy, UnknownName
from heimdex_core.ingest.params import IngestParams
from heimdex_core.models.profiles import CUSTOM
from heimdex_core.models.registry import ModelChoice, Models, Purpose, choose_profile
from heimdex_core.moves import Mover, MoveStatus, read_move_status, write_waiting
from heimdex_core.settings import Settings
from heimdex_core.store.store import Store
from heimdex_core.types import ModelSet, Video, VideoState

if TYPE_CHECKING:
    from heimdex_core.library import Library


KEPT_SETS = 2
"""Sets whose models stay in memory: the active one, and the one that is moved to or was left last."""


class SetModels:
    """The models of each set, made once per process; what two sets have in common is loaded once.

    Safe to share between threads.
    """

    def __init__(self, store: Store, settings: Settings, purpose: Purpose) -> None:
        self._store = store
        self._settings = settings
        self._purpose: Purpose = purpose
        self._lock = threading.Lock()
        self._made: OrderedDict[int, Models] = OrderedDict()

    def of(self, set_id: int) -> Models:
        """The models of a set, not loaded; UnknownName for a set that is not there."""
        with self._lock:
            if set_id not in self._made:
                choice = ModelChoice.from_dict(self._store.model_set(set_id).choice)
                shared = {key: model for made in self._made.values() for key, model in made.parts.items()}
                self._made[set_id] = Models(choice, self._settings, self._purpose, shared)
                while len(self._made) > KEPT_SETS:
                    self._made.popitem(last=False)
            self._made.move_to_end(set_id)
            return self._made[set_id]


class ModelDoor(Door):
    """What Library offers for models."""

    loaded: SetModels

    @property
    def models(self) -> Models:
        """The models of the active set."""
        return self.models_of(self.store.active_set().set_id)

    def models_of(self, set_id: int) -> Models:
        """The models of a set; UnknownName for one that is not there."""
        return self.loaded.of(set_id)

    def model_sets(self) -> list[ModelSet]:
        """The sets of models that the library has generations of or is moving to, oldest first."""
        return self.store.model_sets()

    # --- moving -----------------------------------------------------------------------------------

    def move_to(
        self,
        profile: str | None = None,
        *,
        speech: str | None = None,
        text: str | None = None,
        vision: str | None = None,
        caption: str | None = None,
        add_spaces: Sequence[str] = (),
        drop_spaces: Sequence[str] = (),
        keep_spaces: bool = False,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> MoveStatus:
        """Index every video with other models, beside what there is, then switch to them all at once.

        `profile` names all of the models, the others single ones ("" for no captioner). `add_spaces`
        ("text=SPEC", "vision=SPEC") and `drop_spaces` (by name) change what is indexed beside the first
        models; `keep_spaces` keeps those that are in use now beside the new ones. Search goes on with the
        models in use until the switch. Interrupted, the same call goes on. What had been made for other
        models stays until `drop_old_sets`.

        Raises ProfileWeightsMissing, UnknownName, InvalidValue before anything begins; MoveIncomplete
        where some videos could not be indexed: then nothing has changed for anybody.
        """
        active = self.store.active_set()
        now = ModelChoice.from_dict(active.choice)
        named = {"speech": speech, "text": text, "vision": vision, "caption": caption}
        choice = self._chosen(now, profile, named)
        extra = [*(now.extra if profile is None or keep_spaces else ()), *add_spaces]
        if keep_spaces:
            extra += [f"{kind}={now.spec(kind)}" for kind in ("text", "vision") if now.spec(kind) != choice.spec(kind)]
        first = {f"{kind}={choice.spec(kind)}" for kind in ("text", "vision")}
        choice = replace(choice, extra=tuple(one for one in dict.fromkeys(extra) if one not in first))
        choice = self._without(choice, drop_spaces)
        spaces = Models(choice, self.settings).spaces
        target = self.store.add_set(choice.name, choice.to_dict(), spaces)
        return self._move(target, queue=queue, progress=progress)

    def undo_move(self, *, queue: bool = False, progress: OnProgress | None = None) -> MoveStatus:
        """Back to the models that were in use before; at once, unless videos came or changed meanwhile.

        Raises InvalidValue where there is nothing to go back to.
        """
        before = self.store.previous_set()
        if before is None:
            raise InvalidValue(name="undo", value="none", reason="there are no earlier models to go back to")
        return self._move(before, queue=queue, progress=progress)

    def resume_move(self, set_id: int, *, queue: bool = False, progress: OnProgress | None = None) -> MoveStatus:
        """Go on with a move that was begun."""
        return self._move(self.store.model_set(set_id), queue=queue, progress=progress)

    def drop_old_sets(self) -> list[ModelSet]:
        """Remove what was made for models that are not in use; there is no way back to them then."""
        status = self.move_status()
        if status is not None and status.is_running:
            raise LibraryBusy(what="A move to other models", pid=status.pid or "?", seconds=round(status.seconds))
        return self.store.drop_sets([one.set_id for one in self.model_sets() if not one.is_active])

    def old_sets_bytes(self) -> int:
        """What `drop_old_sets` would free."""
        return self.store.bytes_of_old_sets()

    def move_status(self) -> MoveStatus | None:
        """Where the last move stands; None where there never was one."""
        return read_move_status(self.store.paths)

    def cancel_move(self) -> None:
        """Ask a running move to stop. What it has made is kept for the next time."""
        status = self.move_status()
        if status is None or not status.is_running:
            return
        status.cancel_marker(self.store.paths).touch()
        if status.job_id and self.queue is not None:
            self.queue.cancel(status.job_id)

    def mover(self, set_id: int, *, progress: OnProgress | None = None) -> Mover:
        """The steps of a move, to be run together (`run`) or one by one."""
        return Mover(self._whole(), set_id, progress=progress)

    def _move(self, target: ModelSet, *, queue: bool, progress: OnProgress | None) -> MoveStatus:
        if queue:
            job_id = self._queue().enqueue_move(target.set_id)
            return write_waiting(self.store.paths, target, job_id)
        return self.mover(target.set_id, progress=progress).run()

    def _chosen(self, now: ModelChoice, profile: str | None, named: Mapping[str, str | None]) -> ModelChoice:
        if profile is not None:
            given = {kind: spec for kind, spec in named.items() if spec}
            return choose_profile(profile, self.settings, **given)
        whole = {**now.to_dict(), **{kind: spec for kind, spec in named.items() if spec is not None}}
        choice = ModelChoice.from_dict(whole)
        return choice if choice == now else replace(choice, name=CUSTOM, reason="models_by_name")

    def spaces_besides(self, choice: ModelChoice | None = None) -> dict[str, str]:
        """Spaces by name that are indexed beside the first models of `choice` (None: those in use), as KIND=SPEC."""
        choice = choice or ModelChoice.from_dict(self.store.active_set().choice)
        return {self._space_name(choice, one): one for one in choice.extra}

    def _without(self, choice: ModelChoice, names: Sequence[str]) -> ModelChoice:
        if not names:
            return choice
        by_name = self.spaces_besides(choice)
        for name in names:
            if name not in by_name:
                raise UnknownName(kind="further space", name=name, known=", ".join(by_name) or "none")
        return replace(choice, extra=tuple(one for name, one in by_name.items() if name not in names))

    def _space_name(self, choice: ModelChoice, extra: str) -> str:
        spaces = Models(replace(choice, extra=(extra,)), self.settings).spaces
        return next(name for role, name in ((role, space.name) for role, space in spaces.items()) if role == name)

    def _whole(self) -> Library:
        raise NotImplementedError  # Library is the whole

    # --- one video anew ---------------------------------------------------------------------------

    def reindex_video(
        self,
        video_id: str,
        *,
        language: str | None = None,
        params: Mapping[str, Any] | None = None,
        queue: bool = False,
        progress: OnProgress | None = None,
    ) -> Video:
        """Index one video anew; only stages whose inputs changed are run, and it stays searchable meanwhile.

        `language` of its speech ("auto" finds out); `params` by the names of IngestParams, None for a value
        takes the general one again. Both are kept with the video. Raises UnknownName, InvalidValue.
        """
        video = self.store.video(self.user_id, video_id)
        if params is not None:
            own = {**video.params, **params}
            own = {name: value for name, value in own.items() if value is not None}
            IngestParams.from_settings(self.settings, **own)  # refuses what cannot be
        else:
            own = None
        video = self.store.set_params(video_id, params=own, language=language)
        if video.state == VideoState.INDEXED:
            self.store.set_state(video_id, VideoState.PROCESSING)
        elif video.state == VideoState.FAILED:
            self.store.set_state(video_id, VideoState.VALIDATING)
        return self._whole()._start(video, queue=queue, progress=progress)
