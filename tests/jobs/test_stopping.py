"""A signal stops the worker wherever it interrupts the main thread."""

from __future__ import annotations

import subprocess
import sys

SIGNALLED_IN_WAIT = """
import os, signal, threading
from heimdex_core.jobs.worker_process import stop_on_signals

stop = threading.Event()
stop_on_signals(stop)
with stop._cond:  # as the main thread holds it at the beginning and the end of stop.wait
    os.kill(os.getpid(), signal.SIGTERM)
stop.wait()
print("stopped")
"""


def test_a_signal_in_the_middle_of_waiting_stops_the_worker() -> None:
    done = subprocess.run([sys.executable, "-c", SIGNALLED_IN_WAIT], capture_output=True, text=True, timeout=60)
    assert done.stdout == "stopped\n"
