"""The families of models, and what they know about a spec such as "whisper:small" or "sentence:BAAI/bge-m3".

Finding files is quick: it looks at names and not at contents, never uses the network, and imports neither torch nor a
model's library (except open_clip's list of names, for a name that is in no profile).

A new family is a file with a ModelFamily and one line in FAMILIES.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from heimdex_core.errors import ModelBroken, UnknownName, WeightsMissing
from heimdex_core.models.base import Loadable
from heimdex_core.models.faces import sface, yunet
from heimdex_core.models.family import (
    LICENCE_UNKNOWN,
    HubFiles,
    ModelFamily,
    Purpose,
    Repository,
    check_name,
    is_folder,
    is_repository,
    unknown_name,
)
from heimdex_core.models.locate import Weights
from heimdex_core.models.ocr import rapid
from heimdex_core.models.palette import encoder as palette
from heimdex_core.models.speech import replaced, whisper
from heimdex_core.models.text import minilm, sentence, use
from heimdex_core.models.vision import captioner, openclip
from heimdex_core.settings import Settings
from heimdex_core.types import Space

FAMILIES: tuple[ModelFamily, ...] = (
    whisper.FAMILY,
    openclip.FAMILY,
    captioner.FAMILY,
    yunet.FAMILY,
    sface.FAMILY,
    rapid.FAMILY,
    sentence.FAMILY,
    replaced.FAMILY,
    minilm.FAMILY,
    use.FAMILY,
    palette.FAMILY,
)
"""Of several families that could have a name or a repository, the first one gets it."""

_log = logging.getLogger(__name__)


# --- by kind and spec -----------------------------------------------------------------------------


def family_of(kind: str, spec: str) -> ModelFamily | None:
    """The family of a spec, by the part before its colon; None where no family of this kind has that name."""
    prefix = spec.partition(":")[0]
    return next((one for one in FAMILIES if one.kind == kind and one.name == prefix), None)


def make(kind: str, spec: str, settings: Settings, purpose: Purpose = "ingest") -> Loadable:
    """The model of a spec FAMILY:NAME, without its weights; with fewer threads for the purpose "query".

    Raises UnknownName, with the families of the kind or with similar names of the family; InvalidValue as check_name.
    """
    check_name(spec)
    family, name = family_of(kind, spec), spec.partition(":")[2]
    if family is None or not name or (family.hub is None and name not in family.names):
        own = [one for one in FAMILIES if one.kind == kind]
        known = [f"{one.name}:{name}" for one in own if one.hub is None and one.is_offered for name in one.names]
        known += [f"{one.name}:NAME" for one in own if one.hub]
        raise UnknownName(kind=f"{kind} model", name=spec, known=", ".join(known))
    return family.make(name, settings, purpose)


def known_space(kind: str, spec: str) -> Space | None:
    """The vector space of a model whose space is fixed; None where the model itself has to be asked."""
    family = family_of(kind, spec)
    return family.spaces.get(spec.partition(":")[2]) if family else None


def licence_of(kind: str, spec: str) -> str:
    """The licence of a model, or LICENCE_UNKNOWN. Raises UnknownName."""
    family, needed = family_of(kind, spec), repositories(kind, spec)
    stated = needed[0].licence if needed else LICENCE_UNKNOWN
    return family.licence if family and stated == LICENCE_UNKNOWN else stated


def repositories(kind: str, spec: str) -> tuple[Repository, ...]:
    """The repositories that a model needs; none if it comes with a package or is a local folder.

    Raises UnknownName, InvalidValue.
    """
    hub = _hub_of(kind, spec)
    return hub.repositories(spec.partition(":")[2]) if hub else ()


def find(kind: str, spec: str, models_dir: Path | None) -> Weights | None:
    """The files of a model; None if it comes with a package.

    `models_dir` is HEIMDEX_MODELS_DIR; None for the default folder. Raises WeightsMissing, ModelBroken, UnknownName,
    InvalidValue.
    """
    hub = _hub_of(kind, spec)
    return hub.find(spec.partition(":")[2], models_dir) if hub else None


def is_there(kind: str, spec: str, models_dir: Path | None) -> bool:
    """Whether `find` finds all files, or none are needed. Damaged files are logged."""
    try:
        find(kind, spec, models_dir)
    except WeightsMissing:
        return False
    except ModelBroken as error:
        _log.warning("%s", error)
        return False
    return True


# --- by what users write --------------------------------------------------------------------------


def known_names() -> list[str]:
    """Names to suggest for an unknown one: plain ones, specs of models that come with packages, repositories."""
    names = [name for family in FAMILIES if family.hub for name in family.names]
    names += [f"{one.name}:{name}" for one in FAMILIES if one.hub is None and one.is_offered for name in one.names]
    return list(dict.fromkeys([*names, *(repo for family in FAMILIES for repo in family.names.values() if repo)]))


def by_name(name: str) -> tuple[str, str]:
    """The (kind, spec) of "whisper:small", "small", a repository "org/name" or a name of open_clip's.

    For a repository whose kind only its files can tell, the kind is "" and the spec is the repository. Raises
    UnknownName for anything else, InvalidValue as check_name.
    """
    check_name(name)
    prefix, _, rest = name.partition(":")
    for family in FAMILIES:
        if family.name == prefix and family.has(rest):
            return family.kind, name
    for family, _ in _with_hub():
        if name in family.names:
            return family.kind, f"{family.name}:{name}"
    for family, _ in _with_hub():
        for known, repo in family.names.items():
            if repo == name:
                return family.kind, f"{family.name}:{known}"
    if not is_repository(name):  # open_clip's names have this form too
        raise unknown_name("model", name, known_names())
    for family, hub in _with_hub():
        if hub.lists(name):
            return family.kind, f"{family.name}:{name}"
    if is_folder(name):
        raise unknown_name("model", name, known_names())
    return "", name


def spec_of(kind: str, text: str) -> str:
    """What a user wrote for a model of a kind, as a spec: "BAAI/bge-m3" for text is "sentence:BAAI/bge-m3".

    "" stays "", and so does a text with the name of a family. A folder gets the family's prefix for folders.
    """
    text = text.strip()
    if not text or text.partition(":")[0] in {family.name for family in FAMILIES}:
        return text
    family, hub = next((family, hub) for family, hub in _with_hub() if family.kind == kind)
    is_path = text.startswith(("/", "~", "."))
    return f"{family.name}:{hub.folder_prefix if is_path else ''}{text}"


# --- by repository --------------------------------------------------------------------------------


def recognised(file_names: Collection[str]) -> tuple[ModelFamily, HubFiles]:
    """The family whose models a repository with these files holds."""
    return next((family, hub) for family, hub in _with_hub() if hub.recognises(file_names))


def on_this_machine(repo: str, models_dir: Path | None) -> tuple[str, str]:
    """The (kind, spec) under which a repository of unknown kind is on this machine; a text model's where it is not."""
    specs = [(one.kind, f"{one.name}:{repo}") for one, hub in _with_hub() if not hub.folder_prefix]
    return next((spec for spec in specs if is_there(*spec, models_dir)), ("text", f"{sentence.FAMILY.name}:{repo}"))


def is_packaged(kind: str, spec: str) -> bool:
    """Whether a model's files come with a Python package."""
    family = family_of(kind, spec)
    return family is not None and family.is_packaged(spec.partition(":")[2])


def _hub_of(kind: str, spec: str) -> HubFiles | None:
    check_name(spec)
    family = family_of(kind, spec)
    return None if family is None or is_packaged(kind, spec) else family.hub


def _with_hub() -> Iterator[tuple[ModelFamily, HubFiles]]:
    return ((family, family.hub) for family in FAMILIES if family.hub)
