"""Finding and embedding the faces of a picture: the detector and the recogniser together."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache

from heimdex_core.errors import FaceModelsMissing, WeightsMissing
from heimdex_core.models.base import Face, Image, Vectors
from heimdex_core.models.faces import sface, yunet
from heimdex_core.models.faces.named_file import NamedFile
from heimdex_core.models.faces.sface import SFace
from heimdex_core.models.faces.yunet import YuNet
from heimdex_core.settings import Settings

LEAST_SIDE_PX = 20
"""Faces that are narrower are not embedded: they have too few pixels to be told apart."""


@dataclass
class FaceModels:
    """The two models. Safe to share between threads, which are served one at a time."""

    detector: YuNet
    encoder: SFace
    made_by: str
    """Names and revisions of the models."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, image: Image) -> tuple[list[Face], Vectors]:
        """The faces in an RGB image, from left to right, and their vectors (n, 128). Raises ModelBroken."""
        with self._lock:
            faces = sorted(self.detector.detect(image), key=lambda face: (face.x, face.y))
            faces = [face for face in faces if face.width * image.shape[1] >= LEAST_SIDE_PX]
            return faces, self.encoder.encode_faces(image, faces)


def are_there(settings: Settings) -> bool:
    """Whether both models are on this machine. Raises ModelBroken for other files under their names."""
    try:
        _found(settings)
    except FaceModelsMissing:
        return False
    return True


def face_models(settings: Settings) -> FaceModels:
    """The models, loaded once per process. Raises FaceModelsMissing, ModelBroken."""
    return _opened(*_found(settings))


def _found(settings: Settings) -> tuple[NamedFile, NamedFile]:
    try:
        return yunet.find("faces", settings.models_dir), sface.find("faces", settings.models_dir)
    except WeightsMissing as error:
        raise FaceModelsMissing from error


@lru_cache(maxsize=2)
def _opened(detector: NamedFile, encoder: NamedFile) -> FaceModels:
    made_by = f"yunet@{detector.revision} sface@{encoder.revision}"
    return FaceModels(YuNet(detector.path), SFace(encoder.path), made_by)
