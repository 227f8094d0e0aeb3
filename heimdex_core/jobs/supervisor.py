"""Keeps a worker alive as long as the app lives: a child process, a pipe, and restarts with back-off."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from heimdex_core.errors import HeimdexError
from heimdex_core.jobs.status import WorkerStatus
from heimdex_core.jobs.statuses import FileStatuses, Statuses
from heimdex_core.jobs.worker import EXIT_SLOT_TAKEN
from heimdex_core.jobs.worker_slot import machine_name

logger = logging.getLogger(__name__)

SupervisorState = Literal["stopped", "starting", "running", "waiting", "elsewhere"]
"""waiting: the worker ended and is started again after a pause; elsewhere: another one has this slot."""

EXIT_NOT_STARTED = 127
_MISSING_PAUSE_S = 1.0
"""How often a library is looked for that was moved or removed."""
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses before a restart: doubled each time, and short again after a worker that lived long enough."""

    first_s: float = 1.0
    longest_s: float = 60.0
    stable_s: float = 60.0
    elsewhere_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """The pause after so many short-lived workers in a row, from 1."""
        return float(min(self.longest_s, self.first_s * 2 ** min(failures - 1, 16)))


class WorkerSupervisor:
    """Starts the worker of a library and starts it again when it ends.

    The worker holds the read end of a pipe whose other end only this process has: when this process
    ends, however it ends, the pipe closes and the worker stops.
    """

    def __init__(
        self,
        library_path: str | Path,
        worker_folder: Path,
        *,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        statuses: Statuses | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """`worker_folder` as in LibraryWork; `command` is the worker's, to which the library and --parent-fd are added;
        `environment` is added to ours; `statuses` are the library's, None are the files of `worker_folder`."""
        self._library = Path(library_path).expanduser().resolve()
        self._manifest = self._library / "library.json"
        self._had_library = self._was_there = self._manifest.is_file()
        self._command = list(command or (sys.executable, "-m", "heimdex_core.jobs.worker"))
        self._environment = dict(environment or {})
        self._backoff = backoff or Backoff()
        self._statuses = statuses or FileStatuses(worker_folder)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state: SupervisorState = "stopped"
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._last_exit: int | None = None
        self._next_start_at: float | None = None

    def start(self) -> None:
        """Start the worker and watch it; does nothing when that is so already."""
        with self._lock:
            if self._thread is not None:
                return
            self._stop.clear()
            self._state = "starting"
            # One thread starts and awaits every worker: the kernel's parent-death signal goes by
            # the thread that started the child, so it must live as long as the child.
            self._thread = threading.Thread(target=self._watch, name="worker-supervisor", daemon=True)
            self._thread.start()

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """End the worker in order and wait for it; after `timeout_s` it is killed."""
        thread = self._thread
        if thread is None:
            return
        self._stop.set()
        thread.join(timeout_s)
        process = self._process
        if thread.is_alive() and process is not None:
            logger.warning("the worker %d did not stop within %g s and is killed", process.pid, timeout_s)
            process.kill()
            thread.join()
        with self._lock:
            self._thread = None
            self._state = "stopped"

    def state(self) -> dict[str, Any]:
        """For /health/ready: {"state", "ok", "pid", "restarts", "last_exit", "next_start_in_s", "worker"}.

        `worker` is what the worker itself wrote last, whichever process has this slot; `ok` means that
        one is there and has written lately. It is not so yet in the second or two after a start.
        """
        written = self._written()
        with self._lock:
            process = self._process
            if self._state == "running" and process:  # not the one before, if ours has not written yet
                written = [status for status in written if status.pid == process.pid]
            status = written[0] if written else None
            is_served = status is not None and status.is_fresh and status.state not in ("stopping", "stopped")
            next_start_at = self._next_start_at
            return {
                "state": self._state,
                "ok": self._state in ("running", "elsewhere") and is_served,
                "pid": process.pid if process is not None else None,
                "restarts": max(self._starts - 1, 0),
                "last_exit": self._last_exit,
                "next_start_in_s": max(0.0, round(next_start_at - time.monotonic(), 1)) if next_start_at else None,
                "worker": asdict(status) if status is not None else None,
            }

    def _written(self) -> list[WorkerStatus]:
        """What workers of this machine wrote, the latest first."""
        try:
            return [status for status in self._statuses.all() if status.machine == machine_name()]
        except HeimdexError as error:
            logger.warning("the status of the worker cannot be read: %s", error)
            return []

    # --- the watching thread ----------------------------------------------------------------------

    def _watch(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if self._is_library_missing():
                self._note("waiting", _MISSING_PAUSE_S)
                self._stop.wait(_MISSING_PAUSE_S)
                continue
            began = time.monotonic()
            code = self._run_once()
            lived_s = time.monotonic() - began
            if self._stop.is_set():
                break
            if code == EXIT_SLOT_TAKEN:
                failures, pause_s = 0, self._backoff.elsewhere_s
                self._note("elsewhere", pause_s)
            else:
                failures = 1 if lived_s >= self._backoff.stable_s else failures + 1
                pause_s = self._backoff.pause_s(failures)
                self._note("waiting", pause_s)
                logger.warning("the worker ended (%s); it is started again in %.1f s", _exit_text(code), pause_s)
            self._stop.wait(pause_s)

    def _is_library_missing(self) -> bool:
        """Whether the library has been moved or removed since it was supervised: a worker could do nothing."""
        is_there = self._manifest.is_file()
        if is_there != self._was_there:
            logger.warning("the library %s is %s", self._library, "back" if is_there else "not there any more")
        self._was_there = is_there
        return self._had_library and not is_there

    def _run_once(self) -> int:
        """One life of the worker; its exit code, negative for a signal."""
        read_end, write_end = os.pipe()
        try:
            try:
                process = self._spawn(read_end)
            except OSError:
                logger.exception("the worker cannot be started")
                return EXIT_NOT_STARTED
            finally:
                os.close(read_end)
            with self._lock:
                self._process, self._state, self._next_start_at = process, "running", None
                self._starts += 1
            while process.poll() is None and not self._stop.wait(_LOOK_S):
                pass
        finally:
            # asks a worker that still runs to stop, as our own end would
            os.close(write_end)
        code = process.wait()
        with self._lock:
            self._process, self._last_exit = None, code
        return code

    def _spawn(self, read_end: int) -> subprocess.Popen[bytes]:
        # Own session: Ctrl-C in the terminal is for the app, which then stops the worker in order.
        return subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            [*self._command, str(self._library), "--parent-fd", str(read_end)],
            stdin=subprocess.DEVNULL,
            pass_fds=(read_end,),
            env={**os.environ, **self._environment},
            start_new_session=True,
        )

    def _note(self, state: SupervisorState, pause_s: float) -> None:
        with self._lock:
            self._state = state
            self._next_start_at = time.monotonic() + pause_s


def _exit_text(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
