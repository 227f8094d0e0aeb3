"""What a machine knows about its copies of a library's files: which content they have, when they were used last.

One SQLite file in the working folder, shared by the processes of the machine. It can be lost: then files are read again
to find out what they contain.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


class MirrorState:
    """The state of one working folder. Safe to share between threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        make_folder(path.parent)
        with self._connected() as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.execute("pragma synchronous = off")  # what is lost with the power is found out again
            yield connection
        finally:
            connection.close()

    def copy_of(self, path: str, place: Path) -> Stored | None:
        """The content of a file or folder, if it is still as it was when that was noted."""
        with self._connected() as connection:
            sql = "select kind, sha256, size_bytes, signature from copies where path = ?"
            row = connection.execute(sql, [path]).fetchone()
        if row is None or row[3] != signature_of(place, row[0]):
            return None
        return Stored(*row[:3])

    def noted(self, scope: str) -> dict[str, Stored]:
        """What was noted about a path, or below it where it ends with a slash."""
        with self._connected() as connection:
            sql = "select path, kind, sha256, size_bytes from copies where path >= ? and path < ?"
            rows = connection.execute(sql, [scope, scope + ("\U0010ffff" if scope.endswith("/") else "\0")]).fetchall()
        return {row[0]: Stored(*row[1:]) for row in rows}

    def note(self, path: str, place: Path, stored: Stored) -> None:
        """A file or folder has this content, which lies in the storage."""
        row = [path, stored.kind, stored.sha256, stored.size_bytes, signature_of(place, stored.kind), time.time()]
        with self._connected() as connection:
            connection.execute("insert or replace into copies values (?, ?, ?, ?, ?, ?)", row)

    def forget(self, path: str) -> None:
        """There is no copy of a file any more."""
        with self._connected() as connection:
            connection.execute("delete from copies where path = ?", [path])

    def touch(self, path: str) -> None:
        """A copy is used now."""
        with self._connected() as connection:
            connection.execute("update copies set used_at = ? where path = ?", [time.time(), path])

    def add_bytes(self, path: str, size_bytes: int) -> None:
        """So much of a folder was fetched besides."""
        with self._connected() as connection:
            connection.execute("update copies set size_bytes = size_bytes + ? where path = ?", [size_bytes, path])

    def by_age(self) -> list[tuple[str, int, float]]:
        """(path, bytes, time of the last use in seconds since 1970) of all copies, the longest unused first."""
        with self._connected() as connection:
            return connection.execute("select path, size_bytes, used_at from copies order by used_at").fetchall()

    @property
    def pulled(self) -> int:
        """The revision of the library's files up to which the copies are those of the library."""
        with self._connected() as connection:
            row = connection.execute("select value from numbers where name = 'pulled'").fetchone()
        return int(row[0]) if row else 0

    @pulled.setter
    def pulled(self, revision: int) -> None:
        with self._connected() as connection:
            connection.execute("insert or replace into numbers values ('pulled', ?)", [revision])


def signature_of(place: Path, kind: str) -> str:
    """What differs when a file is replaced, or a folder of that name is another one."""
    found = file_signature(place)
    return repr(found[:1] if found and kind == "folder" else found)
