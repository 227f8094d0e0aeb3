"""The files of a library that is moved: brought to the other place, and each copy compared by its SHA-256.

`bring` goes on where an earlier one was, and copies what has changed since; it can be called at any time. After
`finish` the copies are those of the library at that moment, all of them read back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from heimdex_core.errors import ObjectDamaged, ObjectMissing
from heimdex_core.files import make_folder, remove_tree, sha256_of
from heimdex_core.store import mirror_tree
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.mirror_fetch import listed_files
from heimdex_core.store.mirror_state import Copy, MirrorState, Stored
from heimdex_core.store.mirror_tree import PULLED, Read
from heimdex_core.store.mirror_upload import OBJECTS, Uploads, object_key, units
from heimdex_core.store.object_storage import ObjectStorage
from heimdex_core.store.transaction import Transaction

Progress = Callable[[int, int], None]
"""Called with (bytes copied, bytes in all)."""
Tables = Mapping[str, pa.Table]

NOTES = ".moving"
"""The folder at the new place, or in its working folder, with what is known about the copies."""

_SCOPES = (*PULLED, "exports/")
"""What is carried besides the folders of the videos. Other files belong to one machine, or can be made again."""
_OTHER_FILES = ("library.json", "catalog.duckdb", "catalog.duckdb.wal", "catalog.lock")
"""What a new folder has besides."""
_AT_ONCE, _BYTES_AT_ONCE = 64, 1_000_000_000
"""Files that are fetched together: at most so many, and of so many bytes unless it is one."""
_LEVELS = 8


class Copies(Protocol):
    """The copies of a library's files."""

    count: int
    """How many files there are, after `finish`."""
    size_bytes: int

    def bring(self) -> None:
        """Copy what is not there yet. Raises what ObjectStorage raises, DiskFull."""
        ...

    def finish(self) -> None:
        """Copy what has changed, while nobody changes more, and compare every copy. Raises ObjectDamaged."""
        ...

    def name_in(self, transaction: Transaction) -> None:
        """Say in a catalog that stays which files there are."""
        ...

    def named_in(self, tables: Tables) -> Tables:
        """The same in the tables of a catalog that is copied."""
        ...


class CopiesInStorage:
    """From a folder into object storage.

    Args:
        paths: of the library.
        storage: where it goes.
        notes: NOTES of the working folder at the new place.
        progress: called after every file.
    """

    def __init__(self, paths: LibraryPaths, storage: ObjectStorage, notes: Path, progress: Progress) -> None:
        self.count = self.size_bytes = 0
        self._paths = paths
        self._storage = storage
        self._notes = notes
        self._progress = progress
        self._state = MirrorState(notes / "state.sqlite")
        self._uploads = Uploads(paths, storage, self._state)
        self._contents: dict[str, Stored] = {}

    def bring(self) -> None:
        """See Copies."""
        videos = sorted(path.name for path in self._paths.videos.iterdir() if path.is_dir())
        scopes = [*(f"videos/{video_id}/" for video_id in videos), *_SCOPES]
        places = [place for scope in scopes for place in units(self._paths, scope)]
        done, total = 0, sum(_size(place) for place in places)
        self._contents = {}
        for place in places:
            stored = self._contents[self._paths.relative(place)] = self._uploads.upload(place)
            done += stored.size_bytes
            self._progress(done, total)

    def finish(self) -> None:
        """See Copies."""
        self.bring()
        wanted: dict[str, tuple[str, int]] = {}
        """(path of the file or generation, bytes or -1) by SHA-256."""
        self.count = 0
        for path, stored in self._contents.items():
            if stored.kind == "file":
                wanted[stored.sha256] = (path, stored.size_bytes)
                self.count += 1
            else:
                listing = self._listing(path, stored)
                wanted |= {sha256: (path, size) for sha256, size in listing.values()}
                wanted[stored.sha256] = (path, -1)
                self.count += len(listing)
        self.size_bytes = sum(stored.size_bytes for stored in self._contents.values())
        self._compare(wanted)

    def name_in(self, transaction: Transaction) -> None:
        """See Copies."""
        transaction.run("delete from files")
        mirror_tree.write(transaction, self._contents)

    def named_in(self, tables: Tables) -> Tables:
        """See Copies."""
        rows = [
            {"path": path, "kind": one.kind, "sha256": one.sha256, "size_bytes": one.size_bytes, "revision": 1}
            for path, one in self._contents.items()
        ]
        counters = [
            {**row, "value": 1} if row["name"] == "files_revision" else row for row in tables["counters"].to_pylist()
        ]
        return {
            **tables,
            "files": pa.Table.from_pylist(rows, tables["files"].schema),
            "counters": pa.Table.from_pylist(counters, tables["counters"].schema),
        }

    def _listing(self, path: str, stored: Stored) -> dict[str, tuple[str, int]]:
        try:
            return listed_files(self._storage, stored)
        except (ObjectMissing, ObjectDamaged):
            self._state.forget(path)  # so that the next attempt writes it again
            raise

    def _compare(self, wanted: Mapping[str, tuple[str, int]]) -> None:
        """Read every object back that was not compared before. Raises ObjectDamaged, ObjectMissing."""
        noted = self._notes / "compared.txt"
        compared = set(noted.read_text().split()) if noted.exists() else set()
        present = {found.key: found.size_bytes for found in self._storage.list(OBJECTS)}
        for sha256, (path, _) in wanted.items():
            if object_key(sha256) not in present:
                self._state.forget(path)
                raise ObjectMissing(key=object_key(sha256), host=self._storage.host)
        left = {sha256: present[object_key(sha256)] for sha256 in wanted.keys() - compared}
        folder = make_folder(self._notes / "compared")
        for some in _together(left):
            self._storage.get_many([(object_key(sha256), folder / sha256) for sha256 in some])
            for sha256 in some:
                if sha256_of(folder / sha256) != sha256:
                    self._storage.delete([object_key(sha256)])
                    self._state.forget(wanted[sha256][0])
                    raise ObjectDamaged(key=object_key(sha256), reason="its SHA-256 differs")
                (folder / sha256).unlink()
            with noted.open("a") as file:
                file.writelines(f"{sha256}\n" for sha256 in some)


class CopiesInFolder:
    """From object storage into a folder.

    Args:
        read: runs a query on the catalog of the library.
        storage: where it is.
        paths: of the new folder.
        progress: called after some files.
    """

    def __init__(self, read: Read, storage: ObjectStorage, paths: LibraryPaths, progress: Progress) -> None:
        self.count = self.size_bytes = 0
        self._read = read
        self._storage = storage
        self._paths = paths
        self._progress = progress
        self._state = MirrorState(paths.root / NOTES / "state.sqlite")
        self._listings: dict[str, dict[str, tuple[str, int]]] = {}

    def bring(self) -> None:
        """See Copies. Every copy is compared before it is noted as being there."""
        wanted = dict(self._files())
        self.count, self.size_bytes = len(wanted), sum(one.size_bytes for one in wanted.values())
        left = {path: one for path, one in wanted.items() if not self._has(path, one)}
        done = self.size_bytes - sum(one.size_bytes for one in left.values())
        for some in _together({path: one.size_bytes for path, one in left.items()}):
            for path in some:
                make_folder((self._paths.root / path).parent, levels=_LEVELS)
            self._storage.get_many([(object_key(left[path].sha256), self._paths.root / path) for path in some])
            for path in some:
                place = self._paths.root / path
                if sha256_of(place) != left[path].sha256:
                    place.unlink()
                    raise ObjectDamaged(key=object_key(left[path].sha256), reason="its SHA-256 differs")
                self._state.note({path: Copy.of(place, left[path])})
                done += left[path].size_bytes
            self._progress(done, self.size_bytes)

    def finish(self) -> None:
        """See Copies."""
        self.bring()
        wanted = {path for path, _ in self._files()}
        for parent, folders, names in os.walk(self._paths.root):
            folders[:] = [name for name in folders if name != NOTES and not name.endswith(".lance")]
            for place in (Path(parent) / name for name in names):
                path = self._paths.relative(place)
                if path not in wanted and path not in _OTHER_FILES:  # removed since an earlier attempt
                    place.unlink()
        for folder in (*self._paths.videos.glob("*/gen/*"), *self._paths.videos.glob("*")):
            if folder.is_dir() and not any(file.is_file() for file in folder.rglob("*")):
                remove_tree(folder)

    def name_in(self, transaction: Transaction) -> None:
        """See Copies. Which content the files had is left there; nobody asks for it."""

    def named_in(self, tables: Tables) -> Tables:
        """See Copies."""
        return {**tables, "files": tables["files"].slice(0, 0)}

    def _files(self) -> Iterator[tuple[str, Stored]]:
        """Every file of the library, those of generations one by one, with its content."""
        for row in mirror_tree.changed_since(self._read, 0, pulled_only=False):
            stored = mirror_tree.stored_of(row)
            if stored is None:
                continue
            if stored.kind == "file":
                yield row["path"], stored
                continue
            if stored.sha256 not in self._listings:
                self._listings[stored.sha256] = listed_files(self._storage, stored)
            for name, (sha256, size) in self._listings[stored.sha256].items():
                yield f"{row['path']}/{name}", Stored("file", sha256, size)

    def _has(self, path: str, stored: Stored) -> bool:
        return self._state.copy_of(path, self._paths.root / path) == stored


def _size(place: Path) -> int:
    if place.is_file():
        return place.stat().st_size
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def _together(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The keys in groups that may be fetched together."""
    some: list[str] = []
    size_bytes = 0
    for key, size in sizes.items():
        if some and (len(some) >= _AT_ONCE or size_bytes + size > _BYTES_AT_ONCE):
            yield some
            some, size_bytes = [], 0
        some.append(key)
        size_bytes += size
    if some:
        yield some
