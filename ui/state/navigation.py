"""The language, the address, reruns, and what is kept for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ui.state.tray_state import seen_state

_LANGUAGE = "hx_language"
_REQUESTED_PAGE = "hx_requested_page"
_RERUN = "hx_rerun"
_POLLING = "hx_polling"
_ADDRESS = "hx_address"
_OPENING = "hx_opening"
_KEPT = "hx_kept"
_OPENED = "hx_opened_params"
_LAST_PARAMS = "hx_last_params"


def language() -> str:
    """The language of the page, "en" if none has been chosen."""
    return str(st.session_state.get(_LANGUAGE, "en"))


def has_language() -> bool:
    """Whether the language of the page has been chosen."""
    return _LANGUAGE in st.session_state


def set_language(code: str) -> None:
    """Use a language of ui.i18n.LANGUAGES from the next rerun on."""
    st.session_state[_LANGUAGE] = code


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


def forget_params(page: str, *names: str) -> None:
    """Leave parameters out of the URL with which a page is opened again, because what they name has changed."""
    for name in names:
        st.session_state.get(_LAST_PARAMS, {}).get(page, {}).pop(name, None)


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


def widget_value(key: str) -> Any:
    """The value of the widget with that key."""
    return st.session_state.get(key)


def set_widget_value(key: str, value: Any) -> None:
    """Set the value of a widget before it is drawn."""
    st.session_state[key] = value
