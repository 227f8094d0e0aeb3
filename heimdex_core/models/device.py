"""Which device a model runs on: the GPU where there is one, else the CPU. Asked for and absent is an error."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Literal

from heimdex_core.errors import DeviceUnavailable, InvalidValue

Device = Literal["cpu", "cuda"]
ASKED = ("auto", "cpu", "cuda")


@lru_cache(maxsize=1)
def gpu_count() -> int:
    """NVIDIA GPUs that the driver offers, in a few milliseconds and without importing torch."""
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

    Raises DeviceUnavailable where the GPU is asked for and torch cannot use one, InvalidValue for another name.
    """
    if asked not in ASKED:
        raise InvalidValue(name="device", value=asked, reason=f"it is one of {', '.join(ASKED)}")
    if asked == "cpu" or (asked == "auto" and gpu_count() == 0):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "auto":
        return "cpu"
    raise DeviceUnavailable(device="cuda", reason=_why_not(torch.version.cuda))


def _why_not(built_for: str | None) -> str:
    if gpu_count() == 0:
        return "this machine has no NVIDIA GPU, or its driver is not installed"
    if built_for is None:
        return "the installed torch is built for the CPU only"
    return f"the installed torch is built for CUDA {built_for}, which the driver does not offer"


def has_fast_bf16(device: Device) -> bool:
    """True where the hardware multiplies bfloat16 itself, so that it is faster than float32."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch keeps these private and has no public question of the kind for the CPU
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, lambda: False)()) for check in checks)
