"""Running work on foreign files in a child process, which may crash, fill the memory or hang without harm.

libav, OpenCV and ffmpeg are native code that strangers' files can bring down. `run_in_child` runs a function in a
child of a server that has only media loaded (child_server.py), which costs some hundredths of a second. Values go in
and come back as JSON, files lie where both know. The server is our own program and not one of `multiprocessing`,
whose children import the user's `__main__` again: a script without a guard would run twice.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import logging
import os
import select
import selectors
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heimdex_core.errors import (
    Cancelled,
    DecoderCrashed,
    DecoderFailed,
    DecoderOutOfMemory,
    DecoderStalled,
    HeimdexError,
)
from heimdex_core.files import sweep
from heimdex_core.media.child_server import find, is_child, temporary_prefix
from heimdex_core.media.child_server_process import server_process
from heimdex_core.settings import Settings, get_settings
from heimdex_core.types import Json, WorkContext

_log = logging.getLogger(__name__)

TRIES = 2
"""A file that kills the child so many times in a row is given up."""
_POLL_S = 0.1
_CANCEL_GRACE_S = 3.0
"""For a cancelled child to remove what it was writing."""
_GONE_S = 10.0
_START_S = 60.0
"""For the server to load its modules, on a machine that is busy."""
_STDERR_BYTES = 4096
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ChildLimits:
    """When a child is ended."""

    memory_bytes: int
    """Resident memory of the child and of what it has started."""
    stall_s: float
    """Seconds without progress."""
    frame_bytes: int = field(default_factory=lambda: get_settings().max_frame_bytes)
    """What the child does not decode: larger frames (limits.py)."""

    @staticmethod
    def of(settings: Settings) -> ChildLimits:
        return ChildLimits(settings.media_memory_bytes, settings.media_stall_s, settings.max_frame_bytes)


def run_in_child(
    target: str,
    argument: Any,
    *,
    filename: str,
    limits: ChildLimits,
    context: WorkContext | None = None,
    scratch: Path | None = None,
) -> Any:
    """Run a function in a child process, twice if the child dies in it; within a child it is called directly.

    Args:
        target: "module:function" of a function that takes a JSON value and a WorkContext and returns a JSON value.
        argument: its JSON value.
        filename: of the file that is read, as people know it; the errors name it.
        limits: when the child is ended.
        context: receives progress; is asked for cancellation ten times a second.
        scratch: a folder from which unfinished files of a child that died are removed.

    Returns the function's value. What it raises is raised here: an error of the tree as itself, another one of the
    built-in exceptions as that, or else as RuntimeError, with the child's traceback as a note. Raises Cancelled;
    DecoderCrashed, DecoderOutOfMemory or DecoderStalled where the child had to be given up.
    """
    context = context or WorkContext()
    if is_child():
        return find(target)(argument, context)
    log_level = logging.getLogger("heimdex_core").getEffectiveLevel()
    decoding = [limits.frame_bytes, limits.memory_bytes]
    request = {"target": target, "argument": argument, "log_level": log_level, "limits": decoding}
    for number in range(1, TRIES + 1):
        context.check()
        try:
            answer = _Child(request, filename, limits, context, scratch).answer()
        except DecoderFailed as error:
            if number == TRIES:
                raise
            _log.info("%s Trying once more.", error)
        else:
            return _value_of(answer, filename, limits)
    raise AssertionError("it returns or raises")


# --- one child ------------------------------------------------------------------------------------


class _Child:
    """One child of the server, from its request to its end."""

    def __init__(
        self, request: Json, filename: str, limits: ChildLimits, context: WorkContext, scratch: Path | None
    ) -> None:
        self._request = request
        self._filename = filename
        self._limits = limits
        self._context = context
        self._scratch = scratch
        self._pid: int | None = None
        self._exit_code: int | None = None
        self._answer: Json | None = None
        self._stderr = b""
        self._status = b""
        self._received = b""
        self._cancel_by: float | None = None
        self._done: float | None = None
        self._progress_at = time.monotonic()

    def answer(self) -> Json:
        """Ask, attend, and give the last message: {"result"}, {"error"} or {"exception"}."""
        self._open()
        try:
            self._attend()
        finally:
            self._end()
        if self._answer is None:
            raise Cancelled() if self._cancel_by is not None else self._crashed()
        return self._answer

    # --- starting ---------------------------------------------------------------------------------

    def _open(self) -> None:
        for _ in range(TRIES):
            own, theirs = socket.socketpair()
            self._channel = own
            self._status_fd, status = os.pipe()
            self._stderr_fd, stderr = os.pipe()
            try:
                server_process.fork((theirs.fileno(), status, stderr))
            except OSError:
                continue  # the server had just ended: nothing had been asked of it for a while, or it was killed
            finally:
                theirs.close()
                os.close(status)
                os.close(stderr)
            if self._wait_for_pid():
                self._channel.sendall(json.dumps(self._request).encode() + b"\n")
                self._progress_at = time.monotonic()
                return
            self._close()
        raise DecoderCrashed(filename=self._filename, reason="the server of the child processes ended")

    def _wait_for_pid(self) -> bool:
        """False where the server ended before it came to this child."""
        give_up_at = time.monotonic() + _START_S
        try:
            while self._pid is None:
                if select.select([self._status_fd], [], [], _POLL_S)[0] and not self._read_status():
                    return False
                self._context.check()
                if time.monotonic() > give_up_at:
                    return False
        except BaseException:
            self._close()
            raise
        return True

    # --- attending --------------------------------------------------------------------------------

    def _attend(self) -> None:
        """Read what the child says until it has answered or ended, or must be ended."""
        watched_at = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ, self._read_channel)
            selector.register(self._stderr_fd, selectors.EVENT_READ, self._read_stderr)
            while self._answer is None:
                for key, _ in selector.select(_POLL_S):
                    if not key.data():
                        selector.unregister(key.fileobj)
                        if key.fileobj is self._channel and self._answer is None:
                            self._wait_for_exit()
                            self._read_stderr()
                            return
                if (now := time.monotonic()) - watched_at >= _POLL_S:
                    watched_at = now
                    self._watch(now)
                    if self._cancel_by is not None and now > self._cancel_by:
                        return

    def _watch(self, now: float) -> None:
        """Pass a wish to stop on; raise where the child takes too much memory or does nothing."""
        if self._cancel_by is None and self._context.is_cancelled():
            self._cancel_by = now + _CANCEL_GRACE_S
            with contextlib.suppress(OSError):
                self._channel.sendall(b"cancel\n")
        if self._pid is not None and resident_bytes(self._pid) > self._limits.memory_bytes:
            raise DecoderOutOfMemory(filename=self._filename, limit_bytes=self._limits.memory_bytes)
        if now - self._progress_at > self._limits.stall_s:
            raise DecoderStalled(filename=self._filename, limit_s=self._limits.stall_s)

    def _read_channel(self) -> bool:
        try:
            chunk = self._channel.recv(1 << 20)
        except ConnectionError:  # it died with something of ours unread
            return False
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(chunk)

    def _take(self, message: Json) -> None:
        if "progress" in message:
            done, total = message["progress"]
            if done != self._done:
                self._done, self._progress_at = done, time.monotonic()
            self._context.report(done, total)
        elif "log" in message:
            name, level, text = message["log"]
            logging.getLogger(name).log(level, "%s", text)
        elif message:
            self._answer = message

    def _read_stderr(self) -> bool:
        chunk = os.read(self._stderr_fd, 65536)
        self._stderr = (self._stderr + chunk)[-_STDERR_BYTES:]
        return bool(chunk)

    def _read_status(self) -> bool:
        chunk = os.read(self._status_fd, 64)
        self._status += chunk
        numbers = [int(line) for line in self._status.split(b"\n")[:-1]]
        self._pid = numbers[0] if numbers else None
        self._exit_code = numbers[1] if len(numbers) > 1 else None
        return bool(chunk)

    # --- the end ----------------------------------------------------------------------------------

    def _wait_for_exit(self) -> None:
        give_up_at = time.monotonic() + _GONE_S
        while self._exit_code is None and (left := give_up_at - time.monotonic()) > 0:
            if select.select([self._status_fd], [], [], left)[0] and not self._read_status():
                return

    def _end(self) -> None:
        """Have the child killed unless it has ended; what it left unfinished is removed."""
        os.close(self._status_fd)  # the server kills a child whose status nobody wants to know
        if self._answer is None:
            self._channel.settimeout(_GONE_S)
            with contextlib.suppress(OSError):
                while self._channel.recv(65536):  # until it is gone
                    pass
            if self._scratch is not None and self._pid is not None:
                for folder in (self._scratch, *(path for path in self._scratch.rglob("*") if path.is_dir())):
                    sweep(folder, 0.0, f"{temporary_prefix(self._pid)}*")
        self._channel.close()
        os.close(self._stderr_fd)

    def _close(self) -> None:
        self._channel.close()
        os.close(self._status_fd)
        os.close(self._stderr_fd)
        self._pid, self._status = None, b""

    def _crashed(self) -> DecoderCrashed:
        code = self._exit_code
        reason = "no exit code" if code is None else signal.Signals(-code).name if code < 0 else f"exit code {code}"
        said = self._stderr.decode("utf-8", "replace").partition("Extension modules:")[0].strip()
        _log.info("the child that read %s ended with %s: %s", self._filename, reason, said or "it printed nothing")
        return DecoderCrashed(filename=self._filename, reason=reason)


def _value_of(answer: Json, filename: str, limits: ChildLimits) -> Any:
    if "error" in answer:
        raise HeimdexError.from_dict(answer["error"])
    if "exception" in answer:
        name, message, trace = answer["exception"]
        if name.endswith("MemoryError"):
            raise DecoderOutOfMemory(filename=filename, limit_bytes=limits.memory_bytes)
        kind = getattr(builtins, name, None)
        error: Exception = RuntimeError(f"{name}: {message}")
        if isinstance(kind, type) and issubclass(kind, Exception):
            with contextlib.suppress(TypeError):  # some want more than a message
                error = kind(message)
        error.add_note(f"In the child process:\n{trace}")
        raise error
    return answer["result"]


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and of all that it has started; 0 where the system does not tell (no /proc)."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        total = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(resident_bytes(int(child)) for child in children.read_text("ascii").split())
    return total
