"""The models on this machine, those of the profiles and those that were downloaded by name; and checking them.

`list_models` looks at names and sizes. `check_models` reads every byte and compares it with the checksum that was
recorded on arrival, or that is the file's name in the Hugging Face cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from heimdex_core.errors import ModelBroken, ModelError, UnknownName, WeightsMissing
from heimdex_core.models import families, locate
from heimdex_core.models.download.hub import OnBytes, RemoteFile, is_whole
from heimdex_core.models.download.plan import is_short, recorded
from heimdex_core.models.download.pull import specs_of
from heimdex_core.models.family import LICENCE_UNKNOWN
from heimdex_core.models.profiles import PROFILES
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
        for profile, specs in PROFILES.items()
        for kind, spec in specs.items()
    ]
    known = {(row.kind, row.spec) for row in rows}
    for kind, spec in [*used, *_downloaded(settings)]:
        if (kind, spec) not in known:
            known.add((kind, spec))
            rows.append(_row(OTHERS, kind, spec, settings, (kind, spec) in used))
    return rows


def check_models(
    settings: Settings, *names: str, on_bytes: OnBytes | None = None, on_model: Callable[[str], None] | None = None
) -> list[CheckRow]:
    """Read and compare the files of `names`, profiles or models; without names of all profiles and downloaded models.

    `on_bytes` is called with the bytes that were read, and may raise to stop; `on_model` with the spec of each model
    before it is read. Raises UnknownName.
    """
    wanted: dict[tuple[str, str], None] = {}
    for name in names or (*PROFILES, *(spec for _, spec in _downloaded(settings))):
        wanted |= dict.fromkeys(_with_kind(one, settings) for one in specs_of(name))
    rows = []
    for kind, spec in wanted:
        if on_model:
            on_model(spec)
        rows.append(_check(kind, spec, settings, on_bytes or (lambda size: None)))
    return rows


def size_to_check(settings: Settings, *names: str) -> int:
    """Bytes that `check_models` with the same names will read. Raises UnknownName."""
    total = 0
    for name in names or (*PROFILES, *(spec for _, spec in _downloaded(settings))):
        for kind, spec in specs_of(name):
            try:
                found = families.find(*_with_kind((kind, spec), settings), settings.models_dir)
            except ModelError:
                continue
            total += sum(path.stat().st_size for path, _ in _known(found.folder)) if found else 0
    return total


# --- looking --------------------------------------------------------------------------------------


def _row(profile: str, kind: str, spec: str, settings: Settings, is_used: bool) -> ModelRow:
    repositories = families.repositories(kind, spec)
    repo = repositories[0].repo if repositories else ""
    state: State = "missing"
    note, folder, revision, size = "", "", "", 0
    licence = repositories[0].licence if repositories else LICENCE_UNKNOWN
    try:
        found = families.find(kind, spec, settings.models_dir)
        if found is None:
            return _package_row(profile, kind, spec, settings, is_used)
        state, folder, revision, size = "ready", str(found.folder), found.revision, locate.folder_bytes(found.folder)
        details = recorded(found.folder)
        licence = details.licence if details and licence == LICENCE_UNKNOWN else licence
        if is_short(found.folder):
            state, note = "broken", f"files in {found.folder} have changed their size since the download"
    except WeightsMissing as error:
        note, size = error.message, sum(one.size_bytes for one in repositories)
        revision = repositories[0].revision or "" if repositories else ""
        state = "unfinished" if _is_unfinished(kind, spec, settings) else "missing"
    except ModelBroken as error:
        state, note = "broken", error.message
    return ModelRow(profile, kind, spec, repo, state, size, licence, revision, folder, is_used, note)


def _package_row(profile: str, kind: str, spec: str, settings: Settings, is_used: bool) -> ModelRow:
    """A model that came with a package."""
    row = describe(kind, spec, families.make(kind, spec, settings))
    size, licence, revision = row["size_bytes"], row["licence"], row["revision"]
    return ModelRow(profile, kind, spec, "", _state(row), size, licence, revision, "", is_used, row["note"])


def _state(row: dict[str, Any]) -> State:
    return cast(State, row["state"]) if row["state"] in get_args(State) else "broken"


def _downloaded(settings: Settings) -> Iterator[tuple[str, str]]:
    """The (kind, spec) of the models that were downloaded into the models folder."""
    root = locate.models_folder(settings.models_dir)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        note = recorded(folder)
        if note and ":" in note.spec:
            try:
                kind, spec = families.by_name(note.spec)
            except UnknownName:
                continue
            yield kind, spec


def _with_kind(one: tuple[str, str], settings: Settings) -> tuple[str, str]:
    kind, spec = one
    return one if kind else families.on_this_machine(spec, settings.models_dir)


def _is_unfinished(kind: str, spec: str, settings: Settings) -> bool:
    root = locate.models_folder(settings.models_dir)
    folders = (locate.folder_for(one.repo, root) for one in families.repositories(kind, spec))
    return any((folder / locate.INCOMPLETE_FILE).exists() for folder in folders)


# --- reading --------------------------------------------------------------------------------------


def _check(kind: str, spec: str, settings: Settings, on_bytes: OnBytes) -> CheckRow:
    repositories = families.repositories(kind, spec)
    repo = repositories[0].repo if repositories else ""
    pull = f"python -m heimdex_core models pull {spec}"
    try:
        found = families.find(kind, spec, settings.models_dir)
    except WeightsMissing as error:
        state: State = "unfinished" if _is_unfinished(kind, spec, settings) else "missing"
        return CheckRow(spec, kind, repo, "", state, "", 0, (error.message,), f"Download it with `{pull}`.")
    except ModelBroken as error:
        return CheckRow(spec, kind, repo, "", "broken", "", 0, (error.message,), f"Repair it with `{pull} --again`.")
    if found is None:
        row = describe(kind, spec, families.make(kind, spec, settings))
        problems = (row["note"],) if row["state"] != "ready" else ()
        hint = "Install the requirements again." if problems else ""
        return CheckRow(spec, kind, "", "", _state(row), "sha256", 0, problems, hint)
    known = list(_known(found.folder))
    wrong = [f"{path.name} differs from the download" for path, file in known if is_whole(path, file, on_bytes) is None]
    wrong += _adapter_problems(kind, spec, settings) if not wrong else []
    return CheckRow(
        spec=spec,
        kind=kind,
        repo=repo,
        folder=str(found.folder),
        state="broken" if wrong else "ready",
        by="sha256" if known else "",
        files=len(known),
        problems=tuple(wrong),
        hint=f"Repair it with `{pull} --again`." if wrong and repo else "",
    )


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
