"""The filters from decoded frames to frames of a rendered file: upright, of one size, with square pixels, BT.709."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from heimdex_core.media.colour import (
    Filter,
    Scale,
    deinterlace_filters,
    filters_text,
    picture_filters,
    tag_filters,
)
from heimdex_core.media.decode import Orientation
from heimdex_core.media.framing import (
    Framing,
    Timeline,
    blurred_copy,
    crop_filters,
    crop_shares,
    fitted_size,
)
from heimdex_core.media.treatment import treatment_of
from heimdex_core.types import MediaInfo, PictureTreatment
from heimdex_core.types.crop import CropPath

_YUV420P = {"pix_fmts": "yuv420p", "out_color_matrix": "bt709", "out_range": "limited"}


def picture_chain(path: Path, info: MediaInfo, width: int, height: int, timing: str, *, fill: bool = False) -> str:
    """Filters from decoded frames to 4:2:0 BT.709 frames of this size, upright and with square pixels.

    Args:
        path, info: the file.
        width, height: even numbers of pixels. Each frame keeps its shape and is centred on black.
        timing: filters for the time of frames; they come behind those that need neighbouring fields.
        fill: the size has the shape of the picture, but for rounding.
    """
    treatment = treatment_of(path, info)
    turned = Orientation.of(info)
    # of coded frames, before they are turned
    size = (height, width) if turned.transpose else (width, height)
    fields = _deinterlaced(info, treatment, turned)
    scale = Scale(*size, fit=True, step=2, usual_aspect=float(_coded_aspect(info, turned)) if fill else 0.0)
    shown = [*picture_filters(treatment, scale, _YUV420P), *_upright(turned)]
    return _joined(filters_text(fields), timing, filters_text(shown))


def framed_chain(
    path: Path, info: MediaInfo, width: int, height: int, timing: str, framing: Framing, times: Timeline, label: str
) -> str:
    """As `picture_chain`, with the picture put into the frame as `framing` says.

    Args:
        times: of the frames behind `timing`.
        label: distinguishes the chain's links from those of other chains in the same graph.
    """
    treatment, turned = treatment_of(path, info), Orientation.of(info)
    size = (height, width) if turned.transpose else (width, height)
    aspect = _coded_aspect(info, turned)
    shares = crop_shares(aspect, Fraction(*size))
    if framing.kind == "fit" or (framing.kind == "blur" and min(shares) > 0.999):
        return picture_chain(path, info, width, height, timing)
    # a crop filter reads beyond the end of frames that are smaller than the first
    fields = _deinterlaced(info, treatment, turned) or _of_one_size(info, treatment, turned)
    if framing.kind == "blur":
        fitted = fitted_size(aspect, *size)
        whole = filters_text(picture_filters(treatment, Scale(*fitted), _YUV420P))
        return _joined(filters_text(fields), timing, whole, _over_blurred(size, label), filters_text(_upright(turned)))
    crop = crop_filters(_as_coded(framing.path, turned), (info.coded_width, info.coded_height), size, shares, times)
    scaled = picture_filters(treatment, Scale(*crop.size), _YUV420P)
    shown = [crop.coarse, *scaled, crop.fine, *_upright(turned)]
    return _joined(filters_text(fields), timing, filters_text(shown))


def _joined(*parts: str) -> str:
    return ",".join(part for part in parts if part)


def _coded_aspect(info: MediaInfo, turned: Orientation) -> Fraction:
    """The shape of the picture before it is turned: width divided by height, with square pixels."""
    return Fraction(info.height, info.width) if turned.transpose else Fraction(info.width, info.height)


def _of_one_size(info: MediaInfo, treatment: PictureTreatment, turned: Orientation) -> list[Filter]:
    """Frames of the coded size, whatever they are; those that are so already pass unchanged."""
    aspect = _coded_aspect(info, turned)
    pixel = aspect * Fraction(info.coded_height, info.coded_width)
    coded = Scale(info.coded_width, info.coded_height, fit=True, usual_aspect=float(aspect), pixel_aspect=float(pixel))
    same = {"sar": f"{pixel.numerator}/{pixel.denominator}", "max": "1000000"}
    return [*tag_filters(treatment), ("scale", coded.options), *coded.padding, ("setsar", same)]


def _deinterlaced(info: MediaInfo, treatment: PictureTreatment, turned: Orientation) -> list[Filter]:
    fields = deinterlace_filters(treatment)
    return [*_of_one_size(info, treatment, turned), *fields] if fields else []


def _over_blurred(size: tuple[int, int], label: str) -> str:
    """The fitted picture over a copy of it that fills `size`."""
    width, height, sigma = blurred_copy(*size)
    small = {"w": str(width), "h": str(height)}
    behind = filters_text([
        ("scale", {**small, "force_original_aspect_ratio": "increase", "flags": "area"}),
        ("crop", small),
        ("gblur", {"sigma": f"{sigma:.2f}"}),
        ("scale", {"w": str(size[0]), "h": str(size[1]), "flags": "bilinear"}),
        ("setsar", {"sar": "1"}),
    ])  # fmt: skip
    middle = filters_text([("overlay", {"x": "(W-w)/2", "y": "(H-h)/2", "format": "yuv420"})])
    front, back, blurred = (f"[{name}{label}]" for name in ("front", "back", "blurred"))
    return f"setsar=sar=1,split{front}{back};{back}{behind}{blurred};{blurred}{front}{middle}"


def _as_coded(path: CropPath | None, turned: Orientation) -> CropPath | None:
    """The path of an upright picture in the coded one, which is transposed and then mirrored to become upright."""
    if path is None:
        return None
    keyframes = []
    for keyframe in path.keyframes:
        x = 1 - keyframe.x if turned.mirror_x else keyframe.x
        y = 1 - keyframe.y if turned.mirror_y else keyframe.y
        keyframes.append(replace(keyframe, x=y, y=x) if turned.transpose else replace(keyframe, x=x, y=y))
    return CropPath(tuple(keyframes))


def _upright(turned: Orientation) -> list[Filter]:
    # the display matrix would be written into the output and turn it again
    filters: list[Filter] = [("sidedata", {"mode": "delete", "type": "DISPLAYMATRIX"})]
    filters += [("transpose", {"dir": "cclock_flip"})] if turned.transpose else []
    filters += [("hflip", {})] if turned.mirror_x else []
    filters += [("vflip", {})] if turned.mirror_y else []
    return [*filters, ("setsar", {"sar": "1"})]
