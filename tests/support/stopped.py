"""A process that was stopped (SIGSTOP) in the middle of a catalog transaction."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stopped_holder(library: Path) -> Iterator[int]:
    """The pid of a real process that holds catalog.lock and is stopped; at the end it goes on and commits."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.lock_holder", str(library)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        yield process.pid
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate("\n", timeout=60)
        assert output == "committed\n"
    finally:
        process.kill()
        process.wait()
