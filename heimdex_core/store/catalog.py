"""The catalog: its tables, and transactions on them.

It is kept in catalog.duckdb, which is opened for each short transaction under an exclusive lock, or in Postgres
(catalog_engine.py). What readers need without waiting for a writer is published to files after the commit, see
publication.py. Between a commit in Postgres and the publication others may commit. So the publication is a second
transaction under the same lock, which reads what is committed by then: a file never goes back to an older state.

The tables have no keys or constraints on purpose: DuckDB checks them too eagerly inside a transaction (an update is a
delete and an insert), so the functions that write the tables keep the rules. Times are BIGINT microseconds since 1970
UTC; JSON values are text.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core import files
from heimdex_core.errors import DatabaseInterrupted, DatabaseUnavailable, LibraryBusy, LibraryVersion
from heimdex_core.store import accounts, copies, named_people, shares, trays, users, visible
from heimdex_core.store.catalog_engine import CatalogEngine, DuckDBEngine
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock
from heimdex_core.store.publication import Publication
from heimdex_core.store.search_index import SearchBackend
from heimdex_core.store.transaction import Changes, Transaction

if TYPE_CHECKING:
    from heimdex_core.store.mirror import Mirror

log = logging.getLogger(__name__)

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
    (
        "create table files (path varchar, kind varchar, sha256 varchar, size_bytes bigint, revision bigint)",
        "create index files_path on files (path)",
        "insert into counters values ('files_revision', 0), ('index_fence', 0)",
    ),
    (
        "alter table users add column email varchar",
        "alter table users add column last_seen_us bigint",
        "create table deleted_users (user_id varchar, deleted_us bigint)",
        "create table identities (issuer varchar, subject varchar, user_id varchar, email varchar, seen_us bigint)",
        """create table tokens (
            token_id varchar, user_id varchar, name varchar, scopes varchar, digest varchar, created_us bigint,
            expires_us bigint, last_used_us bigint)""",
        "create table collections (collection_id varchar, owner_id varchar, title varchar, created_us bigint)",
        "create table collection_videos (collection_id varchar, video_id varchar, number bigint)",
        """create table shares (
            kind varchar, target_id varchar, user_id varchar, access varchar, created_us bigint)""",
    ),
    (
        """create table stage_times (
            video_id varchar, stage varchar, seconds double, duration_s double, finished_us bigint)""",
        "create index stage_times_of_video on stage_times (video_id)",
        "alter table video_generations add column size_bytes bigint",
    ),
    (
        """create table api_requests (
            user_id varchar, key varchar, digest varchar, status integer, headers varchar, body varchar,
            begun_us bigint)""",
    ),
    (
        # People in the picture (store/named_people.py): all three have user_id and go with the user.
        "create table people (person_id varchar, user_id varchar, name varchar, created_us bigint)",
        "create table person_photos (photo_id varchar, person_id varchar, user_id varchar, created_us bigint)",
        "create table person_faces (user_id varchar, face_id varchar, person_id varchar, is_person boolean)",
    ),
)
"""The statements of each version; those of one version run in one transaction."""

_PUBLISH_TRIES = 2


class Catalog:
    """The library's small, mutable tables."""

    def __init__(
        self,
        paths: LibraryPaths,
        *,
        lock_timeout_s: float | None = None,
        in_library: bool = False,
        engine: CatalogEngine | None = None,
    ) -> None:
        """`lock_timeout_s` is how long a transaction waits for others; None is HEIMDEX_LOCK_TIMEOUT_S.

        `in_library` means that there has to be a library.json beside it, which is gone after the library was moved.
        `engine` is the database; None is catalog.duckdb.
        """
        self.paths = paths
        self.in_library = in_library
        self.engine = engine or DuckDBEngine(paths, lock_timeout_s)
        self.checks: list[Callable[[Transaction], None]] = []
        """Called at the beginning of each transaction: what they raise refuses it."""
        self.mirror: Mirror | None = None
        """Of a library in object storage."""
        self._unpublished = Changes()

    @contextmanager
    def transaction(self, timeout_s: float | None = None) -> Iterator[Transaction]:
        """Lock and open the catalog for the block; then commit, close and publish. An exception rolls back.

        `timeout_s` replaces the catalog's own limit of waiting. Raises NestedTransaction inside another transaction of
        this thread, LibraryBusy if another process has the catalog for too long, DiskFull, LibraryDamaged,
        LibraryNotFound if the library has been moved or removed since it was opened; for a catalog in Postgres also
        DatabaseUnavailable and DatabaseInterrupted.
        """
        if self.in_library:
            self.paths.require()
        timeout_s = self.engine.wait_limit_s if timeout_s is None else timeout_s
        with files.disk_errors("the catalog", self.paths.root), self.engine.exclusive(timeout_s):
            publication = None
            with self.engine.connect(timeout_s) as connection:
                try:
                    transaction = Transaction(connection)
                    for check in self.checks:
                        check(transaction)
                    yield transaction
                    copies.count_changes(transaction)
                    if self.mirror is not None:
                        self.mirror.record(transaction)
                    if self.engine.is_locked_after_commit:
                        publication = Publication.collect(transaction, self.paths)
                    connection.commit()
                except BaseException:
                    connection.rollback()
                    raise
            if publication is not None:
                publication.write(self.paths)
            else:
                self._publish_present(transaction)

    def prepare(self) -> None:
        """Migrate the schema, and rewrite published files that differ from the catalog after a crash or an upgrade.

        Raises LibraryVersion for a catalog of newer software, LibraryDamaged, DiskFull.
        """
        self.engine.create()
        if self.mirror is not None:
            with self.transaction() as transaction:
                _migrate(transaction)
            self.mirror.pull_now()
        with self.transaction() as transaction:
            _migrate(transaction)
            if not visible.is_up_to_date(self.paths.visible, transaction.visible_revision()):
                transaction.mark_visible_changed()
            transaction.changed_preferences |= users.outdated_preferences(transaction, self.paths)
            transaction.changed_trays |= trays.outdated(transaction, self.paths)
            transaction.changed_people |= named_people.outdated(transaction, self.paths)
            transaction.changed_tables |= copies.outdated(transaction, self.paths)
            transaction.shares_changed |= shares.is_outdated(transaction, self.paths)
            transaction.accounts_changed |= accounts.is_outdated(transaction, self.paths)

    def upload(self, place: Path) -> None:
        """Bring a file or a generation into object storage before the transaction that names it, if there is one."""
        if self.mirror is not None:
            self.mirror.upload(place)

    def refresh(self, scope: str) -> None:
        """Fetch what other machines have shared of a scope; without object storage that is nothing.

        Raises LibraryBusy, DatabaseUnavailable, what the object storage raises.
        """
        if self.mirror is not None:
            self.mirror.refresh(scope)

    def share(self, *scopes: str) -> None:
        """Bring files that were written or removed to the other machines; without object storage that is nothing.

        `scopes` are as in `Transaction.changed_files`. Raises what `transaction` and the object storage raise.
        """
        if self.mirror is None:
            return
        for place in (self.paths.root / scope for scope in scopes):
            if place.is_file():
                self.upload(place)
        with self.transaction() as transaction:
            transaction.changed_files.update(scopes)

    def _publish_present(self, changes: Changes) -> None:
        """Publish what is committed now of everything that was changed.

        If the connection is lost before the end, somebody else may have published in between what is overwritten here,
        so it is done again. What cannot be published now is published with the next transaction.
        """
        changes.changed_tables.intersection_update(copies.COPIED)
        changes.changed_files.clear()  # they were named in the transaction itself
        changes.removed_files.clear()
        self._unpublished.add(changes)
        if self._unpublished.is_empty():
            return
        for _ in range(_PUBLISH_TRIES):
            try:
                with self.engine.connect(self.engine.wait_limit_s) as connection:
                    transaction = Transaction(connection)
                    transaction.add(self._unpublished)
                    with self.mirror.writing() if self.mirror is not None else nullcontext():
                        Publication.collect(transaction, self.paths).write(self.paths)
                        if self.mirror is not None:
                            self.mirror.record(transaction)
                        connection.commit()
                self._unpublished = Changes()
                return
            except (DatabaseInterrupted, DatabaseUnavailable, LibraryBusy) as error:
                log.warning("a change is saved, but others do not see it before the next one: %s", error)


@contextmanager
def drafted(paths: LibraryPaths, engine: CatalogEngine) -> Iterator[Catalog]:
    """An empty catalog beside that of `engine`, to be filled in the block and given to `engine.replace`.

    What it publishes is removed after the block. Raises what `Catalog.prepare` raises.
    """
    draft = LibraryPaths(paths.root / f"{files.TEMPORARY_PREFIX}catalog-{uuid.uuid4().hex}")
    draft.root.mkdir()
    try:
        catalog = Catalog(draft, engine=engine.draft(draft))
        catalog.prepare()
        yield catalog
    finally:
        files.remove_tree(draft.root)


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
    search: SearchBackend
    """What searches are answered from, besides the scene table."""
