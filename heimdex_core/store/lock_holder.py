"""Who holds a lock: for messages, and to tell a long piece of work from a process that is stopped or hangs."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_MAX_PROGRAM_CHARS = 80


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lock."""

    pid: int
    host: str
    """"" for this machine."""
    since: float | None
    """When it took the lock, in seconds since 1970; None if it did not say so."""

    @property
    def program(self) -> str:
        """What it is, for a message: "python -m heimdex_core.jobs.worker, stopped"."""
        if self.host:
            return f"on {self.host}"
        try:
            process = psutil.Process(self.pid)
            is_stopped = process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
            return _program_name(process) + (", stopped" if is_stopped else "")
        except psutil.Error:
            return "unknown program"

    def work_done_s(self) -> float:
        """CPU seconds that it and its child processes have used: what grows as long as it works.

        For this process itself, in which another thread holds the lock, simply the time.
        """
        if self.host or self.pid == os.getpid():
            return time.monotonic()
        total = 0.0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times = one.cpu_times()
                    total += times.user + times.system
        return total


def holder_note() -> str:
    """What a holder writes into its lock file: pid, time, machine. Older versions wrote the pid alone."""
    return f"{os.getpid()} {time.time():.3f} {platform.node()}\n"


def find_holder(path: Path) -> Holder | None:
    """The process that holds the lock on a file; None where that cannot be found out.

    The kernel's table of locks is asked first. It names holders of any program, but only those of this machine.
    """
    pid, since, host = _read_note(path)
    actual = _pid_in_lock_table(path)
    if actual is not None:
        return Holder(actual, "", since if actual == pid else None)
    if pid is None:
        return None
    return Holder(pid, "" if host in ("", platform.node()) else host, since)


def _read_note(path: Path) -> tuple[int | None, float | None, str]:
    try:
        words = path.read_text(errors="replace").split()
        pid = int(words[0])
    except (OSError, ValueError, IndexError):
        return None, None, ""
    since = None
    with contextlib.suppress(ValueError, IndexError):
        since = float(words[1])
    return pid, since, words[2] if len(words) > 2 else ""


def _pid_in_lock_table(path: Path) -> int | None:
    """The pid of the holder in /proc/locks; None where there is no such table or no such lock."""
    try:
        status = path.stat()
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    same_number: set[int] = set()
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; "->" marks one who waits
        fields = line.split()
        if len(fields) < 6 or fields[1] == "->" or not fields[4].isdecimal():
            continue
        found, _, inode = fields[5].rpartition(":")
        if inode != str(status.st_ino):
            continue
        if found == device:
            return int(fields[4])
        same_number.add(int(fields[4]))
    # Some file systems (overlay, btrfs) have another device number in the table than in `stat`.
    return same_number.pop() if len(same_number) == 1 else None


def _program_name(process: psutil.Process) -> str:
    """The program and its module or script, without other arguments, which may be private."""
    words = process.cmdline()
    if not words:
        return str(process.name())
    name = os.path.basename(words[0])
    rest = words[1:]
    if rest[:1] == ["-m"] and len(rest) > 1:
        name = f"{name} -m {rest[1]}"
    elif rest and not rest[0].startswith("-"):
        name = f"{name} {os.path.basename(rest[0])}"
    return name[:_MAX_PROGRAM_CHARS]
