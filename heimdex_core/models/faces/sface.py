"""SFace, a face recogniser that OpenCV runs (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face
Recognition", 2021): 128 numbers for a face, to be compared by their cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import InvalidValue, ModelBroken
from heimdex_core.models.base import Face, Image, Vectors, checked_vectors
from heimdex_core.models.faces import named_file
from heimdex_core.models.faces.named_file import NamedFile, NamedFileModel
from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.locate import Repository

PULLED = "face_recognition_sface_2021dec.onnx"
FILES = {PULLED: (38_696_353, "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79")}
"""(bytes, sha256) of the file in OpenCV's model zoo, from its Git LFS pointer."""
DIM = 128
REPOSITORY = Repository(
    "opencv/face_recognition_sface",
    files=(PULLED,),
    revision="3d7082438a6e4551e840c9b2bb60b71e8da4b524",
    licence="Apache-2.0",
    size_bytes=FILES[PULLED][0],
    sha256={PULLED: FILES[PULLED][1]},
    dim=DIM,
)
NAMES = {"faces": REPOSITORY.repo}


class SFace:
    """A recogniser that was read from a file. Raises ModelBroken where OpenCV cannot read it."""

    def __init__(self, file: Path) -> None:
        import cv2

        try:
            self._net: Any = cv2.FaceRecognizerSF.create(str(file), "")
        except cv2.error as error:
            raise ModelBroken(name="sface:faces", reason=str(error)) from error

    def encode_faces(self, image: Image, faces: Sequence[Face]) -> Vectors:
        """As FaceEncoder.encode_faces."""
        import cv2

        bgr = np.ascontiguousarray(image[..., ::-1])
        vectors = np.zeros((len(faces), DIM), np.float32)
        for row, detection in enumerate([_detection(face, bgr) for face in faces]):
            try:
                vectors[row] = self._net.feature(self._net.alignCrop(bgr, detection)).reshape(-1)
            except (cv2.error, ValueError) as error:
                raise ModelBroken(name="sface:faces", reason=str(error)) from error
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return checked_vectors(vectors / np.maximum(norms, 1e-12), vectors.shape, "sface:faces")


def _detection(face: Face, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The face as OpenCV's detector gives it: box, landmarks and score, in pixels. Raises InvalidValue."""
    if len(face.landmarks) != 10:
        raise InvalidValue(name="face", value=len(face.landmarks), reason="the five landmarks of the face are needed")
    height, width = image.shape[:2]
    shares = np.array([face.x, face.y, face.width, face.height, *face.landmarks])
    return np.array([*(shares * np.tile((width, height), 7)), face.score], np.float32)


class SFaceModel(NamedFileModel[SFace]):
    """SFace by its name; a FaceEncoder."""

    def encode_faces(self, image: Image, faces: Sequence[Face]) -> Vectors:
        """As FaceEncoder.encode_faces."""
        with self._lock:
            return self._loaded().encode_faces(image, faces)

    def _find(self) -> NamedFile:
        return find(self.name, self._models_dir)

    def _read(self, found: NamedFile) -> SFace:
        return SFace(found.path)


_HUB_FILES = named_file.hub_files("face_encoder", REPOSITORY, NAMES, FILES)


def find(name: str, models_dir: Path | None) -> NamedFile:
    """The file of a recogniser; see named_file.find."""
    return named_file.find(name, models_dir, model=f"sface:{name}", repo=REPOSITORY.repo, files=FILES, hub=_HUB_FILES)


FAMILY = ModelFamily(
    name="sface",
    kind="face_encoder",
    make=lambda name, settings, purpose: SFaceModel(name, REPOSITORY, **adapter_options(settings, purpose, "vision")),
    names=NAMES,
    licence="Apache-2.0",
    hub=replace(_HUB_FILES, find=find),
)
"""Face recognisers."""
