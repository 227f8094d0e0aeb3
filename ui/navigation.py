"""The pages and how to go from one to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from ui import state
from ui.i18n import t

_FOLDER = Path(__file__).resolve().parent.parent / "pages"
NAMES = ("home", "library", "search", "reel", "settings")


def page(name: str) -> Any:
    """The page of that name, with its title in the person's language."""
    return st.Page(
        _FOLDER / f"{name}.py",
        title=t(f"nav.{name}"),
        url_path=name if name != "home" else None,
        default=name == "home",
    )


def go_if_asked() -> None:
    """Leave for the page that a handler asked for; called while drawing, where leaving is possible."""
    wanted = state.take_wanted_page()
    if wanted in NAMES:
        st.switch_page(page(wanted))
