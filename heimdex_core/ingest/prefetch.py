"""Let one thread make things while another uses them, a few ahead and no more."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_LOOK_S = 0.1
_MODEST_BY = 5


class _End:
    """The last thing in the queue: what ended the maker, None if it was simply done."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(
    items: Generator[Item, None, None] | Iterator[Item], depth: int, *, modest: bool = False
) -> Generator[Item, None, None]:
    """The same items in the same order, made in a thread of their own at most `depth` ahead.

    A `modest` maker, with the threads that it starts, takes only what others leave of the cores.
    An error of the maker is raised here. When this generator is closed, the maker is too, in its thread.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Item | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=_LOOK_S)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        error: BaseException | None = None
        try:
            if modest:
                _give_way()
            for item in items:
                if not put(item):
                    break
        except BaseException as found:  # raised again by whoever uses the items
            error = found
        finally:
            if isinstance(items, Generator):
                items.close()
            put(_End(error))

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        maker.join()


def _give_way() -> None:
    """Lower the priority of the calling thread, and of threads that it will start. Linux knows one for each."""
    if sys.platform != "linux":
        return
    own = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + _MODEST_BY))
