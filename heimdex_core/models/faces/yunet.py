"""YuNet, a small face detector that OpenCV runs (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import ModelBroken, WeightsMissing
from heimdex_core.models.base import Face
from heimdex_core.models.faces import named_file
from heimdex_core.models.faces.named_file import NamedFile, NamedFileModel
from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.locate import Repository

FILES = {
    "face_detection_yunet_2026may.onnx": (
        229_738,
        "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
    ),
    "face_detection_yunet_2023mar.onnx": (
        232_589,
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    ),
}
"""(bytes, sha256) of the files that OpenCV's model zoo has under these names, the preferred one first.

Both have the same weights: that of May 2026 is the other one, exported again without a fixed size of the picture.
"""
PULLED = "face_detection_yunet_2023mar.onnx"
"""The one that the pinned commit of OpenCV's repository on the hub has."""
REPOSITORY = Repository(
    "opencv/face_detection_yunet",
    files=(PULLED,),
    revision="3cc26e7f1014a5ee5d74a42acee58bafc9d0a310",
    licence="MIT",
    size_bytes=FILES[PULLED][0],
    sha256={PULLED: FILES[PULLED][1]},
)
NAMES = {"faces": REPOSITORY.repo}
LEAST_SCORE = 0.7

_log = logging.getLogger(__name__)


class YuNet:
    """A detector that was read from a file. Raises ModelBroken where OpenCV cannot read it."""

    def __init__(self, file: Path) -> None:
        import cv2

        self._size = (0, 0)
        try:
            self._net: Any = cv2.FaceDetectorYN.create(str(file), "", (320, 320), score_threshold=LEAST_SCORE)
        except cv2.error as error:
            raise ModelBroken(name="yunet:faces", reason=str(error)) from error

    def detect(self, image: npt.NDArray[np.uint8]) -> list[Face]:
        """As FaceDetector.detect."""
        height, width = image.shape[:2]
        if (width, height) != self._size:
            self._net.setInputSize((width, height))
            self._size = (width, height)
        _, found = self._net.detect(np.ascontiguousarray(image[..., ::-1]))
        rows = [] if found is None else found.tolist()
        sides = (width, height) * 7
        return [
            Face(shares[0], shares[1], shares[2], shares[3], min(max(row[14], 0.0), 1.0), tuple(shares[4:]))
            for row in rows
            for shares in [[value / side for value, side in zip(row[:14], sides, strict=True)]]
        ]


class YuNetModel(NamedFileModel[YuNet]):
    """YuNet by its name; a FaceDetector."""

    def detect(self, image: npt.NDArray[np.uint8]) -> list[Face]:
        """As FaceDetector.detect."""
        with self._lock:
            return self._loaded().detect(image)

    def _find(self) -> NamedFile:
        return find(self.name, self._models_dir)

    def _read(self, found: NamedFile) -> YuNet:
        return YuNet(found.path)


_HUB_FILES = named_file.hub_files("face", REPOSITORY, NAMES, FILES)


def find(name: str, models_dir: Path | None) -> NamedFile:
    """The file of a detector; see named_file.find."""
    return named_file.find(name, models_dir, model=f"yunet:{name}", repo=REPOSITORY.repo, files=FILES, hub=_HUB_FILES)


def model_file(models_dir: Path | None) -> Path | None:
    """The file of the detector; None where it is not on this machine. `models_dir` is HEIMDEX_MODELS_DIR."""
    try:
        return find("faces", models_dir).path
    except WeightsMissing:
        return None
    except ModelBroken as error:
        _log.warning("%s", error)
        return None


FAMILY = ModelFamily(
    name="yunet",
    kind="face",
    make=lambda name, settings, purpose: YuNetModel(name, REPOSITORY, **adapter_options(settings, purpose, "vision")),
    names=NAMES,
    licence="MIT",
    hub=replace(_HUB_FILES, find=find),
)
