"""Every session_state key of the app: what one open page remembers.

What must outlive the page (tray, language, weights) is saved in the library. This module keeps a copy, so that the
catalog is read once per page and not once per rerun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.types import ReelClip

_LANGUAGE = "hx_language"
_SEARCH = "hx_search"
_TRAY = "hx_tray"
_TRAY_TITLE = "hx_tray_title"
_HANDLED = "hx_handled_operations"
_FLASH = "hx_flash"
_DELETED_VIDEO = "hx_deleted_video"
_VIDEO = "hx_open_video"
_EXPORT = "hx_export"
_LIBRARY_PAGES = "hx_library_pages"
_REQUESTED_PAGE = "hx_requested_page"
_FOLLOWED = "hx_followed_export"
_RERUN = "hx_rerun"
_POLLING = "hx_polling"
_CONFIRMING = "hx_confirming"
_ERRORS = "hx_errors"
_FORM = "hx_shown_form"

QUERY_WIDGET = "hx_query"
"""The key of the query's text input."""


@dataclass(frozen=True)
class SearchState:
    """The input of the search page. What the page shows depends on this and on the library only."""

    query: str = ""
    weights: Mapping[str, float] | None = None
    fusion: str | None = None
    spaces: tuple[str, ...] = ()
    """Names of the spaces that are searched instead of the first one of their kind."""
    hidden_videos: frozenset[str] = frozenset()
    page: int = 0
    selected: str | None = None
    """scene_id of the scene in the player."""
    play_count: int = 0
    """How often playing was requested. The player starts when the number changes."""
    ignored_plays: int = 0
    """The play_count for which a player that is drawn for the first time does not start."""


# --- language -------------------------------------------------------------------------------------


def language() -> str:
    """The language of the page, "en" if none has been chosen."""
    return str(st.session_state.get(_LANGUAGE, "en"))


def has_language() -> bool:
    """Whether the language of the page has been chosen."""
    return _LANGUAGE in st.session_state


def set_language(code: str) -> None:
    """Use a language of ui.i18n.LANGUAGES from the next rerun on."""
    st.session_state[_LANGUAGE] = code


# --- search ---------------------------------------------------------------------------------------


def search() -> SearchState:
    """The current search."""
    found: SearchState = st.session_state.setdefault(_SEARCH, SearchState())
    return found


def update_search(**changes: Any) -> SearchState:
    """Change fields of the search. Changes that affect the results also go back to the first page."""
    current = search()
    if set(changes) & {"query", "weights", "fusion", "spaces", "hidden_videos"} and "page" not in changes:
        changes["page"] = 0
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


# --- tray -----------------------------------------------------------------------------------------


def tray() -> tuple[ReelClip, ...] | None:
    """The clips in the tray as last read or saved; None if they have not been read yet."""
    found: tuple[ReelClip, ...] | None = st.session_state.get(_TRAY)
    return found


def tray_title() -> str:
    """The title of the reel, "" if it has none."""
    return str(st.session_state.get(_TRAY_TITLE, ""))


def set_tray(clips: Sequence[ReelClip], title: str) -> None:
    """Remember the clips and the title that the library has."""
    st.session_state[_TRAY] = tuple(clips)
    st.session_state[_TRAY_TITLE] = title


# --- operations sent by components ----------------------------------------------------------------


def take_new(component: str, mount: str, operations: Sequence[tuple[int, str, Any]]) -> list[tuple[str, Any]]:
    """The (name, value) of each operation that has not been handled yet, in order. Marks all of them as handled.

    A component sends every operation until it is acknowledged, so none is lost if two follow in quick succession.

    Args:
        component: key of the component.
        mount: identifies one life of the component in the browser. Numbers start again with each.
        operations: (number, name, value) as sent.
    """
    handled: dict[str, tuple[str, int]] = st.session_state.setdefault(_HANDLED, {})
    last_mount, last = handled.get(component, ("", 0))
    if mount != last_mount:
        last = 0
    new = [(name, value) for number, name, value in operations if number > last]
    handled[component] = (mount, max([last, *(number for number, _, _ in operations)]))
    return new


def acknowledged(component: str) -> dict[str, Any]:
    """The last operation that was handled. The component may forget it and all before it."""
    mount, last = st.session_state.get(_HANDLED, {}).get(component, ("", 0))
    return {"mount": mount, "n": last}


# --- errors, undo and confirmations ---------------------------------------------------------------


def flash(error: Mapping[str, Any] | None) -> None:
    """Keep an error for the next rerun; None clears it."""
    st.session_state[_FLASH] = dict(error) if error else None


def take_flash() -> dict[str, Any] | None:
    """The error that `flash` kept, once."""
    found: dict[str, Any] | None = st.session_state.get(_FLASH)
    st.session_state[_FLASH] = None
    return found


def set_error(section: str, error: Mapping[str, Any] | None) -> None:
    """Show an error in a section of the page until the next attempt in any section; None clears it."""
    st.session_state[_ERRORS] = {section: dict(error)} if error else {}


def error_in(section: str) -> dict[str, Any] | None:
    """The error that `set_error` keeps for a section."""
    found: dict[str, Any] | None = st.session_state.get(_ERRORS, {}).get(section)
    return found


def set_deleted_video(video_id: str | None) -> None:
    """The video that was deleted last and can be restored; None clears it."""
    st.session_state[_DELETED_VIDEO] = video_id


def deleted_video() -> str | None:
    """The video that `set_deleted_video` keeps."""
    found: str | None = st.session_state.get(_DELETED_VIDEO)
    return found


def set_confirming(question: str | None) -> None:
    """Name the question that the user has to confirm; None when it has been answered."""
    st.session_state[_CONFIRMING] = question


def confirming() -> str | None:
    """The question that the user has to confirm."""
    found: str | None = st.session_state.get(_CONFIRMING)
    return found


# --- what is open ---------------------------------------------------------------------------------


def open_video(video_id: str | None) -> None:
    """Choose the video whose scenes the library page shows; None for the list of videos."""
    st.session_state[_VIDEO] = video_id


def opened_video() -> str | None:
    """The video whose scenes the library page shows."""
    found: str | None = st.session_state.get(_VIDEO)
    return found


def library_pages() -> int:
    """How many pages of the list of videos are shown."""
    return int(st.session_state.get(_LIBRARY_PAGES, 1))


def show_more_videos() -> None:
    """Show one more page of the list of videos."""
    st.session_state[_LIBRARY_PAGES] = library_pages() + 1


def show_form(name: str | None) -> None:
    """Open the form of that name; None closes it."""
    st.session_state[_FORM] = name


def shown_form() -> str | None:
    """The form that is open."""
    found: str | None = st.session_state.get(_FORM)
    return found


def show_export(export_id: str | None) -> None:
    """Choose the export that the reel page plays; None for the clips of the reel."""
    st.session_state[_EXPORT] = export_id


def shown_export() -> str | None:
    """The export that the reel page plays."""
    found: str | None = st.session_state.get(_EXPORT)
    return found


def follow_export(export_id: str | None) -> None:
    """Choose the export whose progress is shown."""
    st.session_state[_FOLLOWED] = export_id


def followed_export() -> str | None:
    """The export whose progress is shown."""
    found: str | None = st.session_state.get(_FOLLOWED)
    return found


# --- navigation and reruns ------------------------------------------------------------------------


def request_page(name: str) -> None:
    """Ask for another page from a callback, where Streamlit cannot switch; ui.page switches in the next rerun."""
    st.session_state[_REQUESTED_PAGE] = name


def take_requested_page() -> str | None:
    """The page that `request_page` asked for, once."""
    found: str | None = st.session_state.pop(_REQUESTED_PAGE, None)
    return found


def request_rerun() -> None:
    """Ask for a rerun of the whole page from a fragment's callback."""
    st.session_state[_RERUN] = True


def take_rerun_request() -> bool:
    """Whether `request_rerun` was called since the last time."""
    return bool(st.session_state.pop(_RERUN, False))


def is_polling(fragment: str) -> bool:
    """Whether a fragment reruns by itself because work is in progress."""
    return bool(st.session_state.get(_POLLING, {}).get(fragment, False))


def set_polling(fragment: str, enabled: bool) -> None:
    """Choose whether a fragment reruns by itself."""
    st.session_state.setdefault(_POLLING, {})[fragment] = enabled


# --- widgets --------------------------------------------------------------------------------------


def widget_value(key: str) -> Any:
    """The value of the widget with that key."""
    return st.session_state.get(key)


def set_widget_value(key: str, value: Any) -> None:
    """Set the value of a widget before it is drawn."""
    st.session_state[key] = value
