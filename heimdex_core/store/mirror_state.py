"""What a machine knows about its copies of a library's files: which content they have, when they were used last.

One SQLite file in the working folder, shared by the processes of the machine. It can be lost: then files are read again
to find out what they contain.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.files import file_signature, make_folder

_WAIT_S = 30.0
_SCHEMA = """
create table if not exists copies (
    path text primary key, kind text not null, sha256 text not null, size_bytes integer not null,
    signature text not null, used_at real not null) without rowid;
create table if not exists numbers (name text primary key, value integer not null) without rowid;
"""


@dataclass(frozen=True)
class Stored:
    """Content that lies in the storage."""

    kind: str
    """"file", or "folder" for one that never changes."""
    sha256: str
    """Of the file's bytes; for a folder of the list of its files."""
    size_bytes: int
    """Of a folder: of all of its files."""


@dataclass(frozen=True)
class Copy:
    """What was noted about a copy on this machine."""

    stored: Stored
    signature: str
    """Of the file when it was noted."""

    @classmethod
    def of(cls, place: Path, stored: Stored) -> Copy:
        """A file or folder that nobody else writes, with this content."""
        return cls(stored, signature_of(place))

    def is_still(self, place: Path) -> bool:
        """Whether the file, or the folder, is the one that was noted."""
        return self.signature == signature_of(place)


class MirrorState:
    """The state of one working folder. Safe to share between threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        make_folder(path.parent)
        with self._connection as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)

    @property
    def _connection(self) -> sqlite3.Connection:
        """That of this thread, kept open. A forked process has to have its own."""
        pid, connection = getattr(self._local, "opened", (None, None))
        if connection is None or pid != os.getpid():
            connection = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
            connection.execute("pragma synchronous = off")  # what is lost with the power is found out again
            self._local.opened = os.getpid(), connection
        return connection

    def copy_of(self, path: str, place: Path) -> Stored | None:
        """The content of a file or folder, if it is still as it was when that was noted."""
        found = self.noted(path).get(path)
        return found.stored if found is not None and found.is_still(place) else None

    def noted(self, scope: str) -> dict[str, Copy]:
        """What was noted about a path, or below it where it ends with a slash."""
        end = scope + ("\U0010ffff" if scope.endswith("/") else "\0")
        sql = "select path, kind, sha256, size_bytes, signature from copies where path >= ? and path < ?"
        rows = self._connection.execute(sql, [scope, end]).fetchall()
        return {row[0]: Copy(Stored(*row[1:4]), row[4]) for row in rows}

    def note(self, copies: Mapping[str, Copy]) -> None:
        """Files and folders, by path, have this content, which lies in the storage."""
        now = time.time()
        rows = [
            [path, one.stored.kind, one.stored.sha256, one.stored.size_bytes, one.signature, now]
            for path, one in copies.items()
        ]
        self._connection.executemany("insert or replace into copies values (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, path: str) -> None:
        """There is no copy of a file any more."""
        self._connection.execute("delete from copies where path = ?", [path])

    def touch(self, path: str) -> None:
        """A copy is used now."""
        self._connection.execute("update copies set used_at = ? where path = ?", [time.time(), path])

    def add_bytes(self, path: str, size_bytes: int) -> None:
        """So much of a folder was fetched besides."""
        self._connection.execute("update copies set size_bytes = size_bytes + ? where path = ?", [size_bytes, path])

    def by_age(self) -> list[tuple[str, int, float]]:
        """(path, bytes, time of the last use in seconds since 1970) of all copies, the longest unused first."""
        return self._connection.execute("select path, size_bytes, used_at from copies order by used_at").fetchall()

    @property
    def pulled(self) -> int:
        """The revision of the library's files up to which the copies are those of the library."""
        row = self._connection.execute("select value from numbers where name = 'pulled'").fetchone()
        return int(row[0]) if row else 0

    @pulled.setter
    def pulled(self, revision: int) -> None:
        self._connection.execute("insert or replace into numbers values ('pulled', ?)", [revision])


def signature_of(place: Path) -> str:
    """What differs when a file is replaced, or a folder of that name is another one."""
    found = file_signature(place)
    return repr(found[:1] if found and place.is_dir() else found)
