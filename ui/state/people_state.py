"""What the page People shows."""

from __future__ import annotations

import streamlit as st

_SHOWN = "hx_shown_person"


def show_person(person_id: str | None) -> None:
    """Show the faces of a person; None shows nobody's."""
    st.session_state[_SHOWN] = person_id


def shown_person() -> str | None:
    """Whose faces are shown."""
    found: str | None = st.session_state.get(_SHOWN)
    return found
