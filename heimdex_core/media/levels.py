"""Integrated loudness of samples in memory, after ITU-R BS.1770-4; `loudness.py` measures files."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_BLOCK_S, _STEP_S = 0.4, 0.1
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0


def integrated_loudness(samples: NDArray[np.float32], rate_hz: int) -> float | None:
    """Integrated loudness in LUFS; None for less than 0.4 s of sound, and where all of it is below -70 LUFS.

    Args:
        samples: (n, channels) float, full scale -1 to 1; all channels count alike, as left and right do.
        rate_hz: samples per second.
    """
    from scipy.signal import sosfilt

    step, per_block = round(_STEP_S * rate_hz), round(_BLOCK_S / _STEP_S)
    if len(samples) < per_block * step:
        return None
    weighted = sosfilt(_k_weighting(rate_hz), samples, axis=0)
    whole = len(samples) // step * step
    energy = np.square(weighted[:whole]).sum(axis=1).reshape(-1, step).mean(axis=1)
    blocks = np.convolve(energy, np.full(per_block, 1 / per_block), "valid")
    for gate_lufs in (_ABSOLUTE_GATE_LUFS, None):
        if gate_lufs is None:
            gate_lufs = _lufs(float(blocks.mean())) + _RELATIVE_GATE_LU
        blocks = blocks[blocks > 10 ** ((gate_lufs + 0.691) / 10)]
        if not len(blocks):
            return None
    return _lufs(float(blocks.mean()))


def _lufs(energy: float) -> float:
    return -0.691 + 10 * math.log10(energy)


def _k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """(2, 6) second-order sections of the K weighting: a shelf for the head, and a high pass.

    BS.1770 gives coefficients for 48 kHz only; these are of the analogue prototypes behind them (B. De Man,
    "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018).
    """
    k, q = math.tan(math.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (high + middle * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - middle * k / q + k * k) / a0,
        1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0,
    ]  # fmt: skip
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return np.array([shelf, [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]])
