"""In and out points on the ends of words and sentences."""

from __future__ import annotations

import pytest

from heimdex_core.errors import UnknownName
from heimdex_core.export.snapping import sentences, snap
from heimdex_core.types import Word

WORDS = [
    Word("It", 1.0, 1.2), Word("rained.", 1.3, 2.0),
    Word("We", 2.4, 2.6), Word("stayed", 2.7, 3.2), Word("in.", 3.3, 3.6),
    Word("Then", 4.0, 4.4), Word("it", 4.5, 4.6), Word("stopped.", 4.7, 5.4),
]  # fmt: skip


@pytest.mark.parametrize(
    ("to", "start_s", "end_s", "expected"),
    [
        ("word", 2.8, 4.1, (2.7, 4.0)),  # most of "stayed", little of "Then"
        ("word", 3.1, 4.3, (3.2, 4.4)),  # little of "stayed", most of "Then"
        ("sentence", 2.8, 3.4, (2.4, 3.6)),
        ("sentence", 1.9, 3.4, (2.0, 3.6)),  # the middle of no word of the first sentence
        ("sentence", 2.2, 5.8, (2.2, 5.8)),  # silence at both ends stays
        ("sentence", 5.2, 7.0, (5.4, 7.0)),  # what is left of "stopped."
        ("word", 0.2, 1.05, (0.2, 1.0)),  # the beginning of "It"
        ("word", 1.02, 1.08, (1.02, 1.08)),  # nothing else
        ("sentence", 3.25, 4.6, (2.4, 5.4)),  # "in." is of the second sentence, "it" of the third
    ],
)
def test_no_word_or_sentence_is_divided(to: str, start_s: float, end_s: float, expected: tuple[float, float]) -> None:
    assert snap(WORDS, start_s, end_s, to) == expected


def test_where_nobody_speaks_nothing_moves() -> None:
    assert snap([], 1.0, 2.0, "sentence") == (1.0, 2.0)
    assert snap(WORDS, 6.0, 7.0, "sentence") == (6.0, 7.0)


def test_korean_sentences_end_at_their_endings_or_at_a_long_silence() -> None:
    spoken = [
        Word("비가", 0.0, 0.4), Word("왔습니다", 0.5, 1.0),
        Word("그래서", 1.5, 1.9), Word("집에", 2.0, 2.3), Word("있었고", 2.4, 2.9),
        Word("책을", 4.0, 4.3), Word("읽었어요", 4.4, 5.0),
    ]  # fmt: skip
    assert [[word.text for word in group] for group in sentences(spoken)] == [
        ["비가", "왔습니다"],
        ["그래서", "집에", "있었고"],
        ["책을", "읽었어요"],
    ]
    assert snap(spoken, 2.1, 2.6, "sentence") == (1.5, 2.9)


def test_another_unit_is_refused() -> None:
    with pytest.raises(UnknownName):
        snap(WORDS, 1.0, 2.0, "page")
