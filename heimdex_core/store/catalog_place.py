"""Which database a library's catalog is kept in."""

from __future__ import annotations

from heimdex_core.errors import CatalogElsewhere
from heimdex_core.settings import Settings
from heimdex_core.store.catalog_engine import CatalogEngine, DuckDBEngine
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import LibraryManifest


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
