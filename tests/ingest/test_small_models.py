"""From a video file to what is found in it, with small real models that know what is drawn and said.

Each channel finds its scene alone. What is looked for, and where it must be, is what the video was made from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import VideoState
from tests.support.drawn_video import DrawnScene, make_drawn_video

SMALL = Path(__file__).parents[1] / "models_small"
FRAME_S = 0.1
CLOSE_S = 0.3

# two pairs of drawings that differ only in how the same two things lie to each other
ENGLISH = (
    ("green triangle above a red circle", None, 4.0),
    ("blue star", "the old captain crosses the river today", 5.0),
    ("red circle above a green triangle", None, 4.0),
    ("yellow ring", "we and the rabbit tonight behind the wonderful garden", 6.0),
    ("black cross left of a white square", None, 4.0),
    ("white square left of a black cross", "the young teacher never opens the window", 5.0),
)
KOREAN = (
    ("purple star", "오늘 고양이가 바다를 봅니다", 5.0),
    ("orange square", None, 3.0),
    ("green ring", "아침에 선생님이 시장을 찾습니다", 5.0),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    settings = Settings(
        profile="offline",
        speech_model=f"whisper:{SMALL / 'whisper'}",
        text_model=f"sentence:{SMALL / 'sentences'}",
        vision_model=f"openclip:local-dir:{SMALL / 'open_clip'}",
    )
    with Library.open(tmp_path_factory.mktemp("small") / "library", settings=settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def english(library: Library, tmp_path_factory: pytest.TempPathFactory) -> tuple[DrawnScene, ...]:
    path = tmp_path_factory.mktemp("video") / "english.mp4"
    made = make_drawn_video(path, ENGLISH)
    assert library.add(path).state is VideoState.INDEXED
    return made


@pytest.fixture(scope="module")
def korean(library: Library, tmp_path_factory: pytest.TempPathFactory) -> tuple[DrawnScene, ...]:
    path = tmp_path_factory.mktemp("video") / "korean.mp4"
    made = make_drawn_video(path, KOREAN, seed=2)
    assert library.add(path).state is VideoState.INDEXED
    return made


def video_id(library: Library, name: str) -> str:
    return next(video.video_id for video in library.videos() if video.filename == f"{name}.mp4")


def found(library: Library, name: str, query: str, channel: str) -> list[float]:
    """Where the hits of one channel alone begin, best first."""
    weights = {one: float(one == channel) for one in ("vision", "transcript", "lexical")}
    result = library.search(query, weights=weights, videos=[video_id(library, name)])
    return [hit.scene.start_s for hit in result.hits]


def test_scenes_are_those_that_were_drawn(library: Library, english: tuple[DrawnScene, ...]) -> None:
    scenes = library.scenes(video_id(library, "english"))
    assert [s.start_s for s in scenes] == pytest.approx([s.start_s for s in english], abs=FRAME_S)
    assert [s.end_s for s in scenes] == pytest.approx([s.end_s for s in english], abs=FRAME_S)


def test_pictures_are_found_by_how_things_lie(library: Library, english: tuple[DrawnScene, ...]) -> None:
    for scene in english:
        hits = found(library, "english", scene.caption, "vision")
        assert hits[0] == pytest.approx(scene.start_s, abs=FRAME_S), scene.caption


@pytest.mark.parametrize(
    ("query", "start_s"), [("river", 4.0), ("captain", 4.0), ("rabbit", 13.0), ("garden", 13.0), ("teacher", 23.0)]
)
@pytest.mark.parametrize("channel", ["transcript", "lexical"])
def test_spoken_words_are_found(
    library: Library, english: tuple[DrawnScene, ...], query: str, start_s: float, channel: str
) -> None:
    assert found(library, "english", query, channel)[0] == pytest.approx(start_s, abs=FRAME_S)


@pytest.mark.parametrize(("query", "start_s"), [("stream", 4.0), ("bunny", 13.0), ("professor", 23.0)])
def test_what_is_said_is_found_by_its_meaning(
    library: Library, english: tuple[DrawnScene, ...], query: str, start_s: float
) -> None:
    """In words that are not said: the transcript's vectors know them for the same, the word index does not."""
    assert found(library, "english", query, "transcript")[0] == pytest.approx(start_s, abs=FRAME_S)
    assert found(library, "english", query, "lexical") == []


def test_words_have_their_times(library: Library, english: tuple[DrawnScene, ...]) -> None:
    heard = [
        (word.text.strip(" .").lower(), word.start_s)
        for segment in library._store.reader().view().words(library.user_id, video_id(library, "english"))
        for word in segment.words
    ]
    said = [(word.text, word.start_s) for scene in english for word in scene.words]
    right = [(a, b) for a, b in zip(said, heard, strict=False) if a[0] == b[0] and abs(a[1] - b[1]) <= CLOSE_S]
    assert len(right) >= 0.8 * len(said)


def test_the_language_is_heard(
    library: Library, english: tuple[DrawnScene, ...], korean: tuple[DrawnScene, ...]
) -> None:
    """Nobody said which language each video is in."""
    letters = {
        name: {char for scene in library.scenes(video_id(library, name)) for char in scene.transcript if char.isalpha()}
        for name in ("english", "korean")
    }
    assert letters["english"]
    assert all(char < "가" for char in letters["english"])
    assert letters["korean"]
    assert all(char >= "가" for char in letters["korean"])


@pytest.mark.parametrize(("query", "start_s"), [("고양이", 0.0), ("바다", 0.0), ("선생님", 8.0), ("시장", 8.0)])
def test_korean_words_are_found(library: Library, korean: tuple[DrawnScene, ...], query: str, start_s: float) -> None:
    """Without their endings, as people look for them."""
    assert found(library, "korean", query, "lexical")[0] == pytest.approx(start_s, abs=FRAME_S)


def test_a_text_model_that_cannot_read_korean_says_so(library: Library, korean: tuple[DrawnScene, ...]) -> None:
    video = library.video(video_id(library, "korean"))
    assert "text_not_understood:2" in video.notes
    result = library.search("고양이", weights={"transcript": 1.0}, videos=[video.video_id])
    assert (result.channels["transcript"].active, result.channels["transcript"].reason) == (False, "language")


def test_what_is_seen_and_what_is_said_together(library: Library, english: tuple[DrawnScene, ...]) -> None:
    result = library.search("yellow ring garden", videos=[video_id(library, "english")])
    assert result.hits[0].scene.start_s == pytest.approx(13.0, abs=FRAME_S)
    assert result.channels["vision"].used_words == ("yellow", "ring")
    assert result.channels["transcript"].active
