"""The stage `screen_text`: which of the lines that are read in keyframes a scene keeps."""

from __future__ import annotations

from heimdex_core.ingest.stages import screen_text
from heimdex_core.ingest.stages.screen_text import SceneTexts, distinct, scene_texts
from heimdex_core.types import FrameText, TextLine, to_json


def line(text: str, confidence: float = 0.9, y: float = 0.1) -> TextLine:
    return TextLine(text, confidence, 0.1, y, 0.5, 0.1)


def kept(*texts: str) -> list[str]:
    return [one.text for one in distinct(line(text) for text in texts)]


def test_a_line_that_stays_on_screen_is_kept_once() -> None:
    assert kept("HARBOUR", "Harbour", "harbour!", "Lighthouse") == ["HARBOUR", "Lighthouse"]
    assert kept("서울 도서관", "서울도서관") == ["서울 도서관"]


def test_of_two_readings_the_more_certain_one_is_kept_in_the_place_of_the_first() -> None:
    lines = [line("Quarter1y repcrt", 0.81), line("Lighthouse", 0.9), line("Quarterly report", 0.97)]
    assert [one.text for one in distinct(lines)] == ["Quarter1y repcrt", "Lighthouse", "Quarterly report"], "digits"
    lines[0] = line("Quarterly repcrt", 0.81)
    assert [one.text for one in distinct(lines)] == ["Quarterly report", "Lighthouse"]


def test_what_differs_by_a_number_or_is_short_differs() -> None:
    assert kept("page 1 of 12", "page 2 of 12") == ["page 1 of 12", "page 2 of 12"]
    assert kept("cat", "car", "2:1", "2:2") == ["cat", "car", "2:1", "2:2"]
    assert kept("...", "--", "") == []


def test_no_more_lines_than_a_scene_keeps() -> None:
    assert len(kept(*(f"row {n}" for n in range(screen_text.MAX_LINES + 50)))) == screen_text.MAX_LINES


def test_frames_keep_where_their_lines_are() -> None:
    first = FrameText("a.webp", (line("TITLE", y=0.1), line("subtitle", y=0.8)))
    second = FrameText("b.webp", (line("TITLE", y=0.1), line("another", y=0.8)))
    found = scene_texts([first, FrameText("empty.webp", ()), second])
    assert found.text == "TITLE\nsubtitle\nanother"
    assert found.frames == (first, second)
    assert SceneTexts.from_json(to_json(found)) == found
    assert scene_texts([]) == SceneTexts()
