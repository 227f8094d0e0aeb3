"""`lib.sql`: an in-memory DuckDB for each user with copies of their rows, and access to nothing else.

One SELECT or EXPLAIN at a time, in a read-only transaction, with access to files and to the configuration switched
off. Tables: videos, scenes, words, exports, reels, preferences, judgements, searches; view: keyframes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from heimdex_core.errors import InvalidSql
from heimdex_core.files import file_signature
from heimdex_core.store import sidecar
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)

_CATALOG_TABLES = {
    "videos": """select video_id, user_id, sha256, title, filename, description, state, generation, scene_count,
        cast(info ->> '$.duration_s' as double) as duration_s, cast(info ->> '$.width' as integer) as width,
        cast(info ->> '$.height' as integer) as height, cast(info ->> '$.fps' as double) as fps,
        transcript_source, transcript_rough, language, has_preview, notes, error, job_id,
        make_timestamp(created_us) as created_at, make_timestamp(updated_us) as updated_at
        from videos where user_id = ?""",
    "exports": """select export_id, user_id, kind, title, state, clips, params, error, path, size_bytes,
        measured_duration_s, width, height, job_id, make_timestamp(created_us) as created_at,
        make_timestamp(completed_us) as completed_at, make_timestamp(expires_us) as expires_at
        from exports where user_id = ?""",
    "reels": """select reel_id, user_id, title, clips, make_timestamp(updated_us) as updated_at
        from reels where user_id = ?""",
    "preferences": "select user_id, key, value from preferences where user_id = ?",
    "judgements": """select judgement_id, user_id, query, video_id, start_ms, end_ms, grade,
        make_timestamp(created_us) as created_at from judgements where user_id = ?""",
}

_SCENES = pa.schema([*sidecar.SCENES_SCHEMA, pa.field("generation", pa.int32())])
_WORDS = pa.schema([*sidecar.WORDS_SCHEMA, pa.field("video_id", pa.string()), pa.field("generation", pa.int32())])


class SqlViews:
    """The users' databases, each created and filled on first use. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog) -> None:
        self._paths = paths
        self._catalog = catalog
        self._databases: dict[str, _Database] = {}
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

        Raises InvalidSql; OSError or LibraryDamaged if a file of the snapshot has been removed.
        """
        with self._lock:
            database = self._databases.get(user_id)
            if database is None:
                database = self._databases[user_id] = _Database(self._paths, self._catalog, user_id)
        return database.query(shot, query, params)

    def close(self) -> None:
        """Close all databases; the next query creates a new one."""
        with self._lock:
            for database in self._databases.values():
                database.close()
            self._databases.clear()


class _Database:
    def __init__(self, paths: LibraryPaths, catalog: Catalog, user_id: str) -> None:
        self._paths = paths
        self._catalog = catalog
        self._user_id = user_id
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[int, int]] = {}
        """(set_id, generation) of the copied rows of each video."""
        self._catalog_signature: Any = None
        self._searches_signature: Any = None
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": 2,
                "temp_directory": "",
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._create("scenes", _SCENES.empty_table())
        self._create("words", _WORDS.empty_table())
        self._create("searches", _searches([]))
        # Columns keep the names of the fields in scenes.parquet; `end_s - start_s` is the duration.
        self._connection.execute(
            """create view keyframes as select scene_id, video_id, unnest(keyframes, recursive := true) from scenes"""
        )
        self._connection.execute("set global TimeZone = 'UTC'")
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")

    def query(self, shot: Snapshot, query: str, params: Sequence[Any] | Mapping[str, Any]) -> pd.DataFrame:
        with self._lock:
            self._update(shot)
            cursor = self._connection.cursor()
            # The transaction sees what was just copied, also when another view is queried meanwhile.
            cursor.execute("begin transaction read only")
            cursor.execute("select 1 from scenes limit 0")
        try:
            _check(cursor, query)
            values = dict(params) if isinstance(params, Mapping) else list(params)
            return cursor.sql(query, params=values).to_arrow_table().to_pandas()
        except duckdb.Error as error:
            raise InvalidSql(reason=str(error).split("\n\n")[0][:500]) from error
        finally:
            with suppress(duckdb.Error):
                cursor.execute("rollback")
            cursor.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # --- filling ----------------------------------------------------------------------------------

    def _update(self, shot: Snapshot) -> None:
        wanted = {video.video_id: (shot.model_set.set_id, video.generation) for video in shot.of_user(self._user_id)}
        outdated = [video_id for video_id, version in self._loaded.items() if wanted.get(video_id) != version]
        new = [video_id for video_id, version in wanted.items() if self._loaded.get(video_id) != version]
        # Everything is read before anything is changed: a file may have been removed meanwhile.
        read = {
            "scenes": [self._scenes(shot, video_id) for video_id in new],
            "words": [self._words(shot, video_id) for video_id in new],
        }
        for table, rows in read.items():
            for video_id in outdated:
                self._connection.execute(f"delete from {table} where video_id = ?", [video_id])  # noqa: S608
            if rows:
                statement = f"insert into {table} by name select * from incoming"  # noqa: S608
                self._run_with(pa.concat_tables(rows), statement)
        self._loaded = wanted
        self._copy_catalog()
        self._copy_searches()

    def _scenes(self, shot: Snapshot, video_id: str) -> pa.Table:
        video = shot.loaded[video_id]
        numbers = pa.array([video.generation] * len(video.table), pa.int32())
        return video.table.append_column("generation", numbers).cast(_SCENES)

    def _words(self, shot: Snapshot, video_id: str) -> pa.Table:
        n = shot.loaded[video_id].generation
        table = sidecar.read_words_table(self._paths.generation(video_id, n)).replace_schema_metadata(None)
        table = table.append_column("video_id", pa.array([video_id] * len(table), pa.string()))
        return table.append_column("generation", pa.array([n] * len(table), pa.int32())).cast(_WORDS)

    def _copy_catalog(self) -> None:
        """Copy the user's rows in one short transaction, if the catalog has been written since the last time."""
        signature = file_signature(self._paths.catalog)
        if signature is not None and signature == self._catalog_signature:
            return
        with self._catalog.transaction() as transaction:
            tables = {name: transaction.table(sql, [self._user_id]) for name, sql in _CATALOG_TABLES.items()}
        for name, table in tables.items():
            self._create(name, _utc(table))
        self._catalog_signature = file_signature(self._paths.catalog)

    def _copy_searches(self) -> None:
        signature = file_signature(self._paths.searches)
        if signature == self._searches_signature:
            return
        entries = []
        with suppress(FileNotFoundError), self._paths.searches.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                with suppress(ValueError):  # a crash may leave an incomplete line
                    entry = json.loads(line)
                    if isinstance(entry, dict) and entry.get("user_id") == self._user_id:
                        entries.append(entry)
        self._create("searches", _searches(entries))
        self._searches_signature = signature

    def _create(self, name: str, table: pa.Table) -> None:
        self._run_with(table, f"create or replace table {name} as select * from incoming")  # noqa: S608

    def _run_with(self, incoming: pa.Table, statement: str) -> None:
        self._connection.register("incoming", incoming)
        self._connection.execute(statement)
        self._connection.unregister("incoming")


def _check(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise InvalidSql(reason=f"one statement is needed, not {len(statements)}")
    if statements[0].type not in _READING:
        raise InvalidSql(reason=f"only SELECT and EXPLAIN are allowed, not {statements[0].type.name}")


def _utc(table: pa.Table) -> pa.Table:
    """The same table with its timestamps marked as UTC."""
    fields = [
        pa.field(f.name, pa.timestamp("us", tz="UTC")) if pa.types.is_timestamp(f.type) else f for f in table.schema
    ]
    return table.cast(pa.schema(fields))


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
