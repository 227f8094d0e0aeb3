"""The only place that knows session_state keys: what one person's open page remembers.

What must outlive the page (tray, language, weights) is written through the library; this keeps a copy
so that drawing a page asks the catalog once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.types import ReelClip
from ui.languages import DEFAULT_LANGUAGE, LANGUAGES

_LANGUAGE = "hx_language"
_SEARCH = "hx_search"
_TRAY = "hx_tray"
_TRAY_TITLE = "hx_tray_title"
_DELIVERED = "hx_delivered"
_FLASH = "hx_flash"
_UNDO = "hx_undo"
_VIDEO = "hx_open_video"
_EXPORT = "hx_export"
_COUNTERS = "hx_counters"
_WANTED_PAGE = "hx_wanted_page"
_FOLLOWED = "hx_followed_export"
_REDRAW = "hx_redraw"
_WATCHING = "hx_watching"
_CONFIRMING = "hx_confirming"
_REFUSED = "hx_refused"
_FORM = "hx_shown_form"

QUERY_WIDGET = "hx_query"
"""The key of the query's text input."""


@dataclass(frozen=True)
class SearchState:
    """Everything the search page shows is a function of this and of the library."""

    query: str = ""
    weights: Mapping[str, float] | None = None
    fusion: str | None = None
    spaces: tuple[str, ...] = ()
    """Names of the spaces that are searched instead of their kind's first one."""
    hidden_videos: frozenset[str] = frozenset()
    page: int = 0
    selected: str | None = None
    """scene_id that the player shows."""
    play: int = 0
    """Counts the wishes to play; a change starts the player."""
    played: int = 0
    """The count up to which a player that is only now drawn need not start."""


# --- language -------------------------------------------------------------------------------------


def language() -> str:
    """The language of this person's pages."""
    return str(st.session_state.get(_LANGUAGE, DEFAULT_LANGUAGE))


def has_language() -> bool:
    return _LANGUAGE in st.session_state


def set_language(wanted: str) -> None:
    """Speak `wanted` from the next drawing on; one that we do not speak is ignored."""
    if wanted in LANGUAGES:
        st.session_state[_LANGUAGE] = wanted


# --- search ---------------------------------------------------------------------------------------


def search() -> SearchState:
    found: SearchState = st.session_state.setdefault(_SEARCH, SearchState())
    return found


def update_search(**changes: Any) -> SearchState:
    """Change some of the search; a new query, weighting or filter goes back to the first page."""
    current = search()
    if set(changes) & {"query", "weights", "fusion", "spaces", "hidden_videos"} and "page" not in changes:
        changes["page"] = 0
    if "query" in changes:
        changes["played"] = current.play
    changed = replace(current, **changes)
    st.session_state[_SEARCH] = changed
    return changed


def arrive() -> None:
    """A page is drawn from its beginning: what was played before is over."""
    st.session_state[_SEARCH] = replace(search(), played=search().play)


def query_typed() -> str:
    """What stands in the query's text input now."""
    return str(st.session_state.get(QUERY_WIDGET, "")).strip()


def seed_query(text: str) -> None:
    """Put `text` into the text input before it is drawn."""
    if QUERY_WIDGET not in st.session_state:
        st.session_state[QUERY_WIDGET] = text


def ask(text: str) -> None:
    """Set the query from outside the text input (an example, a link)."""
    st.session_state[QUERY_WIDGET] = text
    update_search(query=text, selected=None)


# --- tray -----------------------------------------------------------------------------------------


def tray() -> tuple[ReelClip, ...] | None:
    """The picked clips as last read or written; None when they were not read yet."""
    found: tuple[ReelClip, ...] | None = st.session_state.get(_TRAY)
    return found


def tray_title() -> str:
    return str(st.session_state.get(_TRAY_TITLE, ""))


def keep_tray(clips: Sequence[ReelClip], title: str) -> None:
    st.session_state[_TRAY] = tuple(clips)
    st.session_state[_TRAY_TITLE] = title


# --- what the components sent ---------------------------------------------------------------------


def take_new(component: str, mount: str, items: Sequence[tuple[int, str, Any]]) -> list[tuple[str, Any]]:
    """The operations of `items` that were not handled yet, in order; remembers them as handled.

    A component sends all it has not seen confirmed, so none is lost when two follow each other quickly.
    """
    delivered: dict[str, tuple[str, int]] = st.session_state.setdefault(_DELIVERED, {})
    last_mount, last = delivered.get(component, ("", 0))
    if mount != last_mount:
        last = 0
    new = [(name, value) for number, name, value in items if number > last]
    delivered[component] = (mount, max([last, *(number for number, _, _ in items)]))
    return new


def acknowledged(component: str) -> dict[str, Any]:
    """What the component may forget."""
    mount, last = st.session_state.get(_DELIVERED, {}).get(component, ("", 0))
    return {"mount": mount, "n": last}


def count(name: str) -> int:
    """A number that is one higher each time; tells a component that something happened again."""
    counters: dict[str, int] = st.session_state.setdefault(_COUNTERS, {})
    counters[name] = counters.get(name, 0) + 1
    return counters[name]


def counter(name: str) -> int:
    return int(st.session_state.get(_COUNTERS, {}).get(name, 0))


# --- messages and undo ----------------------------------------------------------------------------


def flash(error: Mapping[str, Any] | None) -> None:
    """Keep an error for the next drawing; None clears it."""
    st.session_state[_FLASH] = dict(error) if error else None


def take_flash() -> dict[str, Any] | None:
    found: dict[str, Any] | None = st.session_state.get(_FLASH)
    st.session_state[_FLASH] = None
    return found


def set_undo(video_id: str | None) -> None:
    """The video that was deleted last and can be brought back."""
    st.session_state[_UNDO] = video_id


def undo() -> str | None:
    found: str | None = st.session_state.get(_UNDO)
    return found


# --- where the person is --------------------------------------------------------------------------


def open_video(video_id: str | None) -> None:
    """The video whose scenes the library page shows; None for the list."""
    st.session_state[_VIDEO] = video_id


def opened_video() -> str | None:
    found: str | None = st.session_state.get(_VIDEO)
    return found


def show_export(export_id: str | None) -> None:
    """The export that the reel page shows."""
    st.session_state[_EXPORT] = export_id


def shown_export() -> str | None:
    found: str | None = st.session_state.get(_EXPORT)
    return found


def want_page(name: str) -> None:
    """Ask for another page; ui.navigation goes there when drawing begins."""
    st.session_state[_WANTED_PAGE] = name


def take_wanted_page() -> str | None:
    found: str | None = st.session_state.pop(_WANTED_PAGE, None)
    return found


def is_watching(place: str) -> bool:
    """Whether that part of a page repeats itself because work is under way."""
    return bool(st.session_state.get(_WATCHING, {}).get(place, False))


def watch(place: str, running: bool) -> None:
    st.session_state.setdefault(_WATCHING, {})[place] = running


def confirm(what: str | None) -> None:
    """What the person is asked to confirm; None when that is over."""
    st.session_state[_CONFIRMING] = what


def confirming() -> str | None:
    found: str | None = st.session_state.get(_CONFIRMING)
    return found


def show_form(name: str | None) -> None:
    """The form that is unfolded; None for none."""
    st.session_state[_FORM] = name


def shown_form() -> str | None:
    found: str | None = st.session_state.get(_FORM)
    return found


def refuse(place: str, error: Mapping[str, Any] | None) -> None:
    """Keep the error of what was tried at `place` beside it, until something else is tried."""
    st.session_state[_REFUSED] = {place: dict(error)} if error else {}


def refused(place: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = st.session_state.get(_REFUSED, {}).get(place)
    return found


def follow_export(export_id: str | None) -> None:
    """The export whose render is watched."""
    st.session_state[_FOLLOWED] = export_id


def followed_export() -> str | None:
    found: str | None = st.session_state.get(_FOLLOWED)
    return found


def want_redraw() -> None:
    """Ask for the whole page to be drawn again, from a part that is drawn on its own."""
    st.session_state[_REDRAW] = True


def take_redraw() -> bool:
    return bool(st.session_state.pop(_REDRAW, False))


# --- widgets --------------------------------------------------------------------------------------


def widget(key: str) -> Any:
    """What the widget of that key holds."""
    return st.session_state.get(key)


def seed(key: str, value: Any) -> None:
    """What the widget of that key shall hold, set before it is drawn."""
    st.session_state[key] = value
