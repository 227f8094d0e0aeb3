"""Work in a child process: values, errors and progress come back, and whatever it dies of, this process lives."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from heimdex_core.errors import (
    Cancelled,
    DecoderCrashed,
    DecoderFailed,
    DecoderOutOfMemory,
    DecoderStalled,
    EmptyFile,
)
from heimdex_core.media import child, child_server_process
from heimdex_core.media.child_server_process import server_process
from heimdex_core.types import WorkContext
from tests.media import child_targets
from tests.media.child_calls import MEMORY_BYTES, call


def server() -> psutil.Process:
    assert server_process._process is not None
    return psutil.Process(server_process._process.pid)


def wait_until(is_so: Callable[[], bool], timeout_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < give_up_at, "it never became so"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def tries(tmp_path: Path) -> Path:
    """Where the functions that die note each try."""
    return tmp_path / "tries"


def count(tries: Path) -> int:
    return len(tries.read_text().splitlines())


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every child has ended, and the server has reaped it."""
    yield
    wait_until(lambda: server_process._process is None or server().children() == [])


# --- what comes back ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, {"말": [1.5, None, {"a": True}]}, "x" * 3_000_000])
def test_the_value_comes_back(value: Any) -> None:
    assert call(child_targets.echo, value) == value


def test_media_is_loaded_before_the_fork_and_models_are_not() -> None:
    found = call(child_targets.about)
    assert found["parent"] == server().pid
    assert {"av", "numpy", "heimdex_core.media.probe"} <= set(found["modules"])
    assert not {"torch", "duckdb", "faiss", "pyarrow", "streamlit", "onnxruntime"} & set(found["modules"])


def test_the_server_has_one_thread() -> None:
    call(child_targets.echo)
    assert server().num_threads() == 1


def test_a_child_holds_nothing_open_but_its_channel() -> None:
    fds = call(child_targets.about)["fds"]
    assert [fd.partition(":")[0] for fd in fds] == ["socket"]


def test_a_child_calls_directly() -> None:
    assert call(child_targets.nested) is True


def test_an_error_of_ours_comes_back_as_it_is() -> None:
    with pytest.raises(EmptyFile) as caught:
        call(child_targets.refuses, "말.mp4")
    assert caught.value.details == {"filename": "말.mp4"}


def test_a_defect_keeps_its_type_and_its_traceback() -> None:
    with pytest.raises(ValueError, match="wrong") as caught:
        call(child_targets.has_a_bug, "wrong")
    assert "in has_a_bug" in "".join(caught.value.__notes__)
    with pytest.raises(RuntimeError, match="_OwnError: wrong"):
        call(child_targets.has_an_unknown_bug, "wrong")


def test_what_is_logged_there_is_logged_here(caplog: pytest.LogCaptureFixture) -> None:
    call(child_targets.logs, "this")
    found = [(record.name, record.levelno, record.getMessage()) for record in caplog.records]
    assert found == [("heimdex_core.media.test", logging.WARNING, "seen: this")]


def test_progress_comes_back_up_to_its_end() -> None:
    seen: list[tuple[float, float]] = []
    call(child_targets.reports, 5000, context=WorkContext(report=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (5000, 5000)
    assert seen == sorted(seen)


def test_an_error_of_whoever_is_told_ends_the_child() -> None:
    def refuse(done: float, total: float) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        call(child_targets.ignores_the_wish_to_stop, context=WorkContext(report=refuse))


def test_many_at_once() -> None:
    results: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda n=n: results.update({n: call(child_targets.echo, n)})) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: n for n in range(12)}


# --- dying ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (child_targets.segfaults, "SIGSEGV"),
        (child_targets.aborts, "SIGABRT"),
        (child_targets.is_killed, "SIGKILL"),
        (child_targets.exits, "exit code 3"),
    ],
)
def test_a_crash_is_an_error_after_two_tries(function: Any, reason: str, tries: Path) -> None:
    with pytest.raises(DecoderCrashed) as caught:
        call(function, str(tries))
    assert caught.value.details == {"filename": "clip.mp4", "reason": reason}
    assert count(tries) == 2


def test_where_it_crashed_is_logged(tries: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(DecoderCrashed):
        call(child_targets.segfaults, str(tries))
    assert 'child_targets.py", line' in caplog.text


def test_one_crash_is_no_error(tries: Path) -> None:
    assert call(child_targets.aborts_once, str(tries)) == "the second time"


def test_memory_is_limited(tries: Path) -> None:
    with pytest.raises(DecoderOutOfMemory) as caught:
        call(child_targets.fills_memory, str(tries))
    assert caught.value.details == {"filename": "clip.mp4", "limit_bytes": MEMORY_BYTES}
    assert count(tries) == 2


def test_memory_of_what_the_child_starts_counts(tries: Path) -> None:
    with pytest.raises(DecoderOutOfMemory):
        call(child_targets.starts_one_that_fills_memory, str(tries))
    pids = [int(line) for line in Path(f"{tries}.pids").read_text("ascii").splitlines()]
    assert len(pids) == 2
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_memory_that_is_refused_is_the_same_error() -> None:
    with pytest.raises(DecoderOutOfMemory):
        call(child_targets.asks_for_too_much)


def test_time_without_progress_is_limited(tries: Path) -> None:
    with pytest.raises(DecoderStalled) as caught:
        call(child_targets.hangs, str(tries), stall_s=0.4)
    assert caught.value.details == {"filename": "clip.mp4", "limit_s": 0.4}
    assert count(tries) == 2


def test_slow_work_that_makes_progress_goes_on() -> None:
    assert call(child_targets.is_slow, 1.0, stall_s=0.5) == "done"


# --- being stopped --------------------------------------------------------------------------------


class Stop:
    """A context that asks for the end after the first report."""

    def __init__(self) -> None:
        self.asked_at: float | None = None
        self.context = WorkContext(report=self._report, is_cancelled=lambda: self.asked_at is not None)

    def _report(self, done: float, total: float) -> None:
        self.asked_at = self.asked_at or time.monotonic()

    @property
    def took_s(self) -> float:
        assert self.asked_at is not None
        return time.monotonic() - self.asked_at


def test_a_cancelled_child_removes_what_it_was_writing(tmp_path: Path) -> None:
    stop = Stop()
    with pytest.raises(Cancelled):
        call(child_targets.writes_and_waits, str(tmp_path), context=stop.context)
    assert stop.took_s < 1.0
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_child_that_ignores_it_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_CANCEL_GRACE_S", 0.2)
    stop = Stop()
    with pytest.raises(Cancelled):
        call(child_targets.ignores_the_wish_to_stop, context=stop.context)
    assert stop.took_s < 2.0


def test_unfinished_files_of_a_child_that_died_are_removed(tmp_path: Path) -> None:
    other = tmp_path / "deep" / ".tmp-of-another-branch"
    other.parent.mkdir()
    other.write_bytes(b"being written")
    with pytest.raises(DecoderCrashed):
        call(child_targets.writes_and_dies, str(tmp_path), scratch=tmp_path)
    assert list((tmp_path / "deep").iterdir()) == [other]


# --- the server -----------------------------------------------------------------------------------


def test_a_server_that_was_killed_is_replaced() -> None:
    call(child_targets.echo)
    before = server()
    before.kill()
    before.wait(10)
    assert call(child_targets.echo, 1) == 1
    assert server().pid != before.pid


def test_the_end_of_the_server_is_a_crash() -> None:
    def kill_it(done: float, total: float) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            server().kill()

    with pytest.raises(DecoderFailed):
        call(child_targets.ignores_the_wish_to_stop, context=WorkContext(report=kill_it))
    assert call(child_targets.echo, 1) == 1


def test_an_idle_server_ends_and_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server_process.stop()
    monkeypatch.setattr(child_server_process, "_IDLE_S", 0.0)
    call(child_targets.echo)
    first = server()
    first.wait(10)
    assert call(child_targets.echo, 1) == 1
    server_process.stop()


def test_a_forked_process_starts_its_own() -> None:
    call(child_targets.echo)
    own = server().pid
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if call(child_targets.about)["parent"] != own else 2
            server_process.stop()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert call(child_targets.about)["parent"] == own


def test_crashes_leave_no_core_file(tries: Path) -> None:
    call(child_targets.echo)
    assert server().rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
