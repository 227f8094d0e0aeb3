"""Where a library is: a folder, or the address of one in object storage, s3://bucket/prefix."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import (
    DatabaseNotSet,
    InvalidValue,
    LibraryNotFound,
    ObjectStorageFailed,
    ObjectStorageUnavailable,
)
from heimdex_core.files import remove_tree
from heimdex_core.settings import Settings
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import read_manifest

log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"s3:/+(?P<bucket>[^/]+)(?:/+(?P<prefix>.*?))?/*")
"""A Path has one slash where the address has two."""
_CREATING_LOCK = 2
"""Of the locks of a library, which has no number yet: that of its address is taken."""


@dataclass(frozen=True)
class LibraryPlace:
    """The folder of a library, and its address if it is in object storage."""

    root: Path
    """The library's folder; for one in object storage the working folder of this machine."""
    address: str | None = None

    @classmethod
    def of(cls, named: Path | str, settings: Settings) -> LibraryPlace:
        """The place that a person names, by a path or an address. Nothing is looked at. Raises InvalidValue."""
        if str(named).partition("/")[0] != "s3:":
            return cls(Path(named).expanduser().resolve())
        found = _ADDRESS.fullmatch(str(named))
        if found is None:
            raise InvalidValue(name="library", value=str(named), reason="an address is s3://bucket/prefix")
        address = f"s3://{found['bucket']}" + (f"/{found['prefix']}" if found["prefix"] else "")
        from heimdex_core.store.mirror import working_folder

        return cls(working_folder(address, settings), address)

    def __str__(self) -> str:
        return self.address or str(self.root)

    def refresh(self, settings: Settings) -> bool:
        """Bring library.json of a library in object storage into its working folder; whether there is a library.

        Without the storage the library.json of the last time is used, if there is one. A working folder of an earlier
        library at the address is removed. Raises DatabaseNotSet, what ObjectStorage raises.
        """
        paths = LibraryPaths(self.root)
        if self.address is None:
            return paths.manifest.exists()
        if settings.database_url is None:
            raise DatabaseNotSet(address=self.address)
        from heimdex_core.store.mirror import fetch_manifest
        from heimdex_core.store.object_storage import ObjectStorage

        key = _key(paths)
        try:
            if not fetch_manifest(ObjectStorage.open(self.address, settings), paths):
                return False
        except (ObjectStorageUnavailable, ObjectStorageFailed) as error:
            if key is None:
                raise
            log.warning("the library is opened as it was the last time: %s", error)
        if key not in (None, _key(paths)):
            log.warning("another library is at %s now; the copies of the one before are removed", self.address)
            remove_tree(self.root)
            return self.refresh(settings)
        return True

    @contextmanager
    def creating(self, settings: Settings) -> Iterator[None]:
        """Let one machine at a time make a library at the address."""
        if self.address is None or settings.database_url is None:
            yield
            return
        from heimdex_core.store.postgres import PostgresEngine

        number = self.root.name.rpartition("-")[2]
        engine = PostgresEngine(LibraryPaths(self.root), settings.database_url.get_secret_value(), number, None)
        with engine.session_lock(_CREATING_LOCK, settings.lock_timeout_s, f"The address {self.address}"):
            yield


def _key(paths: LibraryPaths) -> str | None:
    try:
        return read_manifest(paths, anywhere=True).key
    except LibraryNotFound:
        return None
