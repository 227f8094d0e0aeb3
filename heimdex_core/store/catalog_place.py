"""Which database a library's catalog is kept in."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.errors import CatalogElsewhere
from heimdex_core.settings import Settings
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.catalog_engine import CatalogEngine, DuckDBEngine
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import LibraryManifest
from heimdex_core.store.locks import FileLock, index_lock


def engine_of(paths: LibraryPaths, manifest: LibraryManifest, settings: Settings) -> CatalogEngine:
    """The database that library.json and the settings name. Nothing is connected yet.

    Raises CatalogElsewhere if they disagree, InvalidValue for a malformed URL.
    """
    url = settings.database_url
    if (url is not None) != (manifest.catalog == "postgres"):
        places = ["Postgres", "catalog.duckdb"]
        found, expected = places if url is None else places[::-1]
        raise CatalogElsewhere(path=str(paths.root), found=found, expected=expected)
    if url is None:
        return DuckDBEngine(paths, settings.lock_timeout_s)
    # Here, so that a library without Postgres does not import its driver.
    from heimdex_core.store.postgres import PostgresEngine

    return PostgresEngine(paths, url.get_secret_value(), manifest.key, settings.lock_timeout_s)


def paths_of(root: Path | str, manifest: LibraryManifest) -> LibraryPaths:
    """The paths of a library, which fetch files if it is in object storage."""
    if manifest.storage is None:
        return LibraryPaths(root)
    from heimdex_core.store.mirror_paths import MirroredPaths

    return MirroredPaths(root)


def share_over_machines(catalog: Catalog, manifest: LibraryManifest, settings: Settings) -> FileLock:
    """The lock of index writers; in a library that several machines share one of the database.

    For one in object storage the catalog gets its mirror, too. Raises InvalidValue for a malformed address.
    """
    if manifest.catalog == "file":
        return index_lock(catalog.paths.index_lock, timeout_s=settings.lock_timeout_s)
    from heimdex_core.store.index_lock import SharedIndexLock
    from heimdex_core.store.postgres import PostgresEngine

    if not isinstance(engine := catalog.engine, PostgresEngine):
        raise TypeError(type(engine))
    if manifest.storage is not None:
        from heimdex_core.store.mirror import Mirror
        from heimdex_core.store.mirror_paths import MirroredPaths
        from heimdex_core.store.object_storage import ObjectStorage

        storage = ObjectStorage.open(manifest.storage, settings)
        catalog.mirror = Mirror(catalog.paths, storage, engine.peek, settings)
        if isinstance(catalog.paths, MirroredPaths):
            catalog.paths.fetches = catalog.mirror.fetches
    return SharedIndexLock(catalog.paths.index_lock, catalog, engine, timeout_s=settings.lock_timeout_s)
