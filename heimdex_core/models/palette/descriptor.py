"""The descriptor of an image: colours, light, warmth, saturation, texture, and where they are.

Everything is measured on a copy of fixed size, so that a 4k frame and its thumbnail have nearly the same descriptor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import InvalidValue
from heimdex_core.models.palette.colours import FAMILY_OF_NAME, NAMES, Floats, centred, name_shares, srgb_to_lab
from heimdex_core.models.palette.layout import BLOCKS, BODY, CHROMA_CENTRES, DIM, GRID, LENGTH, LIGHT_STEPS, SCALARS

SIDE_PX = 160
"""Longest side of the copy that is measured."""
MIN_SIDE_PX = 12
BAR_LEVEL = 16
"""Highest channel value, 0 to 255, of a black bar."""
BAR_LIMIT = 0.3
"""Largest bar, as a share of the image's height or width."""
EDGE = 6.0
"""Change of L* from one pixel to the next that counts as an edge."""

ACCENT_FROM = 15.0
"""Chroma above which a pixel is vivid."""
ACCENT_LEAST = 3.0
"""Least mean excess chroma that accents are divided by, so that those of a grey image are not exaggerated."""
FULL_LIGHT = 55.0
BRIGHTENED_AT_MOST = 2.2
"""Darker vivid pixels are scaled towards FULL_LIGHT (L*), at most by this factor, with their chroma in proportion."""


def describe(image: npt.NDArray[Any]) -> Floats:
    """The descriptor, a unit vector (DIM,), of a uint8 image of any size: RGB (height, width, 3) or grey.

    Raises InvalidValue for other arrays.
    """
    return _to_unit(_features(_shrunk(_without_bars(_as_rgb(image)))))


def _features(rgb: Floats) -> Floats:
    """Centred and weighted features (BODY,) of RGB values 0 to 1 at the measured size."""
    lab = srgb_to_lab(rgb)
    height, width = lab.shape[:2]
    light = lab[..., 0]
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    shares = name_shares(lab.reshape(-1, 3))
    families = shares @ FAMILY_OF_NAME
    row = np.minimum(np.arange(height) * GRID // height, GRID - 1)
    column = np.minimum(np.arange(width) * GRID // width, GRID - 1)
    cell = (row[:, None] * GRID + column[None, :]).ravel()
    steps_x, steps_y = _steps(light)
    edges = np.hypot(steps_x, steps_y) > EDGE

    cell_families = _per_cell(families, cell)
    cell_light = _per_cell(light.reshape(-1, 1), cell)[:, 0]
    cell_chroma = _per_cell(chroma.reshape(-1, 1), cell)[:, 0]
    cell_edges = _per_cell(edges.reshape(-1, 1).astype(np.float32), cell)[:, 0]
    scalars = _scalars(lab, chroma, shares, edges, cell_light, cell_edges)
    parts = {
        **centred(shares.mean(axis=0), families.mean(axis=0), _accents(lab, chroma), cell_families),
        "light": _steps_of(light, np.linspace(0, 100, len(LIGHT_STEPS))) - 1 / len(LIGHT_STEPS),
        "saturation": _steps_of(chroma, CHROMA_CENTRES) - 1 / len(CHROMA_CENTRES),
        "cell_light": np.tanh((cell_light - 45) / 20),
        "cell_chroma": np.tanh((cell_chroma - 20) / 14),
        "cell_detail": np.tanh((cell_edges - 0.25) / 0.2),
        "orientation": _orientation(steps_x, steps_y),
        "scalar": np.array(
            [np.tanh((scalars[scalar.name] - scalar.neutral) / scalar.scale) for scalar in SCALARS], dtype=np.float32
        ),
    }
    return np.concatenate([parts[block.name] * block.weight for block in BLOCKS]).astype(np.float32)


def _to_unit(body: Floats) -> Floats:
    """Features with a last component that makes every image's vector equally long.

    So the cosine with a query is the plain sum of what the query asks for: an image does not gain by having nothing
    else in it, nor lose by having a lot. This is the reduction of inner product to cosine of Bachrach et al.,
    "Speeding Up the Xbox Recommender System Using a Euclidean Transformation for Inner-Product Spaces", RecSys 2014.
    """
    vector = np.zeros(DIM, dtype=np.float32)
    length = float(np.linalg.norm(body))
    vector[:BODY] = body / max(length, LENGTH)
    vector[BODY] = np.sqrt(max(0.0, 1.0 - min(length / LENGTH, 1.0) ** 2))
    return vector / np.linalg.norm(vector)


# --- preparing the image --------------------------------------------------------------------------


def _as_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    found = np.asarray(image)
    channels = found[:, :, None] if found.ndim == 2 else found
    if found.dtype != np.uint8 or channels.ndim != 3 or channels.shape[2] not in (1, 3) or found.size == 0:
        raise InvalidValue(name="image", value=f"{found.dtype} {found.shape}", reason="RGB uint8 is needed")
    return np.repeat(channels, 3, axis=2) if channels.shape[2] == 1 else channels


def _without_bars(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image without black bars above and below, or left and right (letterbox, pillarbox)."""
    dark = rgb.max(axis=2) < BAR_LEVEL
    top, bottom = _bars(dark.all(axis=1))
    left, right = _bars(dark.all(axis=0))
    return rgb[top : rgb.shape[0] - bottom, left : rgb.shape[1] - right]


def _bars(dark: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Lengths of two similar bars at both ends of a line, (0, 0) if there is no such pair."""
    lit = np.flatnonzero(~dark)
    if lit.size == 0:
        return 0, 0
    first, last = int(lit[0]), len(dark) - 1 - int(lit[-1])
    similar = abs(first - last) <= max(2, 0.02 * len(dark))
    return (first, last) if similar and 0 < first <= BAR_LIMIT * len(dark) else (0, 0)


def _shrunk(rgb: npt.NDArray[np.uint8]) -> Floats:
    """RGB 0 to 1 with a longest side of at most SIDE_PX; tiny images are enlarged by repeating pixels."""
    import cv2

    height, width = rgb.shape[:2]
    if max(height, width) > SIDE_PX:
        scale = SIDE_PX / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        rgb = np.asarray(cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        height, width = rgb.shape[:2]
    rgb = np.repeat(rgb, -(-MIN_SIDE_PX // height), axis=0)
    rgb = np.repeat(rgb, -(-MIN_SIDE_PX // width), axis=1)
    return rgb.astype(np.float32) / np.float32(255)


# --- measuring ------------------------------------------------------------------------------------


def _accents(lab: Floats, chroma: Floats) -> Floats:
    """(families,) shares of the image's vivid parts, which stand out more than their area suggests.

    Colours are taken as in full light, as people see them: an orange leaf in the shade measures as brown. Pixels
    count by their chroma above ACCENT_FROM.
    """
    lab, chroma = lab[::2, ::2].reshape(-1, 3), chroma[::2, ::2].ravel()
    vivid = chroma > ACCENT_FROM
    total = max(float((chroma[vivid] - ACCENT_FROM).sum()), ACCENT_LEAST * chroma.size)
    light = np.maximum(lab[vivid, 0], FULL_LIGHT / BRIGHTENED_AT_MOST)
    in_full_light = lab[vivid] * np.maximum(FULL_LIGHT / light, 1.0)[:, None]
    families = name_shares(in_full_light) @ FAMILY_OF_NAME
    return (families * (chroma[vivid] - ACCENT_FROM)[:, None]).sum(axis=0) / np.float32(total)


def _per_cell(values: Floats, cell: npt.NDArray[np.int64]) -> Floats:
    """(cells, k) means of values (n, k), given the cell of each."""
    return np.stack([values[cell == n].mean(axis=0) for n in range(GRID * GRID)]).astype(np.float32)


def _steps(light: Floats) -> tuple[Floats, Floats]:
    """Changes of L* to the right and downwards over squares of 2 x 2 pixels, each of the shape of `light`.

    With differences of single neighbours a falling edge would look like a staircase and a rising one like a slope.
    """
    padded: Floats = np.pad(light, ((0, 1), (0, 1)), mode="edge")
    half = np.float32(0.5)
    here, right, below, across = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (right - here + across - below) * half, (below - here + across - right) * half


def _steps_of(values: Floats, centres: npt.ArrayLike) -> Floats:
    """The share of the values near each centre; a value between two centres is divided. Sums to 1."""
    centres = np.asarray(centres, dtype=np.float32)
    values = np.clip(values.ravel(), centres[0], centres[-1])
    upper = np.clip(np.searchsorted(centres, values), 1, len(centres) - 1)
    part = (values - centres[upper - 1]) / (centres[upper] - centres[upper - 1])
    shares = np.bincount(upper, part, len(centres)) + np.bincount(upper - 1, 1 - part, len(centres))
    return (shares / values.size).astype(np.float32)


def _orientation(steps_x: Floats, steps_y: Floats) -> Floats:
    """Shares of the edges by direction (layout.ORIENTATIONS), less 1/4; zeros where there are hardly any edges."""
    strength = np.hypot(steps_x, steps_y)
    if strength.mean() < 0.2:
        return np.zeros(4, dtype=np.float32)
    # an edge is perpendicular to its gradient, and has a direction only up to 180 degrees
    angle = (np.arctan2(steps_y, steps_x) + np.pi / 2) % np.pi
    bins = np.round(angle / (np.pi / 4)).astype(int) % 4
    shares = np.bincount(bins.ravel(), strength.ravel() ** 2, 4)
    shares = shares / shares.sum()
    # rows are counted downwards: a gradient to the lower right belongs to a rising edge
    return (shares[[0, 3, 2, 1]] - 0.25).astype(np.float32)


def _scalars(
    lab: Floats, chroma: Floats, shares: Floats, edges: npt.NDArray[np.bool_], cell_light: Floats, cell_edges: Floats
) -> dict[str, float]:
    """The values of layout.SCALARS by name, in their own units."""
    light, warm = lab[..., 0], lab[..., 2]
    mean_shares = shares.mean(axis=0)
    variety = -float((mean_shares * np.log(mean_shares + 1e-9)).sum()) / np.log(len(NAMES))
    fine, medium, coarse = _bands(light)
    coloured = chroma > 12
    dark, bright = light < 25, light > 75
    values = {
        "lightness": light.mean(),
        "contrast": light.std(),
        "dark_share": dark.mean(),
        "bright_share": bright.mean(),
        "glow": float(np.sqrt(dark.mean() * bright.mean())) if dark.mean() > 0.4 else 0.0,
        "top_light": cell_light[:3].mean() - cell_light[6:].mean(),
        "centre_light": cell_light[4] - np.delete(cell_light, 4).mean(),
        "warmth": warm.mean(),
        "warm_share": (coloured & (warm > 8)).mean(),
        "cool_share": (coloured & (warm < -4)).mean(),
        "chroma": chroma.mean(),
        "vivid_share": (chroma > 50).mean(),
        "grey_share": (chroma < 8).mean(),
        "variety": variety,
        "edges": edges.mean(),
        "fine": fine,
        "medium": medium,
        "coarse": coarse,
        "smooth": _smooth(light),
        "flat": _flat(lab),
        "two_tone": _two_tone(lab),
        "bottom_detail": cell_edges[6:].mean() - cell_edges[:3].mean(),
        "centre_detail": cell_edges[4] - np.delete(cell_edges, 4).mean(),
    }
    values["columns"], values["rows"] = _explained(lab)
    return {name: float(value) for name, value in values.items()}


def _halved(values: Floats) -> Floats:
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    return values[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def _bands(light: Floats) -> tuple[float, float, float]:
    """Mean change of L* within squares of 2, 4 and 8 px: fine, medium and coarse texture."""
    found = []
    for _ in range(3):
        if min(light.shape) < 2:
            found.append(0.0)
            continue
        half = _halved(light)
        back = half.repeat(2, axis=0).repeat(2, axis=1)
        found.append(float(np.abs(light[: back.shape[0], : back.shape[1]] - back).mean()))
        light = half
    return found[0], found[1], found[2]


def _smooth(light: Floats) -> float:
    """Share of the 8 px squares in which L* hardly changes."""
    size = 8
    height, width = light.shape[0] // size * size, light.shape[1] // size * size
    blocks = light[:height, :width].reshape(height // size, size, width // size, size)
    return float((blocks.std(axis=(1, 3)) < 1.5).mean())


def _flat(lab: Floats) -> float:
    """Share of the neighbouring pixels with the same colour, which is large in drawings and small in photographs."""
    return float((np.abs(np.diff(lab, axis=1)).max(axis=2) < 0.4).mean())


def _two_tone(lab: Floats) -> float:
    """Share of the two most frequent colours, coarsely quantised."""
    steps = np.round(lab.reshape(-1, 3) / np.array([20, 30, 30])).astype(int) + 10
    counts = np.sort(np.bincount(steps @ np.array([900, 30, 1])))
    return float(counts[-2:].sum() / counts.sum())


def _explained(lab: Floats) -> tuple[float, float]:
    """Shares of the variance that the column and the row explain by themselves; typical values if there is none."""
    total = lab.var(axis=(0, 1)).sum()
    if total < 1:
        return 0.18, 0.25
    return float(lab.mean(axis=0).var(axis=0).sum() / total), float(lab.mean(axis=1).var(axis=0).sum() / total)
