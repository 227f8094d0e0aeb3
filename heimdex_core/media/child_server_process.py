"""The server of child processes as its user sees it: started when it is needed, and again when it has gone."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable

_IDLE_S = 300.0
"""A server without work for so long ends; another one is started when it is needed."""

# -I: neither the environment nor the folder that the program was started in changes what is imported.
_START = """
import json, sys
asked = json.loads(sys.argv[1])
sys.path[:] = asked.pop("path")
from heimdex_core.media.child_server import main
main(**asked)
"""


class ServerProcess:
    """The server of this process, started when it is first needed and again when it has gone. Safe between threads."""

    def __init__(self) -> None:
        self.modules: dict[str, None] = {"av": None, "heimdex_core.media.probe": None}
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it if it does not run. Returns at once."""
        with self._lock:
            self._started()

    def fork(self, descriptors: Iterable[int]) -> None:
        """Ask for a child with these descriptors: channel, status, stderr. Raises OSError where the server has gone."""
        with self._lock:
            try:
                socket.send_fds(self._started(), [b"f"], list(descriptors))
            except OSError:
                self._close()
                raise

    def stop(self) -> None:
        """Let the server end, and its children with it."""
        with self._lock:
            self._close()

    def forget(self) -> None:
        """After a fork of this process: the server belongs to the parent."""
        self._lock = threading.Lock()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0  # it is not ours to wait for
        self._control = self._process = None

    def _started(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._close()
        if self._control is None:
            own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            path = [os.path.abspath(entry) for entry in sys.path]
            asked = {
                "path": path,
                "control_fd": theirs.fileno(),
                "parent_pid": os.getpid(),
                "modules": list(self.modules),
                "idle_s": _IDLE_S,
            }
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-I", "-c", _START, json.dumps(asked)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    # one thread: a fork copies only the thread that calls it
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                    # Ctrl-C reaches this process alone, which then ends the children in order
                    start_new_session=True,
                )
            self._control = own
        return self._control

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        self._control = self._process = None


server_process = ServerProcess()
atexit.register(server_process.stop)
os.register_at_fork(after_in_child=server_process.forget)


def preload(*modules: str) -> None:
    """Name modules for the server to load before it forks; of no effect on a server that runs already."""
    server_process.modules.update(dict.fromkeys(modules))
