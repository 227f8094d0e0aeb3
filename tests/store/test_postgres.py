"""A catalog in Postgres: what can happen to a server and its connections, and what is published to files."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from heimdex_core.errors import (
    CatalogDamaged,
    CatalogElsewhere,
    DatabaseInterrupted,
    DatabaseNotFound,
    DatabaseRefused,
    DatabaseUnavailable,
    DatabaseUncertain,
    HeimdexError,
    InvalidValue,
    LibraryBusy,
    LibraryVersion,
)
from heimdex_core.files import read_json, write_json
from heimdex_core.settings import Settings, get_settings
from heimdex_core.store import Store, postgres_connections, visible
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import FORMAT_VERSIONS
from heimdex_core.store.postgres import PostgresEngine
from heimdex_core.store.postgres_connections import connections
from heimdex_core.store.postgres_errors import check_url, without_password
from heimdex_core.store.publication import Publication
from tests.store.making import SPACES, add, new_store
from tests.support.postgres import TestServer, end_connections, run


@pytest.fixture
def store(database: str, tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


@pytest.fixture(scope="module")
def own_database(postgres: TestServer) -> str:
    return postgres.new_database()


@pytest.fixture
def own(own_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Store, str]:
    """A library in a database that nobody else uses, so that all connections can be ended, and its URL."""
    monkeypatch.setenv("HEIMDEX_DATABASE_URL", own_database)
    get_settings.cache_clear()
    return new_store(tmp_path / "library"), own_database


def add_user(store: Store, user_id: str, then: Callable[[], object] = lambda: None) -> None:
    with store.catalog.transaction() as transaction:
        transaction.insert("users", {"user_id": user_id, "name": user_id, "created_us": 1})
        then()


def users_of(store: Store) -> list[str]:
    with store.catalog.transaction() as transaction:
        return [row["user_id"] for row in transaction.rows("select user_id from users order by user_id")]


class TestInterruptions:
    def test_connections_that_ended_between_transactions_are_replaced(self, own: tuple[Store, str]) -> None:
        store, url = own
        end_connections(url)
        add_user(store, "a")
        assert users_of(store) == ["a", "local"]

    def test_a_connection_that_ends_inside_a_transaction_undoes_it(self, own: tuple[Store, str]) -> None:
        store, url = own
        with pytest.raises(DatabaseInterrupted, match="nothing of it was saved"):
            add_user(store, "a", lambda: end_connections(url))
        assert users_of(store) == ["local"]
        add_user(store, "a")
        assert users_of(store) == ["a", "local"]

    def test_a_transaction_that_only_read_is_reported_as_well(self, own: tuple[Store, str]) -> None:
        store, url = own
        with pytest.raises(DatabaseInterrupted), store.catalog.transaction():
            end_connections(url)

    @pytest.mark.parametrize("is_done", [True, False])
    def test_after_a_commit_whose_answer_is_lost_the_outcome_is_looked_up(
        self, own: tuple[Store, str], is_done: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, url = own
        lose_commit(monkeypatch, url, is_done=is_done)
        if is_done:
            add_user(store, "a")
        else:
            with pytest.raises(DatabaseInterrupted) as caught:
                add_user(store, "a")
            assert caught.type is DatabaseInterrupted
        assert users_of(store) == (["a", "local"] if is_done else ["local"])

    def test_an_outcome_that_cannot_be_looked_up_is_said_to_be_uncertain(
        self, own: tuple[Store, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, url = own

        def interfere() -> None:
            run(url, f"update {engine_of(store).schema}.last_commit set token = 5")  # noqa: S608

        lose_commit(monkeypatch, url, is_done=True, then=interfere)
        with pytest.raises(DatabaseUncertain, match="while a change was saved"):
            add_user(store, "a")

    def test_a_killed_process_leaves_nothing_and_its_lock_is_free(self, store: Store) -> None:
        code = (
            "import sys; from heimdex_core.store import Store\n"
            "with Store.open(sys.argv[1]).catalog.transaction() as transaction:\n"
            "    transaction.insert('users', {'user_id': 'a', 'name': 'a', 'created_us': 1})\n"
            "    print('inserted', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", code, str(store.paths.root)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "inserted\n"
            child.send_signal(signal.SIGKILL)
        assert users_of(store) == ["local"]

    def test_a_thread_waits_for_another_one_only_so_long(self, store: Store) -> None:
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.catalog.transaction():
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        with pytest.raises(LibraryBusy), store.catalog.transaction(timeout_s=0.01):
            pass
        done.set()
        thread.join()
        assert users_of(store) == ["local"]

    def test_a_server_that_restarts(self, store: Store, postgres: TestServer) -> None:
        with postgres.stopped(), pytest.raises(DatabaseUnavailable), store.catalog.transaction(timeout_s=0.0):
            pass
        assert users_of(store) == ["local"]
        with pytest.raises(DatabaseInterrupted):
            add_user(store, "a", postgres.stop)
        starting = threading.Timer(0.2, postgres.start)
        starting.start()
        add_user(store, "b")  # waits for the server, which was there before
        starting.join()
        assert users_of(store) == ["b", "local"]


def engine_of(store: Store) -> PostgresEngine:
    engine = store.catalog.engine
    assert isinstance(engine, PostgresEngine)
    return engine


def lose_commit(
    monkeypatch: pytest.MonkeyPatch, url: str, *, is_done: bool, then: Callable[[], object] = lambda: None
) -> None:
    """Let the next commit lose its connection, before or after the server has done it."""
    execute: Any = psycopg.Connection.execute

    def losing(raw: Any, sql: Any, *args: Any) -> Any:
        if sql != b"commit":
            return execute(raw, sql, *args)
        monkeypatch.setattr(psycopg.Connection, "execute", execute)
        if is_done:
            execute(raw, sql)
        end_connections(url)
        then()
        return execute(raw, b"select 1")

    monkeypatch.setattr(psycopg.Connection, "execute", losing)


class TestPublication:
    def test_a_process_that_publishes_late_publishes_what_is_committed_by_then(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = Store.open(store.paths.root)
        publish = store.catalog._publish_present

        def late(changes: Any) -> None:
            # free for another process between the commit and the publication
            store.catalog.engine._process_lock.release()  # type: ignore[attr-defined]
            thread = threading.Thread(target=other.set_preference, args=("local", "b", 2))
            thread.start()
            thread.join()
            store.catalog.engine._process_lock.acquire()  # type: ignore[attr-defined]
            publish(changes)

        monkeypatch.setattr(store.catalog, "_publish_present", late)
        store.set_preference("local", "a", 1)
        assert store.preferences("local") == {"a": 1, "b": 2}

    def test_what_was_published_without_the_lock_is_published_again(
        self, own: tuple[Store, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, url = own
        other = Store.open(store.paths.root)
        write = Publication.write
        calls = []

        def slow(publication: Publication, paths: Any) -> None:
            calls.append(dict(publication.preferences))
            if len(calls) == 1:
                end_connections(url)  # the lock is free, and another process publishes in the meantime
                store.catalog.engine._process_lock.release()  # type: ignore[attr-defined]
                thread = threading.Thread(target=other.set_preference, args=("local", "b", 2))
                thread.start()
                thread.join()
                store.catalog.engine._process_lock.acquire()  # type: ignore[attr-defined]
            write(publication, paths)

        monkeypatch.setattr(Publication, "write", slow)
        store.set_preference("local", "a", 1)
        both = {"a": 1, "b": 2}
        assert calls == [{"local": {"a": 1}}, {"local": both}, {"local": both}]
        assert store.preferences("local") == both

    def test_what_cannot_be_published_is_published_with_the_next_transaction(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def unreachable(*_: Any) -> Publication:
            raise DatabaseUnavailable(reason="gone")

        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
            patched.setattr(Publication, "collect", unreachable)
            store.set_preference("local", "a", 1)
        assert "a change is saved" in caplog.text
        assert store.preferences("local") == {}
        assert users_of(store) == ["local"]
        assert store.preferences("local") == {"a": 1}

    def test_no_file_of_a_local_catalog_is_made(self, store: Store) -> None:
        video = add(store, "video", ("word",))
        assert set(visible.read(store.paths.visible)[1]) == {video.video_id}
        assert not store.paths.catalog.exists()
        assert not store.paths.catalog_lock.exists()


class TestErrors:
    def refused(self, url: str, tmp_path: Path) -> HeimdexError:
        with pytest.raises(HeimdexError) as caught:
            new_store_at(tmp_path / "refused", url)
        return caught.value

    def test_a_database_that_is_missing(self, postgres: TestServer, tmp_path: Path) -> None:
        error = self.refused(postgres.url("nowhere"), tmp_path)
        assert isinstance(error, DatabaseNotFound)
        assert "createdb nowhere" in error.hint

    def test_a_role_that_is_unknown(self, postgres: TestServer, tmp_path: Path) -> None:
        error = self.refused(postgres.url(user="ghost"), tmp_path)
        assert isinstance(error, DatabaseRefused)
        assert error.details["user"] == "ghost"

    def test_a_role_that_may_not_create_tables(self, postgres: TestServer, tmp_path: Path) -> None:
        url = postgres.new_database()
        run(url, "create role reader login")
        error = self.refused(url.replace("postgres@", "reader@", 1), tmp_path)
        assert isinstance(error, DatabaseRefused)
        assert "permission denied" in error.message

    def test_a_wrong_password(self) -> None:
        url = "postgresql://me:s3cret@host/db"
        text = 'connection failed: FATAL:  password authentication failed for user "me"'
        error = postgres_connections.not_connected(url, psycopg.OperationalError(text))
        assert isinstance(error, DatabaseRefused)
        assert "HEIMDEX_DATABASE_URL" in error.hint

    def test_a_server_that_is_not_there(self, tmp_path: Path) -> None:
        error = self.refused("postgresql://me:s3cret@127.0.0.1:1/db", tmp_path)
        assert type(error) is DatabaseUnavailable
        assert "refused" in error.message
        assert "s3cret" not in str(error.to_dict())

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("mysql://me:s3cret@host/db", "begin with postgresql://"),
            ("postgresql://me:s3@cret@host/db", "%40"),
            ("postgresql://me:s3%cret@host/db", "%25"),
            ("postgresql://me:s3cret@host:port/db?nonsense=1", "form"),
        ],
    )
    def test_a_malformed_url(self, url: str, reason: str) -> None:
        with pytest.raises(InvalidValue, match=reason) as caught:
            check_url(url)
        assert "cret" not in str(caught.value.to_dict())

    def test_passwords_are_left_out(self) -> None:
        url = "postgresql://me:p%40ss@host/db"
        assert without_password(url, ValueError(f"{url} p@ss p%40ss")) == "*** *** ***"
        query = "postgresql://host/db?user=me&password=hidden"
        assert without_password(query, ValueError("hidden?")) == "***?"
        assert "p%40ss" not in repr(Settings(database_url=url))

    def test_tables_that_are_gone(self, store: Store) -> None:
        run(engine_of(store)._url, f"drop schema {engine_of(store).schema} cascade")
        with pytest.raises(CatalogDamaged):
            users_of(store)
        with pytest.raises(CatalogDamaged, match="has no schema"):
            Store.open(store.paths.root)

    def test_a_lost_catalog_is_rebuilt_from_the_folders(self, store: Store) -> None:
        video = add(store, "one", ("hello",))
        store.set_preference("local", "theme", "dark")
        add_user(store, "someone")
        engine = engine_of(store)
        run(engine._url, f"drop schema {engine.schema} cascade")
        report = Store.repair(store.paths.root)
        assert (report.catalog, report.videos, report.moved_to) == ("rebuilt", 1, None)
        opened = Store.open(store.paths.root)
        assert [one.video_id for one in opened.videos("local")] == [video.video_id]
        assert users_of(opened) == ["local", "someone"]
        assert opened.preferences("local") == {"theme": "dark"}

    def test_a_damaged_catalog_is_kept_under_another_name(self, store: Store) -> None:
        engine = engine_of(store)
        run(engine._url, f"drop table {engine.schema}.judgements")
        with pytest.raises(CatalogDamaged):
            store.judgements.of_user("local")
        run(engine._url, f"create schema heimdex_{engine._key}_draft")  # of a repair that was killed
        report = Store.repair(store.paths.root)
        assert report.moved_to is not None
        assert report.moved_to.startswith(f"{engine.schema}_damaged_")
        assert Store.open(store.paths.root).judgements.of_user("local") == []

    def test_the_settings_have_to_agree_with_the_library(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str
    ) -> None:
        monkeypatch.delenv("HEIMDEX_DATABASE_URL")
        get_settings.cache_clear()
        with pytest.raises(CatalogElsewhere, match="in Postgres, not in catalog.duckdb"):
            Store.open(store.paths.root)
        local = new_store(tmp_path / "local")
        monkeypatch.setenv("HEIMDEX_DATABASE_URL", database)
        get_settings.cache_clear()
        with pytest.raises(CatalogElsewhere, match=r"in catalog.duckdb, not in Postgres"):
            Store.open(local.paths.root)

    def test_older_versions_refuse_the_library(self, store: Store) -> None:
        manifest = read_json(store.paths.manifest)
        assert (manifest["format_version"], manifest["catalog"]) == (2, "postgres")
        write_json(store.paths.manifest, {**manifest, "format_version": max(FORMAT_VERSIONS.values()) + 1})
        with pytest.raises(LibraryVersion):
            Store.open(store.paths.root)


def new_store_at(root: Path, url: str) -> Store:
    settings = Settings(database_url=url, lock_timeout_s=1.0)
    return Store.create(root, profile="offline", models={"name": "offline"}, spaces=SPACES, settings=settings)


def test_few_connections_stay_open(own: tuple[Store, str]) -> None:
    store, url = own
    threads = [threading.Thread(target=users_of, args=(store,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = "from pg_stat_activity where datname = current_database() and application_name like 'heimdex %'"
    assert len(run(url, f"select pid {mine}")) <= 2


def test_a_local_library_does_not_import_what_a_shared_one_needs(tmp_path: Path) -> None:
    code = (
        "import sys; from heimdex_core.store import Store\n"
        "Store.create(sys.argv[1], profile='offline', models={}, spaces={}).videos('local')\n"
        "sys.exit(' '.join({'psycopg', 'boto3', 'lancedb'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "library")], check=True, timeout=120)


def test_a_thread_that_waits_for_one_that_waits_for_the_server_says_that_the_server_is_away(tmp_path: Path) -> None:
    url = f"postgresql://nobody@/none?host={tmp_path}"
    engine = PostgresEngine(LibraryPaths(tmp_path), url, "0123456789ab", 0.0)
    with engine.exclusive(0.0):
        found = [code_of_waiting(engine, lambda: None), code_of_waiting(engine, lambda: connections.take(url, 0.0))]
    assert found == ["LIBRARY_BUSY", "DATABASE_UNAVAILABLE"]


def code_of_waiting(engine: PostgresEngine, before: Callable[[], object]) -> str:
    """What a thread is told that finds the turn of another one."""
    codes: list[str] = []

    def wait() -> None:
        with contextlib.suppress(DatabaseUnavailable):
            before()
        try:
            with engine.exclusive(0.0):
                pass
        except HeimdexError as error:
            codes.append(error.code)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    return codes[0]
