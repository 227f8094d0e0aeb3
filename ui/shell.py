"""The script that Streamlit runs for every page: language, styles, navigation and top bar."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st
from PIL import Image, ImageDraw

from heimdex_core.errors import HeimdexError
from ui import address, keyboard, page, resources, sign_in, state, topbar, uploads
from ui.i18n import pick_language, t

_STYLES = Path(__file__).with_name("styles") / "app.css"


@lru_cache(maxsize=1)
def page_icon() -> Image.Image:
    """A frame with its left half filled."""
    icon = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((6, 10, 58, 54), radius=10, outline=(91, 140, 255, 255), width=6)
    draw.rectangle((10, 14, 32, 50), fill=(91, 140, 255, 255))
    return icon


def choose_language() -> None:
    """Choose the saved language, else the browser's, once per open page."""
    if state.has_language():
        return
    try:
        saved = resources.library().preferences().get("language")
    except HeimdexError:
        saved = None
    state.set_language(pick_language(saved, st.context.locale))


st.set_page_config(page_title="Heimdex", page_icon=page_icon(), layout="wide", initial_sidebar_state="collapsed")
st.html(_STYLES)
choose_language()
current = st.navigation([page.streamlit_page(name) for name in (*page.NAMES, *page.HIDDEN)], position="hidden")
shown = current.url_path or "home"
page.set_title(t(f"nav.{shown}"))
if sign_in.admit():
    choose_language()  # the user's, who may have been found just now
    address.arrive(shown)
    topbar.draw(shown)
    uploads.draw_indicator()
    keyboard.draw()
    current.run()
