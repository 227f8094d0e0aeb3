"""The detector `content`: PySceneDetect's ContentDetector, and what it does not know.

Its score says where one frame differs from the one before, and its filter joins cuts that are too close. Between the
two, cuts are taken back where the picture returns at once (a flash) or goes on changing (a dissolve, a fade), and cuts
are added that change only the hue (sudden.py). A gradual transition (gradual.py) is one boundary at its middle,
unless there is a cut within the shortest scene.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heimdex_core.ingest.gradual import KNOWN_AFTER_S, GradualTransitions, Transition
from heimdex_core.ingest.samples import Sample
from heimdex_core.ingest.sudden import Change, SuddenChanges

if TYPE_CHECKING:
    from scenedetect.common import FrameTimecode

Pixels = npt.NDArray[np.uint8]


class ContentCuts:
    """Fed frame by frame; a boundary is reported `delay_s` after it at the latest, in order of time.

    Args:
        threshold: of ContentDetector, on its scale of 0 to 255.
        min_scene_s: shortest scene in seconds.
        fps: frames per second of the video.
    """

    def __init__(self, threshold: float, min_scene_s: float, fps: float) -> None:
        from scenedetect.detector import FlashFilter

        self.delay_s = KNOWN_AFTER_S + min_scene_s
        self._threshold, self._min_scene_s, self._fps = threshold, min_scene_s, fps
        self._filter = FlashFilter(FlashFilter.Mode.MERGE, float(min_scene_s))
        self._last_hsv: Pixels | None = None
        self._sudden, self._gradual = SuddenChanges(), GradualTransitions()
        self._changes: deque[Change] = deque()
        self._cuts: list[float] = []
        self._middles: list[float] = []
        self._reported_s: float | None = None

    def process(self, time_s: float, image: Pixels) -> list[float]:
        """The boundaries that become known with a frame (BGR uint8), as the times of first frames in seconds."""
        change = Change(time_s, Sample.of(image), self._score(image) >= self._threshold)
        self._changes.append(change)
        self._sudden.see(change)
        self._take(self._gradual.see(time_s, change.sample))
        while self._changes and self._changes[0].time_s < time_s - KNOWN_AFTER_S:
            self._pass_on(self._changes.popleft())
        return self._report(time_s - self.delay_s)

    def finish(self) -> list[float]:
        """The boundaries that become known at the end."""
        if self._changes:
            self._take(self._gradual.finish(self._changes[-1].time_s))
        while self._changes:
            self._pass_on(self._changes.popleft())
        return self._report(float("inf"))

    def _score(self, image: Pixels) -> float:
        """ContentDetector's score with its default weights: the mean change of hue, saturation and value.

        The same number as its own code gives, in a quarter of the time.
        """
        import cv2

        hsv, last = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), np.uint8), self._last_hsv
        self._last_hsv = hsv
        return 0.0 if last is None else float(cv2.norm(hsv, last, cv2.NORM_L1)) / hsv.size

    def _take(self, transitions: list[Transition]) -> None:
        """Within a gradual transition there is no cut; where there is a sudden one, it is no gradual transition."""
        for one in transitions:
            within = [change for change in self._changes if one.start_s < change.time_s <= one.end_s]
            if any(change.is_cut and change.is_sudden for change in within):
                continue
            for change in within:
                change.is_cut = False
            if one.middle_s is not None:
                self._middles.append(one.middle_s)

    def _pass_on(self, change: Change) -> None:
        self._cuts += [float(cut.seconds) for cut in self._filter.filter(self._timecode(change), change.is_cut)]

    def _timecode(self, change: Change) -> FrameTimecode:
        from scenedetect.common import FrameTimecode, Timecode

        # from the presentation time, not from a frame number: frame rates vary
        time = Timecode(pts=round(change.time_s * 1_000_000), time_base=Fraction(1, 1_000_000))
        return FrameTimecode(time, fps=self._fps)

    def _report(self, until_s: float) -> list[float]:
        """What lies before `until_s`; nothing can come between any more."""
        reported = [time_s for time_s in self._cuts if time_s < until_s]
        for middle_s in sorted(time_s for time_s in self._middles if time_s < until_s):
            near = [*self._cuts, *reported, *([] if self._reported_s is None else [self._reported_s])]
            if all(abs(middle_s - time_s) >= self._min_scene_s for time_s in near):
                reported.append(middle_s)
        self._cuts = [time_s for time_s in self._cuts if time_s >= until_s]
        self._middles = [time_s for time_s in self._middles if time_s >= until_s]
        if reported:
            self._reported_s = max(reported)
        return sorted(reported)
