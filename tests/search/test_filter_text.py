"""Filters as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.errors import InvalidFilter
from heimdex_core.search.filter_text import filter_pairs, parse_filters
from heimdex_core.types import NO_FILTERS, Filters

TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
SECONDS = st.floats(min_value=0, max_value=1e6)
DAYS = st.dates()


def ordered_pair(values: st.SearchStrategy) -> st.SearchStrategy:
    pairs = st.tuples(values, values).map(sorted)
    return st.one_of(st.just((None, None)), pairs, values.map(lambda one: (one, None)))


FILTERS = st.builds(
    lambda days, lengths, **more: Filters(
        added_from=days[0], added_to=days[1], min_s=lengths[0], max_s=lengths[1], **more
    ),
    days=ordered_pair(DAYS),
    lengths=ordered_pair(SECONDS),
    video_ids=st.none() | st.lists(TEXTS, min_size=1, max_size=3),
    title=st.just("") | TEXTS,
    filename=st.just("") | TEXTS,
    on_screen=st.just("") | TEXTS,
    languages=st.lists(TEXTS, max_size=2),
    has_speech=st.none() | st.booleans(),
    tags=st.lists(TEXTS, max_size=2),
    people=st.lists(TEXTS, max_size=2),
)


@given(FILTERS)
def test_text_and_back(filters: Filters) -> None:
    assert parse_filters(filter_pairs(filters)) == filters


def test_by_hand() -> None:
    pairs = ["lang=ko", "lang=en", "speech=no", "min-s=2", "max-s=4.5", "added-from=2026-01-02", "tag=a=b", "title=x y"]
    assert parse_filters(pairs) == Filters(
        title="x y",
        added_from=date(2026, 1, 2),
        min_s=2.0,
        max_s=4.5,
        languages=("ko", "en"),
        has_speech=False,
        tags=("a=b",),
    )
    assert parse_filters([]) == NO_FILTERS
    assert filter_pairs(NO_FILTERS) == []


@pytest.mark.parametrize(
    "pairs",
    [
        ["colour=red"],
        ["lang"],
        ["lang="],
        ["speech=perhaps"],
        ["min-s=long"],
        ["min-s=nan"],
        ["min-s=-1"],
        ["max-s=inf"],
        ["min-s=3", "max-s=2"],
        ["added-from=yesterday"],
        ["added-from=2026-02-30"],
        ["added-from=2026-02-02", "added-to=2026-02-01"],
        ["title=a", "title=b"],
    ],
)
def test_filters_that_cannot_be_used(pairs: list[str]) -> None:
    with pytest.raises(InvalidFilter):
        parse_filters(pairs)


def test_one_text_is_not_a_list_of_values() -> None:
    with pytest.raises(InvalidFilter):
        Filters(languages="ko")  # type: ignore[arg-type]


def test_lists_become_tuples() -> None:
    filters = Filters(tags=["a"], video_ids=["v"])  # type: ignore[arg-type]
    assert (filters.tags, filters.video_ids) == (("a",), ("v",))
    assert hash(filters) == hash(Filters(tags=("a",), video_ids=("v",)))
