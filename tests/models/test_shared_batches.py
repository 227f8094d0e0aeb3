"""Requests of several threads joined: who is served together is arranged by gates, not by waiting and hoping."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from heimdex_core.models.base import Captioner, ImageTextEncoder, TextEncoder
from heimdex_core.models.profiles import choose_profile
from heimdex_core.models.registry import Models
from heimdex_core.models.shared_batches import SharedBatches, SharedModels
from heimdex_core.settings import Settings


class Doubler:
    """Doubles numbers, counts how many came together, and holds its first batch until it is let go."""

    def __init__(self, *, refuses: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.refuses = refuses

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.let_go.wait(30)
        if self.refuses in items:
            raise ValueError(f"not {self.refuses}")
        return [2 * item for item in items]


def wait_until_waiting(shared: SharedBatches[int, int], count: int) -> None:
    gate = threading.Event()
    for _ in range(3000):
        if shared.waiting == count:
            return
        gate.wait(0.01)
    raise AssertionError(f"{shared.waiting} wait, not {count}")


def all_at_once(work: Doubler, size: int, requests: list[list[int]]) -> list[list[int] | Exception]:
    """The first request alone at work; all the others gathered before it is let go."""
    shared: SharedBatches[int, int] = SharedBatches(work, size)

    def ask(items: list[int]) -> list[int] | Exception:
        try:
            return shared.run(items)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(len(requests)) as pool:
        futures = [pool.submit(ask, requests[0])]
        assert work.begun.wait(30)
        for n, items in enumerate(requests[1:], start=2):
            futures.append(pool.submit(ask, items))
            wait_until_waiting(shared, n)
        work.let_go.set()
        found = [future.result(30) for future in futures]
    assert shared.waiting == 0
    return found


def test_what_gathers_while_the_model_is_at_work_goes_together():
    work = Doubler()
    assert all_at_once(work, 8, [[1], [2, 3], [4], [5, 6]]) == [[2], [4, 6], [8], [10, 12]]
    assert work.batches == [[1], [2, 3, 4, 5, 6]]


def test_a_batch_is_never_larger_than_the_size_and_requests_may_be():
    work = Doubler()
    assert all_at_once(work, 3, [[1], [2, 3, 4, 5], [6, 7]]) == [[2], [4, 6, 8, 10], [12, 14]]
    assert work.batches == [[1], [2, 3, 4], [5, 6, 7]]


def test_a_request_that_fails_fails_alone():
    work = Doubler(refuses=13)
    found = all_at_once(work, 8, [[1], [2], [13, 3], [4]])
    assert [found[0], found[1], found[3]] == [[2], [4], [8]]
    assert isinstance(found[2], ValueError)


def test_alone_nobody_is_waited_for():
    work = Doubler()
    work.let_go.set()
    shared: SharedBatches[int, int] = SharedBatches(work, 2)
    assert shared.run([1, 2, 3]) == [2, 4, 6]
    assert shared.run([]) == []
    assert work.batches == [[1, 2], [3]]


def test_interrupted_in_the_middle_the_next_one_is_served():
    def interrupted(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise KeyboardInterrupt
        return list(items)

    shared: SharedBatches[int, int] = SharedBatches(interrupted, 2)
    with pytest.raises(KeyboardInterrupt):
        shared.run([1])
    assert shared.run([2]) == [2]


def test_many_threads_each_get_their_own():
    shared: SharedBatches[int, int] = SharedBatches(lambda items: [item * item for item in items], 7)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: shared.run(range(n, n + n % 11)), range(300)))
    assert found == [[item * item for item in range(n, n + n % 11)] for n in range(300)]


def test_shared_models_are_the_same_models():
    models = Models(choose_profile("offline"), Settings(_env_file=None))
    shared = SharedModels(models)
    assert isinstance(shared.vision(), ImageTextEncoder)
    assert isinstance(shared.text(), TextEncoder)
    assert not isinstance(shared.text(), Captioner)
    assert shared.captioner() is None
    assert shared.vision() is shared.vision() is shared.encoder("vision/palette")
    assert (shared.spaces, shared.choice) == (models.spaces, models.choice)
    images = [np.full((8, 8, 3), value, np.uint8) for value in (0, 128, 255)]
    with ThreadPoolExecutor(3) as pool:
        joined = list(pool.map(lambda image: shared.vision().encode_images([image])[0], images))
    assert np.allclose(joined, models.vision().encode_images(images), atol=1e-6)
    assert shared.vision().encode_images([]).shape == (0, models.spaces["vision"].dim)
