"""What a download takes, where it stands, and what is noted beside the files when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heimdex_core.files import read_json
from heimdex_core.models.download.hub import RemoteFile
from heimdex_core.types import to_json

FILES_FILE = ".files.json"
"""In a downloaded folder: the size and sha256 of each file, as they were checked on arrival."""


@dataclass(frozen=True)
class PullFile:
    """One file of a download; `bytes_here` of it are on this machine already."""

    remote: RemoteFile
    size_bytes: int
    bytes_here: int


@dataclass(frozen=True)
class PullItem:
    """One repository of a download. Where `is_here`, nothing is fetched and `folder` is where it lies."""

    repo: str
    kind: str
    spec: str
    revision: str
    licence: str
    folder: Path
    is_here: bool
    files: tuple[PullFile, ...]
    bytes_total: int

    @property
    def bytes_missing(self) -> int:
        return sum(file.size_bytes - file.bytes_here for file in self.files)


@dataclass(frozen=True)
class PullPlan:
    """What a download takes, before it begins."""

    names: tuple[str, ...]
    folder: Path
    free_bytes: int
    items: tuple[PullItem, ...]

    @property
    def bytes_total(self) -> int:
        return sum(item.bytes_total for item in self.items)

    @property
    def bytes_missing(self) -> int:
        return sum(item.bytes_missing for item in self.items)

    @property
    def licences(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.licence for item in self.items))

    def to_dict(self) -> dict[str, Any]:
        """JSON values, for the command line and the page."""
        rows = [
            {
                **to_json(replace(item, files=())),
                "folder": str(item.folder),
                "bytes_missing": item.bytes_missing,
                "files": [{"path": one.remote.path, "size_bytes": one.size_bytes} for one in item.files],
            }
            for item in self.items
        ]
        return {
            "names": list(self.names),
            "folder": str(self.folder),
            "free_bytes": self.free_bytes,
            "bytes_total": self.bytes_total,
            "bytes_missing": self.bytes_missing,
            "licences": list(self.licences),
            "items": rows,
        }


@dataclass(frozen=True)
class PullProgress:
    """Where a download stands. `bytes_done` counts what was there before, so that it ends at `bytes_total`."""

    repo: str
    file: str
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True)
class Recorded:
    """FILES_FILE: what a folder was filled with. `files` has {size_bytes, sha256} by path."""

    repo: str
    spec: str
    revision: str
    licence: str
    files: Mapping[str, Mapping[str, Any]]


def recorded(folder: Path) -> Recorded | None:
    """What was noted in a folder; None where it was not filled by `pull`, or the note cannot be read."""
    try:
        return Recorded(**read_json(folder / FILES_FILE))
    except (OSError, ValueError, TypeError):
        return None


def is_short(folder: Path) -> bool:
    """True where a file has not the size that it arrived with."""
    note = recorded(folder)
    return note is not None and any(
        not (folder / path).is_file() or (folder / path).stat().st_size != file["size_bytes"]
        for path, file in note.files.items()
    )
