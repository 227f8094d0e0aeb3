"""library.json: the format version, and the profile, model choice and spaces of the active model set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heimdex_core.errors import LibraryDamaged, LibraryNotFound, LibraryVersion
from heimdex_core.files import read_json
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Json, Space

FORMAT_VERSION = 1


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


def read_manifest(paths: LibraryPaths) -> LibraryManifest:
    """Read library.json. Raises LibraryNotFound, LibraryVersion for a newer format, LibraryDamaged."""
    try:
        value = read_json(paths.manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LibraryNotFound(path=str(paths.root)) from error
    except (OSError, ValueError) as error:
        raise LibraryDamaged(what="library.json", reason=str(error)[:200]) from error
    try:
        found = int(value["format_version"])
        if found > FORMAT_VERSION:
            raise LibraryVersion(found=found, supported=FORMAT_VERSION)
        spaces = {kind: Space(**space) for kind, space in value["spaces"].items()}
        return LibraryManifest(found, value["profile"], value["choice"], spaces, value["created_at"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise LibraryDamaged(what="library.json", reason=f"{type(error).__name__}: {error}") from error
