"""From a spec string to a model. Every model is made once per process and loads at its first use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol, cast

from heimdex_core.errors import HeimdexError, InvalidValue, ModelError, ModelUnavailable, UnknownName
from heimdex_core.models import families
from heimdex_core.models.base import Captioner, ImageTextEncoder, SpeechRecognizer, TextEncoder
from heimdex_core.models.families import Purpose
from heimdex_core.models.palette import layout as palette_layout
from heimdex_core.models.palette.encoder import Palette
from heimdex_core.models.profiles import KINDS, ModelChoice, choose_profile
from heimdex_core.models.speech.pocketsphinx import PocketsphinxRecognizer
from heimdex_core.models.text import minilm
from heimdex_core.models.text.minilm import MiniLM
from heimdex_core.settings import Settings
from heimdex_core.types import Space

__all__ = ["KINDS", "ModelChoice", "Models", "Purpose", "choose_profile"]

_log = logging.getLogger(__name__)


class Loadable(Protocol):
    """What every model of the registry has besides its own protocol."""

    @property
    def licence(self) -> str: ...

    @property
    def is_loaded(self) -> bool: ...

    @property
    def size_bytes(self) -> int: ...

    def load(self) -> None: ...

    def check(self) -> None: ...


_MAKERS: dict[str, dict[str, Callable[[Settings], Loadable]]] = {
    "speech": {
        "pocketsphinx:en-us": lambda settings: PocketsphinxRecognizer(no_speech_limit=settings.no_speech_limit),
    },
    "text": {
        "minilm:all-MiniLM-L6-v2": lambda settings: MiniLM(threads=settings.worker_threads or 1),
    },
    "vision": {
        "palette:1": lambda settings: Palette(),
    },
    "caption": {},
}
_SPACES: dict[str, Space] = {"minilm:all-MiniLM-L6-v2": minilm.SPACE, "palette:1": palette_layout.SPACE}


class Models:
    """The models of one choice. Safe to share between threads.

    A model's *role* is "speech", "text", "vision" or "caption", or for an extra space that space's name.
    """

    def __init__(
        self,
        choice: ModelChoice,
        settings: Settings,
        purpose: Purpose = "ingest",
        shared: dict[tuple[str, str], Loadable] | None = None,
    ) -> None:
        """Makes the models without loading them. UnknownName where a spec is not known, InvalidValue for an extra.

        For the purpose "query" there is neither recogniser nor captioner, and the encoders get the threads of a
        process that shares the machine with a worker. The picture side of a model is never read before a
        picture is given. `shared`, by (kind, spec), has the models that other choices made for the same purpose:
        two choices that agree on a model then load it once.
        """
        self._shared = shared if shared is not None else {}
        self.choice = choice
        self.settings = settings
        self.purpose: Purpose = purpose
        self._specs = {kind: (kind, choice.spec(kind)) for kind in KINDS}
        if choice.caption:
            self._specs["caption"] = ("caption", choice.caption)
        self._models: dict[str, Loadable] = {role: self._made(kind, spec) for role, (kind, spec) in self._specs.items()}
        for kind, spec in choice.extras:
            self._add_extra(kind, spec)

    def _add_extra(self, kind: str, spec: str) -> None:
        if (kind, spec) in self._specs.values():
            return  # it is the primary one, and so one space and one instance
        model = self._made(kind, spec)
        name = _space_name(kind, spec, model)
        if name in (self._name_of(role) for role in self._space_roles()):
            raise InvalidValue(name="extra space", value=f"{kind}={spec}", reason=f"there is a space {name} already")
        self._specs[name] = (kind, spec)
        self._models[name] = model

    def _made(self, kind: str, spec: str) -> Loadable:
        if (kind, spec) not in self._shared:
            self._shared[kind, spec] = _make(kind, spec, self.settings, self.purpose)
        return self._shared[kind, spec]

    @property
    def parts(self) -> dict[tuple[str, str], Loadable]:
        """The models by (kind, spec), to be shared with another choice."""
        return {self._specs[role]: model for role, model in self._models.items()}

    @property
    def spaces(self) -> dict[str, Space]:
        """The vector spaces by role, known without loading weights: "text", "vision", "caption" where there is a
        captioner, and each extra one under its own name.

        A model that is not pinned is known by its files: WeightsMissing where they are not there.
        """
        found = {role: self._space(role) for role in self._space_roles()}
        if self.choice.caption:
            text = found["text"]
            found["caption"] = replace(text, name=_caption_name(text.name))
        return found

    def speech(self) -> SpeechRecognizer | None:
        """The recogniser; None where only queries are answered."""
        return cast(SpeechRecognizer, self._models["speech"]) if self.purpose == "ingest" else None

    def text(self) -> TextEncoder:
        return cast(TextEncoder, self._models["text"])

    def vision(self) -> ImageTextEncoder:
        return cast(ImageTextEncoder, self._models["vision"])

    def captioner(self) -> Captioner | None:
        """What describes pictures; None where the choice has none and where only queries are answered."""
        return cast(Captioner | None, self._models.get("caption")) if self.purpose == "ingest" else None

    def encoder(self, space_name: str) -> TextEncoder | ImageTextEncoder:
        """The encoder of a space, by the space's name or its role. UnknownName for a space of other models.

        Descriptions of pictures are read by the text model. Needs no weights, only the names.
        """
        names = {self._name_of(role): role for role in self._space_roles()}
        if self.choice.caption:
            names |= {_caption_name(self._name_of("text")): "text", "caption": "text"}
        role = names.get(space_name, space_name)
        if role not in self._space_roles():
            raise UnknownName(kind="space", name=space_name, known=", ".join(names))
        return cast(TextEncoder | ImageTextEncoder, self._models[role])

    def warm(self, roles: Iterable[str] = ("text", "vision")) -> threading.Thread:
        """Load these in the background; the thread is returned for whoever wants to wait.

        A model that cannot be loaded is logged, and raises its error again where it is used.
        """
        wanted = [(role, self._model(role)) for role in roles]

        def load_all() -> None:
            for role, model in wanted:
                try:
                    model.load()
                except HeimdexError as error:
                    _log.warning("The %s model was not loaded: %s", role, error)

        thread = threading.Thread(target=load_all, name="warm-models", daemon=True)
        thread.start()
        return thread

    def describe(self) -> list[dict[str, Any]]:
        """One row a model for `doctor` and the settings page; files are checked, nothing is loaded.

        {kind, role, spec, name, revision, state ("ready", "missing" or "broken"), loaded, dim (None for speech and
        captions), size_bytes, licence, note, error (None, or the error as JSON)}
        """
        return [self._describe(role, kind, spec) for role, (kind, spec) in self._specs.items()]

    def _describe(self, role: str, kind: str, spec: str) -> dict[str, Any]:
        model = self._models[role]
        state, note, size_bytes, problem = "ready", "", 0, None
        try:
            model.check()
            size_bytes = model.size_bytes
        except ModelError as error:
            state = "missing" if isinstance(error, ModelUnavailable) else "broken"
            note, problem = error.message, error.to_dict()
        name, revision, dim = spec.partition(":")[2], "", None
        try:
            if role in self._space_roles():
                space = self._space(role)
                name, revision, dim = space.model, space.revision, space.dim
            else:
                named = cast(SpeechRecognizer | Captioner, model)
                name, revision = named.name, named.revision
        except ModelError:
            pass  # what is wrong is in the note already
        if kind == "speech" and cast(SpeechRecognizer, model).rough:
            note = note or "rough: about every second word may be wrong"
        return {
            "kind": kind,
            "role": role,
            "spec": spec,
            "name": name,
            "revision": revision,
            "state": state,
            "loaded": model.is_loaded,
            "dim": dim,
            "size_bytes": size_bytes,
            "licence": model.licence,
            "note": note,
            "error": problem,
        }

    def _space_roles(self) -> list[str]:
        return [role for role, (kind, _) in self._specs.items() if kind in ("text", "vision")]

    def _name_of(self, role: str) -> str:
        """The name of a role's space."""
        return _space_name(*self._specs[role], self._models[role])

    def _space(self, role: str) -> Space:
        known = _SPACES.get(self._specs[role][1])
        return known or cast(TextEncoder | ImageTextEncoder, self._models[role]).space

    def _model(self, role: str) -> Loadable:
        if role not in self._models:
            raise UnknownName(kind="kind of model", name=role, known=", ".join(self._models))
        return self._models[role]


def _space_name(kind: str, spec: str, model: Loadable) -> str:
    """As the model's own `space` has it, but known without its files."""
    known = _SPACES.get(spec)
    return known.name if known else f"{kind}/{cast(families.Made, model).name}"


def _caption_name(text_space: str) -> str:
    return f"caption/{text_space.partition('/')[2]}"


def _make(kind: str, spec: str, settings: Settings, purpose: Purpose) -> Loadable:
    makers = _MAKERS[kind]
    if spec in makers:
        return makers[spec](settings)
    found = families.make(kind, spec, settings, purpose)
    if found is None:
        known = (*makers, *(f"{family}:NAME" for family in families.FAMILIES[kind]))
        raise UnknownName(kind=f"{kind} model", name=spec, known=", ".join(known))
    return found
