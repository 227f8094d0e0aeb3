from __future__ import annotations

from heimdex_core.models.spoken_lines import lines
from heimdex_core.types import Segment, Word


def word(text: str, start_s: float, end_s: float) -> Word:
    return Word(text, start_s, end_s, 0.5)


def broken(words: list[Word], *, after_s: float = 0.0, total_s: float = 100.0) -> list[Segment]:
    return lines(words, no_speech=0.1, after_s=after_s, total_s=total_s)


def test_a_pause_breaks_a_line() -> None:
    found = broken([word(" Hello", 0.0, 0.4), word(" there", 0.5, 0.9), word(" friend", 1.6, 2.0)])
    assert [(s.text, s.start_s, s.end_s) for s in found] == [("Hello there", 0.0, 0.9), ("friend", 1.6, 2.0)]
    assert [w.text for w in found[0].words] == ["Hello", "there"]
    assert (found[0].confidence, found[0].no_speech) == (0.5, 0.1)


def test_a_sentence_breaks_a_line_that_is_long_enough() -> None:
    short = broken([word(" No.", 0.0, 0.4), word(" Why", 0.4, 0.8)])
    assert [s.text for s in short] == ["No. Why"]
    found = broken([word(" It", 0.0, 1.0), word(" rains.", 1.0, 2.2), word(" Again.", 2.2, 3.0)])
    assert [s.text for s in found] == ["It rains.", "Again."]


def test_no_line_is_longer_than_ten_seconds() -> None:
    found = broken([word(f" {n}", n, n + 1.0) for n in range(25)])
    assert [s.end_s - s.start_s for s in found] == [10.0, 10.0, 5.0]


def test_scripts_without_spaces_stay_without() -> None:
    assert [s.text for s in broken([word("こん", 0, 0.3), word("にちは", 0.3, 0.8)])] == ["こんにちは"]


def test_times_are_put_in_order_and_inside_the_file() -> None:
    found = broken(
        [word(" a", 0.5, 1.2), word(" b", 1.0, 1.5), word(" c", 1.4, 1.3), word(" d", 9.0, 9.9)],
        after_s=0.8,
        total_s=9.4,
    )
    assert [(w.start_s, w.end_s) for s in found for w in s.words] == [(0.8, 1.2), (1.2, 1.5), (1.5, 1.5), (9.0, 9.4)]
    assert [(s.start_s, s.end_s) for s in found] == [(0.8, 1.5), (9.0, 9.4)]


def test_words_after_the_end_stay_with_the_line_before() -> None:
    found = broken([word(" a", 1.0, 2.0), word(" b", 5.0, 6.0)], total_s=2.0)
    assert [(s.text, s.start_s, s.end_s) for s in found] == [("a b", 1.0, 2.0)]


def test_nothing_said_no_lines() -> None:
    assert broken([]) == []
