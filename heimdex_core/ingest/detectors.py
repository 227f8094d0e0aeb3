"""PySceneDetect's detectors by name, fed frame by frame as its own SceneManager feeds them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import UnknownName
from heimdex_core.ingest.params import IngestParams

if TYPE_CHECKING:
    from scenedetect.common import FrameTimecode
    from scenedetect.detector import SceneDetector

DETECTION_SIDE_PX = 256
"""PySceneDetect scales the longest side to this before it looks (scene_manager.DEFAULT_MIN_WIDTH)."""
PARAMS = (
    "detector",
    "content_threshold",
    "adaptive_threshold",
    "adaptive_window",
    "adaptive_min_content",
    "fade_threshold",
    "hash_threshold",
    "min_scene_s",
)
_MICROSECOND = Fraction(1, 1_000_000)


def make_detector(params: IngestParams) -> SceneDetector:
    """The chosen detector with its thresholds; the minimum length is given in seconds."""
    from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector, ThresholdDetector

    minimum = float(params.min_scene_s)
    known: dict[str, Callable[[], Any]] = {
        "content": lambda: ContentDetector(threshold=params.content_threshold, min_scene_len=minimum),
        "adaptive": lambda: AdaptiveDetector(
            adaptive_threshold=params.adaptive_threshold,
            window_width=params.adaptive_window,
            min_content_val=params.adaptive_min_content,
            min_scene_len=minimum,
        ),
        "threshold": lambda: ThresholdDetector(threshold=params.fade_threshold, min_scene_len=minimum),
        "hash": lambda: HashDetector(threshold=params.hash_threshold, min_scene_len=minimum),
    }
    if params.detector not in known:
        raise UnknownName(kind="detector", name=params.detector, known=", ".join(sorted(known)))
    detector: SceneDetector = known[params.detector]()
    return detector


class CutFinder:
    """Turns frames into cut times in seconds. Some detectors name a cut only some frames after it."""

    def __init__(self, params: IngestParams, fps: float) -> None:
        self._detector = make_detector(params)
        self._fps = float(fps) if fps > 0 else 25.0
        self._last: FrameTimecode | None = None
        self._shape: tuple[int, ...] | None = None

    def process(self, time_s: float, image: npt.NDArray[np.uint8]) -> list[float]:
        """The cuts that became known with this BGR frame; each is the time of the first frame after it."""
        from scenedetect.common import FrameTimecode, Timecode

        if self._shape is None:
            self._shape = image.shape
        elif image.shape != self._shape:
            image = _resized(image, self._shape)  # a stream may change its size; detectors compare like with like
        # from the presentation time, not from a frame number: frame rates vary
        time = Timecode(pts=round(time_s * 1_000_000), time_base=_MICROSECOND)
        self._last = FrameTimecode(time, fps=self._fps)
        return [float(cut.seconds) for cut in self._detector.process_frame(self._last, image)]

    def finish(self) -> list[float]:
        """The cuts that are known only at the end."""
        return [] if self._last is None else [float(cut.seconds) for cut in self._detector.post_process(self._last)]


def _resized(image: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
