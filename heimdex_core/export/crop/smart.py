"""Planning a crop that follows faces or, without the model or without faces, what moves or stands out.

Small pictures of the stretch are looked at; what is seen in each shot is joined to tracks (tracks.py), one track at a
time is followed, and the calmest path that keeps it inside (tube.py) becomes the crop path. It is cut where shots are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from heimdex_core.export.crop.motion import Map, best_place, interest, is_cut, moving
from heimdex_core.export.crop.tracks import Extent, Track, followed, join_tracks
from heimdex_core.export.crop.tube import Floats, calmest_path, positions, reversals
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.decode import frames
from heimdex_core.media.framing import crop_shares
from heimdex_core.media.images import Image
from heimdex_core.models.base import Face, FaceDetector
from heimdex_core.models.faces.yunet import YuNet
from heimdex_core.types import Json, MediaInfo, WorkContext, to_json
from heimdex_core.types.crop import CropKeyframe, CropPath

NOTE_NO_DETECTOR = "no_face_detector"
"""What is noted where a crop was planned without looking for faces."""
SAMPLES_PER_S = 8.0
MOST_REVERSALS_PER_S = 0.13
_SIDE_PX, _FACES_SIDE_PX = 320, 640
_DEAD_ZONES = (0.2, 0.35, 1.0)
"""How far the subject may be from the middle of the crop, as shares of the crop; the calm one that is smallest."""
_MARGIN, _LEAST_SLACK = 0.04, 0.03
_SWITCH_S, _SMOOTH_S = 0.4, 0.5
_REVERSAL = 0.01
_TOLERANCE = 0.0015
_FACES_SHARE = 0.2
"""Part of the moments of a shot in which faces must be seen to be followed."""
_LEAST_SHOT_S = 0.2


def plan_crop(
    path: Path,
    info: MediaInfo,
    start_s: float,
    end_s: float,
    *,
    width: int,
    height: int,
    faces: Path | None = None,
    boundaries_s: Sequence[float] = (),
    limits: ChildLimits | None = None,
    context: WorkContext | None = None,
) -> CropPath:
    """A crop path for [start_s, end_s) of a video, in player time.

    Args:
        path, info: the video.
        width, height: of the frame; only its shape counts.
        faces: file of the face detector (models/faces/yunet.py, `model_file`); None to go without.
        boundaries_s: known starts of scenes; other cuts are found.
        limits: of the child process that decodes; None to decode in this process.
        context: receives progress in seconds of video.

    Raises UndecodableVideo, FileUnreadable, Cancelled; DecoderFailed with `limits`.
    """
    asked = {
        "path": str(path.absolute()),
        "info": to_json(info),
        "times": [start_s, end_s],
        "frame": [width, height],
        "faces": str(faces) if faces else None,
        "boundaries_s": list(boundaries_s),
    }
    context = context or WorkContext()
    if limits is None:
        rows = plan_asked(asked, context)
    else:
        rows = run_in_child(f"{__name__}:plan_asked", asked, filename=path.name, limits=limits, context=context)
    return CropPath(tuple(CropKeyframe(**row) for row in rows))


def plan_asked(asked: Json, context: WorkContext) -> list[Json]:
    """In the child: the keyframes of the path."""
    info = MediaInfo.from_json(asked["info"])
    shares = crop_shares(Fraction(info.width, info.height), Fraction(*asked["frame"]))
    down, share = shares[0] > shares[1], min(shares)
    start_s, end_s = asked["times"]
    if share > 0.999:
        return [to_json(CropKeyframe(start_s, 0.5))]
    detector = YuNet(Path(asked["faces"])) if asked["faces"] else None
    shots = _look(Path(asked["path"]), info, start_s, end_s, detector, asked["boundaries_s"], down, context)
    keyframes: list[CropKeyframe] = []
    for shot in shots:
        found = _shot_path(shot, share, down)
        first = found[0] if keyframes else replace(found[0], time_s=start_s)
        keyframes += [replace(first, cut=bool(keyframes)), *found[1:]]
    path = CropPath(tuple(keyframes or [CropKeyframe(start_s, 0.5)]))
    rows: list[Json] = to_json(path.simplified(_TOLERANCE).keyframes)
    return rows


# --- looking --------------------------------------------------------------------------------------


@dataclass
class Shot:
    """What was seen in one shot, at moments that come SAMPLES_PER_S times a second."""

    start_s: float
    times_s: list[float] = field(default_factory=list)
    faces: list[list[Extent]] = field(default_factory=list)
    motion: list[list[Extent]] = field(default_factory=list)
    profile: Map | None = None
    """Sum of the interest along the direction of the crop."""


def _look(
    path: Path,
    info: MediaInfo,
    start_s: float,
    end_s: float,
    detector: FaceDetector | None,
    boundaries_s: Sequence[float],
    down: bool,
    context: WorkContext,
) -> list[Shot]:
    shots: list[Shot] = []
    before: tuple[float, Image] | None = None
    sample: Image | None = None
    side = _FACES_SIDE_PX if detector else _SIDE_PX
    for frame in frames(path, info, max_side_px=side, start_s=start_s, end_s=end_s):
        context.check()
        small = _reduced(frame.image)
        is_known = before is not None and any(before[0] < b - 0.001 <= frame.time_s for b in boundaries_s)
        begins = before is None or is_known or is_cut(before[1], small)
        if begins and shots and frame.time_s - shots[-1].start_s < _LEAST_SHOT_S:
            begins, sample = False, None  # a flash, or the second half of a short dissolve
        if begins:
            shots.append(Shot(frame.time_s))
            sample = None
        before = frame.time_s, small
        shot = shots[-1]
        if shot.times_s and frame.time_s < shot.times_s[-1] + 1 / SAMPLES_PER_S - 0.01:
            continue
        shot.times_s.append(frame.time_s)
        shot.motion.append(moving(sample, small, down=down) if sample is not None else [])
        shot.faces.append([_face_extent(face, down) for face in detector.detect(frame.image)] if detector else [])
        if len(shot.times_s) % round(SAMPLES_PER_S) == 1:
            seen = interest(small).sum(axis=1 if down else 0)
            shot.profile = seen if shot.profile is None else shot.profile + seen
        sample = small
        context.report(frame.time_s - start_s, end_s - start_s)
    return shots


def _reduced(image: Image) -> Image:
    import cv2

    height, width = image.shape[:2]
    scale = _SIDE_PX / max(width, height)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _face_extent(face: Face, down: bool) -> Extent:
    start, length = (face.y, face.height) if down else (face.x, face.width)
    # hair and ears are outside of the box
    low, high = start - 0.2 * length, start + 1.2 * length
    return Extent(max(0.0, low), min(1.0, high), max(face.width * face.height, 1e-6) * face.score)


# --- planning -------------------------------------------------------------------------------------


def _shot_path(shot: Shot, share: float, down: bool) -> list[CropKeyframe]:
    places = _places(shot, share)
    # times of keyframes rise, also where a shot has two frames at one time
    pairs = [(time_s, place) for time_s, place in zip([shot.start_s, *shot.times_s[1:]], places, strict=True)]
    return [CropKeyframe(t, 0.5, p) if down else CropKeyframe(t, p, 0.5) for t, p in pairs]


def _places(shot: Shot, share: float) -> Floats:
    """(n,): the middle of the crop at every moment of a shot."""
    times_s, count = np.array(shot.times_s), len(shot.times_s)
    with_faces = sum(bool(found) for found in shot.faces)
    seen = shot.faces if with_faces >= max(1, _FACES_SHARE * count) else shot.motion
    tracks = [track for track in join_tracks(seen, SAMPLES_PER_S) if len(track.seen) > 1 or count == 1]
    chosen = followed(tracks, count, SAMPLES_PER_S)
    subject = _subject(chosen)
    if subject is None:
        place = best_place(shot.profile, share) if shot.profile is not None else 0.5
        return np.full(count, min(max(place, share / 2), 1 - share / 2))
    free = _switching(chosen)
    path = np.full(count, 0.5)
    for zone in _DEAD_ZONES:
        low, high = _bounds(subject, share, zone)
        low[free], high[free] = share / 2, 1 - share / 2
        middle = float(np.mean([(extent.low + extent.high) / 2 for extent in subject]))
        path = _smoothed(positions(calmest_path(times_s, low, high, middle), times_s))
        if reversals(path, _REVERSAL) <= MOST_REVERSALS_PER_S * (times_s[-1] - times_s[0]):
            break
    return np.clip(path, share / 2, 1 - share / 2)


def _subject(chosen: Sequence[Track | None]) -> list[Extent] | None:
    """Where what is followed is at each moment; where it is not seen, it is where it was last, or will be first."""
    around = 2
    found: list[Extent | None] = []
    for n, track in enumerate(chosen):
        if track is None:
            found.append(None)
            continue
        near = [track.seen[m] for m in range(n - around, n + around + 1) if m in track.seen]
        if not near:
            earlier = [m for m in track.seen if m < n]
            near = [track.seen[max(earlier) if earlier else min(track.seen)]]
        found.append(Extent(min(e.low for e in near), max(e.high for e in near), near[0].weight))
    known = next((extent for extent in found if extent is not None), None)
    return None if known is None else [extent or known for extent in found]


def _switching(chosen: Sequence[Track | None]) -> list[int]:
    """The moments around those at which another thing is followed: time for the crop to move there."""
    around = round(_SWITCH_S * SAMPLES_PER_S)
    switches = [n for n in range(1, len(chosen)) if chosen[n] is not chosen[n - 1] and chosen[n - 1] is not None]
    return sorted({m for n in switches for m in range(max(0, n - around), min(len(chosen), n + around))})


def _bounds(subject: Sequence[Extent], share: float, zone: float) -> tuple[Floats, Floats]:
    """(lowest, highest) middle of the crop at each moment that keeps the subject in it."""
    middle = np.array([extent.middle for extent in subject])
    half = np.array([(extent.high - extent.low) / 2 for extent in subject])
    room = np.maximum(share / 2 - half - _MARGIN * share, _LEAST_SLACK * share)
    slack = np.minimum(room, zone * share)
    low, high = share / 2, 1 - share / 2
    return np.clip(middle - slack, low, high), np.clip(middle + slack, low, high)


def _smoothed(path: Floats) -> Floats:
    """The path with rounded corners."""
    around = round(_SMOOTH_S * SAMPLES_PER_S / 2)
    kernel = np.ones(2 * around + 1) / (2 * around + 1)
    return np.convolve(np.pad(path, around, mode="edge"), kernel, "valid")
