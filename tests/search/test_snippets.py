"""The part of a text that a card shows: around what matches, short enough for two lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.search.matching import snippet
from heimdex_core.store.analysis import parse_query

LONG = (
    "this audiobook is in the public domain you can find the text and more at the website where a spectre is haunting "
    "europe the spectre of communism all the powers of old europe have entered into a holy alliance"
)


def shown(text: str, query: str, **how: int) -> str:
    """The snippet as one text with [matches]."""
    return "".join(f"[{piece}]" if hit else piece for piece, hit in snippet(text, parse_query(query).terms, **how))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("holy alliance", "…have entered into a [holy] [alliance]"),
        # the beginning, where nothing matches or what matches is there
        ("boat", "this audiobook is in the public domain you can find the text…"),
        ("audiobooks", "this [audiobook] is in the public domain you can find the text…"),
        # where most different words are: not at the first "europe"; "of" does not fit into the twenty characters before
        ("powers of europe", "…communism all the [powers] of old [europe] have entered into a…"),
    ],
)
def test_it_begins_shortly_before_what_matches(query: str, expected: str) -> None:
    assert shown(LONG, query, length=62) == expected


def test_a_short_text_is_whole() -> None:
    assert shown("the harvest begins in autumn", "harvests") == "the [harvest] begins in autumn"
    assert snippet("", ("x",)) == []


def test_korean_characters_count_twice() -> None:
    """Ten of them before the match are as wide as twenty others."""
    text = "가나다라마바사아자차카타파하" * 2 + "파란하늘아래에서"
    assert shown(text, "파란", length=32) == "…마바사아자차카타파하[파란]하늘아래…"


words = st.text("ab 가나,", max_size=300)


@given(text=words, query=words, lead=st.integers(0, 40), length=st.integers(41, 120))
def test_it_is_a_part_of_the_text_with_a_match_if_there_is_one(text: str, query: str, lead: int, length: int) -> None:
    terms = parse_query(query).terms
    found = snippet(text, terms, lead=lead, length=length)
    whole = "".join(piece for piece, _ in found)
    assert whole.strip("…") in text
    assert sum(2 if "가" <= c <= "나" else 1 for c in whole.strip("…")) <= length
    if any(hit for _, hit in snippet(text, terms, lead=0, length=10_000)):
        at = next(n for n, (_, hit) in enumerate(found) if hit)
        before = "".join(piece for piece, _ in found[:at]).removeprefix("…")
        assert sum(2 if "가" <= c <= "나" else 1 for c in before) <= length
