"""The lock of index writers of a library that several machines share: a session lock of Postgres, and a fencing number.

The server frees the lock when it notices that the connection is gone, which the holder may notice later. Therefore each
holder gets a number, higher than those before, and a transaction of a holder goes on only while nobody has got a higher
one: a writer that lost the lock can write files, but nothing that others look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heimdex_core.errors import IndexLockLost
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.locks import INDEX, INDEX_RANK, FileLock
from heimdex_core.store.postgres import PostgresEngine
from heimdex_core.store.transaction import Transaction

LONGEST_WAIT_S = 600.0
"""How long a holder on another machine is awaited, which may be uploading an index."""

INDEX_SCOPE = "index/"
_NUMBER = 1
"""Of this lock among those of a library."""


class SharedIndexLock(FileLock):
    """As FileLock, for all machines.

    Args:
        path: the lock file of this machine; its processes take turns before one of them asks the database.
        catalog: of the library. Its transactions are refused in a thread that has lost the lock.
        engine: the catalog's.
        timeout_s: how long the lock of this machine is awaited; None is HEIMDEX_LOCK_TIMEOUT_S.
    """

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        engine: PostgresEngine,
        *,
        timeout_s: float | None = None,
    ) -> None:
        super().__init__(path, rank=INDEX_RANK, what=INDEX, timeout_s=timeout_s, is_held_long=True)
        self._catalog = catalog
        self._engine = engine
        self._held = threading.local()
        catalog.checks.append(self._check)

    @contextmanager
    def hold(self, timeout_s: float | None = None) -> Iterator[None]:
        """As FileLock. In a library in object storage each holder begins with the library's indexes, and what it wrote
        is brought to the others at the end, if no transaction did before.

        Raises what FileLock raises, DatabaseUnavailable, what the object storage raises.
        """
        with self.hold_still(timeout_s):
            # In a transaction, so that one of a holder before ends first.
            with self._catalog.transaction() as transaction:
                transaction.run("update counters set value = value + 1 where name = 'index_fence'")
                fence = _last_fence(transaction)
            self._held.fence = fence
            try:
                if self._catalog.mirror is not None:
                    self._catalog.mirror.begin_index()
                yield
                self._catalog.share(INDEX_SCOPE)
            finally:
                self._held.fence = None

    @contextmanager
    def hold_still(self, timeout_s: float | None = None) -> Iterator[None]:
        """Keep writers of the index out for the block, which itself does not write it. Raises as `hold`."""
        longest = LONGEST_WAIT_S if timeout_s is None else timeout_s
        with super().hold(timeout_s), self._engine.session_lock(_NUMBER, longest, INDEX):
            yield

    def _check(self, transaction: Transaction) -> None:
        fence = getattr(self._held, "fence", None)
        if fence is None:
            return
        if fence != _last_fence(transaction):
            raise IndexLockLost()
        transaction.changed_files.add(INDEX_SCOPE)


def _last_fence(transaction: Transaction) -> int:
    """The number of the last holder."""
    return int(transaction.rows("select value from counters where name = 'index_fence'")[0]["value"])
