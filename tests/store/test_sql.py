from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from heimdex_core.errors import InvalidSql
from heimdex_core.store import Store
from tests.store.making import add, commit, new_store, register


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = new_store(tmp_path_factory.mktemp("sql") / "library")
    add(made, "mine", ("two words", "밤"))
    add(made, "theirs", ("their words",), user_id="someone")
    made.set_preference("local", "language", "ko")
    return made


def sql(
    store: Store, query: str, params: Sequence[Any] | Mapping[str, Any] = (), user_id: str = "local"
) -> pd.DataFrame:
    return store.reader().view().sql(query, params, user_id=user_id)


def test_tables(store: Store) -> None:
    assert sorted(sql(store, "show tables")["name"]) == [
        "exports", "judgements", "keyframes", "preferences", "reels", "scenes", "searches", "videos", "words",
    ]  # fmt: skip


def test_values_and_types(store: Store) -> None:
    frame = sql(store, "select title, state, duration_s, created_at from videos where title = $t", {"t": "mine"})
    assert frame["title"].tolist() == ["mine"]
    assert frame["duration_s"].tolist() == [10.0]
    assert str(frame["created_at"].dtype).endswith("UTC]")
    assert sql(store, "select transcript from scenes where index = ?", [1])["transcript"].tolist() == ["밤"]
    words = sql(store, "select text, start_s from words order by start_s")
    assert list(words.itertuples(index=False, name=None)) == [("two", 0.0), ("words", 1.0), ("밤", 2.0)]
    assert sql(store, "select count(*) as n from keyframes where sharpness > 100")["n"].tolist() == [2]


@pytest.mark.parametrize("table", ["videos", "scenes", "words", "keyframes", "preferences"])
def test_only_the_users_own_rows(store: Store, table: str) -> None:
    query = f"select * from {table}"  # noqa: S608 - names written above
    mine, theirs = sql(store, query), sql(store, query, user_id="someone")
    assert len(mine) > 0
    assert "their words" not in mine.to_string()
    assert "밤" not in theirs.to_string()
    assert sql(store, query, user_id="nobody").empty


@pytest.mark.parametrize(
    "query",
    [
        "insert into scenes select * from scenes",
        "delete from videos",
        "update videos set title = 'x'",
        "drop table videos",
        "create table x (a integer)",
        "create temp table x as select 1",
        "copy videos to '/tmp/heimdex-sqltest-stolen.csv'",
        "attach '/tmp/heimdex-sqltest-other.duckdb'",
        "install httpfs",
        "load parquet",
        "set threads = 1",
        "set enable_external_access = true",
        "reset enable_external_access",
        "pragma enable_profiling",
        "begin transaction",
        "call pragma_version()",
        "export database '/tmp/heimdex-sqltest-stolen'",
        "select 1; select 2",
        "explain analyze insert into videos select * from videos",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from read_parquet('../visible.parquet')",
        "select * from parquet_scan('../visible.parquet')",
        "select * from parquet_metadata('../visible.parquet')",
        "select * from parquet_schema('../visible.parquet')",
        "select * from read_csv_auto('/etc/passwd')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from read_blob('/etc/passwd')",
        "select * from read_json('/etc/passwd')",
        "select * from read_json_auto('/etc/passwd')",
        "select * from read_json_objects('/etc/passwd')",
        "select * from read_ndjson('/etc/passwd')",
        "select * from read_duckdb('catalog.duckdb')",
        "select * from query_table('/etc/passwd')",
        "select * from query('select * from read_text(''/etc/passwd'')')",
        "select * from read_text(?)",
        "select (select content from read_text('/etc/passwd'))",
        "with x as (select * from read_text('/etc/passwd')) select * from x",
        "explain analyze select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from '../visible.parquet'",
        "from 'https://example.com/x.csv'",
        "select * from glob('/*')",
        "select getenv('HOME')",
        "select * from duckdb_logs(); select 1",
        "select * from enable_logging(storage := 'file', storage_path := '/tmp/heimdex-sqltest-log')",
        "select * from enable_profiling(save_location := '/tmp/heimdex-sqltest-profile')",
        "call enable_logging(storage := 'file', storage_path := '/tmp/heimdex-sqltest-log')",
        "copy (select 1) to '/tmp/heimdex-sqltest-stolen.parquet'",
        "copy scenes from '/etc/passwd'",
        "attach ':memory:' as other",
        "detach memory",
        "use memory",
        "force install httpfs",
        "load '/tmp/heimdex-sqltest.duckdb_extension'",
        "set memory_limit = '80%'",
        "set lock_configuration = false",
        "set temp_directory = '/tmp/heimdex-sqltest-spill'",
        "set variable x = 1",
        "reset memory_limit",
        "pragma memory_limit = '80%'",
        "pragma profiling_output = '/tmp/heimdex-sqltest-profile'",
        "import database '/tmp'",
        "create secret s (type s3)",
        "create macro f(x) as x",
        "create view v as select 1",
        "alter table scenes add column x integer",
        "truncate scenes",
        "prepare p as select 1",
        "execute p",
        "checkpoint",
        "vacuum",
        "analyze",
        "comment on table scenes is 'x'",
        "commit",
        "rollback",
        "select * from frame",
        "select nonsense",
        "not sql",
        "",
        "select ?",
    ],
)
def test_everything_but_reading_is_refused(store: Store, query: str) -> None:
    frame = pd.DataFrame({"leak": [1]})  # a Python variable must not be a table
    with pytest.raises(InvalidSql):
        sql(store, query)
    assert len(frame) == 1
    assert len(sql(store, "from videos")) == 1
    assert list(Path("/tmp").glob("heimdex-sqltest-*")) == []


def test_scenes_are_read_from_their_files_or_without_them(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    first = add(store, "first", ("one", "two"))
    add(store, "theirs", ("hidden",), user_id="someone")
    add(store, "third", ("three",))
    commit(store, first, ("new one", "new two"))
    query = "select transcript, generation from scenes order by transcript"
    expected = [("new one", 2), ("new two", 2), ("three", 1)]
    assert [*sql(store, query).itertuples(index=False, name=None)] == expected
    assert sql(store, "select count(*) as n from keyframes")["n"].tolist() == [3]

    again = Store.open(store.paths.root)
    again.reader().view()  # has the files open
    shutil.rmtree(store.paths.scene_index)
    assert [*sql(again, query).itertuples(index=False, name=None)] == expected
    again.close()

    table_lost = Store.open(store.paths.root)
    assert [*sql(table_lost, query).itertuples(index=False, name=None)] == expected
    table_lost.close()


def test_words_are_copied_when_a_query_may_read_them(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    add(store, "first", ("one two",))
    assert sql(store, "select count(*) as n from scenes")["n"].tolist() == [1]
    for query in ("select count(*) as n from words", """select count(*) as n from query_table('wor' || 'ds')"""):
        assert sql(Store.open(store.paths.root), query)["n"].tolist() == [2]


def test_changes_show_at_once(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "one", ("old",))
    assert sql(store, "select transcript from scenes")["transcript"].tolist() == ["old"]
    commit(store, video, ("new",))
    waiting = register(store, "two")
    assert sql(store, "select transcript, generation from scenes")["transcript"].tolist() == ["new"]
    assert sql(store, "select text from words")["text"].tolist() == ["new"]
    titles = sql(store, "select state from videos where video_id = ?", [waiting.video_id])
    assert titles["state"].tolist() == ["processing"]
    store.delete_video("local", video.video_id)
    assert sql(store, "from scenes").empty
    assert sql(store, "select state from videos order by title")["state"].tolist() == ["deleted", "processing"]


def test_searches(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    assert sql(store, "from searches").empty
    store.log_search({"at": "2026-11-21T00:00:00+00:00", "user_id": "local", "text": "빨간 차", "results": 3})
    store.log_search({"user_id": "local", "text": "x", "results": 5, "weights": {"vision": 0.5}})
    store.log_search({"user_id": "someone", "text": "theirs"})
    with store.paths.searches.open("a") as file:
        file.write('{"user_id": "local", "text": "cut sho')
    frame = sql(store, "select text, results, weights from searches")
    assert frame["text"].tolist() == ["빨간 차", "x"]
    assert frame["results"].tolist() == [3.0, 5.0]
    assert json.loads(frame["weights"][1]) == {"vision": 0.5}
