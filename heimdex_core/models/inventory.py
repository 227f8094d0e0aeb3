"""What there is of models on this machine: the profiles' and those that were brought by name; and checking them.

`list_models` looks at names and sizes. `check_models` reads every byte, and compares it with the checksum that the
file arrived with, or that the Hugging Face cache names it by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from heimdex_core.errors import ModelBroken, ModelError, UnknownName, WeightsMissing
from heimdex_core.models import catalogue, families
from heimdex_core.models import locate as where
from heimdex_core.models.download.hub import OnBytes, RemoteFile, is_whole
from heimdex_core.models.download.plan import is_short, recorded
from heimdex_core.models.download.pull import specs_of
from heimdex_core.models.profiles import PROFILES, profile_choice
from heimdex_core.models.registry import Models
from heimdex_core.models.weights import folder_bytes
from heimdex_core.settings import Settings

State = Literal["ready", "missing", "broken", "unfinished"]
OTHERS = "others"
"""Where a profile's name stands, for models that are in none."""


@dataclass(frozen=True)
class ModelRow:
    """One model. `size_bytes` is on the disk, or what a download takes, about, where it is missing (0: not known)."""

    profile: str
    kind: str
    spec: str
    repo: str
    state: State
    size_bytes: int
    licence: str
    revision: str
    folder: str
    is_used: bool = False
    """The library uses it."""
    note: str = ""


@dataclass(frozen=True)
class CheckRow:
    """One model, read to its last byte. `by` says with what it was compared: "sha256", or "" for nothing known."""

    spec: str
    kind: str
    repo: str
    folder: str
    state: State
    by: str
    files: int
    problems: tuple[str, ...] = ()
    hint: str = ""


def list_models(settings: Settings, used: Sequence[tuple[str, str]] = ()) -> list[ModelRow]:
    """Every profile's models, then what else is in the models folder or in `used`, the library's (kind, spec)s."""
    rows = [
        _row(profile, kind, spec, settings, (kind, spec) in used)
        for profile, specs in PROFILES.items()
        for kind, spec in specs.items()
    ]
    known = {(row.kind, row.spec) for row in rows}
    for kind, spec in [*used, *_brought(settings)]:
        if (kind, spec) not in known:
            known.add((kind, spec))
            rows.append(_row(OTHERS, kind, spec, settings, (kind, spec) in used))
    return rows


def check_models(
    settings: Settings, *names: str, on_bytes: OnBytes | None = None, on_model: Callable[[str], None] | None = None
) -> list[CheckRow]:
    """Read the models `names`, or all that should be here: those of profiles and those that were brought by name.

    Raises UnknownName. `on_bytes` hears of bytes that were read, and may raise to stop.
    """
    wanted: dict[tuple[str, str], None] = {}
    for name in names or (*PROFILES, *(spec for _, spec in _brought(settings))):
        wanted |= dict.fromkeys(_kind_found(one, settings) for one in specs_of(name))
    rows = []
    for kind, spec in wanted:
        if on_model:
            on_model(spec)
        rows.append(_check(kind, spec, settings, on_bytes or (lambda size: None)))
    return rows


def size_to_check(settings: Settings, *names: str) -> int:
    """Bytes that `check_models` will read."""
    total = 0
    for name in names or (*PROFILES, *(spec for _, spec in _brought(settings))):
        for kind, spec in specs_of(name):
            try:
                found = catalogue.find(*_kind_found((kind, spec), settings), settings.models_dir)
            except ModelError:
                continue
            total += sum(path.stat().st_size for path, _ in _known(found.folder)) if found else 0
    return total


# --- looking --------------------------------------------------------------------------------------


def _row(profile: str, kind: str, spec: str, settings: Settings, is_used: bool) -> ModelRow:
    if not catalogue.wanted(kind, spec) and spec.partition(":")[0] not in catalogue.FAMILY_OF.values():
        return _package_row(profile, kind, spec, settings, is_used)
    state, folder, revision, note, size = "missing", "", "", "", 0
    wanted = catalogue.wanted(kind, spec)
    licence = wanted[0].licence if wanted else catalogue.LICENCE_UNKNOWN
    try:
        found = catalogue.find(kind, spec, settings.models_dir)
        if found:
            state, folder, revision, size = "ready", str(found.folder), found.revision, folder_bytes(found.folder)
            details = recorded(found.folder)
            licence = details.licence if details and licence == catalogue.LICENCE_UNKNOWN else licence
            if is_short(found.folder):
                state, note = "broken", f"files of {found.folder} are not as long as they arrived"
    except WeightsMissing as error:
        note, size = error.message, sum(one.size_bytes for one in wanted)
        revision = wanted[0].revision or "" if wanted else ""
        state = "unfinished" if _is_unfinished(kind, spec, settings) else "missing"
    except ModelBroken as error:
        state, note = "broken", error.message
    return ModelRow(
        profile=profile,
        kind=kind,
        spec=spec,
        repo=wanted[0].repo if wanted else "",
        state=_state(state),
        size_bytes=size,
        licence=licence,
        revision=revision,
        folder=folder,
        is_used=is_used,
        note=note,
    )


def _package_row(profile: str, kind: str, spec: str, settings: Settings, is_used: bool) -> ModelRow:
    """A model that came with a package."""
    (row,) = (one for one in _described(settings) if one["spec"] == spec)
    return ModelRow(
        profile=profile,
        kind=kind,
        spec=spec,
        repo="",
        state=_state(row["state"]),
        size_bytes=row["size_bytes"],
        licence=row["licence"],
        revision=row["revision"],
        folder="",
        is_used=is_used,
        note=row["note"],
    )


def _described(settings: Settings) -> list[dict[str, Any]]:
    return Models(profile_choice("offline"), settings).describe()


def _state(name: str) -> State:
    states: Mapping[str, State] = {"ready": "ready", "missing": "missing", "unfinished": "unfinished"}
    return states.get(name, "broken")


def _brought(settings: Settings) -> Iterator[tuple[str, str]]:
    """(kind, spec) of what `pull` put into the models folder."""
    root = where.models_folder(settings.models_dir)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        note = recorded(folder)
        if note and ":" in note.spec:
            try:
                kind, spec = catalogue.by_name(note.spec)
            except UnknownName:
                continue
            yield kind, spec


def _kind_found(one: tuple[str, str], settings: Settings) -> tuple[str, str]:
    """A plain repository with its family, where it is on this machine; text where it is not."""
    kind, spec = one
    if kind:
        return one
    guesses = (("speech", f"whisper:{spec}"), ("text", f"sentence:{spec}"))
    return next((guess for guess in guesses if catalogue.is_there(*guess, settings.models_dir)), guesses[1])


def _is_unfinished(kind: str, spec: str, settings: Settings) -> bool:
    root = where.models_folder(settings.models_dir)
    folders = (where.folder_for(one.repo, root) for one in catalogue.wanted(kind, spec))
    return any((folder / where.INCOMPLETE_FILE).exists() for folder in folders)


# --- reading --------------------------------------------------------------------------------------


def _check(kind: str, spec: str, settings: Settings, on_bytes: OnBytes) -> CheckRow:
    wanted = catalogue.wanted(kind, spec)
    repo = wanted[0].repo if wanted else ""
    pull = f"python -m heimdex_core models pull {spec}"
    try:
        found = catalogue.find(kind, spec, settings.models_dir)
    except WeightsMissing as error:
        state = "unfinished" if _is_unfinished(kind, spec, settings) else "missing"
        return CheckRow(spec, kind, repo, "", _state(state), "", 0, (error.message,), f"`{pull}` gets it.")
    except ModelBroken as error:
        return CheckRow(spec, kind, repo, "", "broken", "", 0, (error.message,), f"`{pull} --again` mends it.")
    if found is None:
        (row,) = (one for one in _described(settings) if one["spec"] == spec)
        problems = (row["note"],) if row["state"] != "ready" else ()
        hint = "Install the requirements again." if problems else ""
        return CheckRow(spec, kind, "", "", _state(row["state"]), "sha256", 0, problems, hint)
    known = list(_known(found.folder))
    wrong = [f"{path.name} is not what arrived" for path, file in known if is_whole(path, file, on_bytes) is None]
    wrong += _does_not_fit(kind, spec, settings) if not wrong else []
    return CheckRow(
        spec=spec,
        kind=kind,
        repo=repo,
        folder=str(found.folder),
        state="broken" if wrong else "ready",
        by="sha256" if known else "",
        files=len(known),
        problems=tuple(wrong),
        hint=f"`{pull} --again` mends it." if wrong and repo else "",
    )


def _does_not_fit(kind: str, spec: str, settings: Settings) -> list[str]:
    """What the model's own adapter finds wrong with its files, without loading them."""
    model = families.make(kind, spec, settings)
    try:
        if model is not None:
            model.check()
    except ModelError as error:
        return [error.message]
    return []


def _known(folder: Path) -> Iterator[tuple[Path, RemoteFile]]:
    """Files of which it is known what they should be."""
    note = recorded(folder)
    if note is not None:
        for path, file in note.files.items():
            yield folder / path, RemoteFile(path, int(file["size_bytes"]), str(file["sha256"]))
        return
    if folder.parent.name != "snapshots":
        return
    for there in sorted(folder.rglob("*")):
        name = there.resolve().name  # the Hugging Face cache names its files by their content
        if there.is_file() and there.is_symlink() and len(name) in (40, 64):
            is_sha256 = len(name) == 64
            size = there.stat().st_size
            yield there, RemoteFile(there.name, size, name if is_sha256 else None, None if is_sha256 else name)
