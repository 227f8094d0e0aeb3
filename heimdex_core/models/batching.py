"""Work in batches that get smaller when the GPU runs out of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from heimdex_core.errors import OutOfGpuMemory

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Batches:
    """Remembers the batch size that fits, so that the memory runs out once and not at every call.

    `name` is the model, for messages; `size` is the batch size to start with.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = max(1, size)
        self.asked = self.size

    @property
    def note(self) -> str | None:
        """ "batch_halved:<size>" if the memory ran out, else None."""
        return f"batch_halved:{self.size}" if self.size < self.asked else None

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> Iterator[Result]:
        """The results of `work` on each batch, in order. A batch that does not fit is tried again in halves.

        Raises OutOfGpuMemory where not even a single item fits.
        """
        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            result = self._try(batch, work)
            if result is None:
                continue
            start += len(batch)
            yield result[0]

    def _try(self, batch: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> tuple[Result] | None:
        """The result, or None after the size was halved."""
        try:
            return (work(batch),)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise OutOfGpuMemory(name=self.name) from error
        # outside the handler: the error's traceback keeps references to what filled the memory
        self.size = max(1, len(batch) // 2)
        _log.warning("%s: the GPU is out of memory, continuing with batches of %d", self.name, self.size)
        free_gpu_memory()
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU's memory ran out: by torch's error class, or by the message of CTranslate2, which has none."""
    return type(error).__name__ in ("OutOfMemoryError", "CudaOutOfMemoryError") or "out of memory" in str(error).lower()


def free_gpu_memory() -> None:
    """Return the GPU memory that torch keeps in reserve."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
