"""Cards of work that lasts, drawn where there is something to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui.components.base import Handlers
from ui.components.controls import work_card


def show(key: str, card: Mapping[str, Any] | None, handlers: Handlers) -> None:
    """`card` as ui.views.work makes it; without one its place stays, unseen, lest what follows is made anew."""
    with st.container(key=f"{key}-card-{'on' if card else 'off'}"):
        work_card(key, {"card": card}, handlers)
