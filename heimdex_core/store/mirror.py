"""A library at s3://bucket/prefix: on each machine a working folder that mirrors it.

The working folder has the layout of any library, so that everything reads and writes it as usual. Content lies in the
bucket under its SHA-256; the catalog's table `files` (mirror_tree.py) says which content a file has. A transaction that
changes files uploads them and names them before it commits (mirror_upload.py), so a crash anywhere leaves the old state
or the new one. Other machines fetch what is published when they look at the library (`pull`), and the rest when it is
used (`ensure`), into a folder of bounded size (mirror_fetch.py).
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

from heimdex_core.errors import HeimdexError, LibraryBusy, NestedTransaction
from heimdex_core.settings import Settings
from heimdex_core.store import mirror_tree
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock
from heimdex_core.store.mirror_fetch import Fetches, listed_files
from heimdex_core.store.mirror_state import MirrorState, Stored
from heimdex_core.store.mirror_tree import Read
from heimdex_core.store.mirror_upload import OBJECTS, Uploads, object_key
from heimdex_core.store.object_storage import ObjectStorage
from heimdex_core.store.transaction import Row, Transaction
from heimdex_core.types import utc_now

log = logging.getLogger(__name__)

PULL_EVERY_S = 1.0
"""How old what readers see may be, in seconds."""
AGAIN_AFTER_S = 10.0
"""How long a reader goes on with what it has before it asks a database or a storage again that was away."""
UNUSED_DAYS = 7
"""Content that the catalog does not name is kept so long: somebody may be about to name it."""

_FOLDER = ".mirror"
MANIFEST = "library.json"
"""Its object is at the address itself, not below objects/: with it a library is there."""
_RANK = 3
"""Of the lock of a working folder, the innermost one."""


def working_folder(address: str, settings: Settings) -> Path:
    """The folder of this machine for the library at an address."""
    root = settings.cache or Path("~/.cache/heimdex/libraries").expanduser()
    name = "-".join(part for part in address.removeprefix("s3://").split("/") if part)[:60]
    return (root / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}").expanduser().resolve()


class Mirror:
    """The mirror of one library on one machine. Safe to share between threads and processes.

    Args:
        paths: of the working folder, which exists.
        storage: the library's.
        read: runs a query on the catalog, outside of transactions.
        settings: limits.
    """

    def __init__(self, paths: LibraryPaths, storage: ObjectStorage, read: Read, settings: Settings) -> None:
        state = MirrorState(paths.root / _FOLDER / "state.sqlite")
        self.paths = paths
        self.storage = storage
        self.uploads = Uploads(paths, storage, state)
        self.fetches = Fetches(paths, storage, state, read, settings.cache_bytes)
        self._read = read
        self._lock = FileLock(paths.root / _FOLDER / "mirror.lock", rank=_RANK, what="The copy of the library")
        self._index_lock = FileLock(paths.index_lock, rank=1, what="The search index")
        self._pulling = threading.Lock()
        self._puller: threading.Thread | None = None
        self._pull_at = 0.0
        self._is_away = False
        self._refreshed: dict[str, int] = {}
        """By scope: the revision of the library that it has at least."""

    # --- from this machine ------------------------------------------------------------------------

    def upload(self, place: Path) -> None:
        """Bring a file or a generation into the storage before the transaction that names it, which then is quick."""
        self.uploads.upload(place)

    def record(self, transaction: Transaction) -> None:
        """Before a commit: name what the transaction changed. Uploads what has not been uploaded."""
        self.uploads.record(transaction)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While published files are written and named: no process of this machine fetches older ones meanwhile."""
        with self._lock.hold():
            yield

    def put_manifest(self) -> None:
        """Store library.json, which other machines open the library with."""
        self.storage.put_bytes(MANIFEST, self.paths.manifest.read_bytes(), content_type="application/json")

    # --- to this machine --------------------------------------------------------------------------

    def pull(self) -> None:
        """Begin to fetch what other machines have published, at most every PULL_EVERY_S; nobody waits for it."""
        with self._pulling:
            now = time.monotonic()
            if now < self._pull_at or (self._puller is not None and self._puller.is_alive()):
                return
            self._pull_at = now + PULL_EVERY_S
            self._puller = threading.Thread(target=self.pull_now, name="pull", daemon=True)
        self._puller.start()

    def pull_now(self) -> None:
        """Fetch what other machines have published.

        Without the database or the storage everything stays as it is, and a warning is logged once. A machine that has
        no copy yet raises their errors.
        """
        try:
            self._pull()
            self._is_away = False
        except (LibraryBusy, NestedTransaction):  # a writer of this machine is at it, and publishes here itself
            return
        except HeimdexError as error:
            if not self.paths.visible.exists():
                raise
            if not self._is_away:
                log.warning("changes of other machines are not seen until this is over: %s", error)
            self._is_away = True
            self._pull_at = time.monotonic() + AGAIN_AFTER_S

    def _pull(self) -> None:
        if mirror_tree.revision(self._read) == self.fetches.state.pulled:
            return
        self.fetches.prepare()
        # The indexes and what is visible belong together, so neither is fetched while this machine writes an index.
        with self._index_lock.hold(0), self._lock.hold():
            self.fetches.pull()

    def refresh(self, scope: str) -> None:
        """Fetch the files of a scope now, although an index may be written here, for work that needs the present ones.

        Raises LibraryBusy, DatabaseUnavailable, what the object storage raises.
        """
        revision = mirror_tree.revision(self._read)
        if self._refreshed.get(scope, -1) < revision:
            with self._lock.hold():
                self.fetches.refresh(scope)
            self._refreshed[scope] = revision

    def begin_index(self) -> None:
        """The holder of the index lock begins to write: from the library's indexes, whatever a crash has left here."""
        with self._lock.hold():
            self.fetches.pull()
            self.fetches.reset("index/")

    # --- looking after it -------------------------------------------------------------------------

    def link(
        self, place: Path, *, filename: str, content_type: str, expires_s: int, inline: bool = False
    ) -> str | None:
        """A link with which a browser reads a file from the storage; None if the library does not have it there."""
        path = self.paths.relative(place)
        stored = mirror_tree.in_scope(self._read, path).get(path)
        if stored is None or stored.kind != "file":
            return None
        return self.storage.signed_get(
            object_key(stored.sha256),
            filename=filename,
            content_type=content_type,
            expires_s=expires_s,
            disposition="inline" if inline else "attachment",
        )

    def missing(self) -> list[str]:
        """The files of the library whose content is not in the storage, by path; every object is looked for."""
        present = {found.key for found in self.storage.list(OBJECTS)}
        rows = mirror_tree.changed_since(self._read, 0, pulled_only=False)
        named = [(row["path"], stored) for row in rows if (stored := mirror_tree.stored_of(row)) is not None]
        return sorted(
            path
            for path, stored in named
            if object_key(stored.sha256) not in present or not present.issuperset(self._objects_of(stored))
        )

    def clean_up(self, begin: Callable[[], AbstractContextManager[Transaction]]) -> dict[str, int]:
        """Remove content that nothing has named for UNUSED_DAYS, and copies above the limit; how many of each.

        `begin` begins a transaction of the catalog.
        """
        before = utc_now() - timedelta(days=UNUSED_DAYS)
        old = [found.key for found in self.storage.list(OBJECTS) if found.modified_at < before]
        revision = mirror_tree.revision(self._read)
        unused = set(old) - self._used(mirror_tree.changed_since(self._read, 0, pulled_only=False)) if old else set()
        if unused:
            with begin() as transaction:  # so that nobody names content meanwhile
                unused -= self._used(mirror_tree.changed_since(transaction.rows, revision, pulled_only=False))
                self.storage.delete(sorted(unused))
        return {"objects": len(unused), "copies": self.fetches.make_room()}

    def forget(self, transaction: Transaction, contents: Collection[str]) -> None:
        """Remove contents, by their SHA-256, that no file has any more, without waiting for UNUSED_DAYS.

        In a transaction, so that nobody names one meanwhile.
        """
        used = self._used(mirror_tree.changed_since(transaction.rows, 0, pulled_only=False))
        self.storage.delete(sorted({object_key(sha256) for sha256 in contents} - used))

    def _used(self, rows: list[Row]) -> set[str]:
        """The objects that rows of the catalog name, and those in the folders that they name."""
        used: set[str] = set()
        for row in rows:
            if (stored := mirror_tree.stored_of(row)) is not None:
                used |= self._objects_of(stored)
        return used

    def _objects_of(self, stored: Stored) -> set[str]:
        """The objects that a file or a folder consists of."""
        files = listed_files(self.storage, stored).values() if stored.kind == "folder" else ()
        return {object_key(stored.sha256), *(object_key(sha256) for sha256, _ in files)}


def fetch_manifest(storage: ObjectStorage, paths: LibraryPaths) -> bool:
    """Bring library.json into a working folder; False if there is no library at the address.

    Raises what ObjectStorage raises, BucketNotFound too.
    """
    if not storage.exists(MANIFEST):
        storage.check()  # an object that is not there and a bucket that is not look the same
        return False
    paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage.get_file(MANIFEST, paths.manifest)
    return True
