"""Where the files of models are: HEIMDEX_MODELS_DIR (else ~/.cache/heimdex/models), then the Hugging Face cache.

Nothing here uses the network. Below HEIMDEX_MODELS_DIR a repository "org/name" may be a folder org--name, org/name or
name with the files in it, or have the layout of the Hugging Face cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from heimdex_core import files
from heimdex_core.errors import ModelBroken, ModelFolderUnusable, ModelUnavailable, WeightsMissing

LICENCE_UNKNOWN = "see the model's page"

Needs = Sequence[Sequence[str]]
"""File names that a model needs: at least one of each inner sequence."""

REVISION_FILE = ".revision"
"""In a plain folder: the commit of its files, written by the download."""
INCOMPLETE_FILE = ".incomplete"
"""In a plain folder: a download into it has started and has not finished."""
_BLOCK = 65_536
_BLOCKS = 64


@dataclass(frozen=True)
class Repository:
    """A repository "org/name" on the hub that a model needs, pinned to a commit where `revision` is set."""

    repo: str
    files: tuple[str, ...] = ()
    """Names or patterns of the files to download; empty where the family selects them from the listing."""
    file: str | None = None
    """Name of the weights where several models share the repository."""
    unless: str = ""
    """Not needed if the model's first repository has this file."""
    revision: str | None = None
    licence: str = LICENCE_UNKNOWN
    size_bytes: int = 0
    """Approximate size of the download; 0 where it is not known before the hub has been asked."""
    dim: int | None = None
    """Width of the vectors, where it is known without the files."""
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What files must contain, by name, whatever the hub says; as hexadecimal digits."""
    endpoint: str = ""
    """Another host than the hub, with the same addresses of files. It is not asked for a listing: `files` are the names
    of files, all of them in `sha256`."""


@dataclass(frozen=True)
class Weights:
    """A folder with all the files of a model. `revision` is a commit, or a fingerprint of the files."""

    folder: Path
    revision: str


def find(repo: str, needs: Needs, *, name: str, models_dir: Path | None = None, revision: str | None = None) -> Weights:
    """The files of a repository "org/name" on this machine, at the commit `revision`, else of main, else the newest.

    `name` is what the user calls the model, for the error; `models_dir` is HEIMDEX_MODELS_DIR. Raises WeightsMissing
    with the folders that were searched, and what is wrong with the ones that were found.
    """
    problems: list[str] = []
    for folder, found in _candidates(repo, models_dir, revision):
        missing = _missing(folder, needs)
        if missing:
            problems.append(f"{missing} is missing from {folder}")
        elif revision and found and not found.startswith(revision):
            problems.append(f"{folder} holds revision {found[:12]}, {revision[:12]} is needed")
        else:
            return Weights(folder, found or fingerprint(folder))
    searched = ", ".join(str(place) for place in _roots(models_dir))
    raise WeightsMissing(name=name, reason="; ".join(problems) or f"{repo} is not in {searched}")


def at(folder: Path, needs: Needs, *, name: str) -> Weights:
    """The files in a folder that the user names. Raises ModelFolderUnusable, a WeightsMissing."""
    if not folder.is_dir():
        raise ModelFolderUnusable(name=name, reason=f"there is no folder {folder}")
    missing = _missing(folder, needs)
    if missing:
        raise ModelFolderUnusable(name=name, reason=f"{missing} is missing from {folder}")
    return Weights(folder, _recorded(folder) or fingerprint(folder))


def folder_for(repo: str, models_dir: Path) -> Path:
    """Where a download puts a repository inside the models folder."""
    return models_dir / repo.replace("/", "--")


def models_folder(models_dir: Path | None = None) -> Path:
    """The folder that downloads go to and that is searched first: HEIMDEX_MODELS_DIR, else one in the user's cache."""
    if models_dir:
        return models_dir.expanduser()
    return _cache_folder() / "heimdex" / "models"


def hugging_face_cache() -> Path:
    """The hub cache that is shared with other programs, from the same environment variables that they read."""
    for variable, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        value = os.environ.get(variable)
        if value:
            return Path(value).expanduser() / below
    return _cache_folder() / "huggingface" / "hub"


def package_folder(package: str, *, name: str) -> Path:
    """The folder of an installed Python package, found without importing it. Raises ModelUnavailable for `name`."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(name=name, reason=f"the Python package {package} is not installed")
    return Path(spec.submodule_search_locations[0])


def fingerprint(folder: Path) -> str:
    """12 hexadecimal digits that identify a set of model files; of large files only samples are read.

    It tells models apart. It does not prove that a file is undamaged.
    """
    found = sorted(file for file in folder.rglob("*") if file.is_file() and _counts(file.relative_to(folder)))
    stats = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in found)
    return _fingerprint(str(folder), stats)


# --- reading model files --------------------------------------------------------------------------


def check_files(name: str, folder: Path, sha256: Mapping[str, str]) -> None:
    """Compare the files in `folder` with the hex digests in `sha256`, by file name.

    Raises ModelUnavailable where a file is missing, ModelBroken where it differs or cannot be read.
    """
    for filename, expected in sha256.items():
        path = folder / filename
        try:
            found = _sha256(path, files.file_signature(path))
        except FileNotFoundError as error:
            raise ModelUnavailable(name=name, reason=f"{filename} is missing from {folder}") from error
        except OSError as error:
            raise ModelBroken(name=name, reason=f"{filename} cannot be read ({error.strerror})") from error
        if found != expected:
            raise ModelBroken(name=name, reason=f"{filename} has sha256 {found[:12]}..., expected {expected[:12]}...")


@lru_cache(maxsize=64)
def _sha256(path: Path, signature: tuple[int, int, int] | None) -> str:
    """The digest of a file, computed once for each `signature`: pages ask for it whenever they are drawn."""
    return files.sha256_of(path)


def read_json(path: Path, name: str) -> Any:
    """The content of a model's JSON file; None where there is no such file. Raises ModelBroken if it is not JSON."""
    try:
        return files.read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelBroken(name=name, reason=f"{path.name} cannot be read ({error})") from error


def folder_bytes(folder: Path) -> int:
    """Total size of the files in `folder`; 0 if there is no such folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0


# --- details --------------------------------------------------------------------------------------


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) if base else Path.home() / ".cache"


def _roots(models_dir: Path | None) -> list[Path]:
    return [models_folder(models_dir), hugging_face_cache()]


def _candidates(repo: str, models_dir: Path | None, revision: str | None) -> Iterator[tuple[Path, str | None]]:
    """(folder, revision if it is known), best first."""
    own = models_folder(models_dir)
    for plain in dict.fromkeys((folder_for(repo, own), own / repo, own / repo.split("/")[-1])):
        if plain.is_dir():
            yield plain, _recorded(plain)
    for root in _roots(models_dir):
        yield from _snapshots(root / f"models--{repo.replace('/', '--')}", revision)


def _snapshots(cached_repo: Path, revision: str | None) -> Iterator[tuple[Path, str | None]]:
    """Snapshots in the cache's folder of one repository: the one wanted, that of main, then by age."""
    folder = cached_repo / "snapshots"
    if not folder.is_dir():
        return
    first = [revision] if revision else []
    main = cached_repo / "refs" / "main"
    if main.is_file():
        first.append(main.read_text(encoding="utf-8").strip())
    there = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: -path.stat().st_mtime)
    names = [path.name for path in there]
    for name in dict.fromkeys([*(one for one in first if one in names), *names]):
        yield folder / name, name


def _recorded(folder: Path) -> str | None:
    """The commit noted beside the files, by our download or by `hf download --local-dir`."""
    ours = folder / REVISION_FILE
    if ours.is_file():
        return ours.read_text(encoding="utf-8").strip() or None
    notes = sorted((folder / ".cache" / "huggingface" / "download").glob("*.metadata"))
    commits = {note.read_text(encoding="utf-8").split("\n", 1)[0].strip() for note in notes}
    return commits.pop() if len(commits) == 1 else None


def _missing(folder: Path, needs: Needs) -> str | None:
    """What is missing, as "a or b". A dangling link into a cache counts as missing."""
    if (folder / INCOMPLETE_FILE).exists():
        return "the rest of an unfinished download"
    for names in needs:
        if not any((folder / name).is_file() and (folder / name).stat().st_size for name in names):
            return " or ".join(names)
    return None


def _counts(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts) and path.suffix.lower() not in (".md", ".lock")


@lru_cache(maxsize=64)
def _fingerprint(folder: str, stats: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, size, _ in stats:
        digest.update(f"{Path(name).relative_to(folder)}:{size}\n".encode())
        with Path(name).open("rb") as file:
            for start in _samples(size):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:12]


def _samples(size: int) -> list[int]:
    """Offsets of the blocks to read: all of a small file, evenly spread ones of a large one."""
    if size <= _BLOCK * _BLOCKS:
        return list(range(0, size, _BLOCK))
    return [round(n * (size - _BLOCK) / (_BLOCKS - 1)) for n in range(_BLOCKS)]
