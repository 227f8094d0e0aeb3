"""The short that is being edited, and what can be undone in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.types import ShortRequest
from ui.crop_planning import CropPlanning

_EDITOR = "hx_short_editor"
_PLAN = "hx_short_plan"
_MAX_UNDO = 100


@dataclass(frozen=True)
class ShortEditor:
    """A short as it is now, with what it was before and what was undone."""

    request: ShortRequest
    before: tuple[ShortRequest, ...] = ()
    undone: tuple[ShortRequest, ...] = ()


def short_editor() -> ShortEditor | None:
    """The short that is edited; None before one has been opened."""
    found: ShortEditor | None = st.session_state.get(_EDITOR)
    return found


def edit_short(request: ShortRequest | None) -> None:
    """Begin to edit a short; None leaves the editor. A crop path that is worked out for another one is given up."""
    if (planning := crop_planning()) is not None:
        planning.cancel()
    st.session_state[_PLAN] = None
    st.session_state[_EDITOR] = ShortEditor(request) if request else None


def crop_planning() -> CropPlanning | None:
    """The crop path that is being worked out; None if none is."""
    found: CropPlanning | None = st.session_state.get(_PLAN)
    return found


def set_crop_planning(planning: CropPlanning | None) -> None:
    """Remember what works out a crop path."""
    st.session_state[_PLAN] = planning


def change_short(**changes: Any) -> None:
    """Change fields of the short that is edited, as one step that can be undone."""
    editor = short_editor()
    if editor is None:
        return
    changed = replace(editor.request, **changes)
    if changed != editor.request:
        before = (*editor.before, editor.request)[-_MAX_UNDO:]
        st.session_state[_EDITOR] = ShortEditor(changed, before)


def step_short(*, back: bool) -> None:
    """Undo the last change, or make the one again that was undone last."""
    editor = short_editor()
    if editor is None:
        return
    source = editor.before if back else editor.undone
    if not source:
        return
    if back:
        stepped = ShortEditor(source[-1], source[:-1], (*editor.undone, editor.request))
    else:
        stepped = ShortEditor(source[-1], (*editor.before, editor.request), source[:-1])
    st.session_state[_EDITOR] = stepped
