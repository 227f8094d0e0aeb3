"""SFace: its vectors, its file, and faces that it cannot take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import FaceModelsMissing, InvalidValue, ModelBroken
from heimdex_core.models import families
from heimdex_core.models.base import Face, FaceEncoder
from heimdex_core.models.faces import finding, sface
from heimdex_core.models.faces.sface import SFace
from heimdex_core.models.faces.yunet import YuNet
from heimdex_core.settings import Settings
from tests.support.drawn_faces import picture, put_small_models
from tests.support.small_sface import write_small_sface
from tests.support.small_yunet import write_small_yunet


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("small")
    return write_small_yunet(folder / "yunet.onnx"), write_small_sface(folder / "sface.onnx")


def test_faces_of_one_person_are_near_and_of_others_are_not(files: tuple[Path, Path]) -> None:
    detector, encoder = YuNet(files[0]), SFace(files[1])
    vectors = []
    for noise, (one, other) in enumerate([(1, 2), (2, 3), (3, 1)]):
        image = picture((one, 16, 24), (other, 200, 96), noise=noise)
        faces = sorted(detector.detect(image), key=lambda face: face.x)
        vectors.append(encoder.encode_faces(image, faces))
    found = np.concatenate(vectors)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    people = np.array([1, 2, 2, 3, 3, 1])
    cosines = found @ found.T
    same = people[:, None] == people[None, :]
    assert cosines[same].min() > 0.8
    assert cosines[~same].max() < 0.3


def test_no_faces_and_faces_without_landmarks(files: tuple[Path, Path]) -> None:
    encoder = SFace(files[1])
    assert encoder.encode_faces(picture(), []).shape == (0, 128)
    with pytest.raises(InvalidValue, match="landmarks"):
        encoder.encode_faces(picture(), [Face(0.1, 0.1, 0.2, 0.2, 0.9)])


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / sface.PULLED).write_bytes(b"no model")
    with pytest.raises(ModelBroken, match="sface:faces"):
        SFace(tmp_path / sface.PULLED)


def test_the_published_file_is_pinned() -> None:
    ((size, sha256),) = sface.FILES.values()
    assert size > 30_000_000
    assert len(bytes.fromhex(sha256)) == 32
    (repository,) = families.repositories("face_encoder", "sface:faces")
    assert set(repository.sha256) == set(repository.files) == set(sface.FILES)
    assert repository.revision
    assert repository.licence == "Apache-2.0"


def test_both_models_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(models_dir=tmp_path)
    with pytest.raises(FaceModelsMissing):
        finding.face_models(settings)
    put_small_models(tmp_path, monkeypatch)
    models = finding.face_models(settings)
    faces, vectors = models.find(picture((2, 200, 96), (1, 16, 24)))
    assert [round(face.x * 320) for face in faces] == [16, 200]
    assert vectors.shape == (2, 128)
    assert finding.face_models(settings) is models, "loaded once"
    small = picture((1, 16, 24))[::3, ::3]
    assert models.find(np.ascontiguousarray(small))[0] == [], "too few pixels to be told apart"
    encoder = families.make("face_encoder", "sface:faces", settings)
    assert isinstance(encoder, FaceEncoder)
    assert encoder.encode_faces(picture((1, 16, 24)), faces[:1]).shape == (1, 128)
