"""The tables of LanceDB of a library that is moved: copied file by file, since nothing in them names their place.

Nobody may write the index meanwhile. Each copy is read back and compared by its SHA-256. An interrupted call is given
again; what was compared then is not copied again, as LanceDB never changes a file of data or of an index.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from heimdex_core.errors import ObjectDamaged
from heimdex_core.files import make_folder, remove_tree, sha256_of
from heimdex_core.store.lance_search import TABLES
from heimdex_core.store.lance_tables import read_manifest
from heimdex_core.store.object_storage import ObjectStorage

_FIXED = ("data", "_indices", "_deletions")
"""The folders of a table whose files never change."""
_AT_ONCE = 64
_LEVELS = 8


class TableCopies:
    """The tables that the manifest in the folder names.

    Args:
        folder: `LibraryPaths.lance_index` of the place that is a folder, with its manifest.
        storage: the other place.
        to_storage: whether the folder is copied to the storage; the other way otherwise.
        notes: a folder for what is known about the copies.
        progress: called with (bytes copied, bytes in all).
    """

    def __init__(
        self,
        folder: Path,
        storage: ObjectStorage,
        notes: Path,
        progress: Callable[[int, int], None],
        *,
        to_storage: bool,
    ) -> None:
        self.count = self.size_bytes = 0
        self._folder = folder
        self._storage = storage
        self._notes = notes
        self._progress = progress
        self._to_storage = to_storage

    def copy(self) -> None:
        """Copy and compare. Raises ObjectDamaged, LibraryDamaged, what ObjectStorage raises, DiskFull."""
        manifest = read_manifest(self._folder)
        names = [f"{entry.table}.lance" for entry in manifest.tables.values()] if manifest else []
        sizes = {path: size for name in names for path, size in self._files(name).items()}
        noted = self._notes / "tables.txt"
        lines = noted.read_text().splitlines() if noted.exists() else []
        known = {path: size for path, size in map(json.loads, lines) if path.split("/")[1] in _FIXED}
        left = [path for path, size in sizes.items() if known.get(path) != size]
        self.count, self.size_bytes = len(sizes), sum(sizes.values())
        done = self.size_bytes - sum(sizes[path] for path in left)
        for at in range(0, len(left), _AT_ONCE):
            some = left[at : at + _AT_ONCE]
            self._bring(some)
            self._compare(some)
            make_folder(self._notes, levels=_LEVELS)
            with noted.open("a") as file:
                file.writelines(json.dumps([path, sizes[path]]) + "\n" for path in some)
            done += sum(sizes[path] for path in some)
            self._progress(done, self.size_bytes)

    def _files(self, table: str) -> dict[str, int]:
        """Size by path, relative to the folder of all tables."""
        if not self._to_storage:
            prefix = f"{TABLES}/"
            return {one.key.removeprefix(prefix): one.size_bytes for one in self._storage.list(f"{prefix}{table}/")}
        places = [Path(parent) / name for parent, _, names in os.walk(self._folder / table) for name in sorted(names)]
        return {place.relative_to(self._folder).as_posix(): place.stat().st_size for place in places}

    def _bring(self, paths: Sequence[str]) -> None:
        if self._to_storage:
            self._storage.put_many([(f"{TABLES}/{path}", self._folder / path) for path in paths])
        else:
            self._fetch([(path, self._folder / path) for path in paths])

    def _compare(self, paths: Sequence[str]) -> None:
        """Read what is in the storage once more."""
        again = make_folder(self._notes / "tables", levels=_LEVELS)
        places = [(path, again / str(number)) for number, path in enumerate(paths)]
        self._fetch(places)
        for path, place in places:
            if sha256_of(place) != sha256_of(self._folder / path):
                raise ObjectDamaged(key=f"{TABLES}/{path}", reason="its SHA-256 differs")
        remove_tree(again)

    def _fetch(self, items: Sequence[tuple[str, Path]]) -> None:
        for _, place in items:
            make_folder(place.parent, levels=_LEVELS)
        self._storage.get_many([(f"{TABLES}/{path}", place) for path, place in items])
