"""How a picture is put into a frame of another shape: fitted on black, over its own blurred copy, or cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np

from heimdex_core.errors import InvalidValue
from heimdex_core.media.colour import Filter
from heimdex_core.media.images import Image
from heimdex_core.types.crop import CropKeyframe, CropPath

FramingKind = Literal["fit", "blur", "crop"]

_BLUR_REDUCTION = 8
_BLUR_SHARE = 1 / 45

# A crop is taken in two steps, so that it moves by single pixels of the result: coarsely from the decoded frame, at
# multiples of this many pixels (which no chroma subsampling divides), and finely from the scaled part.
_STEP_PX = 4


@dataclass(frozen=True, slots=True)
class Framing:
    """What is done with a picture whose shape is not that of the frame. Raises InvalidValue."""

    kind: FramingKind = "fit"
    """"fit": all of it, centred on black. "blur": all of it, over an enlarged and blurred copy that fills the frame.
    "crop": the largest part of it that has the frame's shape."""
    path: CropPath | None = None
    """Where the crop is; None for the middle."""

    def __post_init__(self) -> None:
        if self.path is not None and self.kind != "crop":
            raise InvalidValue(name="path", value=self.kind, reason="only a crop has a path")


FIT, BLUR, CENTRE_CROP = Framing("fit"), Framing("blur"), Framing("crop")


def crop_shares(picture_aspect: float | Fraction, frame_aspect: float | Fraction) -> tuple[float, float]:
    """(width, height) of the largest crop of the frame's shape, as shares of the picture; one of them is 1.

    Args:
        picture_aspect, frame_aspect: width divided by height as shown.
    """
    ratio = float(frame_aspect / picture_aspect)
    return min(1.0, ratio), min(1.0, 1 / ratio)


def crop_box(
    path: CropPath | None, time_s: float, *, picture: tuple[int, int], frame: tuple[int, int]
) -> tuple[float, float, float, float]:
    """(left, top, width, height) of the crop as shares of the upright picture, 0 to 1.

    Args:
        path: None for the middle.
        time_s: player time of the source in seconds.
        picture, frame: (width, height) as shown; only their shapes count.
    """
    width, height = crop_shares(Fraction(*picture), Fraction(*frame))
    x, y = (0.5, 0.5) if path is None else path.at(time_s)
    return min(max(x - width / 2, 0.0), 1 - width), min(max(y - height / 2, 0.0), 1 - height), width, height


def framed_image(image: Image, framing: Framing, *, width: int, height: int, time_s: float = 0.0) -> Image:
    """One upright RGB picture in a frame of (width, height) pixels, as a rendered file shows it at `time_s`."""
    import cv2

    rows, columns = image.shape[:2]
    if framing.kind == "crop":
        left, top, w, h = crop_box(framing.path, time_s, picture=(columns, rows), frame=(width, height))
        matrix = np.array([[w * columns / width, 0, left * columns], [0, h * rows / height, top * rows]])
        matrix[:, 2] += (matrix[:, :2].sum(axis=1) - 1) / 2  # positions are those of the pixels' middles
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE))
    w, h = fitted_size(Fraction(columns, rows), width, height)
    fitted = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if w < columns else cv2.INTER_LINEAR)
    shown = np.zeros((height, width, 3), np.uint8)
    if framing.kind == "blur":
        *reduced, sigma = blurred_copy(width, height)
        covering = cv2.resize(image, _covering(columns / rows, *reduced), interpolation=cv2.INTER_AREA)
        behind = framed_image(np.asarray(covering, np.uint8), CENTRE_CROP, width=reduced[0], height=reduced[1])
        shown = np.asarray(cv2.resize(cv2.GaussianBlur(behind, (0, 0), sigma), (width, height)), np.uint8)
    y, x = (height - h) // 2, (width - w) // 2
    shown[y : y + h, x : x + w] = fitted
    return shown


def blurred_copy(width: int, height: int) -> tuple[int, int, float]:
    """(width, height, standard deviation) in pixels of the copy that is blurred and then enlarged to a frame.

    A strong blur of a small picture costs little; it is as strong in frames of all sizes.
    """
    small = [max(2, 2 * round(side / _BLUR_REDUCTION / 2)) for side in (width, height)]
    return small[0], small[1], max(0.3, min(small) * _BLUR_SHARE)


def fitted_size(picture_aspect: Fraction, width: int, height: int) -> tuple[int, int]:
    """(width, height) in even pixels of a whole picture inside a frame."""
    ratio = float(picture_aspect) * height / width
    return max(2, 2 * round(width * min(1.0, ratio) / 2)), max(2, 2 * round(height * min(1.0, 1 / ratio) / 2))


def _covering(aspect: float, width: int, height: int) -> tuple[int, int]:
    ratio = aspect * height / width
    return round(width * max(1.0, ratio)), round(height * max(1.0, 1 / ratio))


# --- filters --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CropFilters:
    """A crop as filters: `coarse` for frames as they are decoded, then scaling to `size`, then `fine`."""

    coarse: Filter
    size: tuple[int, int]
    fine: Filter


@dataclass(frozen=True)
class Timeline:
    """The times that filters see: `start_s` of the source is their 0, and frames come `fps` times a second."""

    start_s: float
    fps: Fraction


def crop_filters(
    path: CropPath | None, coded: tuple[int, int], frame: tuple[int, int], shares: tuple[float, float], times: Timeline
) -> CropFilters:
    """The filters of a crop.

    Args:
        path: with x and y as shares of the *coded* picture; None for the middle.
        coded: (width, height) of decoded frames.
        frame: (width, height) of the result, before it is turned.
        shares: (width, height) of the crop as shares of the coded picture.
        times: of the frames.
    """
    keyframes = path.keyframes if path is not None else (CropKeyframe(0.0, 0.5),)
    axes = [
        _axis([(k.time_s, (k.x, k.y)[n], k.cut) for k in keyframes], coded[n], shares[n], frame[n], times)
        for n in (0, 1)
    ]
    (x, y), exact = axes, {"exact": "1"}
    coarse = {"w": str(x.taken), "h": str(y.taken), "x": x.coarse, "y": y.coarse}
    fine = {"w": str(frame[0]), "h": str(frame[1]), "x": x.fine, "y": y.fine}
    return CropFilters(("crop", coarse | exact), (x.scaled, y.scaled), ("crop", fine | exact))


@dataclass(frozen=True)
class _Axis:
    taken: int
    """Pixels of the coarse crop."""
    scaled: int
    """As many become these; even."""
    coarse: str
    fine: str


def _axis(values: Sequence[tuple[float, float, bool]], side: int, share: float, target: int, times: Timeline) -> _Axis:
    """One direction: (time_s, middle of the crop as a share, cut) of keyframes; pixels of picture and result."""
    window = side * share
    room, scale = side - window, target / window
    taken = min(side, _STEP_PX * (ceil(window / _STEP_PX) + 1))
    scaled = max(target, 2 * round(taken * scale / 2))
    edge = _piecewise([(t, v * side - window / 2, cut) for t, v, cut in values], times)
    if isinstance(edge, float):
        start = min(max(edge, 0.0), room)
        coarse = _STEP_PX * int(min(start, side - taken) / _STEP_PX)
        fine = 2 * round((start - coarse) * scale / 2)  # even: it keeps chroma in its place
        return _Axis(taken, scaled, str(coarse), str(min(fine, scaled - target)))
    start_of = f"st(0,clip({edge},0,{room:.4f}))"
    coarse_of = f"{_STEP_PX}*floor(min(ld(0),{side - taken})/{_STEP_PX})"
    fine_of = f"st(1,{coarse_of});clip(round((ld(0)-ld(1))*{scale:.6f}),0,{scaled - target})"
    return _Axis(taken, scaled, f"{start_of};{coarse_of}", f"{start_of};{fine_of}")


def _piecewise(values: Sequence[tuple[float, float, bool]], times: Timeline) -> str | float:
    """(time_s, value, cut) as an expression of ffmpeg in t; a number where it never changes.

    The sum of one ramp for each change.
    """
    terms: list[str] = []
    for (before_s, before, _), (after_s, after, cut) in zip(values, values[1:], strict=False):
        change = f"{after - before:.3f}"
        start_s, end_s = before_s - times.start_s, after_s - times.start_s
        if float(change) == 0:
            continue
        if cut:
            # the filter fps gives the first frame of a shot to the nearest moment, which may be a little earlier
            shown_s = (round(Fraction(end_s) * times.fps) - Fraction(1, 2)) / times.fps
            terms.append(f"{change}*gte(t,{float(shown_s):.5f})")
        else:
            terms.append(f"{change}*clip((t-({start_s:.5f}))*{1 / (end_s - start_s):.6g},0,1)")
    first = values[0][1]
    return f"{first:.3f}+{_sum(terms)}" if terms else first


def _sum(terms: Sequence[str]) -> str:
    """In halves of halves: ffmpeg nests a+b+c+... and allows about 100 levels."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return f"({_sum(terms[:middle])}+{_sum(terms[middle:])})"
