"""What is done with a library as a whole while nobody has it open: repairing it, moving it, changing its engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from heimdex_core.errors import InvalidValue
from heimdex_core.library.arguments import AnyPath, checked
from heimdex_core.library.context import require_usable_path
from heimdex_core.settings import SearchName, Settings, get_settings
from heimdex_core.store import Store
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.store.catalog_move import move_catalog
from heimdex_core.store.library_json import CatalogPlace
from heimdex_core.store.search_move import change_search
from heimdex_core.types import to_json


def _folder(place: LibraryPlace, reason: str) -> Path:
    """The folder of a library that is one. Raises InvalidValue for an address, for this reason."""
    if place.address is not None:
        raise InvalidValue(name="library", value=place.address, reason=reason)
    return place.root


class ClosedLibrary:
    """Part of Library: methods that take a place instead of an open library."""

    @staticmethod
    @checked
    def repair(path: AnyPath | None = None, *, settings: Settings | None = None) -> dict[str, Any]:
        """Rebuild the catalog of a library, if it is lost or damaged, from the folders of its videos.

        Reels, exports, judgements, preferences and watched folders come from the copies in backup/, which are written
        after every change. Nothing is deleted: a damaged catalog is kept under another name. In a library whose catalog
        is sound, folders that it does not know are added to it.

        Args:
            path: the library folder; default as for `open`.

        Returns {catalog, moved_to, videos, restored, problems}. Raises LibraryNotFound, LibraryVersion, LibraryDamaged,
        LibraryBusy, DiskFull, InvalidValue for a library in object storage.
        """
        settings = settings or get_settings()
        place = LibraryPlace.of(path if path is not None else settings.library, settings)
        reason = "the catalog of a library in object storage says which files it has: restore its database from a dump"
        root = _folder(place, reason)
        require_usable_path(root)
        report: dict[str, Any] = to_json(Store.repair(root))
        return report

    @staticmethod
    @checked
    def move_catalog(path: AnyPath | None = None, *, to: CatalogPlace) -> dict[str, Any]:
        """Move the catalog to the Postgres of HEIMDEX_DATABASE_URL, or from there (`to` is "file") to catalog.duckdb.

        Nobody else may have the library open. Returns {catalog, moved, rows, kept_as}. Raises what
        store.catalog_move.move_catalog raises.
        """
        settings = get_settings()
        place = LibraryPlace.of(path if path is not None else settings.library, settings)
        root = _folder(
            place, "the catalog of a library in object storage stays in Postgres; move the library to a folder"
        )
        report: dict[str, Any] = to_json(move_catalog(root, to, settings))
        return report

    @staticmethod
    @checked
    def change_search(path: AnyPath | None = None, *, to: SearchName) -> dict[str, Any]:
        """Search the library with "local" (FAISS and tantivy) or "lancedb" (tables of LanceDB) from now on.

        Nobody else may have the library open. All indexes are made again; the old ones are removed at the end. Returns
        {search, changed, problems}. Raises what store.search_move.change_search raises.
        """
        settings = get_settings()
        place = LibraryPlace.of(path if path is not None else settings.library, settings)
        place.refresh(settings)
        report: dict[str, Any] = to_json(change_search(place.root, to, settings))
        return report

    @staticmethod
    @checked
    def move(
        path: AnyPath | None = None,
        *,
        to: AnyPath,
        catalog: CatalogPlace | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Move a library from its folder to s3://bucket/prefix, or from there to a folder.

        Nobody else may have it open. What is interrupted goes on at the next call; until everything was copied and
        compared, the library is used at the old place, whose files stay there.

        Args:
            path: where it is; default as for `open`.
            to: where it goes: an address, or a folder that is empty or not there.
            catalog: where the catalog will be, "postgres" (that of HEIMDEX_DATABASE_URL) or "file"; default "postgres"
                in object storage and "file" in a folder.
            progress: called with (bytes copied, bytes in all).

        Returns {place, catalog, moved, files, size_bytes, rows, kept_as}. Raises what store.library_move.move_library
        raises.
        """
        # Here, so that a library without object storage does not import its client.
        from heimdex_core.store.library_move import move_library

        settings = get_settings()
        source = LibraryPlace.of(path if path is not None else settings.library, settings)
        target = LibraryPlace.of(to, settings)
        chosen: CatalogPlace = catalog or ("file" if target.address is None else "postgres")
        report: dict[str, Any] = to_json(move_library(source, target, chosen, settings, progress))
        return report
