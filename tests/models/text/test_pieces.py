from __future__ import annotations

import numpy as np
import pytest

from heimdex_core.models.text.pieces import by_chars, by_words, readable, unit_sums


def test_pieces_of_words_have_equal_length_and_lose_nothing() -> None:
    words = [str(n) for n in range(301)]
    pieces = by_words(" ".join(words), 150)
    assert " ".join(pieces).split() == words
    assert [len(piece.split()) for piece in pieces] == [100, 101, 100]


def test_pieces_of_characters_end_between_words() -> None:
    words = [f"word{n}" for n in range(400)]
    pieces = by_chars(" ".join(words), 300)
    assert " ".join(pieces).split() == words
    assert max(map(len, pieces)) <= 300
    assert min(map(len, pieces)) > 150


def test_a_word_without_an_end_is_split_anyway() -> None:
    pieces = by_chars("가" * 2500, 1000)
    assert "".join(pieces) == "가" * 2500
    assert [len(piece) for piece in pieces] == [833, 834, 833]


def test_a_short_text_is_one_piece() -> None:
    assert by_chars("two words", 1000) == ["two words"]
    assert by_words("two words", 150) == ["two words"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("한국어 🙂", "한국어 🙂"),
        ("lone \ud83d half", "lone \ufffd half"),
        ("\udcff", "\ufffd"),
        ("a pair \ud83d\ude42 in two halves", "a pair 🙂 in two halves"),
    ],
)
def test_only_characters_that_are_none_are_replaced(text: str, expected: str) -> None:
    assert readable(text) == expected


def test_a_row_without_pieces_has_no_vector() -> None:
    pieces = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, -3.0]], dtype=np.float32)
    assert np.allclose(unit_sums([0, 0, 2], pieces, 3), [[0.5**0.5, 0.5**0.5], [0, 0], [0, -1]])
