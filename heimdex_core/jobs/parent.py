"""Ending with the parent: a worker that the app started must not outlive it, not even after kill -9."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent_fd: int, on_gone: Callable[[], None]) -> None:
    """Call `on_gone` once the other end of the pipe `parent_fd` is closed.

    The pipe is what is relied on: it closes however the parent ends. The kernel's parent-death
    signal comes on top on Linux, for a parent whose end was passed on to another child by accident.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    def watch() -> None:
        while True:
            try:
                if not os.read(parent_fd, 64):
                    break
            except InterruptedError:
                continue
            except OSError as error:
                logger.error("the pipe to the parent cannot be read, so the worker ends: %s", error)
                break
        on_gone()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
