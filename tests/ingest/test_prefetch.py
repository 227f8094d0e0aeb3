from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from heimdex_core.ingest.prefetch import prefetch


def test_the_same_items_in_the_same_order():
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))


def test_no_more_than_the_depth_is_made_ahead():
    made: list[int] = []

    def items() -> Iterator[int]:
        for n in range(50):
            made.append(n)
            yield n

    for n in prefetch(items(), 4):
        # one in the user's hands, four waiting, one that waits for room
        assert len(made) <= n + 1 + 4 + 1


def test_the_makers_error_is_raised_after_what_it_made():
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    running = prefetch(items(), 4)
    assert next(running) == 1
    with pytest.raises(ValueError, match="broken"):
        next(running)


def test_leaving_early_closes_the_maker_and_ends_its_thread():
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            n = 0
            while True:
                yield (n := n + 1)
        finally:
            closed.set()

    running = prefetch(items(), 2)
    assert next(running) == 1
    running.close()
    assert closed.is_set()
    assert not any(t.name == "ahead" for t in threading.enumerate())


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's own")
def test_a_modest_maker_gives_way_and_nobody_else_does():
    def priorities() -> Iterator[int]:
        yield os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = next(priorities())
    assert list(prefetch(priorities(), 1)) == [own]
    assert list(prefetch(priorities(), 1, modest=True)) == [min(19, own + 5)]
    assert next(priorities()) == own
