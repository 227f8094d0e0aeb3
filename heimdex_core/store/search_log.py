"""The query log: one JSON object a search, appended and never changed, in logs/searches.jsonl or a table of Postgres.

Fields: at (ISO 8601, UTC), user_id, text, weights, fusion, filters ("name=value"), sort, group_by_video, then,
by_example, set_id, spaces, video_ids, offset, limit, total, cached, timing_ms, active (channels), abstaining
({channel: reason}), corrected ({word: the word looked up}), notes, nothing_close. Entries of older versions lack some.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from heimdex_core.errors import HeimdexError
from heimdex_core.files import append_json_line, atomic_write, file_signature, make_folder
from heimdex_core.types import Json, to_json

if TYPE_CHECKING:
    from heimdex_core.store.shared_tables import SharedTables

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 16
_BATCH = 1000
_THREADS = 2
_PAUSE_S = 30.0
"""After a database that was away, searches are not logged, and so not delayed, for so long."""


class SearchLog(Protocol):
    """The searches of all users of a library."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Keep a search. Raises DiskFull."""
        ...

    def last(self, user_id: str, limit: int) -> list[Json]:
        """A user's last searches, newest first, `limit` at most."""
        ...

    def all(self, user_id: str) -> list[Json]:
        """All searches of a user, oldest first."""
        ...

    def signature(self) -> object:
        """A value that differs once something was appended."""
        ...

    def entries(self) -> list[Json]:
        """All searches of all users, oldest first."""
        ...

    def replace(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Keep these and no others, as when a library is moved. Raises DiskFull, DatabaseUnavailable."""
        ...

    def remove(self, user_id: str) -> None:
        """Forget the searches of a user."""
        ...

    def times(self, since: str) -> list[TimesRow]:
        """How long the searches of all users took, altogether, by fusion method and by day; nothing without searches.

        `since` is the first day, as 2026-11-27 in UTC.
        """
        ...

    def timings_after(self, position: int | None) -> tuple[list[Mapping[str, float]], int]:
        """(the timing_ms of what was appended after a position, the position now); None is where the log ends now."""
        ...


@dataclass(frozen=True, slots=True)
class TimesRow:
    """A group of searches: of a day, of a method, or all if both are None."""

    day: str | None
    method: str | None
    searches: int
    p50_ms: float
    p95_ms: float


# The same in DuckDB and Postgres. `at` is ISO 8601 in UTC, so that its text has the order of time.
_TIMES = """
    select day, method, count(*), percentile_cont(0.5) within group (order by ms),
        percentile_cont(0.95) within group (order by ms)
    from (select substr(entry ->> 'at', 1, 10) as day, coalesce(entry ->> 'fusion', '') as method,
                 cast(entry -> 'timing_ms' ->> 'total' as float8) as ms
          from {entries} where entry ->> 'at' >= {mark}) searches
    where ms is not null
    group by grouping sets ((), (method), (day)) order by day, method"""


class FileSearchLog:
    """A line for each search. A crash may leave an incomplete one, which is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append a line."""
        append_json_line(self._path, entry)

    def last(self, user_id: str, limit: int) -> list[Json]:
        """Read from the end, so a long log costs no more."""
        found: list[Json] = []
        with suppress(FileNotFoundError):
            for line in _lines_from_the_end(self._path):
                if len(found) >= limit:
                    break
                found += [entry for entry in _parsed(line) if entry.get("user_id") == user_id]
        return found

    def all(self, user_id: str) -> list[Json]:
        """Read the whole file."""
        return [entry for entry in self.entries() if entry.get("user_id") == user_id]

    def signature(self) -> object:
        """That of the file."""
        return file_signature(self._path)

    def entries(self) -> list[Json]:
        """Read the whole file."""
        try:
            with self._path.open(encoding="utf-8", errors="replace") as lines:
                return [entry for line in lines for entry in _parsed(line)]
        except FileNotFoundError:
            return []

    def replace(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write the file anew."""
        make_folder(self._path.parent)
        with atomic_write(self._path) as file:
            for entry in entries:
                file.write(json.dumps(to_json(entry), ensure_ascii=False).encode() + b"\n")

    def remove(self, user_id: str) -> None:
        """Write the file anew; a search that is logged at the same moment may be lost."""
        kept = self.entries()
        if any(entry.get("user_id") == user_id for entry in kept):
            self.replace([entry for entry in kept if entry.get("user_id") != user_id])

    def times(self, since: str) -> list[TimesRow]:
        """Have DuckDB read the file."""
        if not self._path.exists():
            return []
        lines = "(select json as entry from read_ndjson_objects(?, ignore_errors = true)) lines"
        with duckdb.connect(config={"threads": _THREADS}) as connection:
            sql = _TIMES.format(entries=lines, mark="?")
            return _times(connection.execute(sql, [str(self._path), since]).fetchall())

    def timings_after(self, position: int | None) -> tuple[list[Mapping[str, float]], int]:
        """Read on from a byte of the file; from its beginning if another one has taken its place."""
        try:
            with self._path.open("rb") as file:
                end = file.seek(0, 2)
                if position is None:
                    return [], end
                begin = file.seek(position if position <= end else 0)
                data = file.read(end - begin)
        except FileNotFoundError:
            return [], 0
        whole = data[: data.rfind(b"\n") + 1]  # the rest of a line that is being written comes later
        return _timings(entry for line in whole.splitlines() for entry in _parsed(line)), begin + len(whole)


class TableSearchLog:
    """A row for each search. While the database is away, searches go on and are not logged."""

    def __init__(self, shared: SharedTables) -> None:
        self._shared = shared
        self._not_before = 0.0

    def append(self, entry: Mapping[str, Any]) -> None:
        """Insert a row."""
        if time.monotonic() < self._not_before:
            return
        try:
            sql = "insert into shared.searches (user_id, entry) values (%s, %s)"
            self._shared.rows(sql, [entry.get("user_id"), json.dumps(to_json(entry), ensure_ascii=False)], wait_s=0)
        except HeimdexError as error:
            self._not_before = time.monotonic() + _PAUSE_S
            logger.warning("searches are not logged for the next %.0f s: %s", _PAUSE_S, error)

    def last(self, user_id: str, limit: int) -> list[Json]:
        """The rows from the end. Raises DatabaseUnavailable."""
        sql = "select entry from shared.searches where user_id = %s order by number desc limit %s"
        return [json.loads(text) for (text,) in self._shared.rows(sql, [user_id, limit])]

    def all(self, user_id: str) -> list[Json]:
        """The rows. Raises DatabaseUnavailable."""
        sql = "select entry from shared.searches where user_id = %s order by number"
        return [json.loads(text) for (text,) in self._shared.rows(sql, [user_id])]

    def signature(self) -> object:
        """The number of the last row. Raises DatabaseUnavailable."""
        return self._shared.rows("select max(number) from shared.searches")

    def remove(self, user_id: str) -> None:
        """Delete the rows. Raises DatabaseUnavailable."""
        self._shared.rows("delete from shared.searches where user_id = %s", [user_id])

    def entries(self) -> list[Json]:
        """The rows. Raises DatabaseUnavailable."""
        return [json.loads(text) for (text,) in self._shared.rows("select entry from shared.searches order by number")]

    def replace(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Delete all rows and insert these."""
        self._shared.rows("delete from shared.searches")
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            users = [entry.get("user_id") for entry in batch]
            texts = [json.dumps(to_json(entry), ensure_ascii=False) for entry in batch]
            sql = "insert into shared.searches (user_id, entry) select * from unnest(%s::text[], %s::text[])"
            self._shared.rows(sql, [users, texts])

    def times(self, since: str) -> list[TimesRow]:
        """Group the rows. Raises DatabaseUnavailable."""
        # Rows are in the order of time, but for those of a moved library, whose column `at` is the day of the move.
        rows = "(select entry::json as entry from shared.searches where at >= %s::date - 1) rows"
        return _times(self._shared.rows(_TIMES.format(entries=rows, mark="%s"), [since, since]))

    def timings_after(self, position: int | None) -> tuple[list[Mapping[str, float]], int]:
        """Read the rows with higher numbers. Raises DatabaseUnavailable."""
        if position is None:
            return [], int(self._shared.rows("select coalesce(max(number), 0) from shared.searches")[0][0])
        sql = "select number, entry from shared.searches where number > %s order by number"
        rows = self._shared.rows(sql, [position])
        return _timings(json.loads(text) for _, text in rows), rows[-1][0] if rows else position


def search_log(shared: SharedTables | None, path: Path) -> SearchLog:
    """That of a library; `path` is the file of one that keeps it in files."""
    return FileSearchLog(path) if shared is None else TableSearchLog(shared)


def _times(rows: Iterable[Sequence[Any]]) -> list[TimesRow]:
    """Without the row of all searches where there are none."""
    return [TimesRow(day, method, count, p50, p95) for day, method, count, p50, p95 in rows if count]


def _timings(entries: Iterable[Json]) -> list[Mapping[str, float]]:
    found = [entry.get("timing_ms") for entry in entries]
    return [
        {part: float(ms) for part, ms in timing.items() if isinstance(ms, int | float)}
        for timing in found
        if isinstance(timing, dict)
    ]


def _parsed(line: str | bytes) -> list[Json]:
    """The entry of a line, if it is complete."""
    with suppress(ValueError):
        entry = json.loads(line)
        if isinstance(entry, dict):
            return [entry]
    return []


def _lines_from_the_end(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        at = file.seek(0, 2)
        rest = b""
        while at > 0:
            size = min(_BLOCK_BYTES, at)
            at -= size
            file.seek(at)
            first, *lines = (file.read(size) + rest).split(b"\n")
            yield from reversed(lines)
            rest = first
        yield rest
