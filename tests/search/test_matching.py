"""Where a text matches the terms of a query. The terms are written as the index has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.search.matching import match_spans, matched_words, pieces
from heimdex_core.store.analysis import parse_query


def terms(query: str) -> tuple[str, ...]:
    """The index terms of a query, as SearchResult.terms has them."""
    return parse_query(query).terms


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        # forms of one word match each other, other words do not
        ("The bird, Birds, birdsong", "birds", [("The ", False), ("bird", True), (", ", False), ("Birds", True),
                                                (", birdsong", False)]),
        ("red car", "car red", [("red", True), (" ", False), ("car", True)]),
        ("no match here", "boat", [("no match here", False)]),
        ("", "boat", []),
        ("all of it", "", [("all of it", False)]),
        ("it took 12.5 s", "12.5", [("it took ", False), ("12.5", True), (" s", False)]),
        # Korean has no word boundaries inside a run: pairs of syllables match, and touching pairs are one piece
        ("파란하늘을 봐요", "하늘", [("파란", False), ("하늘", True), ("을 봐요", False)]),
        ("노란 해바라기밭", "해바라기", [("노란 ", False), ("해바라기", True), ("밭", False)]),
    ],
)  # fmt: skip
def test_pieces(text: str, query: str, expected: list[tuple[str, bool]]) -> None:
    assert pieces(text, terms(query)) == expected


def test_korean_in_single_letters_is_marked_whole() -> None:
    """Some systems write Korean in NFD: the marked piece covers all of its letters."""
    text = "\u1112\u1161\u1102\u1173\u11af 색"  # 하늘 색
    assert pieces(text, terms("하늘")) == [("\u1112\u1161\u1102\u1173\u11af", True), (" 색", False)]


def test_markup_and_patterns_stay_text() -> None:
    text = "<img src=x onerror=alert(1)> (a+b)*"
    assert pieces(text, terms("alert")) == [
        ("<img src=x onerror=", False), ("alert", True), ("(1)> (a+b)*", False),
    ]  # fmt: skip
    assert pieces(text, [".*", "(a+b)*"]) == [(text, False)], "terms are no regular expressions"


@given(
    text=st.lists(st.sampled_from([*"ab 가나<&.", "\u1100\u1161"])).map("".join),
    query=st.text(st.sampled_from("ab 가나")),
)
def test_pieces_are_the_text_cut_at_the_spans(text: str, query: str) -> None:
    found = pieces(text, terms(query))
    assert "".join(piece for piece, _ in found) == text
    assert all(piece for piece, _ in found)
    marked = [piece for piece, is_match in found if is_match]
    assert marked == [text[start:end] for start, end in match_spans(text, terms(query))]


def test_matched_words_are_named_once_as_they_are_written_first() -> None:
    texts = ("Fresh bread and more Breads", "BREAD", "a loaf of bread")
    assert matched_words(texts, terms("bread loaf")) == ("bread", "Breads", "loaf")
    assert matched_words((), terms("bread")) == ()
