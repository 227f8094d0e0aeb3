from __future__ import annotations

import pytest

from heimdex_core.models.speech.segment_filter import filter_segments, is_loop, plain, reason_to_drop
from heimdex_core.types import Segment


def line(text: str, start_s: float = 0.0, no_speech: float | None = None) -> Segment:
    return Segment(start_s, start_s + 1, text, no_speech=no_speech)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("♪ la la la ♪", "music"),
        ("♪", "music"),
        ("[Music]", "music"),
        ("(applause) [음악]", "music"),
        ("...", "music"),
        ("Thanks for watching!", "filler"),
        ("Thank you for watching.", "filler"),
        ("시청해 주셔서 감사합니다.", "filler"),
        ("구독과 좋아요 부탁드립니다!", "filler"),
        ("MBC 뉴스 김철수입니다.", "filler"),
        ("Subtitles by the Amara.org community", "filler"),
        ("no no no no no", "loop"),
        ("I don't know. I don't know. I don't know. I don't know. I don't know.", "loop"),
    ],
)
def test_hallucinations(text: str, reason: str) -> None:
    assert reason_to_drop(line(text)) == reason


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for watching the children while I was away.",
        "Thank you.",
        "no no no no",
        "We (he said) will come.",
        "The band played [loudly] all night.",
        "very very very good, and that is why we went there again",
        "오늘 날씨가 좋습니다",
    ],
)
def test_speech(text: str) -> None:
    assert reason_to_drop(line(text)) is None


PHRASES = [
    "Thanks for watching!",
    "시청해 주셔서 감사합니다.",
    "MBC 뉴스 김철수입니다.",
    "Subtitles by the Amara.org community",
]


@pytest.mark.parametrize("text", PHRASES)
@pytest.mark.parametrize(
    ("speech", "reason"),
    [
        ([(9.0, 12.0)], None),
        ([(10.4, 12.0)], None),
        ([(8.0, 10.2), (10.6, 12.0)], None),
        ([(10.6, 12.0)], "filler"),
        ([(8.0, 10.0), (11.0, 12.0)], "filler"),
        ([], "filler"),
    ],
)
def test_a_stock_phrase_is_kept_only_where_somebody_speaks(
    text: str, speech: list[tuple[float, float]], reason: str | None
) -> None:
    """The phrase lasts from 10 s to 11 s; at least half of that has to be speech."""
    assert reason_to_drop(line(text, 10.0), speech=speech) == reason


def test_a_stock_phrase_too_short_to_be_spoken_is_dropped() -> None:
    """Whisper puts what it invents into the last moment before the silence."""
    squeezed = Segment(10.0, 10.2, "Thanks for watching!")
    assert reason_to_drop(squeezed, speech=[(0.0, 20.0)]) == "filler"


def test_speech_does_not_excuse_anything_else() -> None:
    everywhere = [(0.0, 20.0)]
    assert reason_to_drop(line("[Music]"), speech=everywhere) == "music"
    assert reason_to_drop(line("no no no no no"), speech=everywhere) == "loop"
    assert reason_to_drop(line("hello", no_speech=0.9), speech=everywhere) == "no_speech"


def test_silence_by_the_models_own_probability() -> None:
    assert reason_to_drop(line("hello", no_speech=0.81)) == "no_speech"
    assert reason_to_drop(line("hello", no_speech=0.8)) is None
    assert reason_to_drop(line("hello", no_speech=0.5), no_speech_limit=0.4) == "no_speech"
    assert reason_to_drop(line("hello", no_speech=None)) is None


def test_of_equal_lines_in_a_row_one_is_kept() -> None:
    said = [line("Yes.", 0), line("You.", 1), line("you", 2), line("You!", 3), line("No.", 4), line("No.", 5)]
    kept, dropped = filter_segments(said)
    assert [segment.start_s for segment in kept] == [0, 1, 4, 5]
    assert dropped == {"loop": 2}


def test_everything_dropped_is_counted_and_the_rest_unchanged() -> None:
    said = [line("hello", 0), line("♪♪", 1), line("[Music]", 2), line("bye", 3, no_speech=0.9)]
    kept, dropped = filter_segments(said)
    assert kept == (said[0],)
    assert dropped == {"music": 2, "no_speech": 1}


def test_nothing_in_nothing_out() -> None:
    assert filter_segments([]) == ((), {})


def test_a_loop_after_a_beginning_of_its_own() -> None:
    assert is_loop(["so", *["ha"] * 9])
    assert not is_loop(["a", "long", "beginning", "of", "six", "words", *["ha"] * 5])


def test_plain_compares_without_case_and_marks() -> None:
    assert plain("  Don't  STOP! ") == "dont stop"
