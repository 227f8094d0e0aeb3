"""library.json: the format version, the profile, model choice and spaces of the active model set, where the catalog is
kept, and what searches are answered from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from heimdex_core.errors import LibraryDamaged, LibraryMoved, LibraryMoveUnfinished, LibraryNotFound, LibraryVersion
from heimdex_core.files import read_json
from heimdex_core.settings import SearchName
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Json, Space

CatalogPlace = Literal["file", "postgres"]

FORMAT_VERSIONS: Mapping[str, int] = {"file": 1, "postgres": 2, "s3": 3, "local": 1, "lancedb": 4}
"""By the place of the catalog, for the working folder of a library in object storage, and by what it is searched with.
Versions that know only catalog.duckdb must not make a new one beside a catalog in Postgres, nor write into a working
folder; those that know only FAISS and tantivy would leave new videos out of the tables of LanceDB."""


def format_version(catalog: CatalogPlace, storage: str | None, search: SearchName) -> int:
    """The oldest format of library.json that says all of this; see LibraryManifest."""
    return max(FORMAT_VERSIONS[catalog], FORMAT_VERSIONS["s3"] if storage else 1, FORMAT_VERSIONS[search])


@dataclass(frozen=True)
class LibraryManifest:
    """The content of library.json, in the order of its keys."""

    format_version: int
    profile: str
    choice: Json
    """The ModelChoice as JSON."""
    spaces: Mapping[str, Space]
    """By role, as in ModelSet."""
    created_at: str
    """ISO 8601, UTC."""
    catalog: CatalogPlace = "file"
    storage: str | None = None
    """The address of a library in object storage, s3://bucket/prefix; None for one that is a folder."""
    search: SearchName = "local"
    moving_from: str | None = None
    """At the new place of a move that is not finished: the old one."""
    moved_to: str | None = None
    """At the old place of a finished move: the new one."""

    @property
    def key(self) -> str:
        """12 hexadecimal digits that name the library, the same on every machine that shares it."""
        return hashlib.sha256(self.created_at.encode()).hexdigest()[:12]


def read_manifest(paths: LibraryPaths, *, anywhere: bool = False) -> LibraryManifest:
    """Read library.json.

    Raises LibraryNotFound, LibraryVersion for a newer format, LibraryDamaged; unless `anywhere`, LibraryMoved and
    LibraryMoveUnfinished if the library is not here.
    """
    manifest = _parsed(paths)
    place = manifest.storage or str(paths.root)
    if not anywhere and manifest.moved_to is not None:
        raise LibraryMoved(place=place, to=manifest.moved_to)
    if not anywhere and manifest.moving_from is not None:
        raise LibraryMoveUnfinished(place=place, source=manifest.moving_from)
    return manifest


def _parsed(paths: LibraryPaths) -> LibraryManifest:
    try:
        value = read_json(paths.manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LibraryNotFound(path=str(paths.root)) from error
    except (OSError, ValueError) as error:
        raise LibraryDamaged(what="library.json", reason=str(error)[:200]) from error
    try:
        found = int(value["format_version"])
        if found > (supported := max(FORMAT_VERSIONS.values())):
            raise LibraryVersion(found=found, supported=supported)
        spaces = {kind: Space(**space) for kind, space in value["spaces"].items()}
        place: CatalogPlace = "postgres" if value.get("catalog") == "postgres" else "file"
        search: SearchName = "lancedb" if value.get("search") == "lancedb" else "local"
        storage, *moves = [_text(value, name) for name in ("storage", "moving_from", "moved_to")]
        about = value["profile"], value["choice"], spaces, str(value["created_at"])
        return LibraryManifest(found, *about, place, storage, search, *moves)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LibraryDamaged(what="library.json", reason=f"{type(error).__name__}: {error}") from error


def _text(value: Json, name: str) -> str | None:
    return str(value[name]) if value.get(name) else None
