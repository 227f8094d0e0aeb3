"""The app keeps a worker alive and takes it along when it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.jobs.status import StatusFile
from heimdex_core.jobs.supervisor import Backoff, WorkerSupervisor
from heimdex_core.jobs.worker import EXIT_SLOT_TAKEN
from heimdex_core.jobs.worker_slot import machine_name
from tests.jobs.waiting import is_alive, until

# Stands in for the worker: notes its pid, then does as it is told by the file "order".
CHILD = """
import os, sys
from pathlib import Path
library, fd = Path(sys.argv[1]), int(sys.argv[3])
with (library / "pids").open("a") as pids:
    pids.write(f"{os.getpid()}\\n")
order = (library / "order").read_text() if (library / "order").exists() else "serve"
if order != "serve":
    sys.exit(int(order))
while os.read(fd, 1):
    pass
(library / "ended").write_text(str(os.getpid()))
"""
COMMAND = (sys.executable, "-c", CHILD)
QUICK = Backoff(first_s=0.05, longest_s=0.2, stable_s=30.0, elsewhere_s=0.1)

APP = """
import sys, time
from pathlib import Path
from heimdex_core.jobs.supervisor import WorkerSupervisor
supervisor = WorkerSupervisor(sys.argv[1], Path(sys.argv[1]), command=sys.argv[2:])
supervisor.start()
print("started", flush=True)
time.sleep(120)
"""


def pids(library: Path) -> list[int]:
    path = library / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[WorkerSupervisor]:
    made = WorkerSupervisor(tmp_path, tmp_path, command=COMMAND, backoff=QUICK)
    yield made
    made.stop(timeout_s=30)
    assert not any(is_alive(pid) for pid in pids(tmp_path))


def test_it_starts_one_worker_however_often_asked(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    assert supervisor.state()["state"] == "stopped"
    supervisor.start()
    supervisor.start()
    (pid,) = until(lambda: pids(tmp_path), "the worker")
    # the worker may be ahead of the supervisor's own note of the start
    until(lambda: supervisor.state()["state"] == "running", "the start to be noted")
    state = supervisor.state()
    assert (state["pid"], state["restarts"], state["last_exit"]) == (pid, 0, None)
    assert pids(tmp_path) == [pid]


def test_a_killed_worker_is_started_again(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    supervisor.start()
    (first,) = until(lambda: pids(tmp_path), "the first worker")
    os.kill(first, signal.SIGKILL)
    second = until(lambda: pids(tmp_path)[1:], "the second worker")[0]
    assert second != first
    until(lambda: supervisor.state()["pid"] == second, "the start to be noted")
    state = supervisor.state()
    assert (state["restarts"], state["last_exit"]) == (1, -signal.SIGKILL)


def test_stop_lets_the_worker_end_by_itself_and_starts_no_other(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    supervisor.start()
    (pid,) = until(lambda: pids(tmp_path), "the worker")
    supervisor.stop(timeout_s=30)
    assert (tmp_path / "ended").read_text() == str(pid)
    assert pids(tmp_path) == [pid]
    state = supervisor.state()
    assert (state["state"], state["pid"], state["ok"]) == ("stopped", None, False)


def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    stubborn = "import os, sys, time\nopen(sys.argv[1] + '/pids', 'a').write(f'{os.getpid()}\\n')\ntime.sleep(120)"
    supervisor = WorkerSupervisor(tmp_path, tmp_path, command=(sys.executable, "-c", stubborn), backoff=QUICK)
    supervisor.start()
    (pid,) = until(lambda: pids(tmp_path), "the worker")
    supervisor.stop(timeout_s=0.5)
    assert not is_alive(pid)


def test_after_stop_it_can_be_started_again(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    supervisor.start()
    until(lambda: pids(tmp_path), "the worker")
    supervisor.stop(timeout_s=30)
    supervisor.start()
    until(lambda: len(pids(tmp_path)) == 2, "the worker after the second start")


def test_pauses_grow_while_it_keeps_failing_and_stay_bounded() -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    assert [backoff.pause_s(n) for n in (1, 2, 3, 4, 7, 8, 1000)] == [1, 2, 4, 8, 60, 60, 60]


def test_a_worker_that_cannot_live_is_tried_again_and_again(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    (tmp_path / "order").write_text("1")
    supervisor.start()
    until(lambda: len(pids(tmp_path)) >= 3, "three tries")
    until(lambda: supervisor.state()["state"] == "waiting", "the pause")
    assert supervisor.state()["last_exit"] == 1
    (tmp_path / "order").write_text("serve")
    until(lambda: supervisor.state()["state"] == "running", "the worker that lives")


def test_a_taken_slot_is_no_failure(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    (tmp_path / "order").write_text(str(EXIT_SLOT_TAKEN))
    supervisor.start()
    until(lambda: supervisor.state()["state"] == "elsewhere", "the other worker to be noticed")
    assert not supervisor.state()["ok"]  # nobody has told of being there
    path = tmp_path / f"{machine_name()}.json"
    other = StatusFile(path, "lib@here")
    other.set_state("idle")
    state = supervisor.state()
    assert (state["ok"], state["worker"]["state"]) == (True, "idle")
    other.set_state("stopped")
    assert not supervisor.state()["ok"]
    (tmp_path / "order").write_text("serve")
    until(lambda: supervisor.state()["state"] == "running", "its own worker once the place is free")


@pytest.mark.expect_errors
def test_a_command_that_is_not_there_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    supervisor = WorkerSupervisor(tmp_path, tmp_path, command=(str(tmp_path / "no-such-program"),), backoff=QUICK)
    supervisor.start()
    until(lambda: supervisor.state()["state"] == "waiting", "the failed start to be noticed")
    supervisor.stop(timeout_s=5)
    assert "cannot be started" in caplog.text


def start_app(library: Path, command: tuple[str, ...]) -> subprocess.Popen[str]:
    app = subprocess.Popen(
        [sys.executable, "-c", APP, str(library), *command], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert app.stdout is not None
    assert app.stdout.readline() == "started\n"
    return app


def test_a_killed_app_leaves_no_worker_behind(tmp_path: Path) -> None:
    app = start_app(tmp_path, COMMAND)
    (pid,) = until(lambda: pids(tmp_path), "the worker")
    app.send_signal(signal.SIGKILL)
    app.communicate()
    until(lambda: not is_alive(pid), "the worker to end")
    assert (tmp_path / "ended").read_text() == str(pid)


def test_the_pipe_is_the_workers_alone(supervisor: WorkerSupervisor, tmp_path: Path) -> None:
    """Another child of the app must not hold the pipe open, or the worker would outlive the app."""
    supervisor.start()
    until(lambda: pids(tmp_path), "the worker")
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        supervisor.stop(timeout_s=30)
        assert (tmp_path / "ended").exists()
    finally:
        other.kill()
        other.wait()
