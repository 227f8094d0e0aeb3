"""Colours by name: their positions in CIELAB, and how much of each an image has.

The anchors were written down from common colour lists (CSS and everyday names), several for a name that varies much
with light and shade. A pixel is divided between the anchors near it, so that no border between two names is sharp.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

ANCHORS: dict[str, tuple[str, ...]] = {
    "black": ("#000000", "#101010"),
    "charcoal": ("#2a2a2c", "#3c3c3e"),
    "grey": ("#606062", "#808080", "#9a9a9a"),
    "light grey": ("#b4b4b4", "#cfcfcf"),
    "white": ("#ececec", "#ffffff"),
    "red": ("#e01818", "#c41e1e", "#f03a34"),
    "dark red": ("#7a0f14", "#500a0c"),
    "orange": ("#f58220", "#e8701a", "#ffa032"),
    "rust": ("#b5501e", "#a0441a"),
    "brown": ("#7b4b26", "#8c6239", "#6b4a2e"),
    "dark brown": ("#3c2414", "#2a1a10"),
    "tan": ("#c8a878", "#b09068"),
    "skin": ("#e0ac8a", "#c68a68", "#f0c8ac"),
    "cream": ("#f5ecd2", "#e8dcbc"),
    "gold": ("#d4a424", "#b8881c"),
    "yellow": ("#f8e020", "#fff06a", "#e6d23c"),
    "olive": ("#6e6a22", "#54501e", "#8a8440"),
    "yellow green": ("#a4c832", "#86a82a", "#c4e060"),
    "green": ("#2fa033", "#4c8a34", "#3cc446"),
    "dark green": ("#1c4a1e", "#123014", "#2e5a2c"),
    "light green": ("#a8dca0", "#8cc48c"),
    "teal": ("#148080", "#0e5a5c", "#3a8e86"),
    "turquoise": ("#30c8c8", "#78e0dc", "#00e5e5"),
    "sky blue": ("#6cb4ea", "#4a98dc", "#90c4f0"),
    "pale blue": ("#c4dcf0", "#aec6de"),
    "blue": ("#1e50c8", "#1a38e0", "#2c6cc8"),
    "slate blue": ("#5a7090", "#44586e", "#7c90a8"),
    "navy": ("#101c50", "#0a1230", "#1c2c60"),
    "violet": ("#6030c0", "#7c50d8"),
    "purple": ("#7c2490", "#58186a", "#9a44ac"),
    "lavender": ("#c4b0e4", "#a898cc"),
    "magenta": ("#dc1c9c", "#ff30e0"),
    "pink": ("#f480b0", "#e86498", "#f8a0c0"),
    "pale pink": ("#f8d0d8", "#ecbcc6"),
    "peach": ("#fab490", "#f09078"),
}
"""Name -> sRGB anchors. The order is the order of the vector's dimensions: changing it is a new version."""

FAMILIES: dict[str, tuple[float, tuple[str, ...]]] = {
    "black": (0.14, ("black", "charcoal")),
    "grey": (0.20, ("grey", "light grey", "charcoal")),
    "white": (0.09, ("white", "light grey", "cream")),
    "red": (0.03, ("red", "dark red")),
    "orange": (0.04, ("orange", "rust", "gold", "peach")),
    "yellow": (0.03, ("yellow", "gold", "cream")),
    "brown": (0.13, ("brown", "dark brown", "rust", "olive")),
    "beige": (0.09, ("tan", "skin", "cream", "peach")),
    "green": (0.09, ("green", "dark green", "light green", "yellow green", "olive")),
    "cyan": (0.02, ("turquoise", "teal")),
    "blue": (0.08, ("blue", "sky blue", "pale blue", "slate blue")),
    "navy": (0.03, ("navy",)),
    "purple": (0.015, ("purple", "violet", "lavender")),
    "pink": (0.015, ("pink", "pale pink", "magenta", "peach")),
}
"""Coarse families: the share of an ordinary image, by estimate, and the names. A name in several of them is divided
evenly. An image with more than that share of green is a "green" one."""

NAMES = tuple(ANCHORS)
FAMILY_NAMES = tuple(FAMILIES)
TYPICAL_SHARES = tuple(share for share, _ in FAMILIES.values())
TYPICAL = np.array(TYPICAL_SHARES, dtype=np.float32)

SOFTNESS = 9.0
"""Standard deviation, in CIELAB distance, of how a pixel's share falls off; about four just noticeable differences."""

HALF_NAME, HALF_FAMILY, HALF_ACCENT, HALF_CELL = 0.06, 0.08, 0.10, 0.25
"""Shares with a presence of 0.5: of the image by name and by family, of its accents, of a cell."""

TYPICAL_ACCENT_SHARE = 0.03
"""A family's share of an image's vivid parts, on average over the vivid families."""


def srgb_to_lab(rgb: Floats) -> Floats:
    """CIELAB (D65, 2 degrees; L* 0 to 100) of sRGB values 0 to 1, shape (..., 3). Formulas: IEC 61966-2-1, CIE 15."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def _hex_to_lab(codes: tuple[str, ...]) -> Floats:
    rgb = np.array([[int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)] for code in codes], dtype=np.float32)
    return srgb_to_lab(rgb)


_ANCHOR_LAB = np.concatenate([_hex_to_lab(codes) for codes in ANCHORS.values()])
_ANCHOR_NAME = np.concatenate([np.full(len(codes), n) for n, codes in enumerate(ANCHORS.values())])
_NAME_OF_ANCHOR = np.zeros((len(_ANCHOR_NAME), len(NAMES)), dtype=np.float32)
_NAME_OF_ANCHOR[np.arange(len(_ANCHOR_NAME)), _ANCHOR_NAME] = 1


def _family_matrix() -> Floats:
    matrix = np.array([[float(name in names) for _, names in FAMILIES.values()] for name in NAMES], dtype=np.float32)
    return matrix / matrix.sum(axis=1, keepdims=True)


FAMILY_OF_NAME = _family_matrix()
"""(names, families): how the share of a name is divided between the families; rows sum to 1."""


def name_shares(lab: Floats) -> Floats:
    """How much each name fits each pixel: (n, names) for CIELAB pixels (n, 3); rows sum to 1."""
    squares = ((lab**2).sum(axis=1)[:, None] - 2 * lab @ _ANCHOR_LAB.T) + (_ANCHOR_LAB**2).sum(axis=1)
    # relative to the nearest anchor, so that a pixel far from all of them still gets a name
    nearness = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / (2 * SOFTNESS**2))
    shares = nearness @ _NAME_OF_ANCHOR
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def presence(share: npt.ArrayLike, half: float) -> Floats:
    """A share (0 to 1) as a feature: share / (share + half), so 0.5 at `half` and towards 1 above it.

    That an image has some orange says more than how much of it. So an image with everything in a query ranks before
    one with a lot of one part of it.
    """
    shares: Floats = np.asarray(share, dtype=np.float32)
    return (shares / (shares + half)).astype(np.float32)


def centred(names: Floats, families: Floats, accents: Floats, cells: Floats) -> dict[str, Floats]:
    """The presence of colours by block of the vector, with that in an ordinary image subtracted.

    The arguments are shares by name (names,), by family (families,), of vivid parts (families,), and in each cell
    (cells, families).
    """
    return {
        "colour": presence(names, HALF_NAME) - presence(1 / len(NAMES), HALF_NAME),
        "family": presence(families, HALF_FAMILY) - presence(TYPICAL, HALF_FAMILY),
        "accent": presence(accents, HALF_ACCENT) - presence(TYPICAL_ACCENT_SHARE, HALF_ACCENT),
        "cell": (presence(cells, HALF_CELL) - presence(TYPICAL, HALF_CELL)).ravel(),
    }
