"""The query language: what a text is divided into, and that any text is a query."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdex_core.errors import InvalidQuery
from heimdex_core.search.query_language import ParsedText, normalise, parse
from heimdex_core.search.understanding import understand
from heimdex_core.types import Filters, Query, Then


@pytest.mark.parametrize(
    ("text", "plain", "lookup", "excluded"),
    [
        ("red car", "red car", "red car", ()),
        ('red "car wash" now', "red car wash now", 'red "car wash" now', ()),
        ("\u201c둥근 따옴표\u201d", "둥근 따옴표", '"둥근 따옴표"', ()),
        ("harbour -boat", "harbour", "harbour", ("boat",)),
        ('harbour -"rough sea" -boat', "harbour", "harbour", ("rough sea", "boat")),
        ("-boat -boat", "", "", ("boat",)),
        # a hyphen inside a word, alone, doubled or before no word is text
        ("well-known - x --y -!", "well-known - x --y -!", "well-known - x --y -!", ()),
        ("'; drop table scenes; --", "'; drop table scenes; --", "'; drop table scenes; --", ()),
        ("a AND (b OR c*) ^2 ~", "a AND (b OR c*) ^2 ~", "a AND (b OR c*) ^2 ~", ()),
        ("\U0001f3ac", "\U0001f3ac", "\U0001f3ac", ()),
        ('""', "", "", ()),
        ("  two\n\tlines ", "two lines", "two lines", ()),
        ("title: harbour", "title: harbour", "title: harbour", ()),
        ("http://title:x", "http://title:x", "http://title:x", ()),
    ],
)
def test_text_phrases_and_excluded_words(text: str, plain: str, lookup: str, excluded: tuple[str, ...]) -> None:
    assert parse(text) == ParsedText(plain, lookup, excluded)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("title:harbour", [Filters(title="harbour")]),
        ('TITLE:"Big Buck" title:rabbit', [Filters(title="Big Buck"), Filters(title="rabbit")]),
        ("file:tape_3.mp4", [Filters(filename="tape_3.mp4")]),
        ('screen:exit Screen:"비상구 왼쪽"', [Filters(on_screen="exit"), Filters(on_screen="비상구 왼쪽")]),
        ("lang:ko-KR lang:EN", [Filters(languages=("ko", "en"))]),
        ("lang:ko,en", [Filters(languages=("ko", "en"))]),
        ("person:Anna", [Filters(people=("Anna",))]),
    ],
)
def test_filters_in_the_text(text: str, filters: list[Filters]) -> None:
    parsed = parse(f"boat {text} sea")
    assert (parsed.plain, parsed.lookup) == ("boat sea", "boat sea")
    assert list(parsed.filters) == filters


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("-person:Anna", [Filters(people=("Anna",))]),
        ('-person:"Anna Kim" -PERSON:Ben', [Filters(people=("Anna Kim",)), Filters(people=("Ben",))]),
        ('-title:harbour -screen:"fire exit"', [Filters(title="harbour"), Filters(on_screen="fire exit")]),
        ("\u2212lang:ko,en", [Filters(languages=("ko", "en"))]),
    ],
)
def test_filters_that_must_not_hold(text: str, filters: list[Filters]) -> None:
    parsed = parse(f"boat {text} sea")
    assert (parsed.plain, parsed.lookup, parsed.excluded, parsed.filters) == ("boat sea", "boat sea", (), ())
    assert list(parsed.without) == filters
    assert understand(Query(text), (), max_chars=1000).is_listing


def test_a_quotation_mark_alone_is_left_out() -> None:
    parsed = parse('red "fast car" "boat')
    assert (parsed.plain, parsed.lookup) == ("red fast car boat", 'red "fast car" boat')
    assert parsed.is_unclosed
    assert not parse('red "car"').is_unclosed


@given(st.text(max_size=60) | st.lists(st.sampled_from(list('-":a b')), max_size=20).map("".join))
@settings(max_examples=60)
def test_any_text_can_be_parsed(text: str) -> None:
    parsed = parse(text)
    assert parsed.lookup.count('"') % 2 == 0
    assert '"' not in parsed.plain


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=8))
@settings(max_examples=40)
def test_words_without_operators_stay_as_they_are(words: list[str]) -> None:
    text = " ".join(words)
    assert parse(text) == ParsedText(text, text)


def test_the_limit_counts_the_text_as_it_is_shown() -> None:
    assert normalise("a  b\n") == "a b"
    understand(Query("a" * 1000), (), max_chars=1000)
    with pytest.raises(InvalidQuery) as caught:
        understand(Query("a" * 1001), (), max_chars=1000)
    assert caught.value.details["length"] == 1001


@pytest.mark.parametrize("text", ["", "  ", '""', '"'])
def test_nothing_to_look_for(text: str) -> None:
    with pytest.raises(InvalidQuery):
        understand(Query(text), (), max_chars=1000)
    listing = understand(Query(text, filters=Filters(has_speech=True)), (), max_chars=1000)
    assert listing.is_listing


def test_only_excluded_words_list_the_other_scenes() -> None:
    asked = understand(Query("-boat"), (), max_chars=1000)
    assert asked.is_listing
    assert asked.notes == ("listing",)


def test_what_follows_must_be_a_text() -> None:
    with pytest.raises(InvalidQuery):
        understand(Query("boat", then=Then("-sea", 10.0)), (), max_chars=1000)


def test_people_where_nobody_can_be_searched_for() -> None:
    assert understand(Query("boat person:Anna"), (), max_chars=1000).notes == ("people_off",)
    found = understand(Query("person: Anna, boat"), (), max_chars=1000)
    assert (found.text.plain, found.wanted_people, found.notes) == ("Anna boat", (), ("people_off",))


@pytest.mark.parametrize(
    ("text", "people", "plain", "filters"),
    [
        ("person: Anna, red car", ("Anna",), "red car", ()),
        ('person: "Mary Ann", red car', ("Mary Ann",), "red car", ()),
        ("person: Mary Ann, person: Ben, boat", ("Mary Ann", "Ben"), "boat", ()),
        ("person: somebody walking", (), "person: somebody walking", ()),
        ("a person: Anna, boat", ("Anna",), "a boat", ()),
        ('person:"title:x" boat', (), "boat", ("title:x",)),
        ('"person:title:x"', (), "person:title:x", ()),
        ('person:"person:title:x"', (), "", ("person:title:x",)),
    ],
)
def test_people_as_filters_and_as_wishes(
    text: str, people: tuple[str, ...], plain: str, filters: tuple[str, ...]
) -> None:
    parsed = parse(text)
    assert (parsed.people, parsed.plain) == (people, plain)
    assert tuple(name for one in parsed.filters for name in one.people) == filters
