"""What every way of decoding and rendering makes of a file's colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heimdex_core.media.decode import frame_at
from heimdex_core.media.preview import make_preview, preview_plan
from heimdex_core.types import MediaInfo, WorkContext
from tests.media.rendering import clip, reel
from tests.support.colour_media import PATCHES, patch_colours
from tests.support.decoding import info_of, pictures

# 203 cd/m2 is light 1.0, the peak 1000 / 203 = 4.926. Above the knee of 0.75 s = 1 / 0.25 - 1 / 4.176 = 3.7605; 1.0 is
# 0.75 + 0.25 / (1 + 3.7605 * 0.25) = 0.8789, in sRGB 1.055 * 0.8789 ** (1 / 2.4) - 0.055 = 0.9448, of 255: 240.9.
HDR_PATCHES = np.where(np.asarray(PATCHES) == 255, 241, np.asarray(PATCHES))
CHROMA_TOLERANCE = 26
"""Of HDR in 4:2:0 with a table of 49 points. Gray and white are exact to 5, one step of chroma in 8 bits."""


def shown(path: Path, info: MediaInfo | None = None) -> np.ndarray:
    """The image in the middle of the file, as keyframes show it."""
    info = info or info_of(path)
    return frame_at(path, info, info.duration_s / 2).image


def all_ways(path: Path, folder: Path) -> dict[str, np.ndarray]:
    """The image in the middle of the file in a keyframe, a preview and a reel."""
    info = info_of(path)
    preview, film = folder / f"{path.stem}-preview.mp4", folder / f"{path.stem}-reel.mp4"
    plan = preview_plan(info)
    make_preview(path, info, preview, "transcode" if plan == "none" else plan, height_px=480, context=WorkContext())
    reel([clip(path, 0, info.duration_s)], film, fps=25)
    ways = {"keyframe": shown(path)}
    for name, made in (("preview", preview), ("reel", film)):
        images = pictures(made)[1]
        ways[name] = images[len(images) // 2]
    return ways


def assert_patches(path: Path, folder: Path, expected: np.ndarray, tolerance: float, gray_tolerance: float = 5) -> None:
    info = info_of(path)
    for name, image in all_ways(path, folder).items():
        found = patch_colours(image, (info.width, info.height))
        assert np.abs(found - expected).max() <= tolerance, (name, found.round().tolist())
        assert np.abs(found - expected)[0, :2].max() <= gray_tolerance, (name, found.round().tolist())
