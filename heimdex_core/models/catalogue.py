"""Which repositories a model takes, and whether its files are on this machine. Nothing here uses the network.

Looking is quick: it asks for the files' names, not for their content, and imports neither torch nor a model's
library (open_clip's list of names is the exception, for names that are not in a profile).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import ModelBroken, WeightsMissing
from heimdex_core.models import locate as where
from heimdex_core.models.speech.whisper import NEEDS as WHISPER_NEEDS
from heimdex_core.models.speech.whisper import SIZES
from heimdex_core.models.text.sentence import KNOWN as SENTENCES
from heimdex_core.models.text.sentence import NEEDS as SENTENCE_NEEDS
from heimdex_core.models.vision import openclip_files

_log = logging.getLogger(__name__)

FAMILY_OF = {"speech": "whisper", "text": "sentence", "vision": "openclip", "caption": "openclip"}
LICENCE_UNKNOWN = "see the model's page"


@dataclass(frozen=True)
class Wanted:
    """A repository "org/name" that a model takes. `files` is empty where its listing must be looked at first."""

    repo: str
    kind: str
    spec: str
    files: tuple[str, ...] = ()
    file: str | None = None
    """The weights' own name where several models share a repository."""
    unless: str = ""
    """Not needed where the model's first repository has this file."""
    revision: str | None = None
    licence: str = LICENCE_UNKNOWN
    size_bytes: int = 0
    """What a download takes, about; 0 where that is not known before the hub was asked."""


def wanted(kind: str, spec: str) -> tuple[Wanted, ...]:
    """The repositories of `spec`; none for a model that comes as a package and for a person's own folder.

    Raises UnknownName, with the nearest ones, for a name that its family does not know.
    """
    family, _, name = spec.partition(":")
    if family == "whisper":
        return () if _is_path(name) else (_main(SIZES.get(name, name), kind, spec, _checked(name)),)
    if family == "sentence":
        return () if _is_path(name) else (_main(name, kind, spec, name.count("/") == 1 or None),)
    if family != "openclip" or name.startswith(openclip_files.LOCAL):
        return ()
    found = openclip_files.parse(name)
    main = _main(found.repo or "", kind, spec, True, found.file)
    if main.files:
        return (main,)
    others = openclip_files.other_repos(found).items()
    # an architecture of transformers is described by its own repository; a mere tokenizer may lie beside the weights
    return (
        main,
        *(
            Wanted(repo, kind, spec, files, unless="" if "config.json" in files else "tokenizer.json")
            for repo, files in others
        ),
    )


def find(kind: str, spec: str, models_dir: Path | None) -> where.Weights | None:
    """Where a model's weights are; None for one that comes as a package. Raises WeightsMissing, ModelBroken."""
    family, _, name = spec.partition(":")
    if family == "whisper":
        return _found(SIZES.get(name, name), name, WHISPER_NEEDS, models_dir)
    if family == "sentence":
        return _found(name, name, SENTENCE_NEEDS, models_dir)
    if family != "openclip":
        return None
    files = openclip_files.find(openclip_files.parse(name), models_dir)
    openclip_files.tokenizer_folder(files, models_dir)
    return where.Weights(files.folder, files.revision)


def is_there(kind: str, spec: str, models_dir: Path | None) -> bool:
    """True where `find` finds it whole, or nothing needs to be found. Damaged files are told in the log."""
    try:
        find(kind, spec, models_dir)
    except WeightsMissing:
        return False
    except ModelBroken as error:
        _log.warning("%s", error)
        return False
    return True


def by_name(name: str) -> tuple[str, str]:
    """(kind, spec) of a model that a person names: "whisper:small", "small", "BAAI/bge-m3" or an open_clip name.

    The kind is "" for a repository of which only its files can tell what it is. UnknownName for other words.
    """
    family, colon, rest = name.partition(":")
    if colon and rest and family in FAMILY_OF.values():
        kind = next(kind for kind, its in FAMILY_OF.items() if its == family)
        return ("caption" if family == "openclip" and rest.startswith("coca") else kind), name
    if name in SIZES:
        return "speech", f"whisper:{name}"
    if name in SENTENCES:
        return "text", f"sentence:{name}"
    if name in openclip_files.REPOS:
        return "vision", f"openclip:{name}"
    owner = next((spec for spec, repo in _PROFILE_REPOS.items() if repo == name), None)
    if owner:
        return ("speech" if owner.startswith("whisper:") else "vision"), owner
    if name.count("/") == 1 and _is_open_clip(name):
        return ("caption" if name.startswith("coca") else "vision"), f"openclip:{name}"
    if name.count("/") == 1 and not _is_path(name):
        return "", name
    raise where.unknown("model", name, known_names())


def known_names() -> list[str]:
    """Names that are offered where one is nearly right."""
    return [*SIZES, *SENTENCES, *openclip_files.REPOS]


def _main(repo: str, kind: str, spec: str, is_known: bool | None, file: str | None = None) -> Wanted:
    pin = where.PINNED.get(repo)
    if pin:
        return Wanted(
            repo, kind, spec, pin.files, revision=pin.revision, licence=pin.licence, size_bytes=pin.size_bytes
        )
    if not is_known:
        raise where.unknown(f"{kind} model", spec.partition(":")[2], known_names())
    return Wanted(repo, kind, spec, file=file)


def _checked(size: str) -> bool:
    return size in SIZES or size.count("/") == 1


def _found(repo: str, name: str, needs: where.Needs, models_dir: Path | None) -> where.Weights:
    if _is_path(name):
        return where.at(Path(name).expanduser(), needs, name=name)
    return where.find(repo, needs, name=name, models_dir=models_dir)


def _is_path(name: str) -> bool:
    path = Path(name).expanduser()
    return path.is_absolute() or name.startswith(".") or path.is_dir()


def _is_open_clip(name: str) -> bool:
    architecture, _, tag = name.rpartition("/")
    return (architecture, tag.lower().replace("-", "_")) in openclip_files.pretrained()


_PROFILE_REPOS = {
    **{f"whisper:{size}": repo for size, repo in SIZES.items()},
    **{f"openclip:{name}": repo for name, repo in openclip_files.REPOS.items()},
}
