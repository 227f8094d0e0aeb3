"""How a component is put together: its own JS and CSS, and the few lines that all share.

A component reports through one state, `ops`: the numbered list of what the person did and the server
has not confirmed yet. Its Python side gets each operation once, in order, however fast they follow.
Data goes in as JSON and becomes text nodes, never markup.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from ui import state

_LOG = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent
_MAX_OPS = 200

Handlers = Mapping[str, Callable[[Any], None]]


class Component:
    """One kind of component, registered under its folder's name."""

    def __init__(self, name: str) -> None:
        folder = _FOLDER / name
        self._render = st.components.v2.component(
            f"heimdex_{name}",
            html='<div class="hx"></div>\n',
            css=_read(_FOLDER / "common.css") + _read(folder / "component.css"),
            js=_read(_FOLDER / "common.js") + _read(folder / "component.js"),
        )

    def __call__(self, key: str, data: Mapping[str, Any], handlers: Handlers | None = None) -> None:
        """Draw it. `handlers` by operation name are called before the page is drawn again."""

        def deliver() -> None:
            sent = st.session_state.get(key, {}).get("ops")
            for name, value in state.take_new(key, *_parse(sent)):
                _handle(name, value, handlers or {})

        self._render(key=key, data={**data, "ack": state.acknowledged(key)}, on_ops_change=deliver)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") + "\n"


def _parse(sent: Any) -> tuple[str, list[tuple[int, str, Any]]]:
    """(mount, [(number, name, value)]) of what a browser sent; what is not of that shape is left out."""
    if not isinstance(sent, Mapping) or not isinstance(sent.get("items"), list):
        return "", []
    items = [
        (item["n"], item["name"], item.get("value"))
        for item in sent["items"][-_MAX_OPS:]
        if isinstance(item, Mapping) and isinstance(item.get("n"), int) and isinstance(item.get("name"), str)
    ]
    return str(sent.get("mount", "")), items


def _handle(name: str, value: Any, handlers: Handlers) -> None:
    handler = handlers.get(name)
    if handler is None:
        return
    try:
        handler(value)
    except HeimdexError as error:
        state.flash(error.to_dict())
    except Exception as error:
        # An operation must not take the page down; the log has the whole of it.
        _LOG.exception("the operation %s failed", name)
        state.flash(HeimdexError(reason=type(error).__name__).to_dict())
