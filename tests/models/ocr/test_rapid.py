"""RapidOCR: text that was drawn is read back, in English by the models of the package, in Korean by a small one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heimdex_core.errors import ModelBroken, UnknownName, WeightsMissing
from heimdex_core.models import families
from heimdex_core.models.base import TextReader
from heimdex_core.models.ocr import rapid
from heimdex_core.models.ocr.rapid import KOREAN, PULLED, REPOSITORY, RapidReader
from heimdex_core.settings import Settings
from tests.support.drawn_text import picture
from tests.support.small_recogniser import READS_BLUE, READS_RED, write_small_recogniser

WHITE, RED, BLUE = "white", "#ff5050", "#5050ff"


@pytest.fixture(scope="module")
def english() -> RapidReader:
    return RapidReader("english")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> RapidReader:
    return RapidReader(str(write_small_recogniser(tmp_path_factory.mktemp("korean"))))


def texts(reader: RapidReader, image: np.ndarray) -> list[str]:
    return [line.text for line in reader.read(image)]


def test_drawn_words_are_read_with_their_places(english: RapidReader) -> None:
    assert isinstance(english, TextReader)
    image = picture(("Quarterly report 2025", 40, 200, 24, WHITE), ("HARBOUR", 40, 40, 40, WHITE))
    first, second = english.read(image)
    assert (first.text, second.text) == ("HARBOUR", "Quarterly report 2025")
    # drawn at (40, 40) of 512 x 288; the box leaves some room around the letters
    assert first.x == pytest.approx(40 / 512, abs=0.02)
    assert first.y <= 47 / 288 <= 80 / 288 <= first.y + first.height + 0.01
    assert first.confidence > 0.9
    assert english.read(image) == (first, second), "the same every time"


def test_small_print_and_a_sloping_line(english: RapidReader) -> None:
    assert texts(english, picture(("annual statement, page 12", 30, 250, 12, WHITE))) == ["annual statement, page 12"]
    sloping = Image.fromarray(picture(("EMERGENCY EXIT", 60, 120, 36, WHITE))).rotate(10, Image.Resampling.BICUBIC)
    assert texts(english, np.array(sloping)) == ["EMERGENCY EXIT"]


def test_pictures_without_text(english: RapidReader) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (288, 512, 3), dtype=np.uint8)
    for image in (picture(), noise, np.zeros((1, 1, 3), np.uint8), noise[:1], noise[:, :1], noise[:0]):
        assert english.read(image) == ()


def test_text_in_noise(english: RapidReader) -> None:
    noise = np.random.default_rng(3).normal(0, 25, (288, 512, 3))
    image = np.clip(picture(("LIGHTHOUSE", 60, 100, 48, WHITE)) + noise, 0, 255).astype(np.uint8)
    assert "LIGHTHOUSE" in texts(english, image)


def test_letters_as_large_as_the_picture_and_a_page_full(english: RapidReader) -> None:
    assert texts(english, picture(("GIANT", 5, 60, 150, WHITE))) == ["GIANT"]
    lines = [(f"row {n} of the table", 10, 4 + 14 * n, 11, WHITE) for n in range(20)]
    found = texts(english, picture(*lines))
    assert len(found) >= 15
    assert found[0].startswith("row 0")


def test_the_image_is_not_changed_and_need_not_be_contiguous(english: RapidReader) -> None:
    image = picture(("HARBOUR", 40, 40, 40, WHITE))
    before = image.copy()
    found = english.read(image)
    np.testing.assert_array_equal(image, before)
    assert english.read(np.ascontiguousarray(image[::-1])[::-1]) == found


# --- Korean ---------------------------------------------------------------------------------------


def test_each_line_is_read_by_the_more_certain_recogniser(both: RapidReader) -> None:
    image = picture(("HARBOUR", 40, 20, 40, WHITE), ("서울 도서관", 40, 110, 40, RED), ("바다 여행", 40, 200, 40, BLUE))
    assert texts(both, image) == ["HARBOUR", READS_RED, READS_BLUE]
    assert "ko" in both.languages


def test_another_recogniser_is_another_revision(english: RapidReader, both: RapidReader) -> None:
    assert english.revision != both.revision
    assert 0 < english.size_bytes < both.size_bytes
    assert "ko" not in english.languages


def test_a_recogniser_that_does_not_name_its_characters(tmp_path: Path) -> None:
    reader = RapidReader(str(write_small_recogniser(tmp_path, characters=False)))
    with pytest.raises(ModelBroken, match="characters"):
        reader.load()


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / KOREAN).write_bytes(b"no model")
    with pytest.raises(ModelBroken):
        RapidReader(str(tmp_path)).load()


# --- names and files ------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return Settings(models_dir=tmp_path / "models")


def test_the_packaged_reader_is_there_and_the_other_one_says_what_to_do(settings: Settings) -> None:
    assert families.by_name("ocr") == ("ocr", "rapidocr:ocr")
    assert families.spec_of("ocr", "english") == "rapidocr:english"
    assert families.is_packaged("ocr", "rapidocr:english")
    families.make("ocr", "rapidocr:english", settings).check()
    with pytest.raises(WeightsMissing) as caught:
        families.make("ocr", "rapidocr:ocr", settings).check()
    assert "models pull ocr" in caught.value.hint
    with pytest.raises(UnknownName):
        families.make("ocr", "rapidocr:klingon", settings)
    assert families.licence_of("ocr", "rapidocr:ocr") == families.licence_of("ocr", "rapidocr:english") == "Apache-2.0"


def test_the_published_file_is_pinned() -> None:
    (repository,) = families.repositories("ocr", "rapidocr:ocr")
    assert repository.files == (PULLED,)
    assert len(bytes.fromhex(repository.sha256[PULLED])) == 32
    assert repository.endpoint.startswith("https://")


@pytest.mark.parametrize("place", [KOREAN, f"RapidAI--RapidOCR/{PULLED}", f"RapidOCR/{KOREAN}"])
def test_a_file_put_there_by_hand_is_known_by_its_content(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    assert settings.models_dir is not None
    file = settings.models_dir / place
    file.parent.mkdir(parents=True)
    file.write_bytes(b"another file")
    with pytest.raises(ModelBroken, match="sha256"):
        rapid.find("ocr", settings.models_dir)
    monkeypatch.setitem(REPOSITORY.sha256, PULLED, rapid.locate.files.sha256_of(file))
    found = rapid.find("ocr", settings.models_dir)
    assert found.folder / str(found.extra) == file
