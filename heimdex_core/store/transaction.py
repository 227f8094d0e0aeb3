"""One open transaction of the catalog. Times are stored as BIGINT microseconds since 1970 UTC.

The SQL is what DuckDB and Postgres both understand, with `?` for parameters; see docs/decisions/store-postgres.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from heimdex_core.errors import UserNotFound

Row = dict[str, Any]
"""A row by column name."""

ACCOUNT_TABLES = frozenset({"users", "identities", "tokens", "deleted_users"})
"""The tables that accounts.json is made of (store/accounts.py)."""

SHARE_TABLES = frozenset({"shares", "collections", "collection_videos"})
"""The tables that shares.json is made of (store/shares.py)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGE = re.compile(r"\s*(?:insert into|update|delete from) (\w+)")


def to_us(moment: datetime | None) -> int | None:
    """Microseconds since 1970 UTC. Raises TypeError for a datetime without a timezone."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int | None) -> datetime | None:
    """The datetime in UTC of microseconds since 1970."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


def behind(after: tuple[datetime, str] | None, id_column: str, *, newest_first: bool = True) -> tuple[str, list[Any]]:
    """(condition, its parameters) of what comes behind an item in a list by created_us and, where that is equal, id.

    `after` is the time and the id of the item; None stands before the first.
    """
    if after is None:
        return "true", []
    sign, us = "<" if newest_first else ">", to_us(after[0])
    return f"(created_us {sign} ? or (created_us = ? and {id_column} > ?))", [us, us, after[1]]


class Connection(Protocol):
    """A connection to the catalog's database with an open transaction. Errors are those of the database."""

    def rows(self, sql: str, params: Sequence[Any]) -> list[Row]:
        """All rows of a query."""
        ...

    def table(self, sql: str, params: Sequence[Any]) -> pa.Table:
        """All rows of a query as an Arrow table."""
        ...

    def run(self, sql: str, params: Sequence[Any]) -> None:
        """Run a statement that returns nothing."""
        ...

    def insert_table(self, table: str, rows: pa.Table) -> None:
        """Insert rows; `table` has all of their columns, and those that it has besides are null."""
        ...

    def commit(self) -> None:
        """Commit the transaction."""
        ...

    def rollback(self) -> None:
        """Undo the transaction. Does not raise."""
        ...


@dataclass
class Changes:
    """What a transaction has changed of that which is published to files after its commit."""

    visibility_changed: bool = False
    """Whether visible.parquet is rewritten."""
    changed_preferences: set[str] = field(default_factory=set)
    """The user_ids whose preferences file is rewritten."""
    changed_trays: set[str] = field(default_factory=set)
    """The user_ids whose revisions of the tray and of reels are published."""
    accounts_changed: bool = False
    """Whether accounts.json is rewritten."""
    shares_changed: bool = False
    """Whether shares.json is rewritten."""
    changed_people: set[str] = field(default_factory=set)
    """The user_ids whose published people are rewritten."""
    changed_videos: set[str] = field(default_factory=set)
    """The video_ids whose video.json is rewritten."""
    changed_tables: set[str] = field(default_factory=set)
    """The tables whose copy is rewritten."""
    changed_files: set[str] = field(default_factory=set)
    """Files, and folders with a slash at the end, relative to the library, that were written or removed besides; a
    library in object storage brings them there."""
    removed_files: set[str] = field(default_factory=set)
    """Files that were removed, whether or not this machine had a copy."""

    def add(self, other: Changes) -> None:
        """Take in what another transaction has changed."""
        for one in fields(Changes):
            setattr(self, one.name, getattr(self, one.name) | getattr(other, one.name))

    def is_empty(self) -> bool:
        """Whether nothing has to be published."""
        return not any(getattr(self, one.name) for one in fields(Changes))


class Transaction(Changes):
    """One open transaction. Results must be fetched before it closes."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._deleted: set[str] | None = None
        """The users who were deleted, once that was asked."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        return self._connection.rows(sql, params)

    def table(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """All rows of a query as an Arrow table."""
        return self._connection.table(sql, params)

    def run(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Run a statement that returns nothing."""
        self._connection.run(sql, params)
        if changed := _CHANGE.match(sql):
            self.changed_tables.add(changed[1])
            self.accounts_changed |= changed[1] in ACCOUNT_TABLES
            self.shares_changed |= changed[1] in SHARE_TABLES

    def tables(self) -> list[str]:
        """The names of the catalog's tables."""
        rows = self.rows("select table_name from information_schema.tables where table_schema = current_schema()")
        return sorted(row["table_name"] for row in rows)

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, in order; none if there is no such table."""
        rows = self.rows(
            """select column_name from information_schema.columns
               where table_schema = current_schema() and table_name = ? order by ordinal_position""",
            [table],
        )
        return [row["column_name"] for row in rows]

    def insert_table(self, table: str, rows: pa.Table) -> None:
        """Insert the rows of an Arrow table; columns that `table` does not have are left out, others are null."""
        known = self.columns(table)
        self._connection.insert_table(table, rows.select([name for name in rows.column_names if name in known]))
        self.changed_tables.add(table)

    def insert(self, table: str, row: Row) -> None:
        """Insert a row. `table` and the keys are names of our own schema, never input.

        Raises UserNotFound for a row of a user who was deleted: work that has not heard of it brings nothing back.
        """
        owner = row.get("user_id", row.get("owner_id"))
        if owner is not None and self._is_deleted(owner):
            raise UserNotFound(user=owner)
        marks = ", ".join("?" for _ in row)
        self.run(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))  # noqa: S608

    def delete_user(self, user_id: str) -> None:
        """From now on there is no such user, and no row of theirs can be inserted."""
        self.insert("deleted_users", {"user_id": user_id, "deleted_us": None})
        self._deleted = None

    def _is_deleted(self, user_id: str) -> bool:
        if self._deleted is None:
            self._deleted = {row["user_id"] for row in self.rows("select user_id from deleted_users")}
        return user_id in self._deleted

    def update(self, table: str, changes: Row, where: Row) -> None:
        """Set columns of the rows that have the values of `where`. Names are those of our own schema, never input."""
        sets = ", ".join(f"{name} = ?" for name in changes)
        test = " and ".join(f"{name} = ?" for name in where)
        self.run(f"update {table} set {sets} where {test}", [*changes.values(), *where.values()])  # noqa: S608

    def mark_visible_changed(self) -> None:
        """Increase the revision of what is visible; visible.parquet is rewritten after the commit."""
        if not self.visibility_changed:
            self.visibility_changed = True
            self.run("update counters set value = value + 1 where name = 'visible_revision'")

    def visible_revision(self) -> int:
        """The revision of what is visible; a number that only grows."""
        return int(self.rows("select value from counters where name = 'visible_revision'")[0]["value"])
