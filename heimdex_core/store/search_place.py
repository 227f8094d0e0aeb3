"""What a library is searched with."""

from __future__ import annotations

from heimdex_core.errors import SearchElsewhere
from heimdex_core.settings import Settings
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import LibraryManifest
from heimdex_core.store.local_search import LocalSearch
from heimdex_core.store.search_index import SearchBackend


def search_backend(paths: LibraryPaths, manifest: LibraryManifest, settings: Settings) -> SearchBackend:
    """The indexes that library.json names. Nothing is opened yet.

    Raises SearchElsewhere if the settings name others, SearchUnavailable if a package is missing.
    """
    if settings.search not in (None, manifest.search):
        raise SearchElsewhere(path=str(paths.root), found=manifest.search, expected=settings.search)
    if manifest.search == "local":
        return LocalSearch(paths)
    # Here, so that a library without LanceDB does not import it.
    from heimdex_core.store.lance_search import TABLES, LanceSearch

    if manifest.storage is None:
        return LanceSearch(paths)
    from heimdex_core.store.object_storage import ObjectStorage

    storage = ObjectStorage.open(manifest.storage, settings)
    return LanceSearch(paths, f"{storage.url}/{TABLES}", storage.storage_options())
