"""catalog.duckdb: its tables, and transactions on them.

The file is opened for each short transaction under an exclusive lock, committed and closed. What readers need without
waiting for a writer is published to files after the commit, still under the lock: visible.parquet (store/visible.py),
each user's preferences (store/users.py) and the revisions of each user's tray and reels (store/trays.py).

The tables have no keys or constraints on purpose: DuckDB checks them too eagerly inside a transaction (an update is a
delete and an insert), so the functions that write the tables keep the rules. Times are BIGINT microseconds since 1970
UTC; JSON values are text.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb

from heimdex_core import files
from heimdex_core.errors import LibraryVersion
from heimdex_core.store import copies, trays, users, video_json, visible
from heimdex_core.store.catalog_errors import catalog_errors
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.lock_holder import find_holder
from heimdex_core.store.locks import FileLock, busy, catalog_lock
from heimdex_core.store.transaction import Transaction

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "create table users (user_id varchar, name varchar, created_us bigint)",
        """create table videos (
            video_id varchar, user_id varchar, sha256 varchar, title varchar, filename varchar,
            description varchar, state varchar, state_before varchar, created_us bigint, updated_us bigint,
            generation integer, info varchar, scene_count integer, transcript_source varchar,
            transcript_rough boolean, language varchar, notes varchar, error varchar, job_id varchar,
            has_preview boolean)""",
        """create table exports (
            export_id varchar, user_id varchar, kind varchar, title varchar, state varchar, clips varchar,
            params varchar, error varchar, path varchar, size_bytes bigint, measured_duration_s double,
            width integer, height integer, created_us bigint, completed_us bigint, expires_us bigint,
            job_id varchar)""",
        "create table reels (reel_id varchar, user_id varchar, title varchar, clips varchar, updated_us bigint)",
        "create table preferences (user_id varchar, key varchar, value varchar)",
        """create table judgements (
            judgement_id varchar, user_id varchar, query varchar, video_id varchar, start_ms bigint,
            end_ms bigint, grade integer, created_us bigint)""",
        "create table counters (name varchar, value bigint)",
        "insert into counters values ('visible_revision', 0)",
    ),
    (
        "create table model_sets (set_id integer, profile varchar, choice varchar, spaces varchar, created_us bigint)",
        """create table video_generations (
            video_id varchar, set_id integer, generation integer, inputs varchar, facts varchar)""",
        # The first set itself is taken from library.json when the library is opened.
        """insert into video_generations
            select video_id, 1, generation, null, null from videos where generation is not null""",
        "insert into counters values ('active_set', 1), ('before_active_set', 0), ('last_set', 1)",
        "alter table videos add column params varchar",
    ),
    (
        """create table watched_folders (
            folder_id varchar, user_id varchar, path varchar, mount_point varchar, created_us bigint,
            revision integer)""",
        """create table watched_files (
            folder_id varchar, path varchar, size_bytes bigint, mtime_ns bigint, ctime_ns bigint, subtitles varchar,
            outcome varchar, noted_us bigint, video_id varchar, error varchar)""",
        "alter table exports add column left_out varchar",
    ),
    (
        "alter table reels add column revision bigint",
        "alter table reels add column changes varchar",
    ),
    (
        "alter table judgements add column query_set varchar",
        "alter table judgements add column judge varchar",
        "alter table judgements add column reason varchar",
        """create table query_sets (
            user_id varchar, name varchar, guidelines varchar, queries varchar, updated_us bigint)""",
    ),
    (
        "alter table exports add column loudness_lufs double",
        "alter table exports add column true_peak_dbtp double",
    ),
)
"""The statements of each version; those of one version run in one transaction."""

_OPEN_AGAIN_S = 0.05
"""Pause before the catalog is opened again that another program has open."""


class Catalog:
    """The library's small, mutable tables."""

    def __init__(self, paths: LibraryPaths, *, lock_timeout_s: float | None = None, in_library: bool = False) -> None:
        """`lock_timeout_s` is how long a transaction waits for others; None is HEIMDEX_LOCK_TIMEOUT_S.

        `in_library` means that there has to be a library.json beside it, which is gone after the library was moved.
        """
        self.paths = paths
        self.in_library = in_library
        self.lock = catalog_lock(paths.catalog_lock, timeout_s=lock_timeout_s)

    @contextmanager
    def transaction(self, timeout_s: float | None = None) -> Iterator[Transaction]:
        """Lock and open the catalog for the block; then commit, close and publish. An exception rolls back.

        `timeout_s` replaces the catalog's own limit of waiting. Raises NestedTransaction inside another transaction of
        this thread, LibraryBusy if another process has the catalog for too long, DiskFull, LibraryDamaged,
        LibraryNotFound if the library has been moved or removed since it was opened.
        """
        if self.in_library:
            self.paths.require()
        with self.lock.hold(timeout_s), files.disk_errors("the catalog", self.paths.root), catalog_errors(self.paths):
            connection = self._connect(self.lock.wait_limit_s if timeout_s is None else timeout_s)
            try:
                connection.execute("begin transaction")
                transaction = Transaction(connection)
                try:
                    yield transaction
                    published = visible.collect(transaction) if transaction.visibility_changed else None
                    preferences = {
                        user: users.preferences(transaction, user) for user in transaction.changed_preferences
                    }
                    changed_trays = trays.revisions(transaction, transaction.changed_trays)
                    changed_videos, copied = video_json.collect(transaction), copies.collect(transaction, self.paths)
                    connection.execute("commit")
                except BaseException:
                    with suppress(duckdb.Error):
                        connection.execute("rollback")
                    raise
            finally:
                connection.close()
            if published is not None:
                files.crash_point("catalog-committed")
                visible.write(self.paths.visible, published)
            for user_id, values in preferences.items():
                users.write_preferences(self.paths, user_id, values)
            for user_id, found in changed_trays.items():
                trays.write_revisions(self.paths, user_id, found)
            copies.write(self.paths, copied)
            video_json.write_all(self.paths, changed_videos)

    def prepare(self) -> None:
        """Migrate the schema, and rewrite published files that differ from the catalog after a crash or an upgrade.

        Raises LibraryVersion for a catalog of newer software, LibraryDamaged, DiskFull.
        """
        with self.transaction() as transaction:
            _migrate(transaction)
            if not visible.is_up_to_date(self.paths.visible, transaction.visible_revision()):
                transaction.mark_visible_changed()
            transaction.changed_preferences |= users.outdated_preferences(transaction, self.paths)
            transaction.changed_trays |= trays.outdated(transaction, self.paths)
            transaction.changed_tables |= copies.outdated(transaction, self.paths)

    def _connect(self, timeout_s: float) -> duckdb.DuckDBPyConnection:
        """Open the file. A program that does not know our lock, such as DuckDB's own shell, may have it open."""
        began = time.monotonic()
        while True:
            try:
                return duckdb.connect(str(self.paths.catalog), config={"threads": 1, "async_threads": 0})
            except duckdb.IOException as error:
                if not _is_open_elsewhere(error):
                    raise  # named by catalog_errors
                waited_s = time.monotonic() - began
                if waited_s >= timeout_s:
                    raise busy("catalog.duckdb of the library", find_holder(self.paths.catalog), waited_s) from error
            time.sleep(_OPEN_AGAIN_S)


def _is_open_elsewhere(error: duckdb.IOException) -> bool:
    return "Could not set lock" in str(error)


def _migrate(transaction: Transaction) -> None:
    transaction.run("create table if not exists schema_version (version integer)")
    found = int(transaction.rows("select max(version) as version from schema_version")[0]["version"] or 0)
    if found > len(MIGRATIONS):
        raise LibraryVersion(found=f"catalog {found}", supported=f"catalog {len(MIGRATIONS)}")
    for number, statements in enumerate(MIGRATIONS[found:], start=found + 1):
        for statement in statements:
            transaction.run(statement)
        transaction.run("insert into schema_version values (?)", [number])


@dataclass(frozen=True)
class StoreContext:
    """What the parts of the store that write to a library share."""

    paths: LibraryPaths
    catalog: Catalog
    index_lock: FileLock
    """The lock of index writers; taken before the catalog's."""
