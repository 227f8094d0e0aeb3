"""Which content every file of a library has that lies in object storage: the catalog's table `files`.

A path is relative to the library. A generation is one row, since it never changes: its content is a list of files,
which is an object itself. A removed file keeps its row, without content, so that other machines remove their copies.
The revision counts the changes; since they are counted in the transaction that makes them, whoever has read up to a
revision has missed nothing before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from heimdex_core.store.mirror_state import Stored
from heimdex_core.store.transaction import Row, Transaction

Read = Callable[[str, Sequence[Any]], "list[Row]"]
"""Runs a query: in a transaction, or outside of any."""

PULLED = (
    "visible.parquet",
    "accounts.json",
    "shares.json",
    "index/",
    "preferences/",
    "trays/",
    "people/",
    "evaluation/",
)
"""What every machine has a copy of; other files are fetched when they are used."""
PULLED_NAMES = ("edits.json",)
"""Files of a video's folder that every machine has."""

_COLUMNS = "path, kind, sha256, size_bytes, revision"
_AT_ONCE = 500
"""Paths in one query."""


def is_pulled(path: str) -> bool:
    """Whether every machine has a copy of a file."""
    return path.startswith(PULLED) or path.rpartition("/")[2] in PULLED_NAMES


def generations_of(video_id: str) -> str:
    """The scope of a video's generations."""
    return f"videos/{video_id}/gen/"


def in_scope(read: Read, scope: str) -> dict[str, Stored | None]:
    """The content of a file, or of all files below a scope that ends with a slash, by path; None for a removed one."""
    if not scope.endswith("/"):
        rows = read(f"select {_COLUMNS} from files where path = ?", [scope])  # noqa: S608 - our own names
    else:
        below = scope[:-1] + "0"  # the character after the slash
        rows = read(f"select {_COLUMNS} from files where path > ? and path < ?", [scope, below])  # noqa: S608
    return {row["path"]: stored_of(row) for row in rows}


def changed_since(read: Read, revision: int, *, pulled_only: bool) -> list[Row]:
    """The rows that changed after a revision; with `pulled_only` those of which every machine has a copy."""
    sql = f"select {_COLUMNS} from files where revision > ?"  # noqa: S608 - our own names
    if pulled_only:
        tests = [f"(path >= '{scope}' and path < '{scope[:-1]}0')" for scope in PULLED if scope.endswith("/")]
        tests += [f"path = '{path}'" for path in PULLED if not path.endswith("/")]
        tests += [f"path like 'videos/%/{name}'" for name in PULLED_NAMES]
        sql += f" and ({' or '.join(tests)})"
    return read(sql, [revision])


def revision(read: Read) -> int:
    """The number of the last change."""
    return int(read("select value from counters where name = 'files_revision'", [])[0]["value"])


def write(transaction: Transaction, changes: Mapping[str, Stored | None]) -> None:
    """Record what files contain now; None for those that were removed."""
    transaction.run("update counters set value = value + 1 where name = 'files_revision'")
    now = revision(transaction.rows)
    _delete(transaction, changes)
    for path, stored in changes.items():
        row: Row = {"path": path, "kind": "file", "sha256": None, "size_bytes": None}
        if stored is not None:
            row |= {"kind": stored.kind, "sha256": stored.sha256, "size_bytes": stored.size_bytes}
        transaction.insert("files", {**row, "revision": now})


def stored_of(row: Row) -> Stored | None:
    """The content that a row names; None for a file that was removed."""
    return None if row["sha256"] is None else Stored(row["kind"], row["sha256"], int(row["size_bytes"]))


def _delete(transaction: Transaction, paths: Collection[str]) -> None:
    wanted = list(paths)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" for _ in some)
        transaction.run(f"delete from files where path in ({marks})", some)  # noqa: S608 - marks only
