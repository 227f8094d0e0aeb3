"""YuNet, a small face detector that OpenCV runs (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import ModelBroken, WeightsMissing
from heimdex_core.files import sha256_of
from heimdex_core.models import locate
from heimdex_core.models.base import Face, LazyModel
from heimdex_core.models.family import ModelFamily, adapter_options, is_folder, matching, repository_files
from heimdex_core.models.locate import Repository, Weights

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
        return [
            Face(row[0] / width, row[1] / height, row[2] / width, row[3] / height, min(max(row[14], 0.0), 1.0))
            for row in rows
        ]


@dataclass(frozen=True)
class DetectorFile(Weights):
    """The file of a detector, `name` in `folder`."""

    name: str


class YuNetModel(LazyModel[DetectorFile, YuNet]):
    """YuNet by its name; a FaceDetector."""

    def detect(self, image: npt.NDArray[np.uint8]) -> list[Face]:
        """As FaceDetector.detect."""
        with self._lock:
            return self._loaded().detect(image)

    def _find(self) -> DetectorFile:
        return find(self.name, self._models_dir)

    def _check(self, found: DetectorFile) -> None:
        pass

    def _read(self, found: DetectorFile) -> YuNet:
        return YuNet(found.folder / found.name)


_HUB_FILES = repository_files(
    "face",
    names=NAMES,
    pinned={REPOSITORY.repo: REPOSITORY},
    needs=(tuple(FILES),),
    select=lambda names: matching(names, tuple(FILES)),
    recognises=lambda names: bool(set(FILES) & set(names)),
)


def find(name: str, models_dir: Path | None) -> DetectorFile:
    """A file of FILES in the models folder, under any name, or in the folder of its repository.

    A folder as the `name` may have any file under a name of FILES. Raises WeightsMissing; ModelBroken where there is
    only a file with the right name and other content.
    """
    if is_folder(name):
        found = _HUB_FILES.find(name, models_dir)
        return DetectorFile(found.folder, found.revision, _first_of(found.folder))
    root = locate.models_folder(models_dir)
    for path in sorted(root.glob("*.onnx")):
        if (sha256 := _known(path)) is not None:
            return DetectorFile(root, sha256[:12], path.name)
    try:
        # whatever its revision: the content is compared
        folder = locate.find(REPOSITORY.repo, (tuple(FILES),), name=name, models_dir=models_dir).folder
    except WeightsMissing:
        if not any((root / one).is_file() for one in FILES):
            raise
        folder = root
    one = _first_of(folder)
    locate.check_files(f"yunet:{name}", folder, {one: FILES[one][1]})
    return DetectorFile(folder, FILES[one][1][:12], one)


def model_file(models_dir: Path | None) -> Path | None:
    """The file of the detector; None where it is not on this machine. `models_dir` is HEIMDEX_MODELS_DIR."""
    try:
        found = find("faces", models_dir)
    except WeightsMissing:
        return None
    except ModelBroken as error:
        _log.warning("%s", error)
        return None
    return found.folder / found.name


def _first_of(folder: Path) -> str:
    return next(one for one in FILES if (folder / one).is_file())


def _known(path: Path) -> str | None:
    """The sha256 of a file that is one of FILES, whatever it is called."""
    sizes = {size for size, _ in FILES.values()}
    try:
        sha256 = sha256_of(path) if path.stat().st_size in sizes else None
    except OSError:
        return None
    return sha256 if sha256 in {known for _, known in FILES.values()} else None


FAMILY = ModelFamily(
    name="yunet",
    kind="face",
    make=lambda name, settings, purpose: YuNetModel(name, REPOSITORY, **adapter_options(settings, purpose, "vision")),
    names=NAMES,
    licence="MIT",
    hub=replace(_HUB_FILES, find=find),
)
