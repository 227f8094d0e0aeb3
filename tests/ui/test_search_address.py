"""The URL of the search page: what it says of a search, and what is searched for when it is opened."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import streamlit as st

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
        SearchState(),
    ],
)
def test_opening_it_restores_the_search(search: SearchState) -> None:
    state.update_search(query="before", hidden_videos=frozenset("c"), selected="other", fusion="rrf", spaces=("z",))
    search_address.restore(said(search), VIDEOS)
    found = state.search()
    assert (found.query, found.fusion, found.spaces) == (search.query, search.fusion, search.spaces)
    assert (found.hidden_videos, found.page, found.selected) == (search.hidden_videos, search.page, search.selected)
    assert st.session_state[state.QUERY_WIDGET] == search.query
    if search.query:
        assert found.weights == WEIGHTS


@pytest.mark.parametrize("bad", ["", "1-2", "30-70-x", "-1-5-5", "٣-٣-٣", "9999-1-1", "1e3-1-1", "30-70-25-10"])
def test_weights_that_make_no_sense_leave_those_of_the_page(bad: str) -> None:
    state.update_search(weights=WEIGHTS)
    search_address.restore({"q": "x", "w": bad, "page": bad, "by": bad}, VIDEOS)
    assert state.search().weights == WEIGHTS
    assert (state.search().page, state.search().fusion) == (0, None)
