"""Parts of the page that come and go while it is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui.components import evaluation_part
from ui.components.base import Handlers


def optional_part(key: str, data: Mapping[str, Any] | None, handlers: Handlers | None = None) -> None:
    """Draw a part of the component `evaluation`; without data, nothing is seen.

    Its place is always kept: a rerun of the fragment that is interrupted leaves what it has not drawn any more.
    """
    with st.container(key=f"{key}-card-{'on' if data else 'off'}"):
        evaluation_part(key, data or {"part": "none"}, handlers)
