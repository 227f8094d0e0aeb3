"""Finding a model that is one file with known content, under any name and in any of the usual places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from heimdex_core.errors import WeightsMissing
from heimdex_core.files import file_signature, sha256_of
from heimdex_core.models import locate
from heimdex_core.models.base import LazyModel, Loaded
from heimdex_core.models.family import HubFiles, Kind, is_folder, matching, repository_files
from heimdex_core.models.locate import Repository, Weights

KnownFiles = Mapping[str, tuple[int, str]]
"""(bytes, sha256) by file name, the preferred one first."""


@dataclass(frozen=True)
class NamedFile(Weights):
    """The file of a model, `name` in `folder`."""

    name: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / self.name


class NamedFileModel(LazyModel[NamedFile, Loaded]):
    """A model that is one file; its content is compared where it is found."""

    def _check(self, found: NamedFile) -> None:
        return


def hub_files(kind: Kind, repository: Repository, names: Mapping[str, str], files: KnownFiles) -> HubFiles:
    """How one of `files` is found on the hub and on this machine."""
    return repository_files(
        kind,
        names=names,
        pinned={repository.repo: repository},
        needs=(tuple(files),),
        select=lambda found: matching(found, tuple(files)),
        recognises=lambda found: bool(set(files) & set(found)),
    )


def find(name: str, models_dir: Path | None, *, model: str, repo: str, files: KnownFiles, hub: HubFiles) -> NamedFile:
    """One of `files` in the models folder, under any name, or in the folder of its repository.

    A folder as the `name` may have any file under a name of `files`. Raises WeightsMissing; ModelBroken where there is
    only a file with the right name and other content.
    """
    if is_folder(name):
        found = hub.find(name, models_dir)
        return NamedFile(found.folder, found.revision, _first_of(found.folder, files))
    root = locate.models_folder(models_dir)
    for path in sorted(root.glob("*.onnx")):
        if (sha256 := _known(path, files)) is not None:
            return NamedFile(root, sha256[:12], path.name)
    try:
        # whatever its revision: the content is compared
        folder = locate.find(repo, (tuple(files),), name=name, models_dir=models_dir).folder
    except WeightsMissing:
        if not any((root / one).is_file() for one in files):
            raise
        folder = root
    one = _first_of(folder, files)
    locate.check_files(model, folder, {one: files[one][1]})
    return NamedFile(folder, files[one][1][:12], one)


def _first_of(folder: Path, files: KnownFiles) -> str:
    return next(one for one in files if (folder / one).is_file())


def _known(path: Path, files: KnownFiles) -> str | None:
    """The sha256 of a file that is one of `files`, whatever it is called."""
    sizes = {size for size, _ in files.values()}
    try:
        sha256 = _sha256(path, file_signature(path)) if path.stat().st_size in sizes else None
    except OSError:
        return None
    return sha256 if sha256 in {known for _, known in files.values()} else None


@lru_cache(maxsize=32)
def _sha256(path: Path, signature: object) -> str:
    """Read once, unless the file changes: it is asked for at every look whether there is a model."""
    return sha256_of(path)
