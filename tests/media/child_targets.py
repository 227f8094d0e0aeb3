"""What the tests of media.child run in a child process."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from heimdex_core import files
from heimdex_core.errors import EmptyFile
from heimdex_core.types import Json, WorkContext
from tests.media.child_calls import call


def echo(argument: Any, context: WorkContext) -> Any:
    return argument


def about(argument: Any, context: WorkContext) -> Json:
    return {"pid": os.getpid(), "parent": os.getppid(), "modules": sorted(sys.modules), "fds": _open_files()}


def _open_files() -> list[str]:
    paths = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
    return [str(path.readlink()) for path in paths if path.is_symlink()]  # that of the listing is closed


def nested(argument: Any, context: WorkContext) -> Any:
    return call(about, argument)["pid"] == os.getpid()


def reports(argument: int, context: WorkContext) -> None:
    for done in range(1, argument + 1):
        context.report(done, argument)


def logs(argument: str, context: WorkContext) -> None:
    logging.getLogger("heimdex_core.media.test").warning("seen: %s", argument)
    logging.getLogger("heimdex_core.media.test").debug("not seen")


# --- ways to die; each notes its try in the file `argument` ---------------------------------------


def _note(path: str) -> int:
    """How many tries there have been."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(Path(path).read_text().splitlines())


def segfaults(argument: str, context: WorkContext) -> None:
    _note(argument)
    ctypes.string_at(0)


def aborts(argument: str, context: WorkContext) -> None:
    _note(argument)
    os.abort()


def is_killed(argument: str, context: WorkContext) -> None:
    _note(argument)
    os.kill(os.getpid(), signal.SIGKILL)


def exits(argument: str, context: WorkContext) -> None:
    _note(argument)
    os._exit(3)


def aborts_once(argument: str, context: WorkContext) -> str:
    if _note(argument) == 1:
        os.abort()
    return "the second time"


def hangs(argument: str, context: WorkContext) -> None:
    """Reports, but makes no progress."""
    _note(argument)
    while True:
        context.report(1.0, 2.0)
        time.sleep(0.05)


def is_slow(argument: float, context: WorkContext) -> str:
    """Takes `argument` seconds, and says so."""
    for step in range(10):
        time.sleep(argument / 10)
        context.report(step, 10)
    return "done"


def fills_memory(argument: str, context: WorkContext) -> None:
    _note(argument)
    kept = []
    while True:
        kept.append(b"x" * 10_000_000)
        time.sleep(0.002)


def starts_one_that_fills_memory(argument: str, context: WorkContext) -> None:
    _note(argument)
    script = "import time\nkept = []\nwhile True:\n  kept.append(b'x' * 10_000_000)\n  time.sleep(.002)"
    process = subprocess.Popen([sys.executable, "-c", script])
    with open(f"{argument}.pids", "a", encoding="ascii") as pids:
        print(process.pid, file=pids)
    process.wait()


def asks_for_too_much(argument: str, context: WorkContext) -> None:
    bytearray(1 << 60)


# --- errors ---------------------------------------------------------------------------------------


def refuses(argument: str, context: WorkContext) -> None:
    raise EmptyFile(filename=argument)


def has_a_bug(argument: str, context: WorkContext) -> None:
    raise ValueError(argument)


class _OwnError(Exception):
    pass


def has_an_unknown_bug(argument: str, context: WorkContext) -> None:
    raise _OwnError(argument)


# --- being stopped --------------------------------------------------------------------------------


def writes_and_waits(argument: str, context: WorkContext) -> None:
    """Holds an unfinished file until it is stopped."""
    with files.atomic_path(Path(argument) / "deep" / "out.bin") as partial:
        partial.write_bytes(b"unfinished")
        while True:
            context.report(time.monotonic(), 0)
            context.check()
            time.sleep(0.01)


def writes_and_dies(argument: str, context: WorkContext) -> None:
    with files.atomic_path(Path(argument) / "deep" / "out.bin") as partial:
        partial.write_bytes(b"unfinished")
        os.abort()


def ignores_the_wish_to_stop(argument: str, context: WorkContext) -> None:
    while True:
        context.report(time.monotonic(), 0)
        time.sleep(0.01)


def waits_with_a_child(argument: str, context: WorkContext) -> None:
    """Waits for ever, as does a program that it has started in a session of its own, as ffmpeg is."""
    from heimdex_core.media.ffmpeg import _DIE_WITH_PARENT

    program = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), "/bin/sleep", "1000"]
    started = subprocess.Popen(program, start_new_session=True)
    Path(argument).write_text(f"{os.getpid()} {started.pid}")
    while True:
        context.report(time.monotonic(), 0)
        time.sleep(0.01)
