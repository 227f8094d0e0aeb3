"""From a spec string to a model. Every model is made once per process and loads at its first use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from heimdex_core.errors import HeimdexError, ModelBroken, ModelError, ModelUnavailable, UnknownName
from heimdex_core.models import families, minilm
from heimdex_core.models.base import ImageTextEncoder, SpeechRecognizer, TextEncoder
from heimdex_core.models.minilm import MiniLM
from heimdex_core.models.palette import layout as palette_layout
from heimdex_core.models.palette.encoder import Palette
from heimdex_core.models.pocketsphinx_recognizer import PocketsphinxRecognizer
from heimdex_core.models.profiles import KINDS, ModelChoice, choose_profile
from heimdex_core.settings import Settings
from heimdex_core.types import Space

__all__ = ["KINDS", "ModelChoice", "Models", "choose_profile"]

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
}
_SPACES: dict[str, Space] = {"minilm:all-MiniLM-L6-v2": minilm.SPACE, "palette:1": palette_layout.SPACE}


class Models:
    """The models of one choice. Safe to share between threads."""

    def __init__(self, choice: ModelChoice, settings: Settings) -> None:
        """Makes the models without loading them. UnknownName where a spec is not known."""
        self.choice = choice
        self.settings = settings
        self._models: dict[str, Loadable] = {kind: _make(kind, choice.spec(kind), settings) for kind in KINDS}

    @property
    def spaces(self) -> dict[str, Space]:
        """The vector spaces by kind, "text" and "vision", known without loading weights.

        A model that is not pinned is known by its files: WeightsMissing where they are not there.
        """
        return {kind: self._space(kind) for kind in ("text", "vision")}

    def speech(self) -> SpeechRecognizer | None:
        """The recogniser; None where the profile has none."""
        return cast(SpeechRecognizer, self._models["speech"])

    def text(self) -> TextEncoder:
        return cast(TextEncoder, self._models["text"])

    def vision(self) -> ImageTextEncoder:
        return cast(ImageTextEncoder, self._models["vision"])

    def warm(self, kinds: Iterable[str] = ("text", "vision")) -> threading.Thread:
        """Load these kinds in the background; the thread is returned for whoever wants to wait.

        A model that cannot be loaded is logged, and raises its error again where it is used.
        """
        wanted = [(kind, self._model(kind)) for kind in kinds]

        def load_all() -> None:
            for kind, model in wanted:
                try:
                    model.load()
                except HeimdexError as error:
                    _log.warning("The %s model was not loaded: %s", kind, error)

        thread = threading.Thread(target=load_all, name="warm-models", daemon=True)
        thread.start()
        return thread

    def describe(self) -> list[dict[str, Any]]:
        """One row a model for `doctor` and the settings page; files are checked, nothing is loaded.

        {kind, name, revision, state ("ready", "missing" or "broken"), loaded, dim (None for speech), size_bytes,
        licence, note}
        """
        return [self._describe(kind, model) for kind, model in self._models.items()]

    def _describe(self, kind: str, model: Loadable) -> dict[str, Any]:
        state, note, size_bytes = "ready", "", 0
        try:
            model.check()
            size_bytes = model.size_bytes
        except ModelUnavailable as error:
            state, note = "missing", error.message
        except ModelBroken as error:
            state, note = "broken", error.message
        if kind == "speech":
            recogniser = cast(SpeechRecognizer, model)
            name, revision, dim = recogniser.name, recogniser.revision, None
            note = note or ("rough: about every second word may be wrong" if recogniser.rough else "")
        else:
            try:
                space = self._space(kind)
                name, revision, dim = space.model, space.revision, space.dim
            except ModelError:
                # what is wrong is in the note already
                name, revision, dim = self.choice.spec(kind).partition(":")[2], "", None
        return {
            "kind": kind,
            "name": name,
            "revision": revision,
            "state": state,
            "loaded": model.is_loaded,
            "dim": dim,
            "size_bytes": size_bytes,
            "licence": model.licence,
            "note": note,
        }

    def _space(self, kind: str) -> Space:
        known = _SPACES.get(self.choice.spec(kind))
        return known or cast(TextEncoder | ImageTextEncoder, self._models[kind]).space

    def _model(self, kind: str) -> Loadable:
        if kind not in self._models:
            raise UnknownName(kind="kind of model", name=kind, known=", ".join(KINDS))
        return self._models[kind]


def _make(kind: str, spec: str, settings: Settings) -> Loadable:
    makers = _MAKERS[kind]
    if spec in makers:
        return makers[spec](settings)
    found = families.make(kind, spec, settings)
    if found is None:
        known = (*makers, *(f"{family}:NAME" for family in families.FAMILIES[kind]))
        raise UnknownName(kind=f"{kind} model", name=spec, known=", ".join(known))
    return found
