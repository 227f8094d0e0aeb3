"""The URL of a page: what an opened link names, and what the page shows.

A page reads `opened()` when it starts and calls `show()` whenever it draws; the URL then follows what is shown, Back
and Forward bring it back, and a link opens the same in another browser. Nothing else may use st.query_params.

Streamlit adds an entry to the history for every change of st.query_params and for every page. Which of these are
entries, and which replace the present one, is said in the parameter MARKER; ui/server/index.js reads and removes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui import state
from ui.state import Address

NAMES = ("home", "library", "search", "reel", "exports", "people", "evaluate", "activity", "settings")
"""The pages in the order of the navigation."""
FOR_ADMINS = ("activity",)
"""Those that only admins find there."""
HIDDEN = ("video", "scene", "short", "searches")
"""Pages that are opened from other pages and by their address."""
MARKER = "hx"
"""The parameter with "push:<page>" or "replace:<page>". A change for a page that is not shown any more is dropped."""
MAX_CHARS = 8000
"""Longer addresses are refused by servers and proxies: details are left out of them."""


def path(page: str) -> str:
    """The path of a page."""
    return "/" if page == "home" else f"/{page}"


def url(page: str, /, **params: str | None) -> str:
    """The address of a page within the app. Parameters that are None or "" are left out."""
    query = urlencode(_clean(params))
    return f"{path(page)}?{query}" if query else path(page)


def last(page: str) -> dict[str, str]:
    """The parameters with which a page was shown last; empty if it has not been shown yet."""
    return dict(state.last_params(page))


def last_url(page: str) -> str:
    """The address at which a page was shown last."""
    return url(page, **last(page))


def arrive(page: str) -> None:
    """Called in every full run, before the page: whether it is opened by a URL or only drawn again."""
    before = state.address()
    given = {name: value for name, value in st.query_params.items() if name != MARKER}
    context = get_script_run_ctx()
    by_history = context is not None and context.is_history_navigation
    is_opening = before is None or before.page != page or by_history
    # Without parameters, only Back and Forward name a state: a button that opens a page wants it as it was.
    opened = given if is_opening and (given or by_history) else None
    # A rerun may carry an address older than the one shown last; `show` then writes it once more.
    state.set_address(Address(page, given), is_opening=is_opening, opened=opened)


def given(name: str) -> str:
    """A parameter of the URL in the browser, whatever the page makes of it; "" without one."""
    return st.query_params.get(name, "")


def opened() -> dict[str, str] | None:
    """The parameters of the URL if the page is opened by one in this run (a link, Back, Forward, a reload).

    None if it is only drawn again, or opened without naming anything: the page keeps its state. Values come from
    outside and may be anything.
    """
    params = state.opened_params()
    return None if params is None else dict(params)


def show(entry: Mapping[str, str | None], details: Mapping[str, str | None] | None = None) -> None:
    """Make the URL say what is shown. Called in every run of the page or of its fragment, with the same keys.

    Args:
        entry: parameters that are worth an entry in the history when they change. None and "" are left out.
        details: parameters that change the present entry.
    """
    address = state.address()
    if address is None:
        return
    wanted = _clean({**entry, **(details or {})})
    if len(urlencode(wanted)) > MAX_CHARS:
        wanted = _clean(entry)
    is_new = not state.is_opening() and any(address.params.get(name) != wanted.get(name) for name in entry)
    state.remember_shown(Address(address.page, wanted))
    if wanted != address.params:
        st.query_params.from_dict(wanted | marker(address.page, replace=not is_new))


def marker(page: str, *, replace: bool = False) -> dict[str, str]:
    """The parameter that says how a change of the address enters the history."""
    return {MARKER: f"{'replace' if replace else 'push'}:{page}"}


def _clean(params: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}
