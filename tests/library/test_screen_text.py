"""Text in the picture: read by RapidOCR, found by its words, in English and in Korean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import ProfileWeightsMissing
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import Filters, VideoState
from tests.support.clips import encode_frames, ffmpeg
from tests.support.drawn_text import picture
from tests.support.small_recogniser import READS_BLUE, READS_RED, write_small_recogniser

SIGNS = (
    picture(("LIGHTHOUSE", 40, 60, 48, "white"), ("open from May to October", 40, 180, 22, "white"), ground="#707070"),
    picture(("서울 도서관", 60, 100, 60, "#ff5050"), ground="#101010"),
    picture(ground="#c0d8c0"),
)
SECONDS = 3


def clip(path: Path, *shots: np.ndarray) -> Path:
    """Each picture for SECONDS."""
    frames = [shot for shot in shots for _ in range(10 * SECONDS)]
    return encode_frames(path, frames, [n / 10 for n in range(len(frames))])


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library that reads text, with a video of three shots: English, Korean, nothing."""
    folder = tmp_path_factory.mktemp("library")
    with Library.open(folder / "library", settings=Settings(profile="offline", ocr_model="rapidocr:english")) as opened:
        assert opened.add(clip(folder / "signs.mp4", *SIGNS)).state == VideoState.INDEXED
        yield opened


def test_a_clip_is_found_by_the_text_in_it(library: Library) -> None:
    result = library.search("lighthouse", weights={"lexical": 1})
    assert [hit.scene.start_s for hit in result] == [0.0]
    assert (result[0].matched_words, result[0].matched_on_screen) == (("LIGHTHOUSE",), ("LIGHTHOUSE",))
    assert result[0].scene.on_screen_text == "LIGHTHOUSE\nopen from May to October"
    assert library.search(filters=Filters(on_screen="from May")).total == 1
    assert library.search("screen:lighthouse").total == library.search("screen:Lighthouses").total == 1
    found = library.sql("select scene_id from scenes where on_screen_text like '%October%'")
    assert list(found["scene_id"]) == [result[0].scene_id]


def test_where_the_text_is(library: Library) -> None:
    scenes = library.scenes(library.videos()[0].video_id)
    (frame, *_) = library.scene_details.screen_text(scenes[0].scene_id)
    assert frame.file in {keyframe.file for keyframe in scenes[0].keyframes}
    assert [line.text for line in frame.lines] == ["LIGHTHOUSE", "open from May to October"]
    assert frame.lines[0].x == pytest.approx(40 / 512, abs=0.03)
    assert library.scene_details.screen_text(scenes[2].scene_id) == []
    assert library.scene_details.provenance(scenes[0].video_id)["models"]["used"]["screen_text"].startswith("rapidocr")


def test_a_korean_recogniser_is_added_later_and_only_pictures_are_read_again(library: Library, tmp_path: Path) -> None:
    assert library.search("도서관", weights={"lexical": 1}).total == 0
    before = library.models.choice
    library.model_sets.move_to(ocr=f"rapidocr:{write_small_recogniser(tmp_path / 'korean')}")
    video = library.videos()[0]
    made = library.scene_details.provenance(video.video_id)
    assert [one["stage"] for one in made["stages"] if not one["skipped"]] == ["screen_text"]
    result = library.search("도서관", weights={"lexical": 1})
    assert [hit.scene.on_screen_text for hit in result] == [READS_RED]
    assert result[0].matched_on_screen == ("도서관",)
    assert library.search('screen:"서울 도서관"').total == 1
    assert library.search("여행", weights={"lexical": 1}).total == 0, READS_BLUE
    assert library.search("lighthouse", weights={"lexical": 1}).total == 1, "English is read by the packaged model"
    assert library.models.choice.name == before.name == "offline"
    library.model_sets.undo()
    assert library.search("도서관", weights={"lexical": 1}).total == 0


def test_one_frame_that_players_turn_is_read_as_they_show_it(library: Library, tmp_path: Path) -> None:
    lying = encode_frames(tmp_path / "lying.mp4", [np.rot90(picture(("SOLITARY", 60, 100, 60, "white")))], [0.0])
    ffmpeg("-display_rotation", "-90", "-i", lying, "-c", "copy", tmp_path / "turned.mp4")
    (scene,) = library.scenes(library.add(tmp_path / "turned.mp4").video_id)
    assert scene.on_screen_text == "SOLITARY"


def test_a_model_that_is_not_here_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    settings = Settings(profile="offline", ocr_model="rapidocr:ocr", models_dir=tmp_path / "models")
    with pytest.raises(ProfileWeightsMissing) as caught:
        Library.open(tmp_path / "library", settings=settings)
    assert "models pull" in caught.value.hint
