from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heimdex_core.errors import LibraryBusy, NestedTransaction
from heimdex_core.store import locks
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock, catalog_lock, holder, index_lock, video_lock

HOLD = """
import sys
from pathlib import Path
from heimdex_core.store.locks import FileLock
with FileLock(Path(sys.argv[1]), rank=1).hold():
    print("held", flush=True)
    sys.stdin.read()
"""


class Messages(logging.Handler):
    """Keeps the messages of a logger."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.first = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())
        self.first.set()


@pytest.fixture
def messages() -> Iterator[Messages]:
    handler = Messages()
    locks.log.addHandler(handler)
    yield handler
    locks.log.removeHandler(handler)


def test_waiting_reports_the_holder_and_then_gets_the_lock(
    tmp_path: Path, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "REPORT_AFTER_S", 0.05)
    path = tmp_path / "some.lock"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "held\n"
    got = threading.Event()

    def wait_for_it() -> None:
        with FileLock(path, rank=1).hold():
            got.set()

    waiter = threading.Thread(target=wait_for_it)
    waiter.start()
    assert messages.first.wait(60)
    assert messages.seen == [f"waiting for some.lock for 0 s; process {child.pid} holds it"]
    assert not got.is_set()
    child.stdin.close()
    waiter.join(60)
    child.wait(60)
    assert got.is_set()
    assert len(messages.seen) == 1


def test_a_killed_holder_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    child.kill()
    child.wait(60)
    assert holder(path) == child.pid
    with FileLock(path, rank=1).hold():
        assert holder(path) == os.getpid()


FOREIGN = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
BUSY = """
import sys, threading
from pathlib import Path
from heimdex_core.store.locks import FileLock
with FileLock(Path(sys.argv[1]), rank=1).hold():
    print("held", flush=True)
    threading.Thread(target=sys.stdin.read, daemon=True).start()
    while threading.active_count() > 1:
        pass
"""


@contextmanager
def held_by_process(path: Path, code: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock; it is killed at the end."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.wait(60)


@pytest.mark.parametrize("is_held_long", [False, True])
def test_waiting_for_a_stopped_process_ends_and_names_it(tmp_path: Path, is_held_long: bool) -> None:
    lock = FileLock(tmp_path / "some.lock", rank=1, what="The catalog", timeout_s=0.3, is_held_long=is_held_long)
    with held_by_process(lock.path) as child:
        child.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(LibraryBusy) as caught, lock.hold():
            pytest.fail("the lock is held")
        assert 0.3 <= time.monotonic() - began < 5
        assert caught.value.details["pid"] == child.pid
        assert caught.value.details["program"] == f"{Path(sys.executable).name}, stopped"
        assert f"kill -CONT {child.pid}" in caught.value.hint
        child.send_signal(signal.SIGCONT)
        assert child.stdin is not None
        child.stdin.close()
        with lock.hold(60):
            pass


def test_a_holder_that_wrote_nothing_is_found_in_the_table_of_locks(tmp_path: Path) -> None:
    """A process of another version, or one that was stopped before it wrote its pid."""
    lock = FileLock(tmp_path / "some.lock", rank=1, timeout_s=0.1)
    lock.path.write_text(f"{os.getpid()} 1.0 elsewhere\n")  # of an earlier holder
    with held_by_process(lock.path, FOREIGN) as child:
        with pytest.raises(LibraryBusy) as caught, lock.hold():
            pytest.fail("the lock is held")
        assert caught.value.details["pid"] == child.pid
        assert holder(lock.path) == child.pid


def test_a_holder_that_works_is_awaited_longer_where_locks_are_held_for_long(tmp_path: Path) -> None:
    path, got = tmp_path / "some.lock", threading.Event()

    def wait_for_it() -> None:
        with FileLock(path, rank=1, timeout_s=0.4, is_held_long=True).hold():
            got.set()

    with held_by_process(path, BUSY) as child:
        with pytest.raises(LibraryBusy), FileLock(path, rank=1, timeout_s=0.1).hold():
            pytest.fail("the lock is held")
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        waiter.join(1.5)  # several timeouts
        assert waiter.is_alive()
        assert not got.is_set()
        assert child.stdin is not None
        child.stdin.close()
        waiter.join(60)
    assert got.is_set()


def test_a_catalog_that_another_program_has_open_is_in_use_and_not_damaged(tmp_path: Path) -> None:
    catalog = Catalog(LibraryPaths(tmp_path), lock_timeout_s=0.2)
    catalog.prepare()
    shell = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with held_by_process(catalog.paths.catalog, shell) as child:
        with pytest.raises(LibraryBusy) as caught, catalog.transaction():
            pytest.fail("the file is open elsewhere")
        assert caught.value.details["pid"] == child.pid
        assert child.stdin is not None
        child.stdin.close()
        with catalog.transaction(60):
            pass


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "some.lock", rank=1)
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with lock.hold():
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_order_and_nesting(tmp_path: Path) -> None:
    index, catalog = index_lock(tmp_path / "index.lock"), catalog_lock(tmp_path / "catalog.lock")
    with index.hold(), catalog.hold():
        pass
    with catalog.hold(), pytest.raises(NestedTransaction), index.hold():
        pass
    with index.hold(), pytest.raises(NestedTransaction), index.hold():
        pass
    with catalog.hold():  # the failures above have left nothing behind
        pass


def test_nested_transaction_raises_and_the_outer_goes_on(tmp_path: Path) -> None:
    catalog = Catalog(LibraryPaths(tmp_path))
    catalog.prepare()
    with catalog.transaction() as outer:
        with pytest.raises(NestedTransaction), catalog.transaction():
            pass
        outer.insert("users", {"user_id": "someone", "name": "n", "created_us": 0})
    with catalog.transaction() as after:
        assert [row["user_id"] for row in after.rows("select user_id from users")] == ["someone"]


def test_a_lock_that_removes_its_file_still_excludes(tmp_path: Path) -> None:
    path = tmp_path / "video.lock"
    inside: list[int] = []
    overlaps: list[int] = []

    def work() -> None:
        for _ in range(25):
            with video_lock(path).hold():
                inside.append(1)
                overlaps.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1] * 100
    assert not path.exists()
