from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
import torch

from heimdex_core.errors import ModelBroken, OutOfGpuMemory
from heimdex_core.models.device import Batches, is_out_of_memory


def doubled(batch: Sequence[int]) -> list[int]:
    return [2 * n for n in batch]


def test_batches_are_in_order_and_whole() -> None:
    batches = Batches("m", 4)
    assert list(batches.run(list(range(10)), doubled)) == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]
    assert batches.notes == ()
    assert list(batches.run(list[int](), doubled)) == []


def test_running_out_of_memory_halves_the_batch_once_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []

    def work(batch: Sequence[int]) -> list[int]:
        tried.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return doubled(batch)

    batches = Batches("ViT", 8)
    with caplog.at_level(logging.WARNING):
        found = [n for part in batches.run(list(range(9)), work) for n in part]
        assert found == doubled(list(range(9)))
        assert tried == [8, 4, 2, 2, 2, 2, 1]
        list(batches.run([1, 2, 3], work))
    assert tried[7:] == [2, 1], "the size that fits is remembered"
    assert batches.notes == ("batch_halved:2",)
    assert [record.getMessage() for record in caplog.records] == [
        "ViT: the GPU is out of memory, continuing with batches of 4",
        "ViT: the GPU is out of memory, continuing with batches of 2",
    ]


def test_not_even_one_item_fits() -> None:
    def work(batch: Sequence[int]) -> list[int]:
        raise RuntimeError("CUDA failed with error out of memory")

    with pytest.raises(OutOfGpuMemory, match="too little memory for ViT"):
        list(Batches("ViT", 4).run([1, 2], work))


def test_other_errors_are_those_of_a_broken_model() -> None:
    def work(batch: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(ModelBroken, match="ViT.*shapes do not match"):
        list(Batches("ViT", 4).run([1, 2], work))


def test_what_counts_as_out_of_memory() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert is_out_of_memory(RuntimeError("CUDA failed with error out of memory"))
    assert not is_out_of_memory(RuntimeError("Library libcublas.so.12 is not found"))
