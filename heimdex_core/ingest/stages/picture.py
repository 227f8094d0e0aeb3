"""Stage `picture`: one pass over the picture finds the cuts and keeps candidate frames.

Every frame goes small to PySceneDetect's detector; about one a second is kept at up to 512 px, as JPEG in
the work folder, with its brightness and sharpness. Memory does not grow with the video but for a few
numbers per second of it.
"""

from __future__ import annotations

import contextlib
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import UndecodableVideo
from heimdex_core.files import disk_errors, read_json
from heimdex_core.ingest import detectors
from heimdex_core.ingest.candidate_keeper import EARLY_STEPS, CandidateKeeper
from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.prefetch import prefetch
from heimdex_core.ingest.stages import probe
from heimdex_core.media.decode import Interpolation, fit_size, frame_at, two_size_frames
from heimdex_core.media.images import brightness, sharpness
from heimdex_core.types import Json, MediaInfo, WorkContext, to_json

_log = logging.getLogger(__name__)

FOLDER = "candidates"
WANTED = "candidates_wanted.json"
"""[[time_s, file], ...] of the candidates that fetch_candidates makes."""

Image = npt.NDArray[np.uint8]
_JPEG_QUALITY = 95
_MOTION_STEP_S = 0.25
_DAMAGED_KEPT = 200
_AHEAD = 12
_LONGEST_WAIT_S = 8.0
"""Candidates wait for the cuts before them to become known, but not for longer."""


@dataclass(frozen=True)
class Candidate:
    """A kept frame: its file in the candidates folder, and what its quality is."""

    time_s: float
    file: str
    brightness: float
    sharpness: float


@dataclass(frozen=True)
class Picture:
    """What the pass found.

    `motion` holds (from_s, to_s, mean absolute luma difference 0 to 255) of frames sampled four times a second;
    `damaged_s` the times of the first damaged frames, `damaged_count` how many there were.
    """

    cuts_s: tuple[float, ...]
    frame_count: int
    first_s: float
    last_s: float
    candidates: tuple[Candidate, ...]
    motion: tuple[tuple[float, float, float], ...]
    damaged_s: tuple[float, ...] = ()
    damaged_count: int = 0
    changes: tuple[str, ...] = ()
    """What changes from one frame to another: "size" or "colours" (their tags)."""

    @staticmethod
    def from_json(data: Json) -> Picture:
        return Picture(
            **{
                **data,
                "cuts_s": tuple(data["cuts_s"]),
                "candidates": tuple(Candidate(**c) for c in data["candidates"]),
                "motion": tuple((a, b, v) for a, b, v in data["motion"]),
                "damaged_s": tuple(data["damaged_s"]),
                "changes": tuple(data.get("changes", ())),
            }
        )

    @property
    def notes(self) -> tuple[str, ...]:
        notes = [f"damaged_frames:{self.damaged_count}"] if self.damaged_count else []
        notes += ["picture_size_changes"] if "size" in self.changes else []
        notes += ["colours_change"] if "colours" in self.changes else []
        return tuple(notes)


def look(source: Path, info: MediaInfo, folder: Path, params: IngestParams, context: WorkContext) -> Picture:
    """Decode `source` once; candidates go into `folder`. Raises UndecodableVideo, DiskFull, Cancelled."""
    found = PictureWatch(info, folder, params, context)
    passes = two_size_frames(
        source,
        info,
        detect_width_px=fit_size(info, max_side_px=detectors.DETECTION_SIDE_PX)[0],
        max_side_px=params.candidate_side_px,
        want_candidate=EvenSteps(params.candidate_interval_s / EARLY_STEPS),
        # PySceneDetect samples single pixels (bilinear without a low pass): averaging scalers take away the
        # grain that its thresholds are used to, and find other cuts
        detect_interpolation=Interpolation.POINT,
        on_damage=found.damage,
        on_change=found.change,
    )
    # Decoding goes on while a frame is looked at, or the cores would wait for each other frame by frame. It could
    # fill all of them, and the recogniser beside it is what everything waits for in the end: that goes first.
    with contextlib.closing(prefetch(passes, _AHEAD, modest=True)) as frames:
        found.watch(frames)
    return found.result()


class EvenSteps:
    """Asks for a frame in every step of time. It looks at nothing else: it is asked some frames before the cuts
    of these frames are known, and what is kept must not depend on how many.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._next = 0

    def __call__(self, time_s: float) -> bool:
        step = int(time_s / self._step_s + 1e-6)
        if step < self._next:
            return False
        self._next = step + 1
        return True


@dataclass
class PictureWatch:
    """The state of one pass; fed with (time, small BGR, possible candidate RGB or None) of every frame."""

    info: MediaInfo
    folder: Path
    params: IngestParams
    context: WorkContext
    times_s: list[float] = field(default_factory=list)
    cuts_s: set[float] = field(default_factory=set)
    candidates: list[Candidate] = field(default_factory=list)
    damaged_s: list[float] = field(default_factory=list)
    damaged_count: int = 0
    changes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keeper: CandidateKeeper[Image] = CandidateKeeper(self.params.candidate_interval_s, self._keep)
        self._finder = detectors.ShotDetector(self.params, self.info.fps)
        self._wait_s = min(self._finder.delay_s, _LONGEST_WAIT_S)
        self._waiting: deque[tuple[float, Image]] = deque()
        self._motion = MotionMeter()

    def watch(self, frames: Iterable[tuple[float, Image, Image | None]]) -> None:
        """Look at every frame of the pass."""
        for time_s, small, candidate in frames:
            self.times_s.append(time_s)
            for cut_s in self._finder.process(time_s, small):
                self._cut(cut_s)
            if candidate is not None:
                self._waiting.append((time_s, candidate))
            self._offer(time_s - self._wait_s)
            self._motion.see(time_s, small)
            if len(self.times_s) % 8 == 0:
                self.context.check()
                self.context.report(min(time_s, self.info.duration_s), self.info.duration_s)
        for cut_s in self._finder.finish():
            self._cut(cut_s)
        self._offer(float("inf"))
        self.keeper.finish(max(self.info.duration_s, self.times_s[-1]) if self.times_s else 0.0)

    def damage(self, time_s: float) -> None:
        """A frame could not be decoded."""
        self.damaged_count += 1
        if len(self.damaged_s) < _DAMAGED_KEPT:
            self.damaged_s.append(round(time_s, 3))

    def change(self, time_s: float, what: str) -> None:
        """A frame is not like the one before."""
        self.changes.add(what)

    def result(self) -> Picture:
        return Picture(
            cuts_s=tuple(sorted(self.cuts_s)),
            frame_count=len(self.times_s),
            first_s=self.times_s[0] if self.times_s else 0.0,
            last_s=self.times_s[-1] if self.times_s else 0.0,
            candidates=tuple(sorted(self.candidates, key=lambda c: c.time_s)),
            motion=tuple(self._motion.found),
            damaged_s=tuple(sorted(self.damaged_s)),
            damaged_count=self.damaged_count,
            changes=tuple(sorted(self.changes)),
        )

    def _cut(self, cut_s: float) -> None:
        """Note a cut at the frame it names; some detectors round times to frame numbers."""
        at = bisect_left(self.times_s, cut_s - 1e-6)
        near = self.times_s[max(0, at - 1) : at + 1]
        frame_s = min(near, key=lambda t: abs(t - cut_s)) if near else cut_s
        self.cuts_s.add(frame_s)
        self._offer(frame_s, before=True)
        self.keeper.cut(frame_s)

    def _offer(self, until_s: float, *, before: bool = False) -> None:
        """Give the keeper the candidates up to a time, with that time or only `before` it."""
        margin_s = -1e-6 if before else 1e-6
        while self._waiting and self._waiting[0][0] < until_s + margin_s:
            time_s, candidate = self._waiting.popleft()
            if self.keeper.wants(time_s):
                self.keeper.take(time_s, candidate)

    def _keep(self, time_s: float, image: Image) -> None:
        name = f"{round(time_s * 1000):09d}.jpg"
        if not _write_jpeg(image, self.folder / name):
            return
        self.candidates.append(
            Candidate(round(time_s, 6), name, round(brightness(image), 2), round(sharpness(image), 2))
        )


class MotionMeter:
    """Mean absolute luma difference between frames about a quarter of a second apart."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float, float]] = []
        self._last: tuple[float, Image] | None = None

    def see(self, time_s: float, image: Image) -> None:
        """Compare a BGR frame with the one sampled before, if that is long enough ago."""
        import cv2

        if self._last is not None and time_s - self._last[0] < _MOTION_STEP_S - 1e-3:
            return
        luma: Image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        if self._last is not None and self._last[1].shape == luma.shape:
            difference = float(np.mean(cv2.absdiff(luma, self._last[1])))
            self.found.append((round(self._last[0], 3), round(time_s, 3), round(difference, 3)))
        self._last = (time_s, luma)


def _write_jpeg(image: Image, path: Path) -> bool:
    """Whether a picture could be written; JPEG is four times as quick as WebP, and these files do not live long."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    try:
        ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    except cv2.error as error:
        _log.warning("A picture of %s cannot be written: %s", image.shape, error)
        return False
    if ok:
        with disk_errors(path.name, path.parent, len(data)):
            path.write_bytes(data.tobytes())
    return bool(ok)


@in_child
def run(context: StageContext, work: WorkContext) -> StageOutput:
    folder = context.work.fresh_folder(FOLDER)
    found = look(context.source, context.result(probe.SPEC), folder, context.params, work)
    return StageOutput(to_json(found), tuple(f"{FOLDER}/{candidate.file}" for candidate in found.candidates))


@in_child
def fetch_candidates(context: StageContext, work: WorkContext) -> StageOutput:
    """Decode single candidates again, those named in WANTED; the folder then has no others.

    One that cannot be decoded is left out.
    """
    wanted = read_json(context.work.file(WANTED))
    info, folder = context.result(probe.SPEC), context.work.fresh_folder(FOLDER)
    made: list[str] = []
    for time_s, file in wanted:
        work.check()
        try:
            frame = frame_at(context.source, info, time_s, max_side_px=context.params.candidate_side_px)
        except UndecodableVideo as error:
            _log.warning("the frame at %.3f s is left out: %s", time_s, error)
            continue
        if _write_jpeg(frame.image, folder / file):
            made.append(file)
    return StageOutput({"files": made})


def _gradual(context: StageContext) -> Json:
    """In the fingerprint only where they are looked for: without them the result is that of earlier versions."""
    return {"gradual_transitions": 1} if detectors.finds_gradual_transitions(context.params) else {}


_PARAMS = (*detectors.PARAMS, "candidate_side_px", "candidate_interval_s")
_EARLIER = StageSpec(
    name="picture",
    version=1,
    branch="picture",
    run=run,
    parse=Picture.from_json,
    label={},
    needs=(probe.SPEC,),
    params=_PARAMS,
)

SPEC = StageSpec(
    name="picture",
    version=1,
    branch="picture",
    run=run,
    parse=Picture.from_json,
    label={"en": "Finding cuts", "ko": "장면 전환 찾기"},
    needs=(probe.SPEC,),
    params=_PARAMS,
    own_params=_gradual,
    # before gradual transitions were found
    earlier=_EARLIER,
    weight=20.0,
)
