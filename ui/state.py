"""Every session_state key of the app: what one open page remembers.

What must outlive the page (tray, language, weights) is saved in the library. This module keeps a copy, so that the
catalog is read once per page and not once per rerun.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.library import PublishedState
from heimdex_core.types import Export, Tray

_LANGUAGE = "hx_language"
_SEARCH = "hx_search"
_TRAY = "hx_tray"
_TRAY_SINCE = "hx_tray_since"
_SESSION = "hx_session"
_SEEN = "hx_seen_state"
_HANDLED = "hx_handled_operations"
_FLASH = "hx_flash"
_DELETED_VIDEOS = "hx_deleted_videos"
_VIDEO = "hx_open_video"
_VIDEO_BACK = "hx_open_video_back"
_EXPORT = "hx_export"
_LIBRARY_PAGES = "hx_library_pages"
_LIST_CHOICE = "hx_library_choice"
_REQUESTED_PAGE = "hx_requested_page"
_FOLLOWED = "hx_followed_export"
_RERUN = "hx_rerun"
_POLLING = "hx_polling"
_CONFIRMING = "hx_confirming"
_ERRORS = "hx_errors"
_FORM = "hx_shown_form"
_RENDER_WATCH = "hx_render_watch"
_FAILED_PAGE = "hx_failed_page"
_RECOVERED_AT = "hx_recovered_at"
_ADDRESS = "hx_address"
_OPENING = "hx_opening"
_KEPT = "hx_kept"
_OPENED = "hx_opened_params"
_LAST_PARAMS = "hx_last_params"

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


def session_id() -> str:
    """Names this open page, as the author of its changes of the tray."""
    return str(st.session_state.setdefault(_SESSION, uuid.uuid4().hex))


def tray() -> Tray | None:
    """The tray as last read or saved; None if it has not been read yet, or has to be read again."""
    found: Tray | None = st.session_state.get(_TRAY)
    return found


def set_tray(tray: Tray | None) -> None:
    """Remember the tray that the library has; None to read it again."""
    st.session_state[_TRAY] = tray
    if tray is not None:
        st.session_state.setdefault(_TRAY_SINCE, tray.revision)


def tray_since() -> int:
    """The revision of the tray that this page saw first."""
    return int(st.session_state.get(_TRAY_SINCE, 0))


def seen_state() -> PublishedState | None:
    """What the library had published when this page last looked for changes of others; None before."""
    found: PublishedState | None = st.session_state.get(_SEEN)
    return found


def set_seen_state(value: PublishedState) -> None:
    """Remember what the library has published."""
    st.session_state[_SEEN] = value


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
    """The last operation that was handled. The component may forget it and all before it.

    `session` changes when the server has lost the page, and with it what it had not handled yet.
    """
    mount, last = st.session_state.get(_HANDLED, {}).get(component, ("", 0))
    return {"mount": mount, "n": last, "session": session_id()}


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


def set_deleted_videos(video_ids: Sequence[str], clips: int = 0) -> None:
    """The videos that were deleted last and can be restored, and how many clips of the reel use them."""
    st.session_state[_DELETED_VIDEOS] = (tuple(video_ids), clips)


def deleted_videos() -> tuple[tuple[str, ...], int]:
    """What `set_deleted_videos` keeps."""
    found: tuple[tuple[str, ...], int] = st.session_state.get(_DELETED_VIDEOS, ((), 0))
    return found


def set_failed_page(failed: bool) -> None:
    """Remember whether a part of the page shows an error of the library."""
    st.session_state[_FAILED_PAGE] = failed


def has_failed_page() -> bool:
    """Whether a part of the page shows an error of the library."""
    return bool(st.session_state.get(_FAILED_PAGE, False))


def set_recovered_at(monotonic_s: float) -> None:
    """Remember when the page was drawn again after an error, by time.monotonic."""
    st.session_state[_RECOVERED_AT] = monotonic_s


def recovered_at() -> float:
    """When `set_recovered_at` was called last."""
    return float(st.session_state.get(_RECOVERED_AT, float("-inf")))


def set_confirming(question: str | None) -> None:
    """Name the question that the user has to confirm; None when it has been answered."""
    st.session_state[_CONFIRMING] = question


def confirming() -> str | None:
    """The question that the user has to confirm."""
    found: str | None = st.session_state.get(_CONFIRMING)
    return found


# --- what is open ---------------------------------------------------------------------------------


def open_video(video_id: str, *, scene_id: str | None = None, back_to: str = "library") -> None:
    """Go to the page of a video.

    Args:
        video_id: of the video.
        scene_id: the scene to select; None for the first one.
        back_to: the page that the button "Back" opens.
    """
    st.session_state[_VIDEO] = video_id
    st.session_state[_VIDEO_BACK] = back_to
    update_search(selected=scene_id)
    request_page("video", id=video_id, **({"scene": scene_id} if scene_id else {}))


def show_video(video_id: str, scene_id: str | None) -> None:
    """Show a video on its page, which is open; `scene_id` as for `open_video`."""
    st.session_state[_VIDEO] = video_id
    update_search(selected=scene_id)


def opened_video() -> str | None:
    """The video that the video page shows."""
    found: str | None = st.session_state.get(_VIDEO)
    return found


def opened_from() -> str:
    """The page from which the video was opened."""
    return str(st.session_state.get(_VIDEO_BACK, "library"))


def list_choice() -> Any:
    """The ui.views.video_list.ListChoice of the library page; None before there is one."""
    return st.session_state.get(_LIST_CHOICE)


def set_list_choice(choice: Any) -> None:
    """Keep a ListChoice; the list begins again with its first page."""
    st.session_state[_LIST_CHOICE] = choice
    st.session_state[_LIBRARY_PAGES] = 1


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


@dataclass(frozen=True)
class RenderWatch:
    """The render whose end is told on every page."""

    awaited: str | None = None
    """export_id of the render that is running."""
    told: str | None = None
    """export_id of the last one whose end was told."""
    finished: Export | None = None
    """What is told now, until it has been seen."""


def render_watch() -> RenderWatch | None:
    """The render that is watched; None if nobody has looked for one yet."""
    found: RenderWatch | None = st.session_state.get(_RENDER_WATCH)
    return found


def update_render_watch(**changes: Any) -> RenderWatch:
    """Change fields of `render_watch`."""
    changed = replace(render_watch() or RenderWatch(), **changes)
    st.session_state[_RENDER_WATCH] = changed
    return changed


# --- navigation and reruns ------------------------------------------------------------------------


def request_page(name: str, **query: str | None) -> None:
    """Ask for another page from a callback, where Streamlit cannot switch; ui.page switches in the next rerun.

    Args:
        name: of ui.page.NAMES or ui.page.HIDDEN.
        query: the parameters of its address. Without any, the page keeps its state.
    """
    st.session_state[_REQUESTED_PAGE] = (name, {key: value for key, value in query.items() if value})


def take_requested_page() -> tuple[str, dict[str, str]] | None:
    """The page that `request_page` asked for and the parameters of its address, once."""
    found: tuple[str, dict[str, str]] | None = st.session_state.pop(_REQUESTED_PAGE, None)
    return found


@dataclass(frozen=True)
class Address:
    """What a URL of the app says: the page and its parameters."""

    page: str
    params: Mapping[str, str]


def address() -> Address | None:
    """The URL in the browser as far as the server knows; None in the first run."""
    found: Address | None = st.session_state.get(_ADDRESS)
    return found


def set_address(value: Address | None, *, is_opening: bool = False, opened: Mapping[str, str] | None = None) -> None:
    """Remember the URL of a run. None makes the next run one that opens a URL.

    Args:
        value: the URL.
        is_opening: whether the page is opened in this run and has still to say what it shows.
        opened: the parameters that the page has to restore.
    """
    st.session_state[_ADDRESS] = value
    st.session_state[_OPENING] = is_opening
    st.session_state[_OPENED] = opened


def is_opening() -> bool:
    """Whether the page is opened in this run and has not said yet what it shows."""
    return bool(st.session_state.get(_OPENING, False))


def opened_params() -> Mapping[str, str] | None:
    """The parameters that the page has to restore in this run."""
    found: Mapping[str, str] | None = st.session_state.get(_OPENED)
    return found


def remember_shown(value: Address) -> None:
    """Remember the URL of what the page shows."""
    set_address(value)
    st.session_state.setdefault(_LAST_PARAMS, {})[value.page] = dict(value.params)


def last_params(page: str) -> Mapping[str, str]:
    """The parameters of the URL of a page when it was shown last."""
    found: Mapping[str, str] = st.session_state.get(_LAST_PARAMS, {}).get(page, {})
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


# --- what is slow to find out ----------------------------------------------------------------------


def kept(name: str, for_s: float, find_out: Callable[[], str]) -> str:
    """The text that `find_out` gave within the last `for_s` seconds, else what it gives now.

    It is found out anew, too, in another language and after a change of the videos.
    """
    found: dict[str, tuple[float, object, str]] = st.session_state.setdefault(_KEPT, {})
    seen = seen_state()
    of = (language(), seen and seen.videos)
    at, before, text = found.get(name, (float("-inf"), None, ""))
    if time.monotonic() - at > for_s or before != of:
        text = find_out()
        found[name] = (time.monotonic(), of, text)
    return text


# --- widgets --------------------------------------------------------------------------------------


def widget_value(key: str) -> Any:
    """The value of the widget with that key."""
    return st.session_state.get(key)


def set_widget_value(key: str, value: Any) -> None:
    """Set the value of a widget before it is drawn."""
    st.session_state[key] = value
