"""Search in tables of LanceDB: in the library's folder, or beside it on an object storage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import remove_tree
from heimdex_core.store import lance_merging
from heimdex_core.store.lance_tables import (
    LanceManifest,
    OpenedTable,
    lance_errors,
    load_lancedb,
    name_of,
    read_manifest,
    vectors_role,
    words_role,
)
from heimdex_core.store.lance_vectors import LanceVectors
from heimdex_core.store.lance_words import LanceWords
from heimdex_core.store.lance_writing import LanceWriter, is_past
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.search_index import IndexOrder
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import ModelSet, Space, WorkContext

TABLES = "lance"
"""The folder of object storage that has the tables of a library there."""
MAX_APPENDS = 16
"""With more additions since it was compacted, a small table is compacted."""


class LanceSearch:
    """See SearchBackend."""

    def __init__(
        self, paths: LibraryPaths, place: str | None = None, storage_options: Mapping[str, str] | None = None
    ) -> None:
        """The tables are at `place`, such as s3://bucket/prefix/lance; None is the library's folder.

        Nothing is connected yet. Raises SearchUnavailable if LanceDB is not installed.
        """
        load_lancedb()
        self._folder = paths.lance_index
        self._place = place or str(self._folder)
        self._options = dict(storage_options or {})
        self._lock = threading.Lock()
        self._connection: Any = None

    def folders(self, model_set: ModelSet) -> list[Path]:
        """See SearchBackend."""
        return [self._folder]

    def vector_index(self, space: Space, opened: OpenedIndexes) -> LanceVectors | None:
        """See SearchBackend."""
        tables = opened.get(self._folder, self._open)
        return None if tables is None else tables.vectors(space)

    def word_index(self, set_id: int, opened: OpenedIndexes) -> LanceWords | None:
        """See SearchBackend."""
        tables = opened.get(self._folder, self._open)
        return None if tables is None else tables.words(set_id)

    def _open(self, _: _OpenedTables | None) -> _OpenedTables | None:
        manifest = read_manifest(self._folder)
        return None if manifest is None else _OpenedTables(self._folder, self._database(), manifest)

    def _database(self) -> Any:
        with self._lock:
            if self._connection is None:
                with lance_errors("The search index"):
                    self._connection = load_lancedb().connect(self._place, storage_options=self._options or None)
            return self._connection

    def write(self, order: IndexOrder, work: WorkContext) -> None:
        """See SearchBackend. The type of index is FAISS's and is not used."""
        writer = LanceWriter(self._folder, self._database())
        tasks: list[Callable[[], object]] = []
        for space, keys in order.spaces.items():
            tasks.append(partial(writer.write_vectors, space, keys, order))
        for set_id, keys in order.words.items():
            tasks.append(partial(writer.write_words, set_id, keys, order))
        for done, task in enumerate(tasks):
            work.check()
            work.report(done, len(tasks))
            task()
        writer.publish()
        work.report(len(tasks), len(tasks))

    def keep_only(self, model_sets: Sequence[ModelSet]) -> None:
        """See SearchBackend."""
        writer = LanceWriter(self._folder, self._database())
        writer.keep_only(_roles(model_sets))
        writer.publish()
        if not model_sets:
            with lance_errors("The search index"):
                self._database().drop_all_tables()
            remove_tree(self._folder)

    def count(self, space: Space) -> int:
        """See SearchBackend."""
        manifest = read_manifest(self._folder)
        entry = manifest.tables.get(vectors_role(space.name)) if manifest else None
        return entry.rows if entry else 0

    def check_vectors(self, space: Space) -> Collection[Key]:
        """See SearchBackend."""
        tables = self._open(None)
        return tables.check(vectors_role(space.name), space) if tables else ()

    def check_words(self, set_id: int) -> Collection[Key]:
        """See SearchBackend."""
        tables = self._open(None)
        return tables.check(words_role(set_id)) if tables else ()

    def is_merge_due(self, model_sets: Sequence[ModelSet]) -> bool:
        """See SearchBackend."""
        try:
            manifest = read_manifest(self._folder)
        except LibraryDamaged:
            return False
        if manifest is None:
            return False
        return bool(_to_compact(manifest) or lance_merging.to_copy(manifest)) or _has_unused(manifest)

    def merge(self, model_sets: Sequence[ModelSet], index_lock: FileLock, work: WorkContext) -> int:
        """See SearchBackend."""
        count, compacted = 0, ""
        while True:
            work.check()
            with index_lock.hold():
                manifest = read_manifest(self._folder)
                roles = _to_compact(manifest) if manifest else []
                writer = LanceWriter(self._folder, self._database())
                writer.remove_versions(compacted)
                compacted = roles[0] if roles else ""
                if roles:
                    writer.compact(roles[0])
                if roles or (manifest is not None and _has_unused(manifest)):
                    writer.remove_unused()
                writer.publish()
            if not roles and not lance_merging.copy_one(self._folder, self._database(), index_lock, work):
                return count
            count += 1


def _roles(model_sets: Sequence[ModelSet]) -> set[str]:
    spaces = {space for model_set in model_sets for space in model_set.spaces.values()}
    return {vectors_role(space.name) for space in spaces} | {words_role(one.set_id) for one in model_sets}


def _has_unused(manifest: LanceManifest) -> bool:
    return any(map(is_past, manifest.retired.values()))


def _to_compact(manifest: LanceManifest) -> list[str]:
    """What is so small that it takes moments. Larger tables are copied instead (lance_merging.py)."""
    return [
        role
        for role, entry in manifest.tables.items()
        if entry.appends > MAX_APPENDS and entry.rows <= lance_merging.LARGE_ROWS
    ]


class _OpenedTables:
    """The tables of one manifest, each opened when it is first used."""

    def __init__(self, folder: Path, database: Any, manifest: LanceManifest) -> None:
        self._folder = folder
        self._database = database
        self._manifest = manifest
        self._lock = threading.Lock()
        self._vectors: dict[str, LanceVectors] = {}
        self._words: dict[int, LanceWords] = {}

    def vectors(self, space: Space) -> LanceVectors | None:
        """Raises SpaceMismatch, LibraryDamaged."""
        with self._lock:
            if space.name not in self._vectors:
                table = self._table(vectors_role(space.name), space)
                if table is None:
                    return None
                self._vectors[space.name] = LanceVectors(table, space)
            return self._vectors[space.name]

    def words(self, set_id: int) -> LanceWords | None:
        """Raises LibraryDamaged."""
        with self._lock:
            if set_id not in self._words:
                table = self._table(words_role(set_id))
                if table is None:
                    return None
                self._words[set_id] = LanceWords(table)
            return self._words[set_id]

    def check(self, role: str, space: Space | None = None) -> Collection[Key]:
        """The generations in a table, after its rows were counted and read. Raises SpaceMismatch, LibraryDamaged."""
        opened = self._table(role, space)
        if opened is None:
            return ()
        with lance_errors(opened.what):
            numbers = opened.table.search().select(["generation"]).limit(None).to_arrow().column("generation")
        if len(numbers) != opened.entry.rows or not set(numbers.unique().to_pylist()) <= set(
            opened.entry.numbers.values()
        ):
            raise LibraryDamaged(what=opened.what, reason="its row counts do not agree")
        return frozenset(opened.entry.numbers)

    def _table(self, role: str, space: Space | None = None) -> OpenedTable | None:
        entry = self._manifest.tables.get(role)
        if entry is None:
            return None
        if space is not None:
            space.check(Space(**entry.about))
        what = name_of(role)
        with lance_errors(what):
            table = self._database.open_table(entry.table)
            table.checkout(entry.version)
        return OpenedTable(what, table, entry, self._folder)
