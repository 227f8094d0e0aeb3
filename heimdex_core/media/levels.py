"""Integrated loudness of samples in memory, after ITU-R BS.1770-4; `loudness.py` measures files."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_BLOCK_S, _STEP_S = 0.4, 0.1
_STEPS_AT_ONCE, _STEPS_BEFORE = 12, 2
"""How much is filtered at once, and with how much before it: 0.2 s, in which the filters forget to 1e-20 what was."""
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0


def integrated_loudness(samples: NDArray[np.float32], rate_hz: int) -> float | None:
    """Integrated loudness in LUFS; None for less than 0.4 s of sound, and where all of it is below -70 LUFS.

    Args:
        samples: (n, channels) float, full scale -1 to 1; all channels count alike, as left and right do.
        rate_hz: samples per second.
    """
    step, per_block = round(_STEP_S * rate_hz), round(_BLOCK_S / _STEP_S)
    if len(samples) < per_block * step:
        return None
    blocks = np.convolve(_energy(samples, rate_hz, step), np.full(per_block, 1 / per_block), "valid")
    for gate_lufs in (_ABSOLUTE_GATE_LUFS, None):
        if gate_lufs is None:
            gate_lufs = _lufs(float(blocks.mean())) + _RELATIVE_GATE_LU
        blocks = blocks[blocks > 10 ** ((gate_lufs + 0.691) / 10)]
        if not len(blocks):
            return None
    return _lufs(float(blocks.mean()))


def _energy(samples: NDArray[np.float32], rate_hz: int, step: int) -> NDArray[np.float64]:
    """The mean square of every `step` samples, weighted, added up over the channels.

    Filtered by its spectrum, because importing scipy.signal takes longer than a reel of a minute.
    """
    most, before = _STEPS_AT_ONCE * step, _STEPS_BEFORE * step
    size = 1 << (most + before - 1).bit_length()
    response, whole = _k_weighting(rate_hz, size), len(samples) // step * step
    found = []
    for start in range(0, whole, most):
        first, end = max(0, start - before), min(start + most, whole)
        weighted = np.fft.irfft(np.fft.rfft(samples[first:end].T, size) * response, size)[
            :, start - first : end - first
        ]
        found.append(np.square(weighted).sum(axis=0).reshape(-1, step).mean(axis=1))
    return np.concatenate(found)


def _lufs(energy: float) -> float:
    return -0.691 + 10 * math.log10(energy)


@lru_cache(maxsize=2)
def _k_weighting(rate_hz: int, size: int) -> NDArray[np.complex128]:
    """(size // 2 + 1,): the response of the K weighting, a shelf for the head and a high pass, from 0 to half the rate.

    BS.1770 gives coefficients for 48 kHz only; these are of the analogue prototypes behind them (B. De Man,
    "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018).
    """
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    k, q = math.tan(math.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    shelf = (high + middle * k / q + k * k) + 2 * (k * k - high) * z + (high - middle * k / q + k * k) * z**2
    shelf /= (1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z**2
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1 + k / q + k * k
    response: NDArray[np.complex128] = (
        shelf * (1 - z) ** 2 / (1 + 2 * (k * k - 1) / a0 * z + (1 - k / q + k * k) / a0 * z**2)
    )
    return response
