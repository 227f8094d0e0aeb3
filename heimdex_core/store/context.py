"""What the parts of the store that write to a library share."""

from __future__ import annotations

from dataclasses import dataclass

from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock


@dataclass(frozen=True)
class StoreContext:
    """A library's paths, its catalog, and the lock of index writers (taken before the catalog's)."""

    paths: LibraryPaths
    catalog: Catalog
    index_lock: FileLock
