"""What the package knows about a family of models: the part of a spec before its colon, and what that implies.

An adapter file defines a ModelFamily beside its class, and one line in `families.FAMILIES` makes it usable.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.models import locate
from heimdex_core.models.base import Loadable, ModelOptions
from heimdex_core.models.locate import LICENCE_UNKNOWN, Repository
from heimdex_core.models.threads import Work, threads_for
from heimdex_core.settings import Settings
from heimdex_core.types import Space

Kind = Literal["speech", "text", "vision", "caption", "face", "face_encoder", "ocr"]
Purpose = Literal["ingest", "query"]
"""A process that only answers queries shares the machine with a worker and gets fewer threads."""
MAX_NAME_CHARS = 1000
_REPOSITORY = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class HubFiles:
    """How a family names, finds and downloads the files of its models.

    In all functions a name is the part of a spec after the colon, and a file name is relative to its repository.
    """

    repositories: Callable[[str], tuple[Repository, ...]]
    """The repositories that a name needs, the one with the weights first; none for a local folder. UnknownName."""
    find: Callable[[str, Path | None], locate.Weights]
    """The files of a name on this machine, given the models folder. Raises WeightsMissing, ModelBroken."""
    select: Callable[[Sequence[str], str | None], set[str]]
    """The files to download from a listing, given the name of the weights where the repository has several."""
    needs: Callable[[str | None], locate.Needs]
    """The files without which a repository has no model of this family, given the same name of the weights."""
    recognises: Callable[[Collection[str]], bool]
    """Whether a repository with these files holds a model of this family."""
    accepts: Callable[[str], bool] = lambda name: True
    """Whether the name belongs to this family, where two kinds of models share a prefix."""
    lists: Callable[[str], bool] = lambda name: False
    """Whether a name without a prefix belongs to this family. Asked last, as it may import the model's library."""
    folder_prefix: str = ""
    """Precedes a folder's path in a name. A family with a prefix has names of its own, not those of repositories."""


@dataclass(frozen=True)
class ModelFamily:
    """Models that one adapter reads. `name` is the part of their specs before the colon."""

    name: str
    kind: Kind
    make: Callable[[str, Settings, Purpose], Loadable]
    """The model of a name, without its weights. Raises UnknownName."""
    names: Mapping[str, str]
    """Known names with their repositories; "" for a model that comes with a package."""
    licence: str = LICENCE_UNKNOWN
    """Licence of the family's models, unless their repository states its own."""
    spaces: Mapping[str, Space] = field(default_factory=dict)
    """Vector spaces by name, of models whose space is fixed. The others have a `name`: their space is KIND/NAME."""
    hub: HubFiles | None = None
    """How its files are found and downloaded; None where all models come with packages and `names` has them all."""
    is_offered: bool = True
    """False for models of earlier versions: libraries may still use them, but nobody is told their names."""

    def is_packaged(self, name: str) -> bool:
        """Whether the files of `name`, the part of a spec after the colon, come with a Python package."""
        return self.hub is None or self.names.get(name) == ""

    def has(self, name: str) -> bool:
        """Whether `name`, the part of a spec after the colon, can be a model of this family."""
        return bool(name) and (self.hub.accepts(name) if self.hub else name in self.names)


def is_repository(name: str) -> bool:
    """Whether `name` has the form of a repository, "org/name"."""
    return _REPOSITORY.fullmatch(name) is not None


def is_folder(name: str) -> bool:
    """Whether a model's name is the path of a folder: absolute, starting with a dot, or one that exists."""
    try:
        path = Path(name).expanduser()
        return path.is_absolute() or name.startswith(".") or path.is_dir()
    except (OSError, RuntimeError):  # a part that is too long, the home of a user who does not exist
        return False


def check_name(name: str) -> str:
    """Return a model's name as a user wrote it, whole or without its family.

    Raises InvalidValue where it is longer than MAX_NAME_CHARS, has control characters, or a path with "..".
    """
    reason = None
    if len(name) > MAX_NAME_CHARS:
        reason = f"it has {len(name)} characters, more than {MAX_NAME_CHARS}"
    elif not name.isprintable():
        reason = "it has control characters"
    elif ".." in re.split(r"[/\\:]", name):
        reason = "it has a part '..'; write a folder with its full path"
    if reason:
        raise InvalidValue(name="model", value=repr(name[:200])[1:-1], reason=reason)
    return name


def repository_files(
    kind: Kind,
    *,
    names: Mapping[str, str],
    pinned: Mapping[str, Repository],
    needs: locate.Needs,
    select: Callable[[Sequence[str]], set[str]],
    recognises: Callable[[Collection[str]], bool],
) -> HubFiles:
    """The files of a family whose names are those in `names`, repositories "org/name" and folders.

    A name with the repository "" comes with a package, and its family finds the files. `repositories` raises
    UnknownName, with similar names, for any other word.
    """

    def repositories(name: str) -> tuple[Repository, ...]:
        if is_folder(name) or names.get(name) == "":
            return ()
        if name not in names and not is_repository(name):
            raise unknown_name(f"{kind} model", name, names)
        repo = names.get(name, name)
        return (pinned.get(repo, Repository(repo)),)

    def find(name: str, models_dir: Path | None) -> locate.Weights:
        for one in repositories(name):
            return locate.find(one.repo, needs, name=name, models_dir=models_dir, revision=one.revision)
        return locate.at(Path(name).expanduser(), needs, name=name)

    return HubFiles(repositories, find, lambda names, file: select(names), lambda file: needs, recognises)


def adapter_options(settings: Settings, purpose: Purpose, work: Work) -> ModelOptions:
    """The options of an adapter by the settings, with the threads for its purpose or kind of work."""
    threads = threads_for("query" if purpose == "query" else work, asked=settings.worker_threads)
    return ModelOptions(models_dir=settings.models_dir, device=settings.device, threads=threads)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for an unknown name, with up to six similar known names, or the first twelve if none is similar."""
    names = list(known)
    folded = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), list(folded), n=6, cutoff=0.5)
    return UnknownName(kind=kind, name=name, known=", ".join([folded[one] for one in near] or names[:12]))


def matching(names: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """The file names that match one of the shell-style patterns; a star does not match a slash."""
    return {name for name in names for pattern in patterns if _matches(name, pattern)}


def first_matching(names: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """The file names that match the first of the patterns that matches any."""
    names = list(names)
    return next((found for pattern in patterns if (found := matching(names, (pattern,)))), set())


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatchcase(*pair) for pair in zip(parts, wanted, strict=True))
