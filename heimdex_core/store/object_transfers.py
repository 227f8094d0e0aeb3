"""What the transfers of objects share: several requests side by side, and one progress for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = 8
"""Requests at a time of one call."""

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all), both growing to the size of the object; from several threads, one by one."""
Result = TypeVar("Result")
Item = TypeVar("Item")


class Done:
    """Adds up what has been transferred, for a caller that wants to know."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._lock, self._done, self._total, self._progress = threading.Lock(), 0, total, progress

    def add(self, count: int) -> None:
        if self._progress is None:
            return
        with self._lock:
            self._done += count
            self._progress(self._done, self._total)


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results of `work` for all items, in their order, made in a few threads; the first error ends it."""
    items = list(items)
    if len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(THREADS, len(items)), "object-storage") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
