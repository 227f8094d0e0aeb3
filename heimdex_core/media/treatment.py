"""Chooses once how the picture of a file is treated: by its tags, and by looking at a few frames from all of it."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from heimdex_core.errors import HeimdexError
from heimdex_core.files import file_signature
from heimdex_core.media.colour import ColourTags, read_tags, treatment_for
from heimdex_core.media.containers import open_media
from heimdex_core.media.interlacing import Fields, Luma, count_fields, narrowed
from heimdex_core.media.raw_frames import raw_frames
from heimdex_core.types import MediaInfo, PictureTreatment

_PLACES = (0.1, 0.35, 0.6, 0.85)
"""Where frames are looked at, as parts of the duration."""
_FRAMES = 10
# A shorter file is looked at from its beginning only.
_SHORT_S = 4.0
# Where nothing is marked: no video standard is interlaced with fewer or more lines (one field of NTSC has 240), or has
# more interlaced frames a second.
_LEAST_LINES, _MOST_LINES, _MOST_FPS = 240, 1088, 31.0
# 3:2 pulldown combs two frames in five; a file that claims to be interlaced may be so in a small part.
_COMBED_SHARE, _COMBED_SHARE_MARKED, _COMBED_FRAMES = 0.25, 0.1, 4

_BOTTOM_FIRST = (3, 5)  # AV_FIELD_BB and AV_FIELD_BT: coded and shown in this order

FieldOrder = Literal["tff", "bff"]

_MOST_CHOSEN = 64
_chosen: dict[tuple[Path, int, tuple[int, int, int] | None], PictureTreatment] = {}
"""What was chosen in this process for videos that have no stored treatment."""


def choose_treatment(path: Path, info: MediaInfo, stream: VideoStream, first: VideoFrame) -> PictureTreatment:
    """How the frames of a file are to be shown, with the notes that say so.

    Args:
        path: the file.
        info: what is known of it; its own `treatment` is not looked at.
        stream, first: its picture and the first frame of it, for their tags.
    """
    tags = read_tags(stream, first)
    found = treatment_for(tags)
    marked = _claimed_order(stream) if first.interlaced_frame else None
    seen = look_at_frames(path, replace(info, treatment=found), alpha=found.alpha, marked=marked)
    notes = list(found.notes)
    order = seen.field_order
    if order is not None:
        notes.append("interlaced" if seen.marked else "interlaced_unmarked")
    elif seen.marked:
        notes.append("not_interlaced")
    if found.alpha and seen.alpha == "hidden":
        found = replace(found, alpha=False)
        notes.append("transparency_ignored")
    elif found.alpha and seen.alpha == "used":
        notes.append("transparent")
    return replace(found, field_order=order, notes=tuple(notes))


def with_treatment(path: Path, info: MediaInfo, stream: VideoStream, first: VideoFrame) -> MediaInfo:
    """`info` with the treatment of its picture, and the notes about it; the arguments are those of choose_treatment."""
    chosen = choose_treatment(path, info, stream, first)
    return replace(info, treatment=chosen, notes=(*info.notes, *chosen.notes))


def treatment_of(path: Path, info: MediaInfo) -> PictureTreatment:
    """The treatment that was stored with a video; for one that was indexed before that, chosen now in the same way."""
    if info.treatment is not None:
        return info.treatment
    key = (path, info.video_stream_index, file_signature(path))
    if key not in _chosen:
        while len(_chosen) >= _MOST_CHOSEN:
            _chosen.pop(next(iter(_chosen)))
        _chosen[key] = _choose_now(path, info)
    return _chosen[key]


def _choose_now(path: Path, info: MediaInfo) -> PictureTreatment:
    try:
        with open_media(path) as container:
            stream = container.streams[info.video_stream_index]
            first = next((frame for _, frame in raw_frames(path, info, 0.0, 0, None)), None)
            if isinstance(stream, VideoStream) and first is not None:
                return choose_treatment(path, info, stream, first)
    except (HeimdexError, IndexError):  # whoever decodes the file reports what is wrong with it
        pass
    return treatment_for(ColourTags(info.pixel_format or "yuv420p", info.coded_width, info.coded_height))


def _claimed_order(stream: VideoStream) -> FieldOrder:
    return "bff" if stream.codec_context.field_order in _BOTTOM_FIRST else "tff"


# --- looking at frames ----------------------------------------------------------------------------


@dataclass
class Seen:
    """What frames from all of a file showed."""

    marked: FieldOrder | None
    """The order of fields that the file claims; None where no frame was marked as interlaced."""
    fields: Counter[Fields] = field(default_factory=Counter)
    """How many frames are of which kind; those in which too little moves are in none."""
    frames: int = 0
    lowest_alpha: int = 255
    highest_alpha: int = 0

    @property
    def combed(self) -> int:
        """How many frames are interlaced."""
        return self.fields["tff"] + self.fields["bff"]

    @property
    def field_order(self) -> FieldOrder | None:
        """How frames are interlaced; None where they are not. The file's claim decides only where nothing moves."""
        known = self.fields.total()
        if self.marked and not known:
            return self.marked
        least = _COMBED_SHARE_MARKED * known if self.marked else max(_COMBED_SHARE * known, _COMBED_FRAMES)
        if not self.combed or self.combed < least:
            return None
        return "tff" if self.fields["tff"] >= self.fields["bff"] else "bff"

    @property
    def alpha(self) -> Literal["used", "opaque", "hidden"]:
        """Whether anything is transparent; "hidden" where everything is, and all of the picture would be black."""
        if not self.frames or not self.highest_alpha:
            return "hidden" if self.frames else "opaque"
        return "used" if self.lowest_alpha < 255 else "opaque"


def look_at_frames(path: Path, info: MediaInfo, *, alpha: bool, marked: FieldOrder | None) -> Seen:
    """Look at ten frames each from four places of a file; at fewer once it is clear that it is progressive.

    Args:
        path, info: the file.
        alpha: whether to measure its transparency.
        marked: the order of fields that it claims; None where its first frame is not marked as interlaced.
    """
    seen = Seen(marked)
    usual_size = _LEAST_LINES <= info.coded_height <= _MOST_LINES
    can_be_interlaced = marked is not None or (usual_size and info.fps <= _MOST_FPS)
    if not can_be_interlaced and not alpha:
        return seen
    for place_s in [0.0] if info.duration_s < _SHORT_S else [part * info.duration_s for part in _PLACES]:
        lumas: list[tuple[tuple[int, int], Luma]] = []
        # frame by frame: of large ones, the memory would not hold ten
        for number, frame in enumerate(_frames_from(path, info, place_s)):
            if seen.marked is None and frame.interlaced_frame:
                seen.marked = "tff"
            if can_be_interlaced and (luma := _gray(frame)) is not None:
                lumas.append(((frame.width, frame.height), narrowed(luma)))
            if alpha and number % (_FRAMES // 2) == 0:
                lowest, highest = _alpha_range(frame)
                seen.lowest_alpha, seen.highest_alpha = min(seen.lowest_alpha, lowest), max(seen.highest_alpha, highest)
            seen.frames += 1
        of_one_size = itertools.takewhile(lambda found: found[0] == lumas[0][0], lumas)  # noqa: B023 - used at once
        seen.fields.update(count_fields([luma for _, luma in of_one_size]))
        if not alpha and not seen.marked and seen.fields["progressive"] >= _FRAMES // 2 and not seen.combed:
            break
    return seen


def _frames_from(path: Path, info: MediaInfo, time_s: float) -> Iterator[VideoFrame]:
    """The next _FRAMES frames from a place on; fewer, or none, where that is all there is or can be decoded."""
    try:
        with contextlib.closing(raw_frames(path, info, time_s, 0, None, lead_in=True)) as found:
            yield from (frame for _, frame in itertools.islice(found, _FRAMES))
    except HeimdexError:
        return


def _gray(frame: VideoFrame) -> Luma | None:
    """The luma of a frame, (height, width) uint8; None where libav cannot convert it."""
    layout, plane = frame.format, frame.planes[0]
    if layout.is_planar and layout.components[0].is_luma and layout.components[0].bits == 8 and plane.line_size > 0:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return lines[: frame.height, : frame.width]
    # any matrix will do: libswscale refuses some of the tags that frames have
    try:
        gray = VideoReformatter().reformat(frame, format="gray", src_colorspace=Colorspace.ITU709)
    except (av.error.FFmpegError, OSError, ValueError):
        return None
    return np.asarray(gray.to_ndarray(), np.uint8)


def _alpha_range(frame: VideoFrame) -> tuple[int, int]:
    try:
        values = VideoReformatter().reformat(frame, 64, 64, "rgba").to_ndarray()[..., 3]
    except (av.error.FFmpegError, OSError, ValueError):
        return 255, 255
    return int(np.min(values)), int(np.max(values))
