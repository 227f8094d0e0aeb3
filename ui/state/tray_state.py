"""The copy of the tray, and the operations that components sent."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import streamlit as st

from heimdex_core.library import PublishedState
from heimdex_core.types import Tray

_TRAY = "hx_tray"
_TRAY_SINCE = "hx_tray_since"
_EDITED = "hx_edited_reel"
_TIMELINE = "hx_timeline"
_SESSION = "hx_session"
_SEEN = "hx_seen_state"
_HANDLED = "hx_handled_operations"


def session_id() -> str:
    """Names this open page, as the author of its changes of the tray."""
    return str(st.session_state.setdefault(_SESSION, uuid.uuid4().hex))


def tray(reel_id: str = "") -> Tray | None:
    """The tray as last read or saved; None if it has not been read yet, or has to be read again.

    With the id of a named reel, that one. So it is with the other functions.
    """
    found: Tray | None = st.session_state.get(_TRAY + reel_id)
    return found


def set_tray(tray: Tray | None, reel_id: str = "") -> None:
    """Remember the tray that the library has; None to read it again."""
    st.session_state[_TRAY + reel_id] = tray
    if tray is not None:
        st.session_state.setdefault(_TRAY_SINCE + reel_id, tray.revision)


def tray_since(reel_id: str = "") -> int:
    """The revision of the tray that this page saw first."""
    return int(st.session_state.get(_TRAY_SINCE + reel_id, 0))


def edit_reel(reel_id: str) -> None:
    """Choose the named reel that the reel page edits; "" for the tray."""
    st.session_state[_EDITED] = reel_id


def edited_reel() -> str:
    """The id of the named reel that the reel page edits; "" for the tray."""
    return str(st.session_state.get(_EDITED, ""))


def timeline() -> dict[str, Any] | None:
    """The timeline that was asked for last: {"key", "name", "text"}."""
    found: dict[str, Any] | None = st.session_state.get(_TIMELINE)
    return found


def set_timeline(made: dict[str, Any]) -> None:
    """Hand a timeline to the component that saves it."""
    st.session_state[_TIMELINE] = made


def seen_state() -> PublishedState | None:
    """What the library had published when this page last looked for changes of others; None before."""
    found: PublishedState | None = st.session_state.get(_SEEN)
    return found


def set_seen_state(value: PublishedState) -> None:
    """Remember what the library has published."""
    st.session_state[_SEEN] = value


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
