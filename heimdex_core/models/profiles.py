"""Which models go together, and which of these choices suits this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from heimdex_core.errors import InvalidValue, ProfileWeightsMissing, UnknownName
from heimdex_core.models import families
from heimdex_core.models.device import gpu_count
from heimdex_core.settings import Settings

KINDS = ("speech", "text", "vision")
"""The kinds of models that every choice has."""
EXTRA_KINDS = ("text", "vision")
"""The kinds of which a choice can have several models."""
OPTIONAL_KINDS = ("caption", "ocr")
"""The kinds of models that a choice may go without."""
ALL_KINDS = (*KINDS, *OPTIONAL_KINDS)


@dataclass(frozen=True)
class ModelChoice:
    """One model of each kind, by specs FAMILY:NAME."""

    name: str
    """Of the profile, or CUSTOM."""
    reason: str
    """Why it was chosen, one of REASONS."""
    speech: str
    text: str
    vision: str
    caption: str = ""
    """Empty where images get no captions."""
    extra: tuple[str, ...] = ()
    """Further vector spaces to compare with, each as "text=SPEC" or "vision=SPEC"."""
    multilingual: str = ""
    """A second text model, for what is said or asked in languages that `text` does not read; empty for none."""
    ocr: str = ""
    """Reads the text in images; empty where nothing does. It belongs to no profile."""

    def to_dict(self) -> dict[str, Any]:
        """The choice as JSON values, as library.json has it."""
        return {**asdict(self), "extra": list(self.extra)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ModelChoice:
        """The choice that `to_dict` described, also in a version without all of the fields."""
        needed = {name: str(data[name]) for name in ("name", "reason", *KINDS)}
        extra = tuple(str(one) for one in data.get("extra") or ())
        optional = {name: str(data.get(name) or "") for name in ("caption", "ocr", "multilingual")}
        return ModelChoice(**needed, **optional, extra=extra)

    def spec(self, kind: str) -> str:
        """The spec for "speech", "text", "vision", "caption" or "ocr". Raises UnknownName for another kind."""
        if kind not in ALL_KINDS:
            raise UnknownName(kind="kind of model", name=kind, known=", ".join(ALL_KINDS))
        return str(getattr(self, kind))

    @property
    def specs(self) -> tuple[tuple[str, str], ...]:
        """(kind, spec) of every model: the primary ones, captioner, reader, multilingual one, extra ones."""
        primary = [(kind, self.spec(kind)) for kind in ALL_KINDS if self.spec(kind)]
        return tuple(dict.fromkeys((*primary, *self._second, *self.extras)))

    @property
    def searched(self) -> tuple[tuple[str, str], ...]:
        """(kind, spec) of the models whose spaces every search uses."""
        return (*((kind, self.spec(kind)) for kind in EXTRA_KINDS), *self._second)

    @property
    def _second(self) -> tuple[tuple[str, str], ...]:
        return (("text", self.multilingual),) if self.multilingual else ()

    def with_models(self, **named: str) -> ModelChoice:
        """The choice with other models by kind, called CUSTOM if one of a profile differs.

        Another text model takes the place of both: it was chosen for all that is said.
        """
        changes: dict[str, Any] = {kind: spec for kind, spec in named.items() if spec != self.spec(kind)}
        if not changes:
            return self
        if set(changes) == {"ocr"}:
            return replace(self, **changes)
        if "text" in changes:
            changes["multilingual"] = ""
        return replace(self, name=CUSTOM, reason="models_by_name", **changes)

    @property
    def extras(self) -> tuple[tuple[str, str], ...]:
        """(kind, spec) of each extra space. Raises InvalidValue where one is not KIND=SPEC."""
        found = []
        for one in self.extra:
            kind, equals, spec = one.partition("=")
            if kind not in EXTRA_KINDS or not equals or not spec:
                raise InvalidValue(
                    name="extra space", value=one, reason="write text=SPEC or vision=SPEC, as in text=sentence:NAME"
                )
            found.append((kind, spec))
        return tuple(dict.fromkeys(found))


PROFILES: dict[str, dict[str, str]] = {
    "offline": {
        "speech": "whisper:tiny.en",
        "text": "minilm:all-MiniLM-L6-v2",
        "multilingual": "use:multilingual-3",
        "vision": "palette:1",
    },
    "laptop": {
        "speech": "whisper:small",
        "text": "sentence:intfloat/multilingual-e5-small",
        "vision": "openclip:ViT-B-16-SigLIP2/webli",
    },
    "studio": {
        "speech": "whisper:large-v3-turbo",
        "text": "sentence:BAAI/bge-m3",
        "vision": "openclip:ViT-SO400M-14-SigLIP/webli",
    },
}
"""The models by the fields of ModelChoice. By hardware requirements, the lowest first."""
EARLIER: dict[str, tuple[dict[str, str], ...]] = {
    "offline": ({"speech": "pocketsphinx:en-us", "text": "minilm:all-MiniLM-L6-v2", "vision": "palette:1"},),
}
"""What profiles had in earlier versions. A library that was made with one of them opens under the same name."""
CUSTOM = "custom"
"""Name of a choice in which a model was chosen by its name."""

REASONS = {
    "asked": "it was asked for",
    "gpu_and_weights": "there is a GPU, and its models are on this machine",
    "gpu_laptop_weights": "there is a GPU, but only the smaller models are on this machine",
    "gpu_no_weights": "there is a GPU, but no larger models are on this machine",
    "weights_no_gpu": "there is no GPU, and its models are on this machine",
    "no_weights": "it needs no download, and no larger models are on this machine",
    "no_accelerator_weights": "it needs no download, and no larger models were on this machine",
    "models_by_name": "models were chosen by name",
}
"""The codes of a choice's `reason`, in English."""


@dataclass(frozen=True)
class StepUp:
    """A profile that would suit this machine better, and how much of it would have to be downloaded."""

    profile: str
    missing: tuple[str, ...]
    """Specs of the models that are not on this machine."""
    bytes_total: int
    bytes_missing: int


def choose_profile(
    asked: str,
    settings: Settings | None = None,
    *,
    speech: str | None = None,
    text: str | None = None,
    vision: str | None = None,
    caption: str | None = None,
    ocr: str | None = None,
) -> ModelChoice:
    """The models to use.

    Args:
        asked: a profile's name, or "auto" for the best one whose models are on this machine. Never uses the network.
        settings: HEIMDEX_ settings; None to read them from the environment.
        speech, text, vision, caption, ocr: specs that replace those of the profile; None for the settings'
            (`speech_model` and so on).

    Raises UnknownName for another name, ProfileWeightsMissing for models that are not on this machine, and
    ModelFolderUnusable for a folder without a model.
    """
    settings = settings or Settings()
    choice = _auto(settings) if asked == "auto" else profile_choice(asked)
    choice = _with_names(choice, settings, speech=speech, text=text, vision=vision, caption=caption, ocr=ocr)
    missing = missing_of(choice, settings)
    if missing:
        raise _missing_error(choice, missing)
    return choice


def profile_choice(name: str, reason: str = "asked") -> ModelChoice:
    """The models of a profile, whether they are on this machine or not. Raises UnknownName."""
    if name not in PROFILES:
        raise UnknownName(kind="profile", name=name, known=", ".join(("auto", *PROFILES)))
    return _choice_of(name, reason, PROFILES[name])


def _choice_of(name: str, reason: str, models: Mapping[str, str]) -> ModelChoice:
    return ModelChoice.from_dict({"name": name, "reason": reason, **models})


def is_as_asked(choice: ModelChoice, asked: str, settings: Settings) -> bool:
    """Whether `choice` is the profile `asked` with the models named in the settings. Does not look at the disk."""
    if asked in ("auto", choice.name):
        return True
    versions = [models for models in (PROFILES.get(asked), *EARLIER.get(asked, ())) if models is not None]
    chosen = [_with_names(_choice_of(asked, "asked", models), settings) for models in versions]
    return any(one.specs == choice.specs for one in chosen)


def missing_of(choice: ModelChoice, settings: Settings) -> list[tuple[str, str]]:
    """The (kind, spec) of the choice's models that are not on this machine."""
    return [one for one in choice.specs if not families.is_there(*one, settings.models_dir)]


def step_up(choice: ModelChoice, settings: Settings) -> StepUp | None:
    """The profile that would suit this machine better than `choice`; None if there is none, or for CUSTOM."""
    order = list(PROFILES)
    better = "studio" if _has_gpu(settings) else "laptop"
    if choice.name not in order or order.index(choice.name) >= order.index(better):
        return None
    wanted = profile_choice(better)
    missing = missing_of(wanted, settings)
    return StepUp(better, tuple(spec for _, spec in missing), download_bytes(wanted.specs), download_bytes(missing))


def download_bytes(specs: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> int:
    """Approximate size of a download of (kind, spec) pairs; models of unknown size count 0."""
    return sum(one.size_bytes for kind, spec in specs for one in families.repositories(kind, spec))


def gigabytes(size_bytes: int) -> float:
    """Gigabytes (1e9), rounded to one decimal, for messages."""
    return round(size_bytes / 1e9, 1)


def _auto(settings: Settings) -> ModelChoice:
    has_gpu = _has_gpu(settings)
    with_gpu = (("studio", "gpu_and_weights"), ("laptop", "gpu_laptop_weights"))
    for name, reason in with_gpu if has_gpu else (("laptop", "weights_no_gpu"),):
        choice = profile_choice(name, reason)
        if not missing_of(choice, settings):
            return choice
    return profile_choice("offline", "gpu_no_weights" if has_gpu else "no_weights")


def _has_gpu(settings: Settings) -> bool:
    return settings.device != "cpu" and gpu_count() > 0


def _with_names(choice: ModelChoice, settings: Settings, **given: str | None) -> ModelChoice:
    named = {kind: given.get(kind) or getattr(settings, f"{kind}_model") for kind in ALL_KINDS}
    return choice.with_models(**{kind: spec for kind, spec in named.items() if spec})


def _missing_error(choice: ModelChoice, missing: list[tuple[str, str]]) -> ProfileWeightsMissing:
    for kind, spec in missing:
        if not families.repositories(kind, spec):
            families.find(kind, spec, None)  # a local folder: this error is about the folder
    is_profile = choice.name in PROFILES
    return ProfileWeightsMissing(
        profile=choice.name if is_profile else "This choice of models",
        missing=", ".join(spec for _, spec in missing),
        size_gb=gigabytes(download_bytes(missing)) or "?",
        pull=choice.name if is_profile else " ".join(spec for _, spec in missing),
    )
