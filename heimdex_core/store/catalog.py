"""catalog.duckdb: opened for each short transaction under an exclusive lock, committed, closed.

What readers need without waiting for a writer is published to files after the commit, still under the lock:
visible.parquet (store/visible.py) and each user's preferences (store/users.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import users, visible
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import OnWait, catalog_lock, log_wait
from heimdex_core.store.schema import migrate
from heimdex_core.store.transaction import Transaction


class Catalog:
    """The library's small, mutable tables."""

    def __init__(self, paths: LibraryPaths, on_wait: OnWait = log_wait) -> None:
        self.paths = paths
        self.lock = catalog_lock(paths.catalog_lock, on_wait)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Lock and open the catalog for the block; then commit, close and publish. An exception rolls back.

        Raises NestedTransaction inside another transaction of this thread, DiskFull, LibraryDamaged.
        """
        with self.lock.hold(), files.disk_errors("the catalog", self.paths.root):
            connection = self._connect()
            try:
                connection.execute("begin transaction")
                transaction = Transaction(connection)
                try:
                    yield transaction
                    published = visible.collect(transaction) if transaction.visibility_changed else None
                    preferences = {
                        user: users.preferences(transaction, user) for user in transaction.changed_preferences
                    }
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

    def prepare(self) -> None:
        """Migrate the schema, and rewrite published files that differ from the catalog after a crash or an upgrade.

        Raises LibraryVersion for a catalog of newer software, LibraryDamaged, DiskFull.
        """
        with self.transaction() as transaction:
            migrate(transaction)
            if not visible.is_up_to_date(self.paths.visible, transaction.visible_revision()):
                transaction.mark_visible_changed()
            transaction.changed_preferences |= users.outdated_preferences(transaction, self.paths)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(self.paths.catalog), config={"threads": 1})
        except duckdb.IOException as error:
            raise LibraryDamaged(what="catalog.duckdb", reason=str(error).splitlines()[0][:200]) from error
