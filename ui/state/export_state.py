"""What the list of exports shows."""

from __future__ import annotations

import streamlit as st

_KIND = "hx_export_kind"
_PAGES = "hx_export_pages"


def show_export_kind(kind: str | None) -> None:
    """Limit the list to a kind of export; None shows all. The list begins again with its first page."""
    if kind != export_kind():
        st.session_state[_PAGES] = 1
    st.session_state[_KIND] = kind


def export_kind() -> str | None:
    """The kind that the list is limited to."""
    found: str | None = st.session_state.get(_KIND)
    return found


def export_pages() -> int:
    """How many pages of the list are shown."""
    return int(st.session_state.get(_PAGES, 1))


def show_more_exports() -> None:
    """Show one more page of the list."""
    st.session_state[_PAGES] = export_pages() + 1
