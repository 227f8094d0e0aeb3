"""How coded pixels become the colours that are shown: one rule, and its filters for PyAV's graph and for ffmpeg.

`read_tags` reads what a file says, `treatment_for` decides what is done about it, and the functions below that turn
the decision into filters. Everything that shows the picture uses them: keyframes, previews and reels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from heimdex_core.media.tone_mapping import lut_path
from heimdex_core.types import PictureTreatment

_log = logging.getLogger(__name__)

Filter = tuple[str, dict[str, str]]
"""Name and options of a filter of libavfilter."""
Matrix = Literal["bt709", "bt601", "fcc", "smpte240m", "bt2020", "rgb"]

RGB_MATRIX, UNSPECIFIED = 0, 2
"""Matrix coefficients of ITU-T H.273, table 4; UNSPECIFIED means the same in its other tables."""
MATRIX_CODES: dict[str, int] = {"bt709": 1, "bt601": 5, "fcc": 4, "smpte240m": 7, "bt2020": 9, "rgb": RGB_MATRIX}
_MATRICES: dict[int, Matrix] = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
# What libswscale cannot convert, by H.273's names; of its table 4 only these and the reserved values are left.
_REFUSED = {
    8: "YCgCo", 10: "BT.2020 constant luminance", 11: "SMPTE ST 2085", 13: "chromaticity-derived constant luminance",
    14: "ICtCp", 15: "IPT-PQ-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro",
}  # fmt: skip
_DERIVED = 12  # the matrix that follows from the primaries
_PRIMARIES: dict[int, Literal["bt709", "bt2020", "p3"]] = {9: "bt2020", 11: "p3", 12: "p3"}
_PQ, _HLG = 16, 18
_FULL_RANGE = 2
# Browsers take 720 lines or more for BT.709 where a file does not say, other players 1280 columns, too: HD that was
# cropped to a wide picture has fewer lines.
_HD_LINES, _HD_COLUMNS = 720, 1280
_NAMES = {"bt709": "BT.709", "bt601": "BT.601", "bt2020": "BT.2020", "p3": "P3", "pq": "PQ", "hlg": "HLG"}
_DOLBY_VISION = ("dvh1", "dvhe", "dva1", "dvav", "dav1")
# libav's own decoders leave out the transparency that WebM stores beside the picture
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What a file says about its colours, in the numbers of ITU-T H.273; the size is the coded one."""

    pixel_format: str
    width: int
    height: int
    matrix: int = UNSPECIFIED
    range: int = 0
    """0: not said, 1: limited, 2: full (libav's numbers)."""
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    codec: str = ""
    codec_tag: str = ""
    has_alpha_layer: bool = False
    """WebM: transparency is stored beside the picture."""


def read_tags(stream: VideoStream, frame: VideoFrame) -> ColourTags:
    """The tags of a decoded frame, and those of its stream that no frame carries."""
    return ColourTags(
        frame.format.name,
        frame.width,
        frame.height,
        matrix=int(frame.colorspace),
        range=int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        codec=stream.codec_context.codec.canonical_name,
        codec_tag=stream.codec_context.codec_tag,
        has_alpha_layer=stream.metadata.get("alpha_mode") == "1",
    )


def treatment_for(tags: ColourTags) -> PictureTreatment:
    """What is done about colours that are tagged so; whether frames are deinterlaced is decided elsewhere."""
    notes: list[str] = []
    layout = av.VideoFormat(tags.pixel_format)
    is_rgb = layout.is_rgb or layout.has_palette or tags.pixel_format.startswith(("xyz", "mono"))
    alpha = layout.has_palette or any(component.is_alpha for component in layout.components)
    alpha = alpha or (tags.has_alpha_layer and tags.codec in ALPHA_DECODERS)
    transfer: Literal["sdr", "pq", "hlg"] = {_PQ: "pq", _HLG: "hlg"}.get(tags.transfer, "sdr")  # type: ignore[assignment]
    primaries = _PRIMARIES.get(tags.primaries, "bt709")
    if transfer != "sdr":
        notes.append(f"tone_mapped:{_NAMES[transfer]}")
        if tags.primaries == UNSPECIFIED:
            primaries = "bt2020"
    elif primaries != "bt709":
        notes.append(f"wide_gamut:{_NAMES[primaries]}")
    elif tags.codec_tag in _DOLBY_VISION and tags.transfer == UNSPECIFIED:
        notes.append("dolby_vision")
    matrix: Matrix = "rgb" if is_rgb else _matrix(tags, notes)
    return PictureTreatment(
        matrix=matrix,
        full_range=is_rgb or _is_full_range(tags),
        transfer=transfer,
        primaries=primaries,
        alpha=alpha,
        retag=not is_rgb and not _is_gray(tags) and _by_browsers(tags) != matrix,
        notes=tuple(notes),
    )


def _by_browsers(tags: ColourTags) -> Matrix | None:
    """The matrix that Chromium takes (measured); None where it cannot be known.

    It believes H.264's tags only where primaries and transfer are named, too, and else goes by the number of lines.
    """
    known = _MATRICES.get(tags.matrix)
    partly = tags.codec == "h264" and UNSPECIFIED in (tags.primaries, tags.transfer)
    if tags.matrix == UNSPECIFIED or (known is not None and partly):
        return "bt709" if tags.height >= _HD_LINES else "bt601"
    return known


def _matrix(tags: ColourTags, notes: list[str]) -> Matrix:
    found = _MATRICES.get(tags.matrix)
    if found is None and tags.matrix in (_DERIVED, 13):
        found = _MATRICES.get(tags.primaries)
    if found is None and tags.primaries == 9:
        found = "bt2020"
    if found is None:
        found = "bt709" if tags.height >= _HD_LINES or tags.width >= _HD_COLUMNS else "bt601"
    if tags.matrix not in (*_MATRICES, _DERIVED, UNSPECIFIED) and not _is_gray(tags):
        name = "RGB" if tags.matrix == RGB_MATRIX else _REFUSED.get(tags.matrix, str(tags.matrix))
        notes.append(f"matrix_replaced:{name} → {_NAMES[found]}")
    return found


def _is_full_range(tags: ColourTags) -> bool:
    if tags.range:
        return tags.range == _FULL_RANGE
    # gray without colour comes from lossless formats and images, which use all codes; libswscale takes it so, too
    return tags.pixel_format.startswith("yuvj") or _is_gray(tags)


def _is_gray(tags: ColourTags) -> bool:
    """Whether pixels have no colour, and so no matrix."""
    return tags.pixel_format.startswith(("gray", "ya8", "ya16"))


# --- filters --------------------------------------------------------------------------------------


def is_plain(treatment: PictureTreatment) -> bool:
    """Whether a conversion of matrix and range is all that the colours need."""
    return treatment.transfer == "sdr" and treatment.primaries == "bt709" and not treatment.alpha


def picture_filters(treatment: PictureTreatment, scale: Scale, output: dict[str, str]) -> list[Filter]:
    """Filters that scale frames and give them the colours that are shown.

    Args:
        treatment: what was chosen for the file.
        scale: the size they get, and how.
        output: pixel format ("pix_fmts"), and where that is not RGB further options of `scale` for matrix and range.
    """
    formats, options = {"pix_fmts": output["pix_fmts"]}, {k: v for k, v in output.items() if k != "pix_fmts"}
    lut = _lut(treatment)
    chain = tag_filters(treatment)
    if lut is None and not treatment.alpha:
        return [*chain, ("scale", scale.options | options), ("format", formats), *scale.padding]
    depth = "" if lut is None else "12le"
    between = f"{'gbrap' if treatment.alpha else 'gbrp'}{depth}"
    # in frames of one size: the filters behind are set up for that
    chain += [("scale", scale.options), ("format", {"pix_fmts": between}), *scale.padding]
    if lut is not None:
        chain.append(("lut3d", {"file": lut, "interp": "tetrahedral"}))
    if treatment.alpha:
        chain += [("premultiply", {"inplace": "1"}), ("format", {"pix_fmts": f"gbrp{depth}"})]
    return [*chain, ("scale", {"flags": scale.flags, **options}), ("format", formats)]


@dataclass(frozen=True, slots=True)
class Scale:
    """The size that frames get, in pixels, and libswscale's flags.

    With `fit` each frame keeps the shape that it has (it may change within a file) and is centred on black; its sides
    are multiples of `step`. Without, all frames have the shape of the size.
    """

    width: int
    height: int
    flags: str = "bicubic+accurate_rnd"
    fit: bool = False
    step: int = 1
    usual_aspect: float = 0.0
    """Width divided by height of frames that fill the size, but for rounding; 0 where there are none."""
    pixel_aspect: float = 1.0
    """Width divided by height of the pixels that frames get."""

    @property
    def options(self) -> dict[str, str]:
        """Options of the filter `scale`."""
        if not self.fit:
            return {"w": str(self.width), "h": str(self.height), "flags": self.flags}
        w, h, step = self.width, self.height, self.step
        dar = f"(dar/{self.pixel_aspect:.9f})"
        sides = {
            "w": f"max({step},{step}*round(min({w},{h}*{dar})/{step}))",
            "h": f"max({step},{step}*round(min({h},{w}/{dar})/{step}))",
        }
        if self.usual_aspect:
            is_usual = f"lt(abs(dar/{self.usual_aspect:.6f}-1),0.01)"
            sides = {"w": f"if({is_usual},{w},{sides['w']})", "h": f"if({is_usual},{h},{sides['h']})"}
        return {**sides, "flags": self.flags, "eval": "frame"}

    @property
    def padding(self) -> list[Filter]:
        """The filter that centres what is smaller than the size."""
        if not self.fit:
            return []
        x, y = (f"{self.step}*trunc(({side})/{2 * self.step})" for side in ("ow-iw", "oh-ih"))
        size = {"w": str(self.width), "h": str(self.height), "x": x, "y": y}
        return [("pad", {**size, "color": "black", "eval": "frame"})]


def tag_filters(treatment: PictureTreatment) -> list[Filter]:
    """The filter that replaces a frame's tags by the treatment; libswscale takes matrix and range from them.

    It stands before all that looks at pixels: with tags that it cannot convert, libavfilter refuses to begin.
    """
    names = {"rgb": "gbr", "bt601": "bt470bg", "bt2020": "bt2020nc"}
    tags = {
        "range": "pc" if treatment.full_range else "tv",
        "colorspace": names.get(treatment.matrix, treatment.matrix),
        "color_primaries": "bt709",
        "color_trc": "bt709",
    }
    return [("setparams", tags)]


def deinterlace_filters(treatment: PictureTreatment) -> list[Filter]:
    """A filter that makes one whole frame of each interlaced one; none where frames are progressive.

    bwdif (Thomas Mundt's blend of w3fdif and yadif) leaves what does not move as it is. Its frames must have one size.
    """
    if treatment.field_order is None:
        return []
    return [("bwdif", {"mode": "send_frame", "parity": treatment.field_order, "deint": "all"})]


def _lut(treatment: PictureTreatment) -> str | None:
    if treatment.transfer == "sdr" and treatment.primaries == "bt709":
        return None
    try:
        return str(lut_path(treatment.transfer, treatment.primaries))
    except OSError as error:
        _log.warning("colours are shown as they are coded: %s", error)
        return None


def filters_text(filters: Iterable[Filter]) -> str:
    """Filters in the syntax of ffmpeg's -vf and -filter_complex."""
    return ",".join("=".join([name, *([_options_text(options)] if options else [])]) for name, options in filters)


def _options_text(options: dict[str, str]) -> str:
    return ":".join(f"{name}={_quoted(value)}" for name, value in options.items())


def _quoted(value: str) -> str:
    """An option's value, escaped for the list of options and then for the graph (ffmpeg-filters(1), "Quoting")."""
    for special in ("\\':", "\\'[],;"):
        value = "".join(f"\\{c}" if c in special else c for c in value)
    return value
