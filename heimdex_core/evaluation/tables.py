"""Judgements as a table, in CSV (UTF-8, with a header) or Parquet.

A row is one judgement: `query` and `grade` are needed, and either `scene_id`, or `video` (file name or title) or
`video_id` with `start_s` and `end_s`. A row without a grade only adds its query. Other columns may be missing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import FileUnreadable, HeimdexError, InvalidValue
from heimdex_core.evaluation.trec import MAX_FILE_BYTES
from heimdex_core.files import atomic_path
from heimdex_core.store.parquet import check_size, read_table
from heimdex_core.types import MAX_GRADE, Interval, SetQuery, tidy_query

MAX_ROWS = 1_000_000
SUFFIXES = (".csv", ".parquet")

_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("query_id", "query", "language", "kind", "scene_id", "video_id")),
        pa.field("video", pa.string()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("grade", pa.int32()),
        pa.field("judge", pa.string()),
        pa.field("judged_at", pa.string()),
        pa.field("reason", pa.string()),
    ]
)
_NEEDED = ("query", "grade")
_PLACES = (("scene_id",), ("video_id", "start_s", "end_s"), ("video", "start_s", "end_s"))


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row that was read."""

    query: SetQuery
    grade: int | None
    """None only adds the query."""
    scene_id: str = ""
    video_id: str = ""
    video: str = ""
    """File name or title."""
    interval: Interval | None = None
    """Given where `scene_id` is not."""
    judge: str = ""
    judged_at: datetime | None = None
    reason: str = ""

    @property
    def place(self) -> str:
        """What it judges, for messages."""
        if self.scene_id or self.interval is None:
            return self.scene_id
        return f"{self.video or self.video_id} {self.interval.start_s:g}-{self.interval.end_s:g}"


def read_table_rows(path: Path) -> list[TableRow]:
    """The judgements of a CSV or Parquet file.

    Raises FileUnreadable, with the number of the row that is wrong, counted from 1 without the header; InvalidValue for
    another kind of file.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidValue(name="file", value=path.name, reason="its name must end in .csv or .parquet")
    found = []
    columns, rows = _csv(path) if suffix == ".csv" else _parquet(path)
    _check_columns(path, columns)
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_row({name: value for name, value in row.items() if value not in (None, "")}))
        except (ValueError, KeyError, HeimdexError) as error:
            raise FileUnreadable(filename=path.name, reason=f"row {number}: {error}") from error
    return found


def write_table_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write judgements, with the columns of _SCHEMA. Raises InvalidValue for another suffix, DiskFull."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidValue(name="file", value=path.name, reason="its name must end in .csv or .parquet")
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=_SCHEMA)
    with atomic_path(path) as temporary:
        if suffix == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _SCHEMA.names)
            writer.writeheader()
            writer.writerows(table.to_pylist())


def _csv(path: Path) -> tuple[list[str], Iterator[dict[str, Any]]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileUnreadable(filename=path.name, reason=f"it has more than {MAX_FILE_BYTES} bytes")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            columns = list(reader.fieldnames or ())
            rows = list(reader)
    except UnicodeDecodeError as error:
        raise FileUnreadable(filename=path.name, reason="it is not UTF-8 text") from error
    except csv.Error as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error
    except OSError as error:
        raise FileUnreadable(filename=str(path), reason=error.strerror or str(error)) from error
    for number, row in enumerate(rows, start=1):
        if "" in row:
            raise FileUnreadable(filename=path.name, reason=f"row {number}: it has more columns than the header")
    return columns, iter(rows)


def _parquet(path: Path) -> tuple[list[str], Iterator[dict[str, Any]]]:
    try:
        check_size(path, MAX_ROWS)
        table = read_table(path, MAX_ROWS)
    except (OSError, pa.ArrowException) as error:
        raise FileUnreadable(filename=path.name, reason=str(error)[:200]) from error
    return table.column_names, iter(table.to_pylist())


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    if not missing and not any(set(place) <= set(columns) for place in _PLACES):
        missing = ["scene_id"]
    if missing:
        have = ", ".join(columns) or "none"
        reason = f"the column {missing[0]} is missing; its columns are: {have}"
        raise FileUnreadable(filename=path.name, reason=reason[:500])


def _row(row: Mapping[str, Any]) -> TableRow:
    text = tidy_query(str(row.get("query", "")))
    if not text:
        raise ValueError("the query is empty")
    query_id = str(row.get("query_id", ""))
    if any(character.isspace() for character in query_id):
        raise ValueError(f"the query id {query_id!r} has spaces")
    query = SetQuery(text, query_id, str(row.get("language", "")), str(row.get("kind", "")))
    if "grade" not in row:
        return TableRow(query, None)
    return TableRow(
        query=query,
        grade=_grade(row["grade"]),
        scene_id=str(row.get("scene_id", "")),
        video_id=str(row.get("video_id", "")),
        video=str(row.get("video", "")),
        interval=None if "scene_id" in row else Interval(_seconds(row, "start_s"), _seconds(row, "end_s")),
        judge=str(row.get("judge", "")),
        judged_at=_moment(row.get("judged_at")),
        reason=str(row.get("reason", "")),
    )


def _grade(value: Any) -> int:
    number = float(value)
    if number not in range(MAX_GRADE + 1):
        raise ValueError(f"the grade {value} is not 0, 1, 2 or 3")
    return int(number)


def _seconds(row: Mapping[str, Any], name: str) -> float:
    if name not in row:
        raise ValueError(f"it has neither scene_id nor {name}")
    value = float(row[name])
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {value}")
    return value


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
