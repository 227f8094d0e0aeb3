"""`lib.sql` keeps to its limits of time and memory, also where DuckDB does not, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from heimdex_core.errors import InvalidSql, SqlMemory, SqlTimeout
from heimdex_core.settings import Settings
from heimdex_core.store import Store, sqlview
from tests.jobs.waiting import is_alive, until
from tests.store.making import add, new_store
from tests.store.test_sql import sql

PARENT = """
import sys
from heimdex_core.store import Store
from tests.store.test_sql import sql
from tests.store.test_sql_limits import child_of
store = Store.open(sys.argv[1])
sql(store, "select 1")
print(child_of(store).pid, flush=True)
sql(store, "select count(*) from range(1000000000000)")
"""

MEMORY_BYTES = 96 * 1024**2


def limited(root: Path, timeout_s: float) -> Store:
    """The library with small limits."""
    return Store.open(root, Settings(sql_timeout_s=timeout_s, sql_memory_bytes=MEMORY_BYTES))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = new_store(tmp_path_factory.mktemp("sql") / "library")
    add(made, "mine", ("two words",))
    made.close()
    return made.paths.root


@pytest.fixture(scope="module")
def quick(root: Path) -> Iterator[Store]:
    store = limited(root, 0.5)
    sql(store, "select 1")
    yield store
    store.close()


@pytest.fixture(scope="module")
def patient(root: Path) -> Iterator[Store]:
    store = limited(root, 60)
    sql(store, "select 1")
    yield store
    store.close()


def child_of(store: Store, user_id: str = "local") -> psutil.Process:
    process = store.reader()._tables._databases[user_id]._process
    assert process is not None
    return psutil.Process(process.pid)


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from range(1000000000000)",
        "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t",
        "select count(*) from range(100000) a, range(1000000) b where a.range * b.range % 7 = 3",
    ],
)
def test_a_query_that_takes_too_long_is_stopped(quick: Store, query: str) -> None:
    child = child_of(quick)
    with pytest.raises(SqlTimeout) as caught:
        sql(quick, query)
    assert caught.value.details == {"limit_s": 0.5}
    assert sql(quick, "select title from videos")["title"].tolist() == ["mine"]
    assert child_of(quick) == child, "an interrupt is enough"


def test_a_query_that_heeds_no_interrupt_is_ended_with_its_process(root: Path) -> None:
    store = limited(root, 0.2)
    sql(store, "select 1")
    child_of(store).suspend()  # it answers nothing any more
    began = time.monotonic()
    with pytest.raises(SqlTimeout):
        sql(store, "select 1")
    assert time.monotonic() - began < 30
    assert sql(store, "select title from videos")["title"].tolist() == ["mine"]
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        "select list(range) from range(100000000)",  # refused by DuckDB
        "select * from range(100000000)",  # a result that DuckDB does not count
        "select repeat('x', 2000000000)",  # heeds neither DuckDB's limit nor an interrupt
        "select range(1000000000)",
    ],
)
def test_a_query_that_needs_too_much_memory_is_stopped(patient: Store, query: str) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(SqlMemory) as caught:
        sql(patient, query)
    assert caught.value.details == {"limit_bytes": MEMORY_BYTES}
    assert psutil.Process().memory_info().rss - before < 4 * MEMORY_BYTES
    assert sql(patient, "select title from videos")["title"].tolist() == ["mine"]


@pytest.mark.long
def test_rows_that_do_not_fit_are_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = limited(root, 60)
    texts = "(select list('x' || range) from range(8000000))"
    monkeypatch.setitem(sqlview._CATALOG_TABLES, "videos", f"title, {texts} as texts")
    with pytest.raises(SqlMemory):
        sql(store, "select 1")
    monkeypatch.undo()
    assert sql(store, "select title from videos")["title"].tolist() == ["mine"], "nothing of it is left"
    store.close()


def test_a_crash_takes_only_the_query(patient: Store) -> None:
    child = child_of(patient)
    child.send_signal(signal.SIGSTOP)
    threading.Timer(0.1, child.send_signal, [signal.SIGSEGV]).start()
    threading.Timer(0.2, child.send_signal, [signal.SIGCONT]).start()
    with pytest.raises(InvalidSql, match="exit code -11"):
        sql(patient, "select 1")
    assert sql(patient, "select title from videos")["title"].tolist() == ["mine"]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal: a shell that starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_a_keyboard_interrupt(patient: Store) -> None:
    child = child_of(patient)
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sql(patient, "select count(*) from range(1000000000000)")
    assert time.monotonic() - began < 10
    assert not is_alive(child.pid)
    assert sql(patient, "select title from videos")["title"].tolist() == ["mine"]


def test_many_users_leave_no_processes_and_no_threads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlview, "KEPT_PROCESSES", 3)
    store, own = limited(root, 60), psutil.Process()
    threads, children = own.num_threads(), {child.pid for child in own.children()}
    for n in (0, 1, 2, 3, 1):
        assert sql(store, "from videos", user_id=f"user{n}").empty
    started = [child for child in own.children() if child.pid not in children]
    assert len(started) == 3
    assert list(store.reader()._tables._databases) == ["user2", "user3", "user1"], "the users who asked last"
    assert own.num_threads() - threads < 4
    # the main thread, the one that looks at the parent, DuckDB's second one, what Arrow needs for results
    assert all(child.num_threads() < 12 for child in started)
    store.close()
    assert {child.pid for child in own.children()} <= children


@pytest.mark.long
def test_the_process_ends_with_its_parent(root: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(root)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until(lambda: not is_alive(pid), "the end of the process of queries", limit_s=30)


def test_parameters_of_many_types(patient: Store) -> None:
    moment = datetime(2026, 11, 26, tzinfo=UTC)
    values = [1, 2.5, "밤", None, True, b"x", date(2026, 1, 2), moment, Decimal("1.50"), [1, 2], {"a": 1}]
    frame = sql(patient, "select " + ", ".join("?" for _ in values), values)
    assert frame.iloc[0, 0] == 1
    assert frame.iloc[0, 2] == "밤"
    assert frame.iloc[0, 7] == moment
    assert sql(patient, "select $a + $b as n", {"a": 1, "b": 2})["n"].tolist() == [3]


@pytest.mark.parametrize("value", [object(), 2**200, "\ud800"])
def test_a_parameter_that_cannot_be_passed_is_refused(patient: Store, value: object) -> None:
    with pytest.raises(InvalidSql):
        sql(patient, "select ?", [value])


@pytest.mark.parametrize(
    "query",
    [
        "select union_value(a := 1)",
        "select time '24:00:00'",
        "select 'infinity'::date",
        "select '\ud800'",
        "select '\0'",
        "(" * 100_000,
    ],
)
def test_any_query_ends_with_a_result_or_an_error_of_ours(patient: Store, query: str) -> None:
    with suppress(InvalidSql, SqlMemory):
        sql(patient, query)
    assert sql(patient, "select title from videos")["title"].tolist() == ["mine"]
