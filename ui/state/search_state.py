"""The search of a page, and the text in its input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.types import NO_FILTERS, Filters, Sort

_SEARCH = "hx_search"


QUERY_WIDGET = "hx_query"
"""The key of the query's text input."""


THEN_WITHIN_S = 30.0
_RESULT_FIELDS = frozenset({
    "query", "weights", "fusion", "spaces", "hidden_videos", "filters", "sort", "grouped", "liked", "disliked", "image",
    "then", "within_s",
})  # fmt: skip
"""The fields of SearchState that decide which scenes are found."""


@dataclass(frozen=True)
class SearchState:
    """The input of the search page. What the page shows depends on this and on the library only."""

    query: str = ""
    weights: Mapping[str, float] | None = None
    fusion: str | None = None
    spaces: tuple[str, ...] = ()
    """Names of the spaces that are searched instead of the first one of their kind."""
    hidden_videos: frozenset[str] = frozenset()
    filters: Filters = NO_FILTERS
    """Without `video_ids`, which `hidden_videos` stand for."""
    sort: Sort = "score"
    grouped: bool = False
    """Whether the hits of a video stand together."""
    liked: tuple[str, ...] = ()
    """scene_ids to find similar scenes to."""
    disliked: tuple[str, ...] = ()
    """scene_ids that the found ones should not be similar to."""
    image: str | None = None
    """The name of a picture that Library.searches keeps, to find similar scenes to."""
    then: str = ""
    """What has to follow a found scene."""
    within_s: float = THEN_WITHIN_S
    """How soon it has to follow, in seconds."""
    unfolded: frozenset[str] = frozenset()
    """scene_ids of the cards whose near-identical scenes are shown, too."""
    page: int = 0
    view_token: str | None = None
    """The state of the library that the shown page of results is of; the next page is of the same."""
    selected: str | None = None
    """scene_id of the scene in the player."""
    play_count: int = 0
    """How often playing was requested. The player starts when the number changes."""
    ignored_plays: int = 0
    """The play_count for which a player that is drawn for the first time does not start."""

    @property
    def has_example(self) -> bool:
        """Whether there is something else than a text to find similar scenes to."""
        return bool(self.liked or self.image)

    @property
    def is_asked(self) -> bool:
        """Whether there is anything to search for, or by."""
        return bool(self.query or self.has_example or self.filters)


def search() -> SearchState:
    """The current search."""
    found: SearchState = st.session_state.setdefault(_SEARCH, SearchState())
    return found


def update_search(**changes: Any) -> SearchState:
    """Change fields of the search. Changes that affect the results also go back to the first page."""
    current = search()
    if set(changes) & _RESULT_FIELDS and "page" not in changes:
        changes["page"] = 0
    if set(changes) & {"query", "liked", "image", "then"}:
        changes.setdefault("unfolded", frozenset())
    if "query" in changes:
        changes["ignored_plays"] = current.play_count
    changed = replace(current, **changes)
    st.session_state[_SEARCH] = changed
    return changed


def ignore_earlier_plays() -> None:
    """Called when a page is opened: a player on it does not start because of an earlier click."""
    st.session_state[_SEARCH] = replace(search(), ignored_plays=search().play_count)


def typed_query() -> str:
    """The content of the query's text input."""
    return str(st.session_state.get(QUERY_WIDGET, "")).strip()


def seed_query(text: str) -> None:
    """Put `text` into the text input unless it has been drawn before."""
    if QUERY_WIDGET not in st.session_state:
        st.session_state[QUERY_WIDGET] = text


def set_query(text: str) -> None:
    """Set the query from outside the text input (an example, a link)."""
    st.session_state[QUERY_WIDGET] = text
    update_search(query=text, selected=None)
