"""The URL of the search page: what it says of a search, and what is searched for when it is opened."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import streamlit as st

from heimdex_core.types import Filters
from ui import address, search_address, state
from ui.state import SearchState

VIDEOS = ["a", "b", "c", "d"]
WEIGHTS = {"transcript": 0.3, "vision": 0.7, "lexical": 0.25}


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", found)
    return found


def said(search: SearchState) -> dict[str, str]:
    """The parameters that the URL has."""
    entry, details = search_address.params(search, WEIGHTS, "minmax", VIDEOS)
    return dict(parse_qsl(urlsplit(address.url("search", **entry, **details)).query))


def test_it_says_what_is_shown_and_leaves_out_what_is_usual() -> None:
    assert said(SearchState(query="red car")) == {"q": "red car", "w": "30-70-25"}
    full = SearchState(
        query="빨간 차 & +",
        fusion="rrf",
        spaces=("text/x", "vision/y"),
        page=2,
        selected="v_1",
        hidden_videos=frozenset("b"),
    )
    assert said(full) == {
        "q": "빨간 차 & +",
        "page": "3",
        "scene": "v_1",
        "w": "30-70-25",
        "by": "rrf",
        "spaces": "text/x,vision/y",
        "hide": "b",
    }
    assert said(SearchState()) == {}


FILTERS = Filters(
    title="harbour",
    filename="DSC_0042",
    on_screen="fire exit",
    added_from=date(2026, 11, 1),
    added_to=date(2026, 11, 26),
    min_s=2.5,
    max_s=30.0,
    languages=("ko", "en"),
    has_speech=False,
    tags=("100%, really", "바다"),
    people=("Mina",),
)


def test_filters_order_and_examples_are_named() -> None:
    search = SearchState(
        query="boat",
        filters=FILTERS,
        sort="newest",
        grouped=True,
        liked=("v_0_1", "v_2_3"),
        disliked=("v_4_5",),
        image="0123456789abcdef",
        then="a bridge",
        within_s=12.5,
    )
    assert said(search) == {
        "q": "boat",
        "w": "30-70-25",
        "title": "harbour",
        "file": "DSC_0042",
        "screen": "fire exit",
        "from": "2026-11-01",
        "to": "2026-11-26",
        "min": "2.5",
        "max": "30",
        "lang": "ko,en",
        "speech": "no",
        "tag": "100%25%2C really,바다",
        "person": "Mina",
        "sort": "newest",
        "group": "yes",
        "like": "v_0_1,v_2_3",
        "less": "v_4_5",
        "image": "0123456789abcdef",
        "then": "a bridge",
        "within": "12.5",
    }


def test_the_shorter_list_of_videos_is_named() -> None:
    assert said(SearchState(query="x", hidden_videos=frozenset("abc")))["videos"] == "d"
    assert said(SearchState(query="x", hidden_videos=frozenset("ab")))["hide"] == "a,b"


@pytest.mark.parametrize(
    "search",
    [
        SearchState(query="red"),
        SearchState(query="빨강", fusion="rrf", spaces=("text/x",), page=4, selected="v_7"),
        SearchState(query="x", hidden_videos=frozenset("abc")),
        SearchState(query="x", hidden_videos=frozenset("abcd")),
        SearchState(query="x", filters=FILTERS, sort="time", grouped=True),
        SearchState(filters=Filters(tags=("sea",))),
        SearchState(liked=("v_0_1",), disliked=("v_4_5",), image="0123456789abcdef"),
        SearchState(query="x", then="a bridge", within_s=5.0),
        SearchState(),
    ],
)
def test_opening_it_restores_the_search(search: SearchState) -> None:
    before = {
        "query": "before",
        "hidden_videos": frozenset("c"),
        "selected": "other",
        "fusion": "rrf",
        "spaces": ("z",),
    }
    others = {
        "filters": Filters(title="other"),
        "sort": "time",
        "liked": ("o_0_1",),
        "image": "f" * 16,
        "then": "other",
    }
    state.update_search(**before, **others)
    search_address.restore(said(search), VIDEOS, fusion="minmax")
    is_asked = bool(search.query or search.liked or search.filters)
    fusion = search.fusion or ("minmax" if is_asked else None)
    assert state.search() == replace(search, weights=WEIGHTS if is_asked else None, fusion=fusion)
    assert st.session_state[state.QUERY_WIDGET] == search.query


@pytest.mark.parametrize("bad", ["", "1-2", "30-70-x", "-1-5-5", "٣-٣-٣", "9999-1-1", "1e3-1-1", "30-70-25-10"])
def test_weights_that_make_no_sense_leave_those_of_the_page(bad: str) -> None:
    state.update_search(weights=WEIGHTS)
    search_address.restore({"q": "x", "w": bad, "page": bad, "by": bad}, VIDEOS, fusion="minmax")
    assert state.search().weights == WEIGHTS
    assert (state.search().page, state.search().fusion) == (0, "minmax")


def test_a_url_made_by_hand_leaves_the_fusion_method_to_the_defaults() -> None:
    search_address.restore({"q": "x"}, VIDEOS, fusion="minmax")
    assert state.search().fusion is None


@pytest.mark.parametrize(
    "bad", ["", "x", "-1", "nan", "inf", "1e999", "2026-13-01", "'; drop table", "%", "%2C", ",,,", "\0", "가" * 9000]
)
def test_filters_that_make_no_sense_are_left_out(bad: str) -> None:
    names = ("from", "to", "min", "max", "speech", "sort", "group", "image", "within")
    search_address.restore({"q": "x", **dict.fromkeys(names, bad)}, VIDEOS, fusion="minmax")
    found = state.search()
    assert (found.filters, found.sort, found.grouped, found.image) == (Filters(), "score", False, None)
    assert found.within_s == state.THEN_WITHIN_S


def test_limits_the_wrong_way_round_keep_the_first() -> None:
    given = {"min": "5", "max": "2", "from": "2026-11-02", "to": "2026-11-01"}
    assert search_address.filters_of(given) == Filters(min_s=5.0, added_from=date(2026, 11, 2))
