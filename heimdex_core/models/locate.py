"""Where weights lie: HEIMDEX_MODELS_DIR (else ~/.cache/heimdex/models), then the Hugging Face cache.

Nothing here uses the network. Under HEIMDEX_MODELS_DIR a repository "org/name" may be a folder org--name,
org/name or name with the files in it, or be laid out as the Hugging Face cache is.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from heimdex_core.errors import ModelFolderUnusable, UnknownName, WeightsMissing

Needs = Sequence[Sequence[str]]
"""What must be there: of each inner sequence one file at least."""

REVISION_FILE = ".revision"
"""In a plain folder: the commit that its files are of, written by whoever downloaded them."""
INCOMPLETE_FILE = ".incomplete"
"""In a plain folder: a download into it has begun and has not ended well."""
_BLOCK = 65_536
_BLOCKS = 64


@dataclass(frozen=True)
class Pinned:
    """A repository at the revision that was chosen for a profile. `size_bytes` is what a download takes, about."""

    repo: str
    revision: str | None
    licence: str
    size_bytes: int
    files: tuple[str, ...]
    """Names or patterns of what is needed of it."""
    dim: int | None = None


_WHISPER = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*", "preprocessor_config.json")
_SENTENCES = ("*.json", "*/config.json", "*.safetensors", "sentencepiece.bpe.model", "*.txt")
_OPEN_CLIP = ("open_clip_config.json", "open_clip_model.safetensors", "tokenizer*.json", "special_tokens_map.json")

PINNED: dict[str, Pinned] = {
    pin.repo: pin
    for pin in (
        Pinned(
            "Systran/faster-whisper-small",
            "536b0662742c02347bc0e980a01041f333bce120",
            "MIT",
            486_212_000,
            _WHISPER,
        ),
        Pinned(
            "Systran/faster-whisper-medium",
            "08e178d48790749d25932bbc082711ddcfdfbc4f",
            "MIT",
            1_530_572_000,
            _WHISPER,
        ),
        Pinned(
            "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
            "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
            "MIT",
            1_621_000_000,
            _WHISPER,
        ),
        Pinned(
            "intfloat/multilingual-e5-small",
            "614241f622f53c4eeff9890bdc4f31cfecc418b3",
            "MIT",
            493_500_000,
            _SENTENCES,
            384,
        ),
        # upstream has no safetensors at this revision: read by torch, weights only
        Pinned(
            "BAAI/bge-m3",
            "5617a9f61b028005a4858fdac845db406aefb181",
            "MIT",
            2_293_400_000,
            ("*.json", "*/config.json", "pytorch_model.bin", "sentencepiece.bpe.model"),
            1024,
        ),
        Pinned(
            "timm/ViT-B-16-SigLIP2",
            "eee10eff6dd8cabae2d7f379d4e8cfcd352030aa",
            "Apache-2.0",
            1_535_000_000,
            _OPEN_CLIP,
            768,
        ),
        Pinned(
            "timm/ViT-SO400M-14-SigLIP",
            "c85ba2402be4b49b5d178f2e2384fdf50f8c7961",
            "Apache-2.0",
            3_515_000_000,
            _OPEN_CLIP,
            1152,
        ),
    )
}


@dataclass(frozen=True)
class Weights:
    """A folder that has all that was asked for. `revision` is a commit, or a fingerprint of the files."""

    folder: Path
    revision: str


def find(repo: str, needs: Needs, *, name: str, models_dir: Path | None = None, revision: str | None = None) -> Weights:
    """The weights of a repository "org/name", at `revision` or else at the pinned one, else at the newest there.

    `name` is what the person calls the model. Raises WeightsMissing, which says where was looked and what is wrong.
    """
    pin = PINNED.get(repo)
    wanted = revision or (pin.revision if pin else None)
    problems: list[str] = []
    for folder, found in _candidates(repo, models_dir):
        missing = _missing(folder, needs)
        if missing:
            problems.append(f"{missing} is missing from {folder}")
        elif wanted and found and not found.startswith(wanted):
            problems.append(f"{folder} holds revision {found[:12]}, {wanted[:12]} is needed")
        else:
            return Weights(folder, found or fingerprint(folder))
    looked = ", ".join(str(place) for place in _roots(models_dir))
    raise WeightsMissing(name=name, reason="; ".join(problems) or f"{repo} is not in {looked}")


def at(folder: Path, needs: Needs, *, name: str) -> Weights:
    """The weights in a folder that a person names. Raises ModelFolderUnusable, a WeightsMissing."""
    if not folder.is_dir():
        raise ModelFolderUnusable(name=name, reason=f"there is no folder {folder}")
    missing = _missing(folder, needs)
    if missing:
        raise ModelFolderUnusable(name=name, reason=f"{missing} is missing from {folder}")
    return Weights(folder, _recorded(folder) or fingerprint(folder))


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not known, with the nearest ones, or the first few where none is near."""
    names = list(known)
    folded = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), list(folded), n=6, cutoff=0.5)
    return UnknownName(kind=kind, name=name, known=", ".join([folded[one] for one in near] or names[:12]))


def folder_for(repo: str, models_dir: Path) -> Path:
    """Where a download puts a repository in a folder of models."""
    return models_dir / repo.replace("/", "--")


def models_folder(models_dir: Path | None = None) -> Path:
    """The folder that downloads go to and that is looked into first: HEIMDEX_MODELS_DIR, or one of this person's."""
    if models_dir:
        return models_dir.expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "heimdex" / "models"


def hugging_face_cache() -> Path:
    """The cache that other programs fill too, by the variables that they obey."""
    for variable, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        value = os.environ.get(variable)
        if value:
            return Path(value).expanduser() / below
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "huggingface" / "hub"


def fingerprint(folder: Path) -> str:
    """12 hex digits that tell one set of model files from another: of large files only samples are read.

    It names what is there; it does not prove that a file is whole.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and _counts(file.relative_to(folder)))
    stats = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _fingerprint(str(folder), stats)


# --- places ---------------------------------------------------------------------------------------


def _roots(models_dir: Path | None) -> list[Path]:
    return [models_folder(models_dir), hugging_face_cache()]


def _candidates(repo: str, models_dir: Path | None) -> Iterator[tuple[Path, str | None]]:
    """(folder, revision if it is known), best first."""
    own = models_folder(models_dir)
    for plain in dict.fromkeys((folder_for(repo, own), own / repo, own / repo.split("/")[-1])):
        if plain.is_dir():
            yield plain, _recorded(plain)
    for root in _roots(models_dir):
        yield from _snapshots(root / f"models--{repo.replace('/', '--')}", PINNED.get(repo))


def _snapshots(cached: Path, pin: Pinned | None) -> Iterator[tuple[Path, str | None]]:
    """Snapshots of the cache's folder of one repository: the pinned one, that of main, then by age."""
    folder = cached / "snapshots"
    if not folder.is_dir():
        return
    first = [pin.revision] if pin and pin.revision else []
    main = cached / "refs" / "main"
    if main.is_file():
        first.append(main.read_text(encoding="utf-8").strip())
    there = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: -path.stat().st_mtime)
    names = [path.name for path in there]
    for name in dict.fromkeys([*(one for one in first if one in names), *names]):
        yield folder / name, name


def _recorded(folder: Path) -> str | None:
    """The commit noted beside the files: by us, or by `hf download --local-dir`."""
    ours = folder / REVISION_FILE
    if ours.is_file():
        return ours.read_text(encoding="utf-8").strip() or None
    notes = sorted((folder / ".cache" / "huggingface" / "download").glob("*.metadata"))
    commits = {note.read_text(encoding="utf-8").split("\n", 1)[0].strip() for note in notes}
    return commits.pop() if len(commits) == 1 else None


def _missing(folder: Path, needs: Needs) -> str | None:
    """What is not there, as "a or b"; a link into a cache that leads nowhere is not there."""
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
    """Where blocks are read: all of a small file, evenly spread ones of a large one."""
    if size <= _BLOCK * _BLOCKS:
        return list(range(0, size, _BLOCK))
    return [round(n * (size - _BLOCK) / (_BLOCKS - 1)) for n in range(_BLOCKS)]
