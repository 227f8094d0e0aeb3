"""3D lookup tables that turn HDR and wide-gamut R'G'B' into what an ordinary screen shows.

PyAV's ffmpeg and the bundled one both apply them with `lut3d`, so keyframes, previews and reels look the same. The
tables are made here and kept in ~/.cache/heimdex/luts. Light is relative to reference white, 1.0:

    1. PQ (ITU-R BT.2100-2, table 4) or HLG with the OOTF of a 1000 cd/m2 display (table 5, gamma 1.2), where reference
       white is 203 cd/m2 (ITU-R BT.2408-7, 2.1); SDR by BT.1886, gamma 2.4
    2. to the primaries of BT.709 through XYZ (SMPTE RP 177); both white points are D65
    3. HDR only: what lies above _KNEE is compressed so that 1000 cd/m2 becomes 1.0, by a curve of Reinhard's form
       x / (1 + x) (Reinhard et al., "Photographic tone reproduction", 2002), which leaves the knee with slope 1. As
       BT.2390-10, 5.4 suggests for keeping hues, the curve is taken of max(R, G, B) and scales all three
    4. HDR: the curve of sRGB (IEC 61966-2-1), as which browsers show video tagged BT.709; SDR: BT.1886 again
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import StorageError
from heimdex_core.files import atomic_path

Transfer = Literal["sdr", "pq", "hlg"]
"""How code values stand for light: BT.1886, SMPTE ST 2084 (PQ) or ARIB STD-B67 (HLG)."""
Primaries = Literal["bt709", "bt2020", "p3"]
"""The colours of R, G and B; "p3" with the white point D65 (SMPTE EG 432-1)."""
Linear = npt.NDArray[np.float64]

_POINTS = 49
_WHITE_CD_M2 = 203.0
_PEAK_CD_M2 = 1000.0
# At this knee reference white becomes sRGB 240: bright patches look as in the SDR version, and highlights remain.
_KNEE = 0.75

_XY: dict[str, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)


def lut_path(transfer: Transfer, primaries: Primaries) -> Path:
    """The .cube file that turns full-range R'G'B' of this kind into sRGB; written if it is missing.

    It lies in the user's cache folder, or in the folder for temporary files where that cannot be written. Raises
    OSError where neither can.
    """
    table = _table(transfer, primaries)
    # named by its content: a file of another version is another file
    name = f"{transfer}-{primaries}-{hashlib.sha256(table.tobytes()).hexdigest()[:12]}.cube"
    failed: Exception | None = None
    for folder in (_cache_folder(), Path(tempfile.gettempdir()) / f"heimdex-luts-{os.getuid()}"):
        path = folder / name
        try:
            if not path.is_file():
                data = _cube(table)
                folder.mkdir(parents=True, exist_ok=True)
                with atomic_path(path, needed_bytes=len(data)) as partial:
                    partial.write_bytes(data)
            return path
        except (OSError, StorageError) as error:
            failed = error
    raise OSError(str(failed)) from failed


def convert(signal: Linear, transfer: Transfer, primaries: Primaries) -> Linear:
    """What the table holds: full-range R'G'B' of BT.709 for values (..., 3) of 0 to 1; see the head of this file."""
    light = _to_light(signal, transfer) @ _to_bt709(primaries).T
    light = np.maximum(light, 0.0)
    if transfer == "sdr":
        return np.asarray(np.clip(light, 0.0, 1.0) ** (1 / 2.4))
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
    return _srgb(np.clip(light * (compress(brightest) / brightest), 0.0, 1.0))


def compress(light: Linear) -> Linear:
    """Tone curve: light relative to reference white -> 0 to 1; unchanged up to _KNEE, the peak becomes 1."""
    above = np.maximum(light - _KNEE, 0.0)
    room, span = 1 - _KNEE, _PEAK_CD_M2 / _WHITE_CD_M2 - _KNEE
    # x / (1 + s x) has slope 1 at 0 and the value `room` at `span`
    s = 1 / room - 1 / span
    return np.minimum(np.where(light <= _KNEE, light, _KNEE + above / (1 + s * above)), 1.0)


def _to_light(signal: Linear, transfer: Transfer) -> Linear:
    if transfer == "pq":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = signal ** (1 / m2)
        return np.asarray(10_000 / _WHITE_CD_M2 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))
    if transfer == "hlg":
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
        return np.asarray(_PEAK_CD_M2 / _WHITE_CD_M2 * scene * np.maximum(luminance, 1e-9)[..., None] ** 0.2)
    return np.asarray(signal**2.4)


def _srgb(light: Linear) -> Linear:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _to_bt709(primaries: Primaries) -> Linear:
    """(3, 3): linear RGB of `primaries` to linear RGB of BT.709."""
    return np.asarray(np.linalg.solve(_to_xyz("bt709"), _to_xyz(primaries)))


def _to_xyz(primaries: Primaries) -> Linear:
    def xyz(x: float, y: float) -> tuple[float, float, float]:
        return x / y, 1.0, (1 - x - y) / y

    columns = np.array([xyz(*xy) for xy in _XY[primaries]]).T
    return np.asarray(columns * np.linalg.solve(columns, np.array(xyz(*_D65))))


@cache
def _table(transfer: Transfer, primaries: Primaries) -> Linear:
    """(n, 3): `convert` of every point of the grid; red changes fastest, as a .cube file has it."""
    steps = np.linspace(0, 1, _POINTS)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    values = convert(np.stack([red, green, blue], axis=-1), transfer, primaries)
    return np.round(values.reshape(-1, 3), 6)


def _cube(table: Linear) -> bytes:
    """The table in the format of Adobe's "Cube LUT Specification 1.0"."""
    lines = [f"LUT_3D_SIZE {_POINTS}", *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in table.tolist())]
    return ("\n".join(lines) + "\n").encode("ascii")


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "heimdex" / "luts"
