from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.store.analysis import Token, beginning, for_index, match_spans, parse_query, terms, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   ...!? ", []),
        ("Running Cities", ["run", "citi"]),
        ("a spectre is haunting Europe", ["a", "spectr", "is", "haunt", "europ"]),
        ("어두운 밤", ["어두", "두운", "밤"]),
        ("東京都", ["東京", "京都"]),
        ("3.5 km in 1,000 s", ["3.5", "km", "in", "1,000", "s"]),
        ("서울2024년", ["서울", "2024", "년"]),
        ("don't DON\u2019T", ["dont", "dont"]),
        ("\U0001f3ac cut_here", ["cut", "here"]),
        ("Дом", ["дом"]),
        ("ﬁlm", ["film"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_positions_refer_to_the_text_as_it_was_given() -> None:
    assert list(tokens("Big 어두운")) == [Token("big", 0, 3), Token("어두", 4, 6), Token("두운", 5, 7)]


def test_decomposed_korean_is_the_same_word() -> None:
    text = unicodedata.normalize("NFD", "어두운 밤")
    assert terms(text) == ["어두", "두운", "밤"]
    for token in tokens(text):
        assert unicodedata.normalize("NFC", text[token.start : token.end]) == token.text


def test_terms_contain_no_white_space() -> None:
    assert for_index(" Two\twords\u3000三四五 ") == "two word 三四 四五"


def test_stop_words_are_dropped_only_beside_other_words() -> None:
    assert parse_query("the cat").words == ("cat",)
    assert parse_query("to be").words == ("to", "be")
    assert parse_query('"to be" the').words == ()


def test_phrases() -> None:
    query = parse_query('house "red car" \u201c파란 하늘\u201d house')
    assert query.words == ("hous",)
    assert query.phrases == (("red", "car"), ("파란", "하늘"))
    assert query.terms == ("hous", "red", "car", "파란", "하늘")
    assert parse_query('an "open quote').phrases == ()


def test_match_spans_joins_overlapping_pairs_only() -> None:
    text = "The haunted house: 어두운 밤에 haunts"
    spans = match_spans(text, parse_query("haunting 어두운").terms)
    assert [text[a:b] for a, b in spans] == ["haunted", "어두운", "haunts"]


def test_no_terms_match_nothing() -> None:
    assert match_spans("some words", ()) == []


@pytest.mark.parametrize(
    ("text", "term", "span"),
    [
        ("½ cup", "1", (0, 1)),  # NFKC: 1, fraction slash, 2
        ("가\u1161", "가", (0, 2)),  # a vowel that nothing composes with
        ("o\ufb03ce", "offic", (0, 4)),  # the ligature ffi
    ],
)
def test_a_term_that_ends_inside_a_cluster_has_the_whole_cluster(text: str, term: str, span: tuple[int, int]) -> None:
    assert match_spans(text, [term]) == [span]


WORDS = [
    "dying",
    "die",
    "ties",
    "tying",
    "skies",
    "sky",
    "idly",
    "only",
    "early",
    "news",
    "bread",
    "Breads",
    "İstanbul",
    "ﬁne",
    "fine",
    "'tis",
    "éclair",
    "12th",
    "o'clock",
    "don’t",
    "ability",
    "able",
    "hoping",
    "hopping",
    "hope",
    "happiness",
    "sensible",
    "sensibility",
    "갈매기",
]


@given(st.lists(st.sampled_from(WORDS), min_size=1), st.sampled_from(WORDS))
def test_words_that_begin_otherwise_need_not_be_stemmed(words: list[str], asked: str) -> None:
    text, wanted = " ".join(words), set(terms(asked))
    expected = [token for token in tokens(text) if token.text in wanted]
    assert [token for token in tokens(text, tuple(map(beginning, wanted))) if token.text in wanted] == expected
    matched = {at for start, end in match_spans(text, wanted) for at in range(start, end)}
    assert matched == {at for token in expected for at in range(token.start, token.end)}


SUFFIXES = (
    " s es ed ing y ies ied ly edly ingly er ant ance ence able ible ably ability ibility al ally ality ate ation"
    " ational ator ative ic icate icity ical ism ist ity ive iveness ivity ize izer ization ful fulness less lessly li"
    " ment ness ous ousness logy logist sses eed eedly ying yed"
)


def test_a_word_begins_as_its_stem_does_but_for_one_letter() -> None:
    stems = "hop hopp plan control relat sens fl sa sk univers gener commun arsen succ d l t be ski boy luxur"
    words = [
        stem + one + more for stem in stems.split() for one in SUFFIXES.split(" ") for more in ("", "s", "ly", "ing")
    ]
    for word in words:
        (term,) = terms(word)
        assert [token.text for token in tokens(word, (beginning(term),))] == [term]


def test_words_that_begin_otherwise_are_left_out() -> None:
    assert [token.text for token in tokens("dying trees tread 12", (beginning("tree"),))] == ["tree", "tread", "12"]
