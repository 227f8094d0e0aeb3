"""PySceneDetect's detectors by name, fed frame by frame as its own SceneManager feeds them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from heimdex_core.ingest.params import IngestParams
from heimdex_core.settings import DetectorName

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


class ShotDetector(Protocol):
    """Finds the cuts in frames that come one by one, in order of time."""

    def process(self, time_s: float, image: npt.NDArray[np.uint8]) -> list[float]:
        """The cuts that become known with a frame.

        Args:
            time_s: when the frame is shown, in seconds.
            image: BGR, uint8 (height, width, 3).

        Returns the times in seconds of the first frame of each new shot, in order.
        """
        ...

    def finish(self) -> list[float]:
        """The cuts that become known only at the end."""
        ...


def _content(params: IngestParams) -> SceneDetector:
    from scenedetect.detectors import ContentDetector

    return ContentDetector(threshold=params.content_threshold, min_scene_len=float(params.min_scene_s))


def _adaptive(params: IngestParams) -> SceneDetector:
    from scenedetect.detectors import AdaptiveDetector

    return AdaptiveDetector(
        adaptive_threshold=params.adaptive_threshold,
        window_width=params.adaptive_window,
        min_content_val=params.adaptive_min_content,
        min_scene_len=float(params.min_scene_s),
    )


def _threshold(params: IngestParams) -> SceneDetector:
    from scenedetect.detectors import ThresholdDetector

    return ThresholdDetector(threshold=params.fade_threshold, min_scene_len=float(params.min_scene_s))


def _hash(params: IngestParams) -> SceneDetector:
    from scenedetect.detectors import HashDetector

    return HashDetector(threshold=params.hash_threshold, min_scene_len=float(params.min_scene_s))


DETECTORS: dict[DetectorName, Callable[[IngestParams], SceneDetector]] = {
    "content": _content,
    "adaptive": _adaptive,
    "threshold": _threshold,
    "hash": _hash,
}
"""PySceneDetect's detectors by name; the minimum length of a scene is given to them in seconds."""


class FrameDetector:
    """A ShotDetector of PySceneDetect. Some of its detectors report a cut only some frames after it.

    Args:
        params: which detector, and its thresholds.
        fps: frames per second of the video; 0 where that is not known.
    """

    def __init__(self, params: IngestParams, fps: float) -> None:
        self._detector = DETECTORS[params.detector](params)
        self._fps = float(fps) if fps > 0 else 25.0
        self._last: FrameTimecode | None = None
        self._shape: tuple[int, ...] | None = None

    def process(self, time_s: float, image: npt.NDArray[np.uint8]) -> list[float]:
        """As ShotDetector has it."""
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
        """As ShotDetector has it."""
        return [] if self._last is None else [float(cut.seconds) for cut in self._detector.post_process(self._last)]


def _resized(image: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
