"""PySceneDetect's detectors by name, fed frame by frame as its own SceneManager feeds them.

`content` with gradual transitions is content_cuts.py.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heimdex_core.ingest.content_cuts import ContentCuts
from heimdex_core.ingest.params import IngestParams
from heimdex_core.settings import DetectorName

if TYPE_CHECKING:
    from scenedetect.common import FrameTimecode
    from scenedetect.detector import SceneDetector

DETECTION_SIDE_PX = 256
"""PySceneDetect scales the longest side to this before it looks (scene_manager.DEFAULT_MIN_WIDTH)."""
DETECTORS: dict[DetectorName, tuple[str, dict[str, str]]] = {
    "content": ("ContentDetector", {"threshold": "content_threshold"}),
    "adaptive": (
        "AdaptiveDetector",
        {
            "adaptive_threshold": "adaptive_threshold",
            "window_width": "adaptive_window",
            "min_content_val": "adaptive_min_content",
        },
    ),
    "threshold": ("ThresholdDetector", {"threshold": "fade_threshold"}),
    "hash": ("HashDetector", {"threshold": "hash_threshold"}),
}
"""By name: PySceneDetect's class, and for each of its arguments the ingest parameter."""
PARAMS = ("detector", "min_scene_s", *(name for _, arguments in DETECTORS.values() for name in arguments.values()))
_MICROSECOND = Fraction(1, 1_000_000)


def make_detector(params: IngestParams) -> SceneDetector:
    """PySceneDetect's detector of these parameters."""
    from scenedetect import detectors

    class_name, arguments = DETECTORS[params.detector]
    values = {argument: getattr(params, name) for argument, name in arguments.items()}
    # a float is seconds, an integer would be frames
    detector: SceneDetector = getattr(detectors, class_name)(**values, min_scene_len=float(params.min_scene_s))
    return detector


def finds_gradual_transitions(params: IngestParams) -> bool:
    """Whether dissolves and fades are looked for; only `content` does that."""
    return params.detector == "content" and params.gradual_transitions


class ShotDetector:
    """Finds the cuts in frames that come one by one, in order of time; some become known only some frames later.

    Args:
        params: which detector, and its thresholds.
        fps: frames per second of the video; 0 where that is not known.
    """

    def __init__(self, params: IngestParams, fps: float) -> None:
        self._fps = float(fps) if fps > 0 else 25.0
        self._detector = make_detector(params)
        self._content: ContentCuts | None = None
        if finds_gradual_transitions(params):
            self._content = ContentCuts(params.content_threshold, params.min_scene_s, self._fps)
        self._last: FrameTimecode | None = None
        self._shape: tuple[int, ...] | None = None

    @property
    def delay_s(self) -> float:
        """A cut becomes known about so long after it, besides what PySceneDetect's own filters wait."""
        return 0.0 if self._content is None else self._content.delay_s

    def process(self, time_s: float, image: npt.NDArray[np.uint8]) -> list[float]:
        """The cuts that become known with a frame.

        Args:
            time_s: when the frame is shown, in seconds.
            image: BGR, uint8 (height, width, 3).

        Returns the times in seconds of the first frame of each new shot, in order.
        """
        from scenedetect.common import FrameTimecode, Timecode

        if self._shape is None:
            self._shape = image.shape
        elif image.shape != self._shape:
            image = _resized(image, self._shape)  # a stream may change its size; detectors compare like with like
        if self._content is not None:
            return self._content.process(time_s, image)
        # from the presentation time, not from a frame number: frame rates vary
        time = Timecode(pts=round(time_s * 1_000_000), time_base=_MICROSECOND)
        self._last = FrameTimecode(time, fps=self._fps)
        return [float(cut.seconds) for cut in self._detector.process_frame(self._last, image)]

    def finish(self) -> list[float]:
        """The cuts that become known only at the end."""
        if self._content is not None:
            return self._content.finish()
        return [] if self._last is None else [float(cut.seconds) for cut in self._detector.post_process(self._last)]


def _resized(image: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
