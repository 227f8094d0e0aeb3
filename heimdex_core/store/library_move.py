"""Moving a library from a folder into object storage, and from there into a folder.

From the beginning library.json at the new place says that the library there is unfinished, so that nobody opens it or
makes another one there. Files are copied first, then once more what has changed, while nobody can change anything;
every copy is read and compared (library_copies.py). The catalog is copied unless it stays in Postgres. Only then
library.json at the old place says that the library has moved, and after that the one at the new place that it is
complete: at no moment both can be used. An interruption before leaves the old place in use, and the same call goes on
where the one before was. Files at the old place stay there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from heimdex_core import files
from heimdex_core.errors import InvalidValue
from heimdex_core.files import make_folder, remove_tree, write_json
from heimdex_core.settings import Settings
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.store.catalog_move import fill, read_tables
from heimdex_core.store.catalog_place import engine_of
from heimdex_core.store.index_lock import SharedIndexLock
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_copies import NOTES, Copies, CopiesInFolder, CopiesInStorage, Progress
from heimdex_core.store.library_json import (
    FORMAT_VERSIONS,
    CatalogPlace,
    LibraryManifest,
    format_version,
    read_manifest,
)
from heimdex_core.store.mirror import MANIFEST
from heimdex_core.store.object_storage import ObjectStorage
from heimdex_core.store.postgres import PostgresEngine
from heimdex_core.store.search_log import search_log
from heimdex_core.store.store import Store
from heimdex_core.store.transaction import Connection, Transaction

_LEVELS = 8
"""Folders that are made for the new place at most."""


@dataclass
class LibraryMoveReport:
    """What a move has done."""

    place: str
    """Where the library is now: a folder, or s3://bucket/prefix."""
    catalog: CatalogPlace
    moved: bool = False
    """False if it was there already."""
    files: int = 0
    """How many files it has, each compared by its SHA-256 after it was written."""
    size_bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    """By table of the catalog, if that was copied: how many rows, each compared."""
    kept_as: str | None = None
    """The name that the old catalog has now, if it was copied."""


def move_library(
    source: LibraryPlace,
    target: LibraryPlace,
    catalog: CatalogPlace,
    settings: Settings,
    progress: Progress | None = None,
) -> LibraryMoveReport:
    """Move a library that nobody else has open, or go on with an interrupted move.

    Args:
        source: where it is: a folder, or an address of object storage.
        target: the other of the two, without a library.
        catalog: where the catalog will be; that of a library in object storage is in Postgres.
        settings: name the Postgres that the catalog is or will be in, and limit waiting for locks.
        progress: called while files are copied.

    Raises LibraryNotFound, LibraryMoved, LibraryBusy, InvalidValue for places that do not go together or a target that
    is not free, ObjectDamaged or LibraryDamaged if a copy differs, what ObjectStorage and Store.open raise, DiskFull.
    """
    if (source.address is None) == (target.address is None):
        reason = f"a library goes from a folder to s3://bucket/prefix or back; it is at {source}"
        raise InvalidValue(name="to", value=str(target), reason=reason)
    if target.address is not None and catalog != "postgres":
        raise InvalidValue(name="catalog", value=catalog, reason="that of a library in object storage is in Postgres")
    if settings.database_url is None:
        reason = "it has to name the Postgres that the catalog is moved to, or from"
        raise InvalidValue(name="HEIMDEX_DATABASE_URL", value="", reason=reason)
    with files.disk_errors("the library", target.root):
        return _Move(source, target, settings, LibraryMoveReport(str(target), catalog), progress).run()


class _Move:
    def __init__(
        self,
        source: LibraryPlace,
        target: LibraryPlace,
        settings: Settings,
        report: LibraryMoveReport,
        progress: Progress | None,
    ) -> None:
        self._source = source
        self._target = target
        self._paths = LibraryPaths(target.root)
        self._settings = settings
        self._report = report
        self._progress: Progress = progress or (lambda done, total: None)
        self._storage = ObjectStorage.open(str(source.address or target.address), settings)

    def run(self) -> LibraryMoveReport:
        self._source.refresh(self._settings)
        before = read_manifest(LibraryPaths(self._source.root), anywhere=True)
        there = self._find_target(before)
        if there is not None and there.moving_from is None and there.moved_to is None:
            return replace(self._report, catalog=there.catalog)
        after = replace(
            before,
            format_version=format_version(self._report.catalog, self._target.address, before.search),
            catalog=self._report.catalog,
            storage=self._target.address,
            moving_from=None,
            moved_to=None,
        )
        if before.moved_to != str(self._target):
            make_folder(self._target.root, levels=_LEVELS)
            self._put_manifest(self._target, replace(after, moving_from=str(self._source)))
            self._copy(before, after)
        remove_tree(self._target.root / NOTES)
        self._put_manifest(self._target, after)
        return replace(self._report, moved=True)

    def _find_target(self, before: LibraryManifest) -> LibraryManifest | None:
        """What library.json at the new place says, None without one. Raises InvalidValue if the place is not free."""
        reason = None
        there = read_manifest(self._paths, anywhere=True) if self._target.refresh(self._settings) else None
        if there is not None and there.key != before.key:
            reason = "another library is there"
        elif there is not None and there.moved_to is not None and self._target.address is None:
            reason = "what was left there when the library was moved away has to be deleted first"
        elif there is None and self._target.address is None and self._target.root.exists():
            reason = "the folder is not empty" if any(self._target.root.iterdir()) else None
        if reason is not None:
            raise InvalidValue(name="to", value=str(self._target), reason=reason)
        return there

    def _put_manifest(self, place: LibraryPlace, manifest: LibraryManifest) -> None:
        paths = LibraryPaths(place.root)
        write_json(paths.manifest, manifest, indent=1)
        if place.address is not None:
            self._storage.put_bytes(MANIFEST, paths.manifest.read_bytes(), content_type="application/json")

    def _copy(self, before: LibraryManifest, after: LibraryManifest) -> None:
        store = Store.open(self._source.root, self._settings_for(before))
        try:
            copies = self._copies(store)
            copies.bring()  # most of it, while others may go on
            with _nobody_writes(store):
                if before.catalog == after.catalog:
                    with store.catalog.transaction() as transaction:
                        self._finish(store, copies)
                        copies.name_in(transaction)
                    self._leave(before)
                else:
                    self._report.kept_as = store.catalog.engine.retire(
                        lambda connection: self._copy_catalog(store, connection, copies, before, after)
                    )
        finally:
            store.close()

    def _copy_catalog(
        self,
        store: Store,
        connection: Connection,
        copies: Copies,
        before: LibraryManifest,
        after: LibraryManifest,
    ) -> None:
        self._finish(store, copies)
        target = engine_of(self._paths, after, self._settings_for(after))
        tables = copies.named_in(read_tables(Transaction(connection)))
        fill(self._paths, target, tables)
        searches = search_log(store.catalog.engine.shared, store.paths.searches).entries()
        search_log(target.shared, self._paths.searches).replace(searches)
        self._report.rows = {name: table.num_rows for name, table in tables.items()}
        self._leave(before)

    def _copies(self, store: Store) -> Copies:
        if self._target.address is not None:
            return CopiesInStorage(store.paths, self._storage, self._target.root / NOTES, self._progress)
        if not isinstance(engine := store.catalog.engine, PostgresEngine):
            raise TypeError(type(engine))
        return CopiesInFolder(engine.peek, self._storage, self._paths, self._progress)

    def _finish(self, store: Store, copies: Copies) -> None:
        copies.finish()
        self._report.files, self._report.size_bytes = copies.count, copies.size_bytes
        if store.manifest.search == "lancedb":
            # Here, so that a library without LanceDB does not import it.
            from heimdex_core.store.lance_copies import TableCopies

            to_storage = self._target.address is not None
            folder = (store.paths if to_storage else self._paths).lance_index
            notes = self._target.root / NOTES
            tables = TableCopies(folder, self._storage, notes, self._progress, to_storage=to_storage)
            tables.copy()
            self._report.files += tables.count
            self._report.size_bytes += tables.size_bytes
        files.crash_point("library-copied")

    def _leave(self, before: LibraryManifest) -> None:
        """Say at the old place where the library is; versions that would not read that refuse the format."""
        version = max(before.format_version, FORMAT_VERSIONS["s3"])
        self._put_manifest(self._source, replace(before, format_version=version, moved_to=str(self._target)))
        files.crash_point("library-left")

    def _settings_for(self, manifest: LibraryManifest) -> Settings:
        url = self._settings.database_url if manifest.catalog == "postgres" else None
        return self._settings.model_copy(update={"database_url": url, "search": None})


@contextmanager
def _nobody_writes(store: Store) -> Iterator[None]:
    """Hold the index lock, without writing to the indexes. Raises LibraryBusy."""
    lock = store.context.index_lock
    with lock.hold_still() if isinstance(lock, SharedIndexLock) else lock.hold():
        yield
