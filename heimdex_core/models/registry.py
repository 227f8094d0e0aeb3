"""The models of one choice, each made once per process and loaded at its first use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from heimdex_core.errors import HeimdexError, InvalidValue, ModelError, ModelUnavailable, UnknownName
from heimdex_core.models import families
from heimdex_core.models.base import (
    Captioner,
    ImageTextEncoder,
    Loadable,
    SpeechRecognizer,
    TextEncoder,
    TextReader,
)
from heimdex_core.models.family import Purpose
from heimdex_core.models.profiles import KINDS, ModelChoice, choose_profile
from heimdex_core.settings import Settings
from heimdex_core.types import MULTILINGUAL, Space

__all__ = ["KINDS", "ModelChoice", "Models", "Purpose", "choose_profile"]

_log = logging.getLogger(__name__)


class Models:
    """The models of one choice. Safe to share between threads.

    A model's role is "speech", "text", "vision", "caption", "ocr" or "multilingual", or for an extra space the name of
    that space.

    For the purpose "query" there is neither a recogniser nor a captioner nor a reader, and the encoders get the threads
    of a process that shares the machine with a worker. `shared` has models by (kind, spec) that other choices of the
    same purpose have made, so that two choices load a model that they agree on once. Raises UnknownName for a spec that
    no family knows, and InvalidValue for an extra space whose name is taken.
    """

    def __init__(
        self,
        choice: ModelChoice,
        settings: Settings,
        purpose: Purpose = "ingest",
        shared: dict[tuple[str, str], Loadable] | None = None,
    ) -> None:
        self._shared = shared if shared is not None else {}
        self.choice = choice
        self.settings = settings
        self.purpose: Purpose = purpose
        self._specs = {kind: (kind, choice.spec(kind)) for kind in KINDS}
        if choice.caption:
            self._specs["caption"] = ("caption", choice.caption)
        if choice.ocr:
            self._specs["ocr"] = ("ocr", choice.ocr)
        if choice.multilingual:
            self._specs[MULTILINGUAL] = ("text", choice.multilingual)
        self._models = {role: self._model_of(kind, spec) for role, (kind, spec) in self._specs.items()}
        for kind, spec in choice.extras:
            self._add_extra(kind, spec)

    def _add_extra(self, kind: str, spec: str) -> None:
        if (kind, spec) in self._specs.values():
            return  # the same space and instance as the primary model
        model = self._model_of(kind, spec)
        name = _space_name(kind, spec, model)
        if name in (self._name_of(role) for role in self._space_roles()):
            raise InvalidValue(name="extra space", value=f"{kind}={spec}", reason=f"there is already a space {name}")
        self._specs[name] = (kind, spec)
        self._models[name] = model

    def _model_of(self, kind: str, spec: str) -> Loadable:
        if (kind, spec) not in self._shared:
            self._shared[kind, spec] = families.make(kind, spec, self.settings, self.purpose)
        return self._shared[kind, spec]

    @property
    def parts(self) -> dict[tuple[str, str], Loadable]:
        """The models by (kind, spec), for another choice's `shared`."""
        return {self._specs[role]: model for role, model in self._models.items()}

    @property
    def spaces(self) -> dict[str, Space]:
        """The vector spaces by role, without loading weights: "text", "vision", "caption" with a captioner,
        "multilingual" with a second text model, and each extra space by its name.

        Raises WeightsMissing for a model that is neither pinned nor on this machine.
        """
        found = {role: _space(*self._specs[role], self._models[role]) for role in self._space_roles()}
        if self.choice.caption:
            text = found["text"]
            found["caption"] = replace(text, name=_caption_space(text.name))
        return found

    def speech(self) -> SpeechRecognizer | None:
        """The recogniser; None for the purpose "query"."""
        return cast(SpeechRecognizer, self._models["speech"]) if self.purpose == "ingest" else None

    def text(self) -> TextEncoder:
        """The primary text encoder."""
        return cast(TextEncoder, self._models["text"])

    def vision(self) -> ImageTextEncoder:
        """The primary image encoder."""
        return cast(ImageTextEncoder, self._models["vision"])

    def captioner(self) -> Captioner | None:
        """The captioner; None if the choice has none, and for the purpose "query"."""
        return cast(Captioner | None, self._models.get("caption")) if self.purpose == "ingest" else None

    def reader(self) -> TextReader | None:
        """The reader of text in images; None if the choice has none, and for the purpose "query"."""
        return cast(TextReader | None, self._models.get("ocr")) if self.purpose == "ingest" else None

    def encoder(self, space_name: str) -> TextEncoder | ImageTextEncoder:
        """The encoder of a space, by the name of the space or its role. Needs no weights.

        Captions are encoded by the text model. Raises UnknownName for a space that the choice does not have.
        """
        names = {self._name_of(role): role for role in self._space_roles()}
        if self.choice.caption:
            names |= {_caption_space(self._name_of("text")): "text", "caption": "text"}
        role = names.get(space_name, space_name)
        if role not in self._space_roles():
            raise UnknownName(kind="space", name=space_name, known=", ".join(names))
        return cast(TextEncoder | ImageTextEncoder, self._models[role])

    def warm(self, roles: Iterable[str] = ("text", "vision")) -> threading.Thread:
        """Load the models of these roles in a background thread, which is returned. Raises UnknownName.

        A model that cannot be loaded is logged, and raises its error where it is used.
        """
        wanted = [(role, self._model(role)) for role in roles]

        def load_all() -> None:
            for role, model in wanted:
                try:
                    model.load()
                except HeimdexError as error:
                    _log.warning("The %s model was not loaded: %s", role, error)

        # Not a daemon: Python ends those wherever they are, and in the middle of C++ that aborts the process.
        thread = threading.Thread(target=load_all, name="warm-models")
        thread.start()
        return thread

    def describe(self) -> list[dict[str, Any]]:
        """`describe` of each model with its role, for `doctor` and the settings page."""
        return [
            {**describe(kind, spec, self._models[role]), "role": role} for role, (kind, spec) in self._specs.items()
        ]

    def _space_roles(self) -> list[str]:
        return [role for role, (kind, _) in self._specs.items() if kind in ("text", "vision")]

    def _name_of(self, role: str) -> str:
        """The name of a role's space."""
        return _space_name(*self._specs[role], self._models[role])

    def _model(self, role: str) -> Loadable:
        if role not in self._models:
            raise UnknownName(kind="kind of model", name=role, known=", ".join(self._models))
        return self._models[role]


def describe(kind: str, spec: str, model: Loadable) -> dict[str, Any]:
    """A model as JSON values. Its files are checked, but nothing is loaded.

    {kind, spec, name, revision, state ("ready", "missing" or "broken"), loaded, dim (None where there are no vectors),
    size_bytes, licence, note, error (None, or the error as JSON)}
    """
    state, note, size_bytes, problem = "ready", "", 0, None
    try:
        model.check()
        size_bytes = model.size_bytes
    except ModelError as error:
        state = "missing" if isinstance(error, ModelUnavailable) else "broken"
        note, problem = error.message, error.to_dict()
    name, revision, dim = spec.partition(":")[2], "", None
    try:
        if kind in ("text", "vision"):
            space = _space(kind, spec, model)
            name, revision, dim = space.model, space.revision, space.dim
        else:
            named = cast(SpeechRecognizer | Captioner | TextReader, model)
            name, revision = named.name, named.revision
    except ModelError:
        pass  # the note already says what is wrong
    return {
        "kind": kind,
        "spec": spec,
        "name": name,
        "revision": revision,
        "state": state,
        "loaded": model.is_loaded,
        "dim": dim,
        "size_bytes": size_bytes,
        "licence": families.licence_of(kind, spec),
        "note": note,
        "error": problem,
    }


def _space(kind: str, spec: str, model: Loadable) -> Space:
    return families.known_space(kind, spec) or cast(TextEncoder | ImageTextEncoder, model).space


def _space_name(kind: str, spec: str, model: Any) -> str:
    """The name of the model's space, known without its files."""
    known = families.known_space(kind, spec)
    return known.name if known else f"{kind}/{model.name}"


def _caption_space(text_space: str) -> str:
    return f"caption/{text_space.partition('/')[2]}"
