from __future__ import annotations

from heimdex_core.models.speech.lines import lines, within_speech
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


def test_a_dot_may_belong_to_a_word() -> None:
    words = [word(" good", 0.0, 1.0), word(" mr.", 1.0, 2.2), word(" smith", 2.2, 3.0)]
    found = lines(words, no_speech=None, after_s=0.0, total_s=100.0, sentence_ends=())
    assert [(s.text, s.confidence, s.no_speech) for s in found] == [("good mr. smith", 0.5, None)]


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


def test_no_words_no_lines() -> None:
    assert broken([]) == []


def times(words: list[Word], speech: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(round(w.start_s, 3), round(w.end_s, 3)) for w in within_speech(words, speech)]


def test_a_word_does_not_include_the_silence_beside_it() -> None:
    speech = [(0.4, 2.0), (5.0, 6.0)]
    assert times([word(" first", 0.0, 0.8), word(" last", 1.7, 3.5)], speech) == [(0.3, 0.8), (1.7, 2.1)]
    assert times([word(" inside", 0.5, 0.9)], speech) == [(0.5, 0.9)]


def test_a_word_belongs_to_the_speech_that_it_overlaps_most() -> None:
    assert times([word(" begun in the pause", 1.95, 5.4)], [(0.4, 2.0), (5.0, 6.0)]) == [(4.9, 5.4)]
    assert times([word(" ended in the pause", 1.5, 5.01)], [(0.4, 2.0), (5.0, 6.0)]) == [(1.5, 2.1)]


def test_a_word_outside_all_detected_speech_is_unchanged() -> None:
    assert times([word(" soft", 3.0, 3.5)], [(0.4, 2.0), (5.0, 6.0)]) == [(3.0, 3.5)]
    assert times([word(" soft", 3.0, 3.5)], []) == [(3.0, 3.5)]
