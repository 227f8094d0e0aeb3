"""One open transaction of the catalog. Times are stored as BIGINT microseconds since 1970 UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

Row = dict[str, Any]
"""A row by column name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGE = re.compile(r"\s*(?:insert into|update|delete from) (\w+)")


def to_us(moment: datetime | None) -> int | None:
    """Microseconds since 1970 UTC. Raises TypeError for a datetime without a timezone."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int | None) -> datetime | None:
    """The datetime in UTC of microseconds since 1970."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


class Transaction:
    """One open transaction. Results must be fetched before it closes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.visibility_changed = False
        """Whether visible.parquet is rewritten after the commit."""
        self.changed_preferences: set[str] = set()
        """The user_ids whose preferences file is rewritten after the commit."""
        self.changed_trays: set[str] = set()
        """The user_ids whose revisions of the tray and of reels are published after the commit."""
        self.changed_videos: set[str] = set()
        """The video_ids whose video.json is rewritten after the commit."""
        self.changed_tables: set[str] = set()
        """The tables whose copy is rewritten after the commit."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        cursor = self._connection.execute(sql, list(params))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def table(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """All rows of a query as an Arrow table."""
        return self._connection.sql(sql, params=list(params)).to_arrow_table()

    def run(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Run a statement that returns nothing."""
        self._connection.execute(sql, list(params))
        if changed := _CHANGE.match(sql):
            self.changed_tables.add(changed[1])

    def insert_table(self, table: str, rows: pa.Table) -> None:
        """Insert the rows of an Arrow table; columns that `table` does not have are left out, others are null."""
        known = {
            row["column_name"]
            for row in self.rows("select column_name from duckdb_columns() where table_name = ?", [table])
        }
        self._connection.register("incoming", rows.select([name for name in rows.column_names if name in known]))
        self.run(f"insert into {table} by name select * from incoming")  # noqa: S608 - a name of our own schema
        self._connection.unregister("incoming")

    def insert(self, table: str, row: Row) -> None:
        """Insert a row. `table` and the keys are names of our own schema, never input."""
        marks = ", ".join("?" for _ in row)
        self.run(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))  # noqa: S608

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
