from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import HeimdexError, LibraryDamaged, LibraryVersion
from heimdex_core.store import catalog as catalogs
from heimdex_core.store import visible
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.transaction import from_us, to_us

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(LibraryPaths(tmp_path))
    made.prepare()
    return made


def count_users(catalog: Catalog) -> int:
    with catalog.transaction() as transaction:
        return int(transaction.rows("select count(*) as n from users")[0]["n"])


def add_user(catalog: Catalog, fail: bool) -> None:
    with catalog.transaction() as transaction:
        transaction.insert("users", {"user_id": "u", "name": "n", "created_us": 1})
        if fail:
            raise RuntimeError("on purpose")


def test_a_failing_block_is_rolled_back(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError):
        add_user(catalog, fail=True)
    assert count_users(catalog) == 0
    add_user(catalog, fail=False)
    assert count_users(catalog) == 1


def test_two_catalogs_at_once_know_nothing_of_each_other(tmp_path: Path) -> None:
    one, other = Catalog(LibraryPaths(tmp_path / "one")), Catalog(LibraryPaths(tmp_path / "other"))
    for catalog in (one, other):
        catalog.paths.root.mkdir()
        catalog.prepare()
    with one.transaction() as of_one, other.transaction() as of_other:
        of_one.run("create table more (a integer)")
        assert set(of_one.tables()) - set(of_other.tables()) == {"more"}
        assert of_other.columns("more") == []
        of_one.insert("users", {"user_id": "u"})
        assert of_other.rows("select user_id from users") == []
    assert (count_users(one), count_users(other)) == (1, 0)


@pytest.mark.parametrize("statement", ["select nonsense", "select * from users, nowhere", "select 1"])
def test_the_file_is_closed_after_each_transaction(catalog: Catalog, statement: str) -> None:
    error = None
    try:
        with catalog.transaction() as transaction:
            transaction.insert("users", {"user_id": "u"})
            transaction.table(statement)
    except HeimdexError as caught:
        error = caught  # with the frames of its traceback, and whatever they hold
    assert (error is None) is (statement == "select 1")
    read = "import duckdb, sys; print(duckdb.connect(sys.argv[1]).execute('select user_id from users').fetchall())"
    other = subprocess.run([sys.executable, "-c", read, str(catalog.paths.catalog)], capture_output=True, text=True)
    assert (other.stdout, other.stderr) == ("[]\n" if error else "[('u',)]\n", "")
    assert count_users(catalog) == (0 if error else 1)


def test_a_disk_that_is_full_when_the_file_is_closed_loses_nothing(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
catalog = Catalog(LibraryPaths(Path(sys.argv[1])))
catalog.prepare()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (catalog.paths.catalog.stat().st_size, resource.RLIM_INFINITY))
with catalog.transaction() as transaction:
    for number in range(100):
        transaction.insert("files", {"path": f"{number}" * 1000})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for _ in range(2):
    with catalog.transaction() as transaction:
        print(transaction.rows("select count(*) as n from files"))
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert (ended.returncode, ended.stdout) == (0, "[{'n': 100}]\n" * 2)
    assert "what is committed is in its log" in ended.stderr


def test_a_process_ends_without_a_word_about_what_is_kept_for_the_next_transaction(tmp_path: Path) -> None:
    script = """
import sys, threading
from pathlib import Path
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
catalog = Catalog(LibraryPaths(Path(sys.argv[1])))
catalog.prepare()
def hold(catalog):
    threading.Event().wait()
threading.Thread(target=hold, args=(catalog,), daemon=True).start()
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_moments_keep_their_microseconds() -> None:
    moment = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    us = to_us(moment)
    assert us == 1_795_219_200_123_456
    assert from_us(us) == moment
    back = from_us(us)
    assert back is not None
    assert back.tzinfo == UTC
    with pytest.raises(TypeError):
        to_us(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


VERSIONS = [{"version": number} for number in range(1, len(catalogs.MIGRATIONS) + 1)]


def test_migrating_twice_changes_nothing(catalog: Catalog) -> None:
    catalog.prepare()
    with catalog.transaction() as transaction:
        assert transaction.rows("select version from schema_version order by version") == VERSIONS


def test_a_new_migration_runs_once_on_an_old_catalog(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    add_user(catalog, fail=False)
    more = (*catalogs.MIGRATIONS, ("alter table users add column colour varchar",))
    monkeypatch.setattr(catalogs, "MIGRATIONS", more)
    catalog.prepare()
    catalog.prepare()
    with catalog.transaction() as transaction:
        assert transaction.rows("select user_id, colour from users") == [{"user_id": "u", "colour": None}]


def test_a_failing_migration_leaves_the_old_version(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    more = (*catalogs.MIGRATIONS, ("alter table users add column colour varchar", "select nonsense"))
    with monkeypatch.context() as patched:
        patched.setattr(catalogs, "MIGRATIONS", more)
        with pytest.raises(Exception, match="nonsense"):
            catalog.prepare()
    with catalog.transaction() as transaction:
        assert transaction.rows("select version from schema_version order by version") == VERSIONS
        assert "colour" not in [row["column_name"] for row in transaction.rows("describe users")]


def test_a_newer_catalog_is_refused(catalog: Catalog) -> None:
    with catalog.transaction() as transaction:
        transaction.run("insert into schema_version values (99)")
    with pytest.raises(LibraryVersion, match="99"):
        catalog.prepare()


# The second one looks like a database of SQLite, for which DuckDB has an extension on the net.
@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_catalog_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "catalog.duckdb").write_bytes(content)
    with pytest.raises(LibraryDamaged, match="catalog"):
        Catalog(LibraryPaths(tmp_path)).prepare()


def test_visible_is_rewritten_on_opening(catalog: Catalog) -> None:
    path = catalog.paths.visible
    assert visible.read_revision(path) == 1
    path.write_bytes(b"rubbish")
    catalog.prepare()
    assert (visible.read_revision(path), pq.read_table(path).num_rows) == (2, 0)
    catalog.prepare()
    assert visible.read_revision(path) == 2
