"""The models on this machine, those of the profiles and those that were downloaded by name; and checking them.

`list_models` looks at names and sizes. `check_models` reads every byte and compares it with the checksum that was
recorded on arrival, or that is the file's name in the Hugging Face cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from heimdex_core.errors import ModelBroken, ModelError, ValidationError, WeightsMissing
from heimdex_core.models import families, locate
from heimdex_core.models.download.hub import OnBytes, RemoteFile, is_whole
from heimdex_core.models.download.plan import is_short, recorded
from heimdex_core.models.download.pull import specs_of
from heimdex_core.models.locate import LICENCE_UNKNOWN, Repository
from heimdex_core.models.profiles import PROFILES, profile_choice
from heimdex_core.models.registry import describe
from heimdex_core.settings import Settings

State = Literal["ready", "missing", "broken", "unfinished"]
OTHERS = "others"
"""Stands for the name of the profile of models that are in none."""


@dataclass(frozen=True)
class ModelRow:
    """One model of a list."""

    profile: str
    """Name of the profile, or OTHERS."""
    kind: str
    spec: str
    repo: str
    state: State
    size_bytes: int
    """On the disk, or the approximate size of the download of a missing model; 0 if not known."""
    licence: str
    revision: str
    folder: str
    is_used: bool = False
    """Whether the library uses it."""
    note: str = ""
    """What is wrong with it."""


@dataclass(frozen=True)
class CheckRow:
    """One model that was checked."""

    spec: str
    kind: str
    repo: str
    folder: str
    state: State
    by: str
    """What its files were compared with: "sha256", or "" if no checksums are known."""
    files: int
    """How many files were compared."""
    problems: tuple[str, ...] = ()
    hint: str = ""


def list_models(settings: Settings, used: Sequence[tuple[str, str]] = ()) -> list[ModelRow]:
    """The models of every profile, then others in the models folder or in `used`, the (kind, spec)s of the library."""
    rows = [
        _row(profile, kind, spec, settings, (kind, spec) in used)
        for profile in PROFILES
        for kind, spec in profile_choice(profile).specs
    ]
    known = {(row.kind, row.spec) for row in rows}
    for kind, spec in [*used, *_downloaded(settings)]:
        if (kind, spec) not in known:
            known.add((kind, spec))
            rows.append(_row(OTHERS, kind, spec, settings, (kind, spec) in used))
    return rows


def check_models(settings: Settings, *names: str, on_bytes: OnBytes = lambda size: None) -> list[CheckRow]:
    """Read and compare the files of `names`, profiles or models; without names of all profiles and downloaded models.

    `on_bytes` is called with the bytes that were read, and may raise to stop. Raises UnknownName.
    """
    return [_check(kind, spec, settings, on_bytes) for kind, spec in _wanted(settings, names)]


def size_to_check(settings: Settings, *names: str) -> int:
    """Bytes that `check_models` with the same names will read. Raises UnknownName."""
    total = 0
    for kind, spec in _wanted(settings, names):
        try:
            found = families.find(kind, spec, settings.models_dir)
        except ModelError:
            continue
        total += sum(path.stat().st_size for path, _ in _known(found.folder)) if found else 0
    return total


# --- looking --------------------------------------------------------------------------------------


def _row(profile: str, kind: str, spec: str, settings: Settings, is_used: bool = False) -> ModelRow:
    repositories = families.repositories(kind, spec)
    main = repositories[0] if repositories else Repository("")
    row = ModelRow(profile, kind, spec, main.repo, "missing", 0, main.licence, "", "", is_used)
    try:
        found = families.find(kind, spec, settings.models_dir)
    except WeightsMissing as error:
        root = locate.models_folder(settings.models_dir)
        folders = [locate.folder_for(one.repo, root) for one in repositories]
        is_unfinished = any((folder / locate.INCOMPLETE_FILE).exists() for folder in folders)
        size = sum(one.size_bytes for one in repositories)
        row = replace(row, size_bytes=size, revision=main.revision or "", note=error.message)
        return replace(row, state="unfinished") if is_unfinished else row
    except ModelBroken as error:
        return replace(row, state="broken", note=error.message)
    if found is None:  # it came with a package
        described = describe(kind, spec, families.make(kind, spec, settings))
        return replace(row, **{key: described[key] for key in ("state", "size_bytes", "licence", "revision", "note")})
    details = recorded(found.folder)
    size = locate.folder_bytes(found.folder)
    row = replace(row, state="ready", size_bytes=size, revision=found.revision, folder=str(found.folder))
    if details and main.licence == LICENCE_UNKNOWN:
        row = replace(row, licence=details.licence)
    if is_short(found.folder):
        note = f"files in {found.folder} have changed their size since the download"
        row = replace(row, state="broken", note=note)
    return row


def _wanted(settings: Settings, names: Sequence[str]) -> list[tuple[str, str]]:
    """The (kind, spec) of the models to check, each once."""
    found: dict[tuple[str, str], None] = {}
    for name in names or (*PROFILES, *(spec for _, spec in _downloaded(settings))):
        for kind, spec in specs_of(name):
            found[(kind, spec) if kind else families.on_this_machine(spec, settings.models_dir)] = None
    return list(found)


def _downloaded(settings: Settings) -> Iterator[tuple[str, str]]:
    """The (kind, spec) of the models that were downloaded into the models folder."""
    root = locate.models_folder(settings.models_dir)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        note = recorded(folder)
        if note and ":" in note.spec:
            try:
                kind, spec = families.by_name(note.spec)
            except ValidationError:  # of another version, or a path that is not full
                continue
            yield kind, spec


# --- reading --------------------------------------------------------------------------------------


def _check(kind: str, spec: str, settings: Settings, on_bytes: OnBytes) -> CheckRow:
    row = _row("", kind, spec, settings)
    state, problems = row.state, [row.note] if row.state != "ready" else []
    known = list(_known(Path(row.folder))) if row.folder else []
    if row.folder:
        changed = [path.name for path, file in known if is_whole(path, file, on_bytes) is None]
        problems = [f"{name} differs from the download" for name in changed]
        problems = problems or _adapter_problems(kind, spec, settings)
        state = "broken" if problems else "ready"
    is_packaged = families.is_packaged(kind, spec)
    pull, hint = f"python -m heimdex_core models pull {spec}", ""
    if problems and is_packaged:
        hint = "Install the requirements again."
    elif state == "broken" and row.repo:
        hint = f"Repair it with `{pull} --again`."
    elif state in ("missing", "unfinished"):
        hint = f"Download it with `{pull}`."
    by = "sha256" if known or is_packaged else ""
    return CheckRow(spec, kind, row.repo, row.folder, state, by, len(known), tuple(problems), hint)


def _adapter_problems(kind: str, spec: str, settings: Settings) -> list[str]:
    """What the model's adapter finds wrong with its files, without loading them."""
    try:
        families.make(kind, spec, settings).check()
    except ModelError as error:
        return [error.message]
    return []


def _known(folder: Path) -> Iterator[tuple[Path, RemoteFile]]:
    """The files whose size and checksum are known, with those."""
    note = recorded(folder)
    if note is not None:
        for path, file in note.files.items():
            yield folder / path, RemoteFile(path, int(file["size_bytes"]), str(file["sha256"]))
        return
    if folder.parent.name != "snapshots":
        return
    for link in sorted(folder.rglob("*")):
        name = link.resolve().name  # the name in the Hugging Face cache is the checksum
        if link.is_file() and link.is_symlink() and len(name) in (40, 64):
            is_sha256 = len(name) == 64
            size = link.stat().st_size
            yield link, RemoteFile(link.name, size, name if is_sha256 else None, None if is_sha256 else name)
