"""Which device a model runs on: the GPU if there is one, else the CPU."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Literal

from heimdex_core.errors import DeviceUnavailable, InvalidValue

Device = Literal["cpu", "cuda"]
CHOICES = ("auto", "cpu", "cuda")


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
    """The device for "auto", "cpu" or "cuda".

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


def has_fast_bf16(device: Device) -> bool:
    """Whether the hardware multiplies bfloat16 natively, so that it is faster than float32."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public function for this on the CPU
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, lambda: False)()) for check in checks)
