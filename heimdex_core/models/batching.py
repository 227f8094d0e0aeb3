"""Work in batches that grow smaller when the GPU's memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from heimdex_core.errors import OutOfGpuMemory

Item = TypeVar("Item")
Found = TypeVar("Found")

_log = logging.getLogger(__name__)


class Batches:
    """Remembers the batch size that fits, so that running out happens once, not at every call."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = max(1, size)
        self.asked = self.size

    @property
    def note(self) -> str | None:
        """ "batch_halved:<size>" where the memory ran out, else None."""
        return f"batch_halved:{self.size}" if self.size < self.asked else None

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Found]) -> Iterator[Found]:
        """`work` of each batch, in order. A batch that does not fit is tried again in halves.

        Raises OutOfGpuMemory where a single item does not fit.
        """
        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            found = self._try(batch, work)
            if found is None:
                continue
            start += len(batch)
            yield found[0]

    def _try(self, batch: Sequence[Item], work: Callable[[Sequence[Item]], Found]) -> tuple[Found] | None:
        """The result, or None after the size was halved."""
        try:
            return (work(batch),)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise OutOfGpuMemory(name=self.name) from error
        # outside the handler: the error's traceback holds on to what filled the memory
        self.size = max(1, len(batch) // 2)
        _log.warning("%s: the GPU's memory is full, going on with batches of %d", self.name, self.size)
        free_gpu_memory()
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """True for torch's error and for the words of CTranslate2, which has no class of its own for it."""
    return type(error).__name__ in ("OutOfMemoryError", "CudaOutOfMemoryError") or "out of memory" in str(error).lower()


def free_gpu_memory() -> None:
    """Give back what torch keeps in reserve on the GPU."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
