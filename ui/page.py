"""Every page and fragment is drawn through here: an error is shown in words, never as a traceback."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

import streamlit as st

from heimdex_core.errors import HeimdexError
from ui import navigation, state
from ui.i18n import describe_error, t

_LOG = logging.getLogger(__name__)
P = ParamSpec("P")


def guarded(draw: Callable[P, None]) -> Callable[P, None]:
    """`draw` with its errors shown as a card in its place."""

    @functools.wraps(draw)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except HeimdexError as error:
            _LOG.warning("%s: %s", error.code, error.message)
            error_card(error.to_dict())
        except Exception as error:
            _LOG.exception("drawing %s failed", draw.__name__)
            error_card(HeimdexError(reason=type(error).__name__).to_dict())

    return safe


def show(draw: Callable[[], None]) -> None:
    """Draw a page."""
    navigation.go_if_asked()
    state.arrive()
    guarded(draw)()


def flash() -> None:
    """The error that an operation left behind, once."""
    left = state.take_flash()
    if left:
        error_card(left)


def error_card(error: Mapping[str, Any]) -> None:
    """An error in the person's language: what happened, and what to do next."""
    message, hint = describe_error(error, state.language())
    code = t("error.code", code=str(error.get("code") or "INTERNAL"))
    st.html(
        '<div class="hx-error" role="alert">'
        f'<div class="hx-error-message">{html.escape(message)}</div>'
        f'<div class="hx-error-hint">{html.escape(hint)}</div>'
        f'<div class="hx-error-code">{html.escape(code)}</div></div>'
    )


def empty(title: str, text: str) -> None:
    """A place that has nothing to show yet, and what to do about it."""
    st.html(
        f'<div class="hx-empty"><div class="hx-empty-title">{html.escape(title)}</div>'
        f'<div class="hx-empty-text">{html.escape(text)}</div></div>'
    )
