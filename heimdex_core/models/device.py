"""The device that a model runs on, and what depends on it: half precision, and batches that fit into the memory."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Literal, TypeVar

from heimdex_core.errors import DeviceUnavailable, HeimdexError, InvalidValue, ModelBroken, OutOfGpuMemory

Device = Literal["cpu", "cuda"]
CHOICES = ("auto", "cpu", "cuda")

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def gpu_count() -> int:
    """NVIDIA GPUs that the driver reports. Takes a few milliseconds and does not import torch."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def choose_device(asked: str) -> Device:
    """The device for "auto", "cpu" or "cuda": for "auto" the GPU if torch can use one.

    Raises DeviceUnavailable for "cuda" where torch cannot use a GPU, InvalidValue for another name.
    """
    if asked not in CHOICES:
        raise InvalidValue(name="device", value=asked, reason=f"it is one of {', '.join(CHOICES)}")
    if asked == "cpu" or (asked == "auto" and gpu_count() == 0):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "auto":
        return "cpu"
    raise DeviceUnavailable(device="cuda", reason=_why_unavailable(torch.version.cuda))


def _why_unavailable(built_for: str | None) -> str:
    if gpu_count() == 0:
        return "this machine has no NVIDIA GPU, or its driver is not installed"
    if built_for is None:
        return "the installed torch is built for the CPU only"
    return f"the installed torch is built for CUDA {built_for}, which the driver does not support"


@lru_cache(maxsize=2)
def has_fast_bf16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16 natively, so that it is faster than float32."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public function for this on the CPU
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, lambda: False)()) for check in checks)


def half_precision(device: str) -> AbstractContextManager[None]:
    """torch's autocast, which does nothing on a CPU without fast bfloat16."""
    import torch

    is_fast, on_gpu = has_fast_bf16(device), device == "cuda"
    dtype = torch.float16 if on_gpu and not is_fast else torch.bfloat16
    return torch.autocast(device, dtype=dtype, enabled=on_gpu or is_fast)


class Batches:
    """Works in batches, and remembers the size that fits, so that the memory runs out once and not at every call.

    `name` is the model, for messages; `size` is the batch size to start with.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = max(1, size)
        self.asked = self.size

    @property
    def notes(self) -> tuple[str, ...]:
        """("batch_halved:<size>",) if the memory ran out, else ()."""
        return (f"batch_halved:{self.size}",) if self.size < self.asked else ()

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> Iterator[Result]:
        """The results of `work` on each batch, in order. A batch that does not fit is tried again in halves.

        Raises OutOfGpuMemory where not even a single item fits, and ModelBroken for other errors of the model.
        """
        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            result = self._try(batch, work)
            if result is not None:
                start += len(batch)
                yield result[0]

    def _try(self, batch: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> tuple[Result] | None:
        """The result, or None after the size was halved."""
        try:
            return (work(batch),)
        except HeimdexError:
            raise
        except (RuntimeError, ValueError, IndexError, KeyError, AssertionError) as error:
            if not is_out_of_memory(error):
                raise ModelBroken(name=self.name, reason=str(error) or type(error).__name__) from error
            if len(batch) == 1:
                raise OutOfGpuMemory(name=self.name) from error
        # outside the handler: the error's traceback keeps references to what filled the memory
        self.size = max(1, len(batch) // 2)
        _log.warning("%s: the GPU is out of memory, continuing with batches of %d", self.name, self.size)
        _free_gpu_memory()
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU's memory ran out: by torch's error class, or by the message of CTranslate2, which has none."""
    return type(error).__name__ in ("OutOfMemoryError", "CudaOutOfMemoryError") or "out of memory" in str(error).lower()


def _free_gpu_memory() -> None:
    """Return the GPU memory that torch keeps in reserve."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
