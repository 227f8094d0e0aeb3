"""`lib.sql`: a process for each user with an in-memory DuckDB, their rows, and access to nothing else.

The scenes are those of the scene table (scene_segments.py), which is mapped; all other rows are copies.

One SELECT or EXPLAIN at a time, in a read-only transaction, with access to files and to the configuration switched
off, and limits on time, memory and threads. The processes of the users who asked last are kept. Tables: videos, scenes,
words, exports, reels, preferences, judgements, searches; view: keyframes.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from heimdex_core.errors import InvalidSql, SqlTimeout
from heimdex_core.settings import get_settings
from heimdex_core.store import sidecar
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.search_log import search_log
from heimdex_core.store.shares import SHARED_WITH
from heimdex_core.store.snapshot import LoadedVideo, Snapshot
from heimdex_core.store.sql_process import SqlLimits, SqlProcess
from heimdex_core.types import VisibleVideo

if TYPE_CHECKING:
    import pandas as pd

KEPT_PROCESSES = 4
"""How many users' rows stay loaded; each process takes some 100 MB besides."""

_CATALOG_TABLES = {
    "videos": """video_id, user_id, sha256, title, filename, description, state, generation, scene_count,
        cast(info ->> '$.duration_s' as double) as duration_s, cast(info ->> '$.width' as integer) as width,
        cast(info ->> '$.height' as integer) as height, cast(info ->> '$.fps' as double) as fps,
        transcript_source, transcript_rough, language, has_preview, notes, error, job_id, created_at, updated_at""",
    "exports": """export_id, user_id, kind, title, state, clips, params, error, path, size_bytes,
        measured_duration_s, width, height, loudness_lufs, true_peak_dbtp, job_id, created_at, completed_at,
        expires_at""",
    "reels": "reel_id, user_id, title, clips, updated_at",
    "preferences": "user_id, key, value",
    "judgements": """judgement_id, user_id, query_set, query, video_id, start_ms, end_ms, grade, judge, reason,
        created_at""",
}
"""Their columns, worked out of the catalog's, where times are numbers."""

_MAY_READ_WORDS = re.compile("words|query", re.IGNORECASE)
"""A query that reads the table words names it, or has its name put together for DuckDB's `query_table`. The words of a
large library are many files, so they are copied when they are asked for."""

_SCENES = pa.schema([*sidecar.SCENES_SCHEMA, pa.field("generation", pa.int32())])
_WORDS = pa.schema([*sidecar.WORDS_SCHEMA, pa.field("video_id", pa.string()), pa.field("generation", pa.int32())])


class SqlViews:
    """The users' databases, each created and filled on first use. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog, limits: SqlLimits | None = None) -> None:
        """`limits` None takes those of the settings."""
        self._paths = paths
        self._catalog = catalog
        self._limits = limits or SqlLimits.of(get_settings())
        self._databases: OrderedDict[str, _Database] = OrderedDict()
        """By user_id; who asked last comes last."""
        self._lock = threading.Lock()

    def query(
        self, shot: Snapshot, user_id: str, query: str, params: Sequence[Any] | Mapping[str, Any]
    ) -> pd.DataFrame:
        """Run one SELECT or EXPLAIN over the user's rows.

        Args:
            shot: the snapshot whose videos, scenes and words are queried.
            user_id: whose rows.
            query: one statement.
            params: values for its placeholders, by position or by name.

        Raises InvalidSql, SqlTimeout, SqlMemory; LibraryBusy if the catalog is in use for too long; OSError or
        LibraryDamaged if a file of the snapshot has been removed.
        """
        while True:
            database = self._of_user(user_id)
            with database.in_turn() as is_open:
                if is_open:  # otherwise it was closed since we got it
                    table = database.query(shot, query, params)
                    break
        return _to_pandas(table)

    def close(self) -> None:
        """Close all databases; the next query creates a new one."""
        with self._lock:
            databases = list(self._databases.values())
            self._databases.clear()
        for database in databases:
            database.close()

    def _of_user(self, user_id: str) -> _Database:
        with self._lock:
            database = self._databases.get(user_id)
            if database is None:
                database = self._databases[user_id] = _Database(self._paths, self._catalog, user_id, self._limits)
            self._databases.move_to_end(user_id)
            too_many = max(len(self._databases) - KEPT_PROCESSES, 0)
            for name, one in list(self._databases.items())[:too_many]:
                if one.close_if_idle():
                    del self._databases[name]
        return database


class _Database:
    """One user's rows. What is loaded is lost with the process; the next query loads it again."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog, user_id: str, limits: SqlLimits) -> None:
        self._paths = paths
        self._catalog = catalog
        self._user_id = user_id
        self._limits = limits
        self._lock = threading.Lock()
        self._is_open = True
        self._process: SqlProcess | None = None
        self._forget()

    @contextmanager
    def in_turn(self) -> Iterator[bool]:
        """Wait for the user's queries that came before; whether the database is still open.

        Raises SqlTimeout if they take longer than one may.
        """
        if not self._lock.acquire(timeout=self._limits.timeout_s + self._catalog.engine.wait_limit_s):
            raise SqlTimeout(limit_s=self._limits.timeout_s)
        try:
            yield self._is_open
        finally:
            self._lock.release()

    def query(self, shot: Snapshot, query: str, params: Sequence[Any] | Mapping[str, Any]) -> pa.Table:
        process = self._process
        if process is None or not process.is_alive:
            process = self._start()
        try:
            self._update(process, shot, query)
        except BaseException:
            # Perhaps half of it was done.
            self._end()
            raise
        return process.query(query, params)

    def close(self) -> None:
        """End the process, also in the middle of a query, whose caller gets an error then."""
        self._is_open = False
        self._end()

    def close_if_idle(self) -> bool:
        """Close unless a query is running; whether that was done."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self.close()
            return True
        finally:
            self._lock.release()

    def _forget(self) -> None:
        self._loaded: dict[str, tuple[int, int]] = {}
        """(set_id, generation) of the words that were copied of each video."""
        self._shot: Snapshot | None = None
        """Whose scenes the table has."""
        self._catalog_signature: Any = None
        self._searches_signature: Any = None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _start(self) -> SqlProcess:
        self._end()
        self._forget()
        process = self._process = SqlProcess(self._limits)
        for name, table in (("words", _WORDS.empty_table()), ("searches", _searches([]))):
            _create(process, name, table)
        process.scenes(_SCENES.empty_table(), ())
        process.run(
            [
                # Columns keep the names of the fields in scenes.parquet; `end_s - start_s` is the duration.
                (
                    "create temp view keyframes as"
                    " select scene_id, video_id, unnest(keyframes, recursive := true) from scenes",
                    (),
                ),
                ("set global TimeZone = 'UTC'", ()),
                ("set enable_external_access = false", ()),
                ("set lock_configuration = true", ()),
            ]
        )
        return process

    # --- filling ----------------------------------------------------------------------------------

    def _update(self, process: SqlProcess, shot: Snapshot, query: str) -> None:
        if shot is not self._shot:
            try:
                process.scenes(*self._scenes(shot, in_memory=False))
            except FileNotFoundError:  # merged with others since they were mapped here
                process.scenes(*self._scenes(shot, in_memory=True))
            self._shot = shot
        if _MAY_READ_WORDS.search(query):
            self._update_words(process, shot)
        self._copy_catalog(process)
        self._copy_searches(process)

    def _scenes(self, shot: Snapshot, *, in_memory: bool) -> tuple[pa.Table, list[dict[str, Any]]]:
        """(the user's scenes that are sent, the rows of files that are mapped); see SqlProcess.scenes."""
        sent = [pa.Table.from_batches([], _SCENES)]
        files: dict[str, list[LoadedVideo]] = {}
        for visible in self._videos(shot):
            video = shot.loaded[visible.video_id]
            if video.columns.path is None or in_memory:
                numbers = pa.array([video.generation] * len(video.rows), pa.int32())
                sent.append(video.table.append_column("generation", numbers).cast(_SCENES))
            elif video.rows:
                files.setdefault(str(video.columns.path), []).append(video)
        return pa.concat_tables(sent), [_rows_of_file(path, loaded) for path, loaded in files.items()]

    def _videos(self, shot: Snapshot) -> list[VisibleVideo]:
        return shot.of_user(self._user_id)

    def _update_words(self, process: SqlProcess, shot: Snapshot) -> None:
        set_id = shot.model_set.set_id
        wanted = {video.video_id: (set_id, video.generation) for video in self._videos(shot)}
        outdated = [video_id for video_id, version in self._loaded.items() if wanted.get(video_id) != version]
        new = [video_id for video_id, version in wanted.items() if self._loaded.get(video_id) != version]
        # Everything is read before anything is changed: a file may have been removed meanwhile.
        rows = [self._words(shot, video_id) for video_id in new]
        if outdated:
            process.run([("delete from words where video_id = ?", [video_id]) for video_id in outdated])
        if rows:
            process.run([("insert into words by name select * from incoming", ())], pa.concat_tables(rows))
        self._loaded = wanted

    def _words(self, shot: Snapshot, video_id: str) -> pa.Table:
        n = shot.loaded[video_id].generation
        table = sidecar.read_words_table(self._paths.generation(video_id, n)).replace_schema_metadata(None)
        table = table.append_column("video_id", pa.array([video_id] * len(table), pa.string()))
        return table.append_column("generation", pa.array([n] * len(table), pa.int32())).cast(_WORDS)

    def _copy_catalog(self, process: SqlProcess) -> None:
        """Copy the user's rows in one short transaction, if the catalog has been written since the last time."""
        signature = self._catalog.engine.signature()
        if signature is not None and signature == self._catalog_signature:
            return
        with self._catalog.transaction() as transaction:
            of_user = "select * from {} where user_id = ?"
            tables = {name: transaction.table(of_user.format(name), [self._user_id]) for name in _CATALOG_TABLES}
            seen = f"{of_user.format('videos')} or (video_id in {SHARED_WITH} and state <> 'deleted')"
            tables["videos"] = transaction.table(seen, [self._user_id] * 3)
        for name, table in tables.items():
            _create(process, name, _with_times(table), _CATALOG_TABLES[name])
        self._catalog_signature = self._catalog.engine.signature()

    def _copy_searches(self, process: SqlProcess) -> None:
        log = search_log(self._catalog.engine.shared, self._paths.searches)
        signature = log.signature()
        if signature == self._searches_signature:
            return
        _create(process, "searches", _searches(log.all(self._user_id)))
        self._searches_signature = signature


def _rows_of_file(path: str, videos: Sequence[LoadedVideo]) -> dict[str, Any]:
    """The rows of videos that one file has, as SqlProcess.scenes takes them."""
    rows: list[list[int]] = []
    generations: list[tuple[int, int]] = []
    end = 0
    for video in sorted(videos, key=lambda one: one.rows.start):
        if rows and rows[-1][1] == video.rows.start:
            rows[-1][1] = video.rows.stop
        else:
            rows.append([video.rows.start, video.rows.stop])
        end += len(video.rows)
        generations.append((end, video.generation))
    return {"path": path, "rows": rows, "generations": generations}


def _create(process: SqlProcess, name: str, table: pa.Table, columns: str = "*") -> None:
    process.run([(f"create or replace table {name} as select {columns} from incoming", ())], table)  # noqa: S608


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """The result. Raises InvalidSql for values that pandas cannot hold, such as 24:00 or a union."""
    try:
        return table.to_pandas()
    except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        reason = f"the result has values that pandas cannot hold; cast them to varchar ({error})"
        raise InvalidSql(reason=reason[:500]) from error


def _with_times(table: pa.Table) -> pa.Table:
    """The same table with times (created_at) for numbers of microseconds since 1970 (created_us)."""
    fields = [
        pa.field(f"{one.name.removesuffix('_us')}_at", pa.timestamp("us", tz="UTC")) if one.name[-3:] == "_us" else one
        for one in table.schema
    ]
    return table.rename_columns([one.name for one in fields]).cast(pa.schema(fields))


def _searches(entries: list[dict[str, Any]]) -> pa.Table:
    """Log lines as a table: plain values as they are, everything else as JSON text."""
    names = list(dict.fromkeys(["at", "user_id", "text", *(name for entry in entries for name in entry)]))
    columns: dict[str, pa.Array] = {}
    for name in names:
        values = [entry.get(name) for entry in entries]
        present = {type(value) for value in values if value is not None}
        if present <= {int, float} and present:
            columns[name] = pa.array([None if v is None else float(v) for v in values], pa.float64())
        elif present == {bool}:
            columns[name] = pa.array(values, pa.bool_())
        else:
            texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
            columns[name] = pa.array(texts, pa.string())
    return pa.table(columns)
