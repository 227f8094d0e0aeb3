"""Making a library's indexes with something else: files in its folder, or tables of LanceDB.

The new indexes are made beside the old ones, library.json is the switch, and then the old ones are removed. A crash
leaves the old ones in use, or the new ones and files that nobody reads; giving the command again is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from heimdex_core import files
from heimdex_core.files import write_json
from heimdex_core.settings import SearchName, Settings
from heimdex_core.store import indexing
from heimdex_core.store.library_json import format_version
from heimdex_core.store.search_place import search_backend
from heimdex_core.store.store import Store


@dataclass
class SearchReport:
    """What a change has done."""

    search: SearchName
    changed: bool = False
    """False if the library is searched with it already."""
    problems: list[str] = field(default_factory=list)
    """Messages about generations that could not be read."""


def change_search(root: Path | str, to: SearchName, settings: Settings) -> SearchReport:
    """Make all indexes with `to`, and use them from now on. Nobody else may have the library open.

    HEIMDEX_SEARCH is not looked at. Raises SearchUnavailable, DiskFull, LibraryBusy, and what `Store.open` raises.
    """
    settings = settings.model_copy(update={"search": None})
    store = Store.open(root, settings)
    with store.context.index_lock.hold():
        now = store.manifest
        if now.search == to:
            return SearchReport(to)
        there = replace(now, search=to, format_version=format_version(now.catalog, now.storage, to))
        target = search_backend(store.paths, there, settings)
        problems = indexing.sync(replace(store.context, search=target), rebuild=True)
        files.crash_point("search-built")
        with files.disk_errors("library.json", store.paths.root):
            write_json(store.paths.manifest, there, indent=1)
        if store.catalog.mirror is not None:
            store.catalog.mirror.put_manifest()
        files.crash_point("search-switched")
        store.context.search.keep_only(())
    store.close()
    return SearchReport(to, True, problems)
