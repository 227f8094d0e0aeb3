"""What a download consists of, its progress, and what is recorded beside the files when it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heimdex_core.files import read_json
from heimdex_core.models.download.hub import RemoteFile, is_inside
from heimdex_core.types import to_json

FILES_FILE = ".files.json"
"""In a downloaded folder: the size and sha256 of each file, checked on arrival."""


@dataclass(frozen=True)
class PullFile:
    """One file of a download, of which `bytes_here` are already on this machine."""

    remote: RemoteFile
    size_bytes: int
    bytes_here: int


@dataclass(frozen=True)
class PullItem:
    """One repository of a download."""

    repo: str
    kind: str
    spec: str
    revision: str
    licence: str
    folder: Path
    """Where it is or will be."""
    is_here: bool
    """Whether the model is complete, so that there is nothing to download."""
    files: tuple[PullFile, ...]
    bytes_total: int
    endpoint: str = ""
    """The host of the files, where it is not the hub."""

    @property
    def bytes_missing(self) -> int:
        """Bytes still to be downloaded."""
        return sum(file.size_bytes - file.bytes_here for file in self.files)


@dataclass(frozen=True)
class PullPlan:
    """What a download consists of, before it begins."""

    names: tuple[str, ...]
    folder: Path
    free_bytes: int
    items: tuple[PullItem, ...]

    @property
    def bytes_total(self) -> int:
        """Size of all repositories."""
        return sum(item.bytes_total for item in self.items)

    @property
    def bytes_missing(self) -> int:
        """Bytes still to be downloaded."""
        return sum(item.bytes_missing for item in self.items)

    @property
    def licences(self) -> tuple[str, ...]:
        """The different licences of the repositories."""
        return tuple(dict.fromkeys(item.licence for item in self.items))

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values, for the command line and the settings page."""
        plan: dict[str, Any] = to_json(self)
        for row, item in zip(plan["items"], self.items, strict=True):
            row["files"] = [{"path": one.remote.path, "size_bytes": one.size_bytes} for one in item.files]
            row |= {"folder": str(item.folder), "bytes_missing": item.bytes_missing}
        totals = {"bytes_total": self.bytes_total, "bytes_missing": self.bytes_missing}
        return {**plan, **totals, "folder": str(self.folder), "licences": list(self.licences)}


@dataclass(frozen=True)
class PullProgress:
    """Progress of a download. `bytes_done` includes what was there before, so that it ends at `bytes_total`."""

    repo: str
    file: str
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True)
class Recorded:
    """The content of FILES_FILE. `files` has {size_bytes, sha256} by path."""

    repo: str
    spec: str
    revision: str
    licence: str
    files: Mapping[str, Mapping[str, Any]]


def recorded(folder: Path) -> Recorded | None:
    """The record in a folder; None if it was not filled by `pull`, or the record cannot be read."""
    try:
        note = Recorded(**read_json(folder / FILES_FILE))
        # the folder may come from elsewhere
        return note if all(is_inside(path) for path in note.files) else None
    except (OSError, ValueError, TypeError):
        return None


def is_short(folder: Path) -> bool:
    """Whether a recorded file is missing or has changed its size."""
    note = recorded(folder)
    return note is not None and any(
        not (folder / path).is_file() or (folder / path).stat().st_size != file["size_bytes"]
        for path, file in note.files.items()
    )
