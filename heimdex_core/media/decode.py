"""Decoding video into upright frames with their times, holding only a few frames in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from heimdex_core.errors import UndecodableVideo
from heimdex_core.media.colour import MATRIX_CODES, Scale, deinterlace_filters, is_plain, picture_filters
from heimdex_core.media.filtering import FilterGraph
from heimdex_core.media.images import Image
from heimdex_core.media.raw_frames import SAME_TIME_S, OnDamage, raw_frames
from heimdex_core.media.treatment import treatment_of
from heimdex_core.types import MediaInfo, PictureTreatment

_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_EXACT_FLAGS = "area+accurate_rnd+full_chroma_int"
_SEEK_FROM_S = 4.0
"""From this distance on frames are looked for one by one: videos commonly have a keyframe every 2 to 10 seconds."""


OnChange = Callable[[float, Literal["size", "colours"]], None]
"""Called with the time in seconds of a frame whose coded size or colour tags differ from those of the one before."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    time_s: float
    """When it is shown, in seconds from the start as a player counts."""
    image: Image
    """RGB uint8, (height, width, 3), upright and with square pixels."""


def frames(
    path: Path,
    info: MediaInfo,
    *,
    max_side_px: int | None,
    start_s: float = 0.0,
    end_s: float | None = None,
    threads: int = 0,
    on_damage: OnDamage | None = None,
) -> Iterator[Frame]:
    """Every frame of [start_s, end_s) in order of time. Frames that cannot be decoded are left out.

    Args:
        info: what `probe` returned for the video at `path`.
        max_side_px: limit of the longer side; larger frames are reduced, None keeps their size.
        start_s, end_s: seconds in player time; None means to the end.
        threads: decoding threads; 0 lets libav choose.
        on_damage: called for each frame that is left out.

    Raises UndecodableVideo if no frame of the whole file can be decoded, FileUnreadable, NotAVideo.
    """
    treatment = treatment_of(path, info)
    scaler = _Scaler(info, treatment, max_side_px=max_side_px)
    for time_s, frame in deinterlaced(raw_frames(path, info, start_s, threads, on_damage), treatment, on_damage):
        if end_s is not None and time_s >= end_s:
            return
        try:
            yield Frame(time_s, scaler.convert(frame))
        except UnusableFrame:
            if on_damage is not None:
                on_damage(time_s)


def frame_at(path: Path, info: MediaInfo, time_s: float, *, max_side_px: int | None = None) -> Frame:
    """The frame on screen at `time_s` (seconds): the last one at or before it, or else the first of the file.

    `max_side_px` as for `frames`. Raises UndecodableVideo, FileUnreadable, NotAVideo.
    """
    treatment = treatment_of(path, info)
    shown: tuple[float, VideoFrame] | None = None
    for found in deinterlaced(raw_frames(path, info, max(0.0, time_s), 0, None, lead_in=True), treatment):
        if shown is not None and found[0] > time_s + SAME_TIME_S:
            break
        shown = found
    if shown is None:
        raise UndecodableVideo(filename=path.name, reason=f"no frame can be decoded at {time_s:.1f} s")
    try:
        return Frame(shown[0], _Scaler(info, treatment, max_side_px=max_side_px).convert(shown[1]))
    except UnusableFrame as error:
        raise UndecodableVideo(filename=path.name, reason=f"its frame at {time_s:.1f} s cannot be shown") from error


def frames_at(path: Path, info: MediaInfo, times_s: Sequence[float], *, max_side_px: int | None = None) -> list[Frame]:
    """The frames on screen at several times, as `frame_at` gives them.

    Args:
        path, info, max_side_px: as for `frames`.
        times_s: rising, in seconds. Times that lie close together are read in one pass, others are looked for one by
            one: decoding all frames between them would take longer.

    Raises UndecodableVideo, FileUnreadable, NotAVideo.
    """
    if len(times_s) < 2 or (times_s[-1] - times_s[0]) / (len(times_s) - 1) > _SEEK_FROM_S:
        return [frame_at(path, info, time_s, max_side_px=max_side_px) for time_s in times_s]
    treatment = treatment_of(path, info)
    scaler = _Scaler(info, treatment, max_side_px=max_side_px)
    wanted = deque(times_s)
    found: list[Frame] = []
    shown: tuple[float, VideoFrame] | None = None

    def keep() -> None:
        wanted.popleft()
        if shown is None:
            return
        try:
            found.append(Frame(shown[0], scaler.convert(shown[1])))
        except UnusableFrame:
            if found:  # the one before stays on screen
                found.append(found[-1])

    for coming in deinterlaced(raw_frames(path, info, max(0.0, times_s[0]), 0, None, lead_in=True), treatment):
        while shown is not None and wanted and coming[0] > wanted[0] + SAME_TIME_S:
            keep()
        if not wanted:
            break
        shown = coming
    while wanted:
        keep()
    if not found:
        raise UndecodableVideo(filename=path.name, reason=f"no frame can be decoded at {times_s[0]:.1f} s")
    return found


def two_size_frames(
    path: Path,
    info: MediaInfo,
    *,
    detect_width_px: int,
    max_side_px: int,
    want_candidate: Callable[[float], bool],
    detect_interpolation: Interpolation = Interpolation.AREA,
    threads: int = 0,
    on_damage: OnDamage | None = None,
    on_change: OnChange | None = None,
) -> Iterator[tuple[float, Image, Image | None]]:
    """One decoding pass for shot detection and keyframes: (time_s, small BGR, RGB candidate or None) of every frame.

    Args:
        path, info, threads, on_damage: as for `frames`.
        detect_width_px: width of the small image as shown; never enlarged.
        max_side_px: limit of the candidate's longer side.
        want_candidate: called with the time of each intact frame, in order; whether a candidate is needed.
        detect_interpolation: how the small image is scaled.
        on_change: called with the time of each frame that is not like the one before.

    Raises UndecodableVideo, FileUnreadable, NotAVideo.
    """
    treatment = treatment_of(path, info)
    small = _Scaler(info, treatment, width_px=detect_width_px, pixels="bgr24", interpolation=detect_interpolation)
    large = _Scaler(info, treatment, max_side_px=max_side_px)
    likeness: tuple[object, ...] | None = None
    for time_s, frame in deinterlaced(raw_frames(path, info, 0.0, threads, on_damage), treatment, on_damage):
        size, colours = (frame.width, frame.height), (frame.colorspace, frame.color_range, frame.color_trc)
        if on_change is not None and likeness not in (None, (size, colours)):
            on_change(time_s, "size" if likeness[0] != size else "colours")
        likeness = (size, colours)
        # Players show a frame that was predicted from a damaged one, but it should not represent a scene.
        wanted = not frame.is_corrupt and want_candidate(time_s)
        try:
            found = time_s, small.convert(frame), large.convert(frame) if wanted else None
        except UnusableFrame:
            if on_damage is not None:
                on_damage(time_s)
            continue
        yield found


def fit_size(info: MediaInfo, *, max_side_px: int | None = None, width_px: int | None = None) -> tuple[int, int]:
    """(width, height) in pixels of the shown frame, reduced to a longer side or a width; never enlarged."""
    scale = 1.0
    if max_side_px is not None:
        scale = min(scale, max_side_px / max(info.width, info.height))
    if width_px is not None:
        scale = min(scale, width_px / info.width)
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


# --- orientation ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a coded frame is turned for display: transposed first, then mirrored."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @staticmethod
    def of(info: MediaInfo) -> Orientation:
        """How the frames of a file are turned, by what was found in it."""
        mirrored = "mirrored" in info.notes
        if info.rotation_deg in (90, 270):
            clockwise = info.rotation_deg == 90
            return Orientation(True, clockwise, clockwise == mirrored)
        upside_down = info.rotation_deg == 180
        return Orientation(False, upside_down != mirrored, upside_down)

    @property
    def rotation_deg(self) -> int:
        """Clockwise rotation of the shown frame, leaving mirroring aside: 0, 90, 180 or 270."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    @property
    def is_mirrored(self) -> bool:
        """True where no rotation alone gives the shown frame."""
        return self.transpose == (self.mirror_x == self.mirror_y)

    def apply(self, image: Image) -> Image:
        """Turn a coded image, (height, width, 3), into the contiguous image that is shown."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def orientation_of(frame: VideoFrame) -> Orientation:
    """The display matrix of a decoded frame, to the nearest quarter turn.

    The matrix maps a coded point to a shown one: x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 8.2.2).
    """
    side_data: Any = frame.side_data  # its stub mistakes it for a mapping by name
    for side in side_data:
        if side.type == Type.DISPLAYMATRIX and len(bytes(side)) >= 20:
            a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].astype(np.int64)
            if abs(b) + abs(c) > abs(a) + abs(d):
                return Orientation(True, bool(c < 0), bool(b < 0))
            return Orientation(False, bool(a < 0), bool(d < 0))
    return Orientation()


# --- converting -----------------------------------------------------------------------------------


class _Scaler:
    """Scales and converts frames to the size and the colours that are shown, then turns the smaller result.

    One object per size: its context is kept between frames, which a plain VideoFrame.reformat throws away. All frames
    are turned as the first one asks for. A frame of another coded size than the first keeps its shape: it is fitted
    into the picture and centred on black.
    """

    def __init__(
        self,
        info: MediaInfo,
        treatment: PictureTreatment,
        *,
        max_side_px: int | None = None,
        width_px: int | None = None,
        pixels: str = "rgb24",
        interpolation: Interpolation = _EXACT,
    ) -> None:
        self._shown_size = fit_size(info, max_side_px=max_side_px, width_px=width_px)
        self._coded_size = (info.coded_width, info.coded_height)
        self._treatment = treatment
        self._orientation: Orientation | None = None
        self._pixels = pixels
        self._interpolation = interpolation
        self._reformatter = VideoReformatter()
        self._graphs: dict[bool, FilterGraph] = {}

    def convert(self, frame: VideoFrame) -> Image:
        """The shown image. Raises UnusableFrame where libav cannot convert the frame."""
        fit = (frame.width, frame.height) != self._coded_size
        try:
            if self._orientation is None:
                self._orientation = orientation_of(frame)
            is_usual = is_plain(self._treatment) and not fit
            image = self._reformatted(frame) if is_usual else self._filtered(frame, fit)
        except Exception as error:  # whatever PyAV makes of a damaged frame
            raise UnusableFrame(str(error)) from error
        return self._orientation.apply(image)

    @property
    def _size(self) -> tuple[int, int]:
        """(width, height) before the image is turned."""
        turned = self._orientation is not None and self._orientation.transpose
        return self._shown_size[::-1] if turned else self._shown_size

    def _reformatted(self, frame: VideoFrame) -> Image:
        """The same as `_filtered` does, without the cost of a graph."""
        converted = self._reformatter.reformat(
            frame,
            *self._size,
            self._pixels,
            src_colorspace=MATRIX_CODES[self._treatment.matrix],
            src_color_range=ColorRange.JPEG if self._treatment.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=self._interpolation,
            threads=1,  # more cost more than they gain at these sizes
        )
        image: Any = converted.to_ndarray()
        return image

    def _filtered(self, frame: VideoFrame, fit: bool) -> Image:
        if fit not in self._graphs:
            flags = "neighbor" if self._interpolation == Interpolation.POINT else _EXACT_FLAGS
            scale = Scale(*self._size, flags=flags, fit=fit)
            self._graphs[fit] = FilterGraph(picture_filters(self._treatment, scale, {"pix_fmts": self._pixels}))
        image: Any = self._graphs[fit].feed(frame)[-1].to_ndarray()
        return image


class UnusableFrame(Exception):
    """A decoded frame that libav cannot convert. Never leaves this module."""


def _report_lost(times: deque[float], on_damage: OnDamage | None) -> None:
    while times:
        lost_s = times.popleft()
        if on_damage is not None:
            on_damage(lost_s)


def deinterlaced(
    found: Iterator[tuple[float, VideoFrame]], treatment: PictureTreatment, on_damage: OnDamage | None = None
) -> Iterator[tuple[float, VideoFrame]]:
    """(time_s, frame) as they come, each frame deinterlaced if the treatment asks for it.

    `on_damage` is called for each frame that the filter does not take, and for those that are lost with it.
    """
    if treatment.field_order is None:
        yield from found
        return
    graph = FilterGraph(deinterlace_filters(treatment))
    times: deque[float] = deque()
    for time_s, frame in found:
        times.append(time_s)
        try:
            finished = graph.feed(frame)
        except Exception:  # whatever libav makes of a damaged frame: the filter begins again behind it
            graph = FilterGraph(deinterlace_filters(treatment))
            finished = []
            _report_lost(times, on_damage)
        yield from ((times.popleft(), done) for done in finished)
    try:
        finished = graph.finish()
    except Exception:  # whatever libav makes of it at the end
        finished = []
        _report_lost(times, on_damage)
    yield from ((times.popleft(), done) for done in finished)
