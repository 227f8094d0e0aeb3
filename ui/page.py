"""What every page needs: the list of pages, switching between them, error cards and work cards."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec

import streamlit as st

from heimdex_core.errors import HeimdexError, SignInRequired
from ui import address, recovery, refresh, state
from ui.address import HIDDEN, NAMES
from ui.components import work_card
from ui.components.base import Handlers
from ui.i18n import describe_error, t

_FOLDER = Path(__file__).resolve().parent.parent / "pages"
_LOG = logging.getLogger(__name__)
P = ParamSpec("P")


# --- navigation -----------------------------------------------------------------------------------


def streamlit_page(name: str) -> Any:
    """A page of NAMES or HIDDEN for st.navigation and st.switch_page, with its title in the current language."""
    return st.Page(
        _FOLDER / f"{name}.py",
        title=t(f"nav.{name}"),
        url_path=name if name != "home" else None,
        default=name == "home",
        visibility="hidden" if name in HIDDEN else "visible",
    )


def switch_if_requested() -> None:
    """Go to the page that a callback requested."""
    requested = state.take_requested_page()
    if requested is None or requested[0] not in (*NAMES, *HIDDEN):
        return
    name, query = requested
    # the page that is shown may also be the one that is asked for, with other parameters
    state.set_address(None)
    st.switch_page(streamlit_page(name), query_params=query | address.marker(name))


def set_title(text: str) -> None:
    """Set the title of the browser's tab: what the page is about, before the name of the app."""
    st.set_page_config(page_title=f"{text} · Heimdex")


def heading(text: str) -> None:
    """The heading of a page whose design shows none, for screen readers."""
    st.html(f'<h1 class="hx-vh">{html.escape(text)}</h1>')


def title(text: str) -> None:
    """The visible heading of a page."""
    st.html(f'<h1 class="hx-title">{html.escape(text)}</h1>')


def show(draw: Callable[[], None]) -> None:
    """Run a page. Every file of pages/ ends with this."""
    switch_if_requested()
    state.ignore_earlier_plays()
    refresh.renew()
    state.set_failed_page(False)
    if state.is_opening():
        state.flash(None)
    error_boundary(draw)()
    refresh.watch()


# --- errors ---------------------------------------------------------------------------------------


def error_boundary(draw: Callable[P, None]) -> Callable[P, None]:
    """Wrap a function that draws a part of a page: if it raises an error, an error card is drawn."""

    @functools.wraps(draw)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except SignInRequired:
            st.rerun()  # of the whole page: ui/shell.py asks to sign in
        except HeimdexError as error:
            # what was typed is in the message of a refusal, and perhaps what was searched for
            _LOG.warning("%s: %s", error.code, "refused" if error.category == "validation" else error.message)
            recovery.note(error)
            error_card(error.to_dict())
        except Exception as error:
            _LOG.exception("drawing %s failed", draw.__name__)
            error_card(HeimdexError(reason=type(error).__name__).to_dict())

    return safe


def show_flash(place: str = "page") -> None:
    """Draw the error of the last operation, until there is another one or another page: parts redraw by themselves.

    `place` tells apart the parts of a page that do so; the error is shown in one of them.
    """
    if error := state.flashed(place):
        error_card(error)


def error_card(error: Mapping[str, Any]) -> None:
    """Draw an error in the current language: what happened, the next step, and the code."""
    message, hint = describe_error(error, state.language())
    code = t("error.code", code=str(error.get("code") or "INTERNAL"))
    st.html(
        '<div class="hx-error" role="alert">'
        f'<div class="hx-error-message">{html.escape(message)}</div>'
        f'<div class="hx-error-hint">{html.escape(hint)}</div>'
        f'<div class="hx-error-code">{html.escape(code)}</div></div>'
    )


# --- other parts of pages -------------------------------------------------------------------------


def empty_state(title: str, text: str) -> None:
    """Draw what a page shows when it has no content, and what to do about it."""
    st.html(
        f'<div class="hx-empty"><div class="hx-empty-title">{html.escape(title)}</div>'
        f'<div class="hx-empty-text">{html.escape(text)}</div></div>'
    )


def draw_card(key: str, card: Mapping[str, Any] | None, handlers: Handlers) -> None:
    """Draw a card of ui.views.work.

    Without a card, a hidden container keeps its place: otherwise Streamlit would recreate everything below it.
    """
    with st.container(key=f"{key}-card-{'on' if card else 'off'}"):
        work_card(key, {"card": card}, handlers)
