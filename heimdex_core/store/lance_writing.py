"""Writing the tables of LanceDB, under index.lock: all that one write changes is published by one manifest.

Each change of a table makes a version of it, which must be the next one. If it is not, somebody else has written, who
has lost index.lock without knowing it. Then the table is brought back to the version that counts, and written again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import disk_errors
from heimdex_core.store import analysis, lance_vectors, lance_words
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.store.lance_tables import (
    LanceManifest,
    TableEntry,
    lance_errors,
    load_lancedb,
    name_of,
    one_of,
    read_manifest,
    vectors_role,
    words_role,
    write_manifest,
)
from heimdex_core.store.lexical_files import FIELDS
from heimdex_core.store.search_index import IndexOrder
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Json, Space, to_json

log = logging.getLogger(__name__)

KEPT_S = 3600.0
"""How long readers may go on with tables that do not count any more, and with versions since they were made."""
_NEVER = timedelta(days=36_500)
ROWS_AT_ONCE = 20_000
"""So many rows of new generations are in memory at a time."""
WRITES = 3
"""How often a write is begun."""

Rows = Callable[[Key, int], "pa.RecordBatch | None"]
"""The rows of a generation with its number; None for one that cannot be read."""


class LanceWriter:
    """One write. Nothing of it counts before `publish`."""

    def __init__(self, folder: Path, database: Any) -> None:
        """`folder` is that of the manifest, and `database` the connection."""
        self._folder = folder
        self._database = database
        try:
            self._before = read_manifest(folder) or LanceManifest()
        except LibraryDamaged as error:
            log.warning("the search tables are made again: %s", error)
            self._before = LanceManifest()
        self._manifest = self._before

    def write_vectors(self, space: Space, wanted: frozenset[Key], order: IndexOrder) -> None:
        """Make the table of a space contain exactly the wanted generations; see IndexOrder. Raises SpaceMismatch."""

        def rows(key: Key, number: int) -> pa.RecordBatch | None:
            content = order.source.vector_rows(space, key)
            if content is None:
                return None
            return lance_vectors.rows_of_generation(number, VectorRows(*content), space)

        role, about = vectors_role(space.name), to_json(space)
        entry = self._manifest.tables.get(role)
        if entry is not None:
            space.check(Space(**entry.about))
        self._write(role, lance_vectors.schema(space), about, wanted, rows, order)

    def write_words(self, set_id: int, wanted: frozenset[Key], order: IndexOrder) -> None:
        """Make the table of the words of a set contain exactly the wanted generations; see IndexOrder."""

        def rows(key: Key, number: int) -> pa.RecordBatch | None:
            content = order.source.texts(key)
            return None if content is None else lance_words.rows_of_generation(number, *content)

        role, about = words_role(set_id), {"analysis": analysis.VERSION}
        entry = self._manifest.tables.get(role)
        is_other = entry is not None and entry.about != about
        self._write(role, lance_words.SCHEMA, about, wanted, rows, replace(order, rebuild=order.rebuild or is_other))

    def _write(
        self,
        role: str,
        schema: pa.Schema,
        about: Json,
        wanted: frozenset[Key],
        rows: Rows,
        order: IndexOrder,
    ) -> None:
        entry = None if order.rebuild else self._manifest.tables.get(role)
        if entry is not None:
            keep = frozenset(entry.numbers) & wanted - order.redo
            if keep == wanted and len(keep) == len(entry.numbers):
                return
            for _ in range(WRITES):
                try:
                    self._put(role, self._changed(role, entry, keep, sorted(wanted - keep), rows, erase=order.erase))
                    return
                except _WrittenByOthers:
                    log.warning("the table of %s was written by another process without index.lock", role)
                except LibraryDamaged as error:
                    log.warning("the table of %s is made again: %s", role, error)
                    break
        self._put(role, self._made(role, schema, about, sorted(wanted), rows))

    def _changed(
        self, role: str, entry: TableEntry, keep: frozenset[Key], missing: Sequence[Key], rows: Rows, *, erase: bool
    ) -> TableEntry:
        """The table without the generations that are not kept, and with those that are missing."""
        with lance_errors(name_of(role)):
            table = _at_version(self._database, entry)
            before = table.version
            gone = [number for key, number in entry.numbers.items() if key not in keep]
            if gone:
                table.delete(one_of("generation", gone))
                before = _next(table, before)
        numbers = {key: entry.numbers[key] for key in keep}
        new, appended = self._append(role, table, missing, entry.next_number, rows, before)
        return replace(
            entry,
            version=table.version,
            rows=table.count_rows(),
            numbers={**numbers, **new},
            next_number=entry.next_number + len(missing),
            appends=entry.appends + appended,
            is_erasing=entry.is_erasing or (erase and bool(gone)),
        )

    def _made(self, role: str, schema: pa.Schema, about: Json, wanted: Sequence[Key], rows: Rows) -> TableEntry:
        """A new table with these generations."""
        name = self._new_name(role)
        with lance_errors(name_of(role)), disk_errors(name_of(role), self._folder):
            table = self._database.create_table(name, schema=schema)
        numbers, _ = self._append(role, table, wanted, 1, rows, table.version)
        with lance_errors(name_of(role)), disk_errors(name_of(role), self._folder):
            make_indexes(table, schema)
        return TableEntry(name, table.version, table.count_rows(), numbers, len(wanted) + 1, len(wanted) + 1, 0, about)

    def _append(
        self, role: str, table: Any, keys: Sequence[Key], first_number: int, rows: Rows, version: int
    ) -> tuple[dict[Key, int], int]:
        """(the numbers of those of the generations that could be read, 1 if there were any rows)."""
        numbers: dict[Key, int] = {}
        appended = 0
        for batch in _batches(keys, first_number, rows, numbers):
            with lance_errors(name_of(role)), disk_errors(name_of(role), self._folder):
                table.add(batch)
                version = _next(table, version)
            appended = 1
        return numbers, appended

    def _new_name(self, role: str) -> str:
        """A name that no table has or had: the revision in it is higher than all before."""
        kind, _, name = role.partition(":")
        return f"{kind}-{name.replace('/', '-')}-{self._before.revision + 1}-{time.time_ns():x}"

    def _put(self, role: str, entry: TableEntry) -> None:
        before = self._manifest.tables.get(role)
        retired = dict(self._manifest.retired)
        if before is not None and before.table != entry.table:
            retired[before.table] = time.time()
        self._manifest = replace(self._manifest.with_table(role, entry), retired=retired)

    def keep_only(self, roles: Collection[str]) -> None:
        """Leave out all tables but those in these roles."""
        now = time.time()
        gone = {role: entry for role, entry in self._manifest.tables.items() if role not in roles}
        kept = {role: entry for role, entry in self._manifest.tables.items() if role in roles}
        retired = {**self._manifest.retired, **{entry.table: now for entry in gone.values()}}
        self._manifest = replace(self._manifest, tables=kept, retired=retired)

    def compact(self, role: str) -> None:
        """Join the small parts of a table, and take all rows into its indexes."""
        entry = self._manifest.tables[role]
        what = name_of(role)
        with lance_errors(what), disk_errors(what, self._folder):
            table = _at_version(self._database, entry)
            table.optimize(cleanup_older_than=_NEVER)
            version = table.version
        changed = replace(entry, version=version, appends=0, indexed_below=entry.next_number)
        self._put(role, changed)

    def remove_versions(self, role: str) -> None:
        """Remove versions of a table older than KEPT_S, soon after `compact`, and after that was published for all.

        Before, the version that counts may be such an old one.
        """
        entry = self._manifest.tables.get(role)
        if entry is None:
            return
        with lance_errors(name_of(role)), disk_errors(name_of(role), self._folder):
            table = _at_version(self._database, entry)
            table.optimize(cleanup_older_than=timedelta(seconds=KEPT_S))
            if table.version != entry.version:
                self._put(role, replace(entry, version=table.version, indexed_below=entry.next_number))

    def reserve(self, role: str) -> str:
        """The name of a table that is to be made, which nobody removes for KEPT_S."""
        name = self._new_name(role)
        self._manifest = replace(self._manifest, retired={**self._manifest.retired, name: time.time()})
        return name

    def replace_table(self, role: str, copied: TableEntry, table: Any, clusters: Json | None) -> bool:
        """Use a copy of a table from now on, brought to what the table has become; False if it cannot be.

        Args:
            role: of the table.
            copied: the entry that was copied.
            table: the copy, open.
            clusters: see TableEntry.
        """
        entry, what = self._manifest.tables.get(role), name_of(role)
        if entry is None or entry.table != copied.table or table.name not in self._manifest.retired:
            return False
        new = sorted(number for number in entry.numbers.values() if number >= copied.next_number)
        gone = sorted(set(copied.numbers.values()).difference(entry.numbers.values()))
        with lance_errors(what), disk_errors(what, self._folder):
            if new:
                source = self._database.open_table(entry.table)
                source.checkout(entry.version)
                table.add(source.search().where(one_of("generation", new)).limit(None).to_arrow())
            if gone:
                table.delete(one_of("generation", gone))
            is_whole = table.count_rows() == entry.rows
            version = table.version
        if not is_whole:
            raise LibraryDamaged(what=what, reason="its row counts do not agree")
        self._put(
            role,
            replace(
                entry,
                table=table.name,
                version=version,
                indexed_below=copied.next_number,
                appends=int(bool(new)),
                clusters=clusters,
                is_erasing=False,
            ),
        )
        retired = {name: at for name, at in self._manifest.retired.items() if name != table.name}
        self._manifest = replace(self._manifest, retired=retired)
        return True

    def publish(self) -> bool:
        """Make what was written count, if anything was."""
        if self._manifest == self._before:
            return False
        files.crash_point("tables-written")
        manifest = replace(self._manifest, revision=self._before.revision + 1)
        with disk_errors("index/lance/manifest.json", self._folder):
            files.make_folder(self._folder, levels=2)
            write_manifest(self._folder, manifest)
        files.crash_point("manifest-switched")
        self._before = self._manifest = manifest
        return True

    def remove_unused(self) -> None:
        """Remove tables that nobody reads any more: those that no manifest has named, and those retired long ago."""
        fresh = {name: at for name, at in self._manifest.retired.items() if not is_past(at)}
        named = {entry.table for entry in self._manifest.tables.values()}
        with lance_errors("The search index"):
            for name in table_names(self._database):
                if name not in named and name not in fresh:
                    self._database.drop_table(name)
        self._manifest = replace(self._manifest, retired=fresh)


def is_past(retired: float) -> bool:
    """Whether a table may be removed that was retired then, in seconds since 1970."""
    return time.time() - retired >= KEPT_S


class _WrittenByOthers(Exception):
    """A version of the table is there that is not ours."""


def table_names(database: Any) -> list[str]:
    """The names of all tables."""
    names: list[str] = []
    token = None
    while True:
        page = database.list_tables(limit=1000, page_token=token)
        names += page.tables
        token = page.page_token
        if not token:
            return names


def _at_version(database: Any, entry: TableEntry) -> Any:
    """The table for writing, its content as the manifest names it. Raises what LanceDB raises."""
    table = database.open_table(entry.table)
    if table.version != entry.version:
        table.checkout(entry.version)
        table.restore()
    return table


def _next(table: Any, before: int) -> int:
    """The table's version after a write. Raises _WrittenByOthers if it is not the next one."""
    if table.version != before + 1:
        raise _WrittenByOthers
    return before + 1


def _batches(keys: Sequence[Key], first_number: int, rows: Rows, numbers: dict[Key, int]) -> Iterator[pa.Table]:
    """The rows of these generations, of so many at a time that they fit into memory; `numbers` takes theirs."""
    batches: list[pa.RecordBatch] = []
    for number, key in enumerate(keys, start=first_number):
        batch = rows(key, number)
        if batch is None:
            continue
        numbers[key] = number
        if len(batch):
            batches.append(batch)
        if sum(map(len, batches)) >= ROWS_AT_ONCE:
            yield pa.Table.from_batches(batches)
            batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def make_indexes(table: Any, schema: pa.Schema) -> None:
    """The indexes of a new table. Rows that are added later are found without them, only slower."""
    table.create_index("scene_id", config=load_lancedb().index.BTree())
    if "vector" not in schema.names:
        for name in FIELDS:
            table.create_index(name, config=lance_words.text_index())
