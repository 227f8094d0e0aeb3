"""Sprites: frames of a scene side by side in one image, of which a page shows one after the other."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.decode import frames_at
from heimdex_core.media.images import Image, brightness, sharpness, write_webp
from heimdex_core.media.probe import probe
from heimdex_core.types import Interval, Json, MediaInfo, WorkContext, to_json

TILE_PX = (320, 180)
"""(width, height) of a frame in a sprite. Frames of another shape are cut at their edges to fill it."""
_MAX_FRAMES = 12
_STEP_S = 0.25
"""Frames of a short scene are no closer than this."""
_QUALITY = 60
_STILL_QUALITY = 80


def frame_count(duration_s: float) -> int:
    """How many frames the sprite of a scene has: 2 to 12, about four a second."""
    return max(2, min(_MAX_FRAMES, round(duration_s / _STEP_S)))


def make_sprite(
    path: Path, info: MediaInfo | None, part: Interval, out: Path, *, filename: str, limits: ChildLimits
) -> None:
    """Write the sprite of a part of a video as WebP: the frames in the middle of `frame_count` equal parts of it.

    Args:
        path: the video. It is read in a child process.
        info: what `probe` returned for it; None for a preview, which is probed in the child.
        part: the scene.
        out: the file to write.
        filename: of the video, for messages.
        limits: when the child is ended.

    Raises UndecodableVideo, FileUnreadable, NotAVideo, DecoderFailed, DiskFull.
    """
    _ask("write_sprite", path, info, part, out, filename, limits)


def make_still(
    path: Path, info: MediaInfo | None, part: Interval, out: Path, *, filename: str, limits: ChildLimits
) -> None:
    """Write the frame among those of the sprite that shows most, as WebP. Otherwise as `make_sprite`."""
    _ask("write_still", path, info, part, out, filename, limits)


def quality(image: Image) -> float:
    """How much of a scene a frame shows, 0 to 1, by the same formula as for keyframes (ingest/stages/keyframes.py)."""
    return 0.4 * (1 - abs(brightness(image) - 127.5) / 127.5) + 0.6 * min(sharpness(image) / 1000.0, 1.0)


def _ask(
    name: str, path: Path, info: MediaInfo | None, part: Interval, out: Path, filename: str, limits: ChildLimits
) -> None:
    asked = {"path": str(path.absolute()), "info": to_json(info), "part": to_json(part), "out": str(out.absolute())}
    run_in_child(f"{__name__}:{name}", asked, filename=filename, limits=limits, scratch=out.parent)


# --- in the child ---------------------------------------------------------------------------------


def write_sprite(asked: Json, work: WorkContext) -> Json:
    """In the child: the sprite."""
    row = np.concatenate([_tile(image) for image in _images(asked)], axis=1)
    write_webp(row, Path(asked["out"]), quality=_QUALITY)
    return {}


def write_still(asked: Json, work: WorkContext) -> Json:
    """In the child: the best of its frames."""
    images = _images(asked)
    write_webp(max(images, key=quality), Path(asked["out"]), quality=_STILL_QUALITY)
    return {}


def _images(asked: Json) -> list[Image]:
    path, part = Path(asked["path"]), Interval(**asked["part"])
    if asked["info"] is None:
        info = probe(path, max_bytes=sys.maxsize, max_duration_s=math.inf, measure=False, sound=False)
    else:
        info = MediaInfo.from_json(asked["info"])
    count = frame_count(part.duration_s)
    times_s = [part.start_s + part.duration_s * (n + 0.5) / count for n in range(count)]
    return [frame.image for frame in frames_at(path, info, times_s, max_side_px=max(TILE_PX))]


def _tile(image: Image) -> Image:
    """The image scaled and cut to the size of a tile, as `object-fit: cover` does."""
    import cv2

    width_px, height_px = TILE_PX
    scale = max(width_px / image.shape[1], height_px / image.shape[0])
    size = max(width_px, round(image.shape[1] * scale)), max(height_px, round(image.shape[0] * scale))
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - width_px) // 2, (size[1] - height_px) // 2
    return np.asarray(scaled[top : top + height_px, left : left + width_px], np.uint8)
