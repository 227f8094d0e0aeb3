"""Two parts of one rendering at the same time, such as picture and sound."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TypeVar

from heimdex_core.errors import Cancelled
from heimdex_core.types import WorkContext

A = TypeVar("A")
B = TypeVar("B")

_POLL_S = 0.2


def side_by_side(
    first: Callable[[WorkContext], A], second: Callable[[WorkContext], B], context: WorkContext
) -> tuple[A, B]:
    """Run both at once, and return what both return; where one fails, the other is stopped before the error is raised.

    Args:
        first: runs in this thread. Its context reports to `context`.
        second: runs in a thread of its own. Its context reports nothing. Only this thread asks `context`, which may
            read a database, whether the work is cancelled.
        context: receives progress; is asked for cancellation.

    Raises what the part raised that failed first, and Cancelled.
    """
    failed, stop = threading.Event(), threading.Event()

    def beside() -> B:
        try:
            return second(WorkContext(is_cancelled=stop.is_set))
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(1, thread_name_prefix="beside") as pool:
        future: Future[B] = pool.submit(beside)
        try:
            found = first(replace(context, is_cancelled=lambda: failed.is_set() or context.is_cancelled()))
            while not wait([future], _POLL_S).done:
                context.check()
            return found, future.result()
        except Cancelled:
            if failed.is_set() and not context.is_cancelled():
                future.result()  # why the first one was stopped
            raise
        finally:
            stop.set()
