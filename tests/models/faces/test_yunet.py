"""YuNet: what it finds, at any size of picture, and which files are taken for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from heimdex_core.errors import ModelBroken, WeightsMissing
from heimdex_core.models import families
from heimdex_core.models.base import FaceDetector
from heimdex_core.models.faces import yunet
from heimdex_core.models.faces.yunet import YuNet, model_file
from heimdex_core.settings import Settings
from tests.support.small_yunet import BOX_PX, write_small_yunet

NEW, OLD = yunet.FILES


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_yunet(tmp_path_factory.mktemp("yunet") / "small.onnx")


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def known(detector_file: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The small detector, as if it were the published file."""
    content = detector_file.read_bytes()
    monkeypatch.setattr(yunet, "FILES", {NEW: (len(content), hashlib.sha256(content).hexdigest()), OLD: (5, "0" * 64)})
    return content


def picture(width: int, height: int, *faces: tuple[int, int], redness: int = 255) -> npt.NDArray[np.uint8]:
    """Grey with "faces" at the places (left, top)."""
    image = np.full((height, width, 3), 90, np.uint8)
    for x, y in faces:
        image[y : y + BOX_PX, x : x + BOX_PX] = (redness, 0, 0)
    return image


# --- what it finds --------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(320, 180), (333, 207), (160, 320)])
def test_boxes_are_shares_of_pictures_of_any_size(detector_file: Path, width: int, height: int) -> None:
    found = sorted(YuNet(detector_file).detect(picture(width, height, (8, 16), (96, 120))), key=lambda face: face.x)
    boxes = [(face.x, face.y, face.width, face.height) for face in found]
    wide, high = BOX_PX / width, BOX_PX / height
    expected = [(8 / width, 16 / height, wide, high), (96 / width, 120 / height, wide, high)]
    assert np.array(boxes) == pytest.approx(np.array(expected), abs=1e-4)
    assert [face.score for face in found] == pytest.approx([1.0, 1.0], abs=1e-3)
    # where OpenCV's recogniser wants the right eye in its aligned picture, of 112 pixels
    eye = ((8 + 38.3 / 112 * BOX_PX) / width, (16 + 51.7 / 112 * BOX_PX) / height)
    assert found[0].landmarks[:2] == pytest.approx(eye, abs=1e-3)
    assert len(found[0].landmarks) == 10


def test_one_detector_looks_at_pictures_of_several_sizes(detector_file: Path) -> None:
    detector = YuNet(detector_file)
    assert isinstance(detector, FaceDetector)
    for width in (320, 160, 320):
        (face,) = detector.detect(picture(width, 96, (16, 24)))
        assert (face.x, face.y) == pytest.approx((16 / width, 24 / 96), abs=1e-4)


def test_uncertain_faces_are_left_out(detector_file: Path) -> None:
    # the score is (red - green) / 255
    at_least = round(yunet.LEAST_SCORE * 255)
    assert YuNet(detector_file).detect(picture(160, 96, (16, 24), redness=at_least - 3)) == []
    (face,) = YuNet(detector_file).detect(picture(160, 96, (16, 24), redness=at_least + 3))
    assert face.score == pytest.approx((at_least + 3) / 255, abs=1e-3)


def test_nobody(detector_file: Path) -> None:
    assert YuNet(detector_file).detect(picture(160, 96)) == []


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / NEW).write_bytes(b"no model")
    with pytest.raises(ModelBroken, match="yunet:faces"):
        YuNet(tmp_path / NEW)


# --- which files are taken ------------------------------------------------------------------------


def test_the_files_of_the_model_zoo_are_pinned() -> None:
    for size, sha256 in yunet.FILES.values():
        assert size > 100_000
        assert len(bytes.fromhex(sha256)) == 32
    (repository,) = families.repositories("face", "yunet:faces")
    assert set(repository.sha256) == set(repository.files) <= set(yunet.FILES)
    assert repository.revision


@pytest.mark.parametrize(
    "place", ["{new}", "yunet.onnx", "opencv--face_detection_yunet/{old}", "face_detection_yunet/{new}"]
)
def test_a_file_put_there_by_hand_is_known_by_its_content(known: bytes, tmp_path: Path, place: str) -> None:
    size_and_sum = yunet.FILES[NEW]
    yunet.FILES[OLD] = size_and_sum
    file = tmp_path / "models" / place.format(new=NEW, old=OLD)
    file.parent.mkdir(parents=True)
    file.write_bytes(known)
    assert model_file(tmp_path / "models") == file
    assert yunet.find("faces", tmp_path / "models").revision == size_and_sum[1][:12]
    model = families.make("face", "yunet:faces", Settings(models_dir=tmp_path / "models"))
    assert isinstance(model, FaceDetector)
    (face,) = model.detect(picture(160, 96, (16, 24)))
    assert (face.x, face.y) == pytest.approx((0.1, 0.25), abs=1e-4)


def test_other_files_are_not_taken(known: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WeightsMissing) as caught:
        yunet.find("faces", tmp_path)
    assert "models pull faces" in caught.value.hint
    assert model_file(tmp_path) is None
    (tmp_path / "other.onnx").write_bytes(b"other")
    with pytest.raises(WeightsMissing):
        yunet.find("faces", tmp_path)
    (tmp_path / NEW).write_bytes(known[:-1] + b"!")
    with pytest.raises(ModelBroken, match=r"has sha256 .*, expected"):
        yunet.find("faces", tmp_path)
    assert model_file(tmp_path) is None
    assert "expected" in caplog.text


def test_a_folder_of_ones_own_may_hold_another_detector(detector_file: Path, tmp_path: Path) -> None:
    (tmp_path / NEW).write_bytes(detector_file.read_bytes())
    model = families.make("face", f"yunet:{tmp_path}", Settings())
    assert isinstance(model, FaceDetector)
    assert len(model.detect(picture(160, 96, (16, 24)))) == 1
