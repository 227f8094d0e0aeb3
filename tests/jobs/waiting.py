"""Waiting for something that another process does: by looking, with a limit, and saying what was awaited."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, *, limit_s: float = 240.0) -> T:
    """The first true value of `look`; AssertionError after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if value := look():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {limit_s} s in vain for {what}")


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has awaited yet does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
    except OSError:
        return os.path.exists(f"/proc/{pid}")
