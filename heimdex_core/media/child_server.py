"""The server that forks a child process for each piece of work on a foreign file, and what runs in the child.

`heimdex_core.media.child` starts the server and talks to it:

    control socket    the client sends one byte with three file descriptors for each child that it wants; its end of
                      file says that the client is gone: all children are killed and the server ends
    channel           lines of JSON: {"target", "argument", "log_level", "limits"} to the child, {"progress"}, {"log"}
                      and at last {"result"} or {"error"} from it; a line "cancel" asks it to stop
    status            "<pid>\\n" when the child is there, "<exit code>\\n" when it has ended (negative: the signal).
                      Where the client closes its end, the child is killed
    stderr            what native libraries print; the client keeps the end of it

The server itself reads no foreign bytes and has one thread, so that a fork copies nothing that is half done.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from heimdex_core import files
from heimdex_core.errors import HeimdexError
from heimdex_core.media.limits import DecodingLimits, use
from heimdex_core.types import Json, WorkContext, to_json

Target = Callable[[Any, WorkContext], Any]
"""What runs in a child: takes a JSON value, returns one that `to_json` understands."""

_LOOK_S = 1.0
_REPORT_EVERY_S = 0.1
_CANCEL_LOOK_S = 0.02
_PR_SET_PDEATHSIG = 1
_OOM_SCORE = b"600"
"""Where memory runs out for the whole machine, the kernel takes a child before the process with the models."""

_in_child = False


def is_child() -> bool:
    """Whether this process is a child of the server: what is to run in a child then runs here."""
    return _in_child


def main(control_fd: int, parent_pid: int, modules: list[str], idle_s: float) -> None:
    """Serve until the client is gone, or nothing was asked for in `idle_s`. `modules` are loaded beforehand."""
    for name in modules:
        importlib.import_module(name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no file of the size of its memory for every crash
    gc.collect()
    gc.freeze()  # the children then leave these objects alone, and the memory stays shared
    Server(socket.socket(fileno=control_fd), parent_pid).serve(idle_s)


class Server:
    """One loop: fork, reap, and kill what nobody waits for any more."""

    def __init__(self, control: socket.socket, parent_pid: int) -> None:
        self._control = control
        self._parent_pid = parent_pid
        self._children: dict[int, int] = {}
        """Pid by status descriptor."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._wake_reader, self._wake_writer = os.pipe()
        for fd in (self._wake_reader, self._wake_writer):
            os.set_blocking(fd, False)
        self._poll.register(self._wake_reader, select.POLLIN)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler the wake-up descriptor is not written

    def serve(self, idle_s: float) -> None:
        """Until the client is gone, or nothing has been asked for in `idle_s` seconds."""
        used_at = time.monotonic()
        try:
            while True:
                events = self._poll.poll(_LOOK_S * 1000)
                if os.getppid() != self._parent_pid:
                    return  # the client is gone, though another process still holds a copy of its socket
                for fd, _ in events:
                    if fd == self._wake_reader:
                        with contextlib.suppress(BlockingIOError):
                            os.read(fd, 4096)
                    elif fd == self._control.fileno():
                        if not self._fork():
                            return
                    elif fd in self._children:
                        self._abandon(fd)
                self._reap()
                if events or self._children:
                    used_at = time.monotonic()
                elif time.monotonic() - used_at > idle_s:
                    return
        finally:
            for pid in self._children.values():
                os.killpg(pid, signal.SIGKILL)

    def _fork(self) -> bool:
        """Start the child that is asked for; false where the client is gone."""
        _, received, _, _ = socket.recv_fds(self._control, 1, 3)
        if not received:
            return False
        channel, status, stderr = received
        own_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(channel, status, stderr, own_pid)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # the child does it too; whoever comes first
        os.close(channel)
        os.close(stderr)
        self._children[status] = pid
        self._poll.register(status, 0)  # only POLLERR: the client closed its end
        self._tell(status, pid)
        return True

    def _abandon(self, status: int) -> None:
        self._poll.unregister(status)
        os.killpg(self._children[status], signal.SIGKILL)  # not reaped yet, so the pid is still this child's

    def _reap(self) -> None:
        for status, pid in list(self._children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                with contextlib.suppress(KeyError):
                    self._poll.unregister(status)
                # what it has started ends with it; until it is reaped, the pid is nobody else's
                os.killpg(pid, signal.SIGKILL)
                _, code = os.waitpid(pid, 0)
                self._tell(status, os.waitstatus_to_exitcode(code))
                os.close(status)
                del self._children[status]

    @staticmethod
    def _tell(status: int, number: int) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d\n" % number)

    def _become_child(self, channel: int, status: int, stderr: int, server_pid: int) -> NoReturn:
        """In the child: leave the server's things, then do the work. Never returns."""
        try:
            os.setpgid(0, 0)  # a group of its own: the programs that it starts are ended with it
            if sys.platform == "linux":
                self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
                    score.write(_OOM_SCORE)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(stderr, 2)
            for fd in (self._wake_reader, self._wake_writer, status, stderr, *self._children):
                os.close(fd)
            self._control.close()
            if os.getppid() == server_pid:
                _work(socket.socket(fileno=channel))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        # no destructors: what native libraries still do in threads must not make an error of finished work
        os._exit(0)


# --- in the child ---------------------------------------------------------------------------------


def _work(channel: socket.socket) -> None:
    global _in_child
    _in_child = True
    faulthandler.enable()
    # so that the client can remove what this process leaves if it is killed
    files.TEMPORARY_PREFIX = temporary_prefix(os.getpid())
    talk = _Channel(channel)
    request = talk.request()
    logging.root.handlers[:] = [_Forward(talk)]
    logging.root.setLevel(request["log_level"])
    use(DecodingLimits(*request["limits"]))
    try:
        answer: Json = {"result": find(request["target"])(request["argument"], talk.context())}
    except HeimdexError as error:
        answer = {"error": error.to_dict()}
    except BaseException as error:
        answer = {"exception": [type(error).__name__, str(error), traceback.format_exc()]}
    talk.send(answer)


def temporary_prefix(pid: int) -> str:
    """How the unfinished files of a child are named."""
    return f".tmp-{pid}-"


def find(target: str) -> Target:
    """The function "module:name"; of a decorated one the function itself (`__wrapped__`)."""
    module, _, name = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    function: Target = getattr(found, "__wrapped__", found)
    return function


class _Channel:
    """The child's end of the channel."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._sending = threading.Lock()
        self._progress: list[float] | None = None
        """What was reported and not sent yet."""
        self._sent_at = 0.0
        self._looked_at = 0.0
        self._cancelled = False

    def request(self) -> Json:
        """What the client asks for: the first line."""
        received = b""
        while b"\n" not in received:
            chunk = self._channel.recv(65536)
            if not chunk:
                raise EOFError("the client is gone")
            received += chunk
        line, _, rest = received.partition(b"\n")
        self._cancelled = bool(rest)
        found: Json = json.loads(line)
        return found

    def send(self, message: Json) -> None:
        with self._sending:
            lines = [{"progress": self._progress}] if self._progress else []
            self._progress = None
            for line in (*lines, message):
                self._channel.sendall(json.dumps(to_json(line)).encode() + b"\n")

    def context(self) -> WorkContext:
        return WorkContext(report=self._report, is_cancelled=self._is_cancelled)

    def _report(self, done: float, total: float) -> None:
        self._progress = [float(done), float(total)]
        now = time.monotonic()
        if now - self._sent_at >= _REPORT_EVERY_S:
            self._sent_at = now
            self.send({})

    def _is_cancelled(self) -> bool:
        now = time.monotonic()
        if not self._cancelled and now - self._looked_at >= _CANCEL_LOOK_S:
            self._looked_at = now
            # anything to read is the wish to stop; so is the end of the client
            self._cancelled = bool(select.select([self._channel], [], [], 0)[0])
        return self._cancelled


class _Forward(logging.Handler):
    """Gives log records to the client, whose handlers decide about them."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__()
        self._talk = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._talk.send({"log": [record.name, record.levelno, self.format(record)]})
