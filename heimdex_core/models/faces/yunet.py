"""YuNet, a small face detector that OpenCV runs (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import ModelBroken, ModelError, WeightsMissing
from heimdex_core.files import sha256_of
from heimdex_core.models import locate
from heimdex_core.models.base import Face, LazyModel
from heimdex_core.models.family import ModelFamily, adapter_options, matching, repository_files
from heimdex_core.models.locate import Repository, Weights

FILE = "face_detection_yunet_2026may.onnx"
REPOSITORY = Repository("opencv/face_detection_yunet", files=(FILE,), licence="MIT", size_bytes=229_738)
NAMES = {"faces": REPOSITORY.repo}
LEAST_SCORE = 0.7


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
        return [
            Face(row[0] / width, row[1] / height, row[2] / width, row[3] / height, min(max(row[14], 0.0), 1.0))
            for row in rows
        ]


class YuNetModel(LazyModel[Weights, YuNet]):
    """YuNet by its name; a FaceDetector."""

    def detect(self, image: npt.NDArray[np.uint8]) -> list[Face]:
        """As FaceDetector.detect."""
        with self._lock:
            return self._loaded().detect(image)

    def _find(self) -> Weights:
        return find(self.name, self._models_dir)

    def _check(self, found: Weights) -> None:
        pass

    def _read(self, found: Weights) -> YuNet:
        return YuNet(found.folder / FILE)


_FILES = repository_files(
    "face",
    names=NAMES,
    pinned={REPOSITORY.repo: REPOSITORY},
    needs=((FILE,),),
    select=lambda names: matching(names, (FILE,)),
    recognises=lambda names: FILE in names,
)


def find(name: str, models_dir: Path | None) -> Weights:
    """The folder with the file: of its repository, or the models folder itself. Raises WeightsMissing, UnknownName."""
    try:
        return _FILES.find(name, models_dir)
    except WeightsMissing:
        folder = locate.models_folder(models_dir)
        if not (folder / FILE).is_file():
            raise
        return Weights(folder, sha256_of(folder / FILE)[:12])


def model_file(models_dir: Path | None) -> Path | None:
    """The file of the detector; None where it is not on this machine. `models_dir` is HEIMDEX_MODELS_DIR."""
    try:
        return find("faces", models_dir).folder / FILE
    except ModelError:
        return None


FAMILY = ModelFamily(
    name="yunet",
    kind="face",
    make=lambda name, settings, purpose: YuNetModel(name, REPOSITORY, **adapter_options(settings, purpose, "vision")),
    names=NAMES,
    licence="MIT",
    hub=replace(_FILES, find=find),
)
