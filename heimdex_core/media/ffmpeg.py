"""Running the bundled ffmpeg with progress, cancellation, a time limit and readable errors."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from heimdex_core.errors import DiskFull, RenderFailed, RenderTimeout
from heimdex_core.files import free_bytes
from heimdex_core.types import WorkContext

_POLL_S = 0.2
_TAIL_LINES = 60
_MAX_LINE_CHARS = 400
# Linux takes arguments of up to 128 KiB (MAX_ARG_STRLEN).
_MAX_ARGUMENT_BYTES = 100_000

# A process that is killed (kill -9) can no longer stop its child, so the kernel has to: PDEATHSIG.
# It is set by a small program that then becomes ffmpeg, because preexec_fn may deadlock in a process
# with threads. getppid is checked because the parent may die before prctl is reached. The signal is
# tied to the thread that started the child; that thread stays in run_ffmpeg until the child has ended.
_DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    os._exit(137)
os.execv(sys.argv[2], sys.argv[2:])
"""

# Lines that ffmpeg prints after the one that names the cause.
_NOT_THE_CAUSE = re.compile(
    r"Conversion failed|Error opening (in|out)put files?|Task finished with error|Terminating thread with return"
    r"|Nothing was written into output|Error sending frames to consumers|Error muxing a packet|Error writing trailer"
    r"|Last message repeated|Exiting (normally|due to signal)|Error while filtering|Could not open encoder before EOF"
    r"|Qavg: |Decode error rate",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\]\s*)+")


def ffmpeg_path() -> str:
    """The ffmpeg of imageio-ffmpeg, or of the variable IMAGEIO_FFMPEG_EXE. Raises RenderFailed if there is none."""
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise RenderFailed(reason=f"no ffmpeg was found ({error})") from error


def run_ffmpeg(args: Sequence[str], *, total_s: float, context: WorkContext, timeout_s: float | None) -> list[str]:
    """Run ffmpeg until it ends, and return the last lines that it logged; on an error, too, the process is gone then.

    Args:
        args: the arguments; the last one is the output, which is overwritten.
        total_s: expected length of the output in seconds.
        context: receives (seconds of output, total_s); is asked for cancellation about five times a second.
        timeout_s: limit of the running time in seconds; None for no limit.

    Raises Cancelled, RenderTimeout, DiskFull, or RenderFailed with the message of ffmpeg that names the cause.
    """
    context.check()
    with _readable(args) as command:
        return _run(_command(command), Path(args[-1]), total_s=total_s, context=context, timeout_s=timeout_s)


def _run(command: list[str], out: Path, *, total_s: float, context: WorkContext, timeout_s: float | None) -> list[str]:
    # In a session of its own the whole group can be killed, and Ctrl-C reaches only this process, which then stops it.
    process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        _follow(process, tail, total_s=total_s, context=context, timeout_s=timeout_s)
        code = process.wait()
    finally:
        _end(process)
    if code != 0:
        raise _explain(code, list(tail), out)
    context.report(total_s, total_s)
    return list(tail)


@contextmanager
def _readable(args: Sequence[str]) -> Iterator[list[str]]:
    """The arguments, with one that is longer than the system takes in a file that ffmpeg reads it from."""
    args = list(args)
    with tempfile.TemporaryDirectory(prefix="heimdex-") as folder:
        for n, value in enumerate(args):
            if len(value.encode()) > _MAX_ARGUMENT_BYTES:
                file = Path(folder) / f"{n}.txt"
                file.write_text(value, encoding="utf-8")
                args[n - 1], args[n] = f"-/{args[n - 1].removeprefix('-')}", str(file)
        yield args


@contextmanager
def removed_on_failure(path: Path) -> Iterator[Path]:
    """Yield `path`, and remove the file there if the block raises anything."""
    try:
        yield path
    except BaseException:  # an interrupt must leave nothing behind either
        path.unlink(missing_ok=True)
        raise


def _command(args: Sequence[str]) -> list[str]:
    exe = ffmpeg_path()
    head = ["-hide_banner", "-nostdin", "-loglevel", "warning", "-nostats", "-stats_period", "0.25"]
    command = [exe, *head, "-progress", "pipe:1", "-y", *args]
    if sys.platform != "linux":
        return command  # no PDEATHSIG there: ffmpeg then ends when it next writes to the closed pipe
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


class TimeLimit:
    """A time limit that several runs share.

    Args:
        timeout_s: the limit in seconds from now on; None for none.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self.timeout_s = timeout_s
        self._ends = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self) -> float | None:
        """What is left of it, in seconds, at least 0; None without a limit."""
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())


def _follow(
    process: subprocess.Popen[bytes],
    tail: deque[str],
    *,
    total_s: float,
    context: WorkContext,
    timeout_s: float | None,
) -> None:
    """Read both pipes until they close; checks for cancellation and the time limit at least every _POLL_S."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    rests = {process.stdout: b"", process.stderr: b""}
    next_check = 0.0
    with selectors.DefaultSelector() as selector:
        for pipe in rests:
            selector.register(cast(IO[bytes], pipe), selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_POLL_S):
                pipe = cast(IO[bytes], key.fileobj)
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    selector.unregister(pipe)
                *lines, rests[pipe] = (rests[pipe] + chunk).replace(b"\r", b"\n").split(b"\n")
                rests[pipe] = rests[pipe][-65536:]
                if not chunk:
                    lines.append(rests[pipe])
                if pipe is process.stdout:
                    _report(lines, total_s, context)
                else:
                    tail.extend(t for t in (_clean(line) for line in lines) if t)
            now = time.monotonic()
            if deadline is not None and now > deadline:
                raise RenderTimeout(limit_s=timeout_s)
            if now >= next_check:  # rarely, because it may read a database
                context.check()
                next_check = now + _POLL_S


def _report(lines: list[bytes], total_s: float, context: WorkContext) -> None:
    for line in lines:
        key, _, value = line.partition(b"=")
        if key == b"out_time_us" and value.strip().lstrip(b"-").isdigit():
            context.report(min(max(int(value) / 1e6, 0.0), total_s), total_s)


def _clean(line: bytes) -> str:
    return _PREFIX.sub("", line.decode("utf-8", "replace")).strip()[:_MAX_LINE_CHARS]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process if it still runs, reap it and close the pipes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # not yet reaped, so the group exists
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _explain(code: int, tail: list[str], out: Path) -> DiskFull | RenderFailed:
    if any("No space left on device" in line for line in tail):
        written = out.stat().st_size if out.is_file() else 0
        # The full size is not known; at least what was written is needed.
        return DiskFull(what=out.name, needed_bytes=written, free_bytes=free_bytes(out))
    if code == -signal.SIGKILL:
        return RenderFailed(reason="ffmpeg was killed, probably because the memory ran out")
    useful = [line for line in tail if not _NOT_THE_CAUSE.search(line)]
    reason = (useful or tail or [f"ffmpeg ended with code {code}"])[-1]
    return RenderFailed(reason=reason)
