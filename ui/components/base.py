"""The Python side of a component: its files, and the operations that it sends.

A component sends one state, `ops`: the numbered list of what the user did and the server has not acknowledged yet.
Each operation is handled once, in order. The data for a component are JSON values; its JavaScript puts them into text
nodes and never into markup.
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
_BY_ITSELF = frozenset({"renew", "select"})
"""Operations that components send by themselves, too; they leave the error of the last one where it is."""

Handlers = Mapping[str, Callable[[Any], None]]


class Component:
    """One kind of component.

    Args:
        name: the folder with component.css, component.js and further scripts that it uses. common.js and common.css are
            prepended.
        shared: further scripts that several components use, relative to the folder of components; prepended too.
    """

    def __init__(self, name: str, *, shared: tuple[str, ...] = ()) -> None:
        folder = _FOLDER / name
        self._render = st.components.v2.component(
            f"heimdex_{name}",
            html='<div class="hx"></div>\n',
            css=_read(_FOLDER / "common.css") + _read(folder / "component.css"),
            js=_read(_FOLDER / "common.js")
            + "".join(_read(_FOLDER / script) for script in shared)
            + "".join(_read(path) for path in sorted(folder.glob("*.js"))),
        )

    def __call__(self, key: str, data: Mapping[str, Any], handlers: Handlers | None = None) -> None:
        """Draw it.

        Args:
            key: unique on the page.
            data: JSON values for the JavaScript.
            handlers: by the name of the operation; called with the operation's value before the rerun.
        """

        def handle_operations() -> None:
            sent = st.session_state.get(key, {}).get("ops")
            for name, value in state.take_new(key, *_parse(sent)):
                if name not in _BY_ITSELF:
                    state.flash(None)
                _handle(name, value, handlers or {})

        self._render(key=key, data={**data, "ack": state.acknowledged(key)}, on_ops_change=handle_operations)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") + "\n"


def _parse(sent: Any) -> tuple[str, list[tuple[int, str, Any]]]:
    """(mount, [(number, name, value)]) of what a browser sent. Malformed items are ignored."""
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
        # an operation must not break the page; the log has the traceback
        _LOG.exception("the operation %s failed", name)
        state.flash(HeimdexError(reason=type(error).__name__).to_dict())
