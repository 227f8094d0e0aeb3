"""Making things on another thread a little ahead of their use: in general, and pictures for the models."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from heimdex_core.media.images import read_image
from heimdex_core.models.base import Image
from heimdex_core.types import WorkContext

Item = TypeVar("Item")

BATCH = 32
"""Pictures given to a model at once; its own batches may be smaller. Three times as many are in memory at most:
one at the model, one ready, one being read."""
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


def image_batches(folder: Path, names: Sequence[str], context: WorkContext) -> Iterator[list[Image]]:
    """The RGB pictures in their order, BATCH at a time; reports how many have been taken."""

    def read() -> Iterator[list[Image]]:
        for start in range(0, len(names), BATCH):
            yield [read_image(folder / name) for name in names[start : start + BATCH]]

    done = 0
    with contextlib.closing(prefetch(read(), 1)) as batches:
        for batch in batches:
            context.check()
            yield batch
            done += len(batch)
            context.report(done, len(names))


def _give_way() -> None:
    """Lower the priority of the calling thread, and of threads that it will start. Linux knows one for each."""
    if sys.platform != "linux":
        return
    own = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + _MODEST_BY))
