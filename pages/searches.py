"""Searches: the saved ones, and the last ones with what they found and how long they took."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui import page, resources
from ui.components import searches_table
from ui.i18n import t
from ui.views import searches as views


def remove(value: Any) -> None:
    """Remove the saved search of a name."""
    resources.library().searches.remove(str(value))


@st.fragment
@page.error_boundary
def searches() -> None:
    with st.container(key="hx-searches"):
        page.title(t("nav.searches"))
        page.show_flash()
        searches_table("hx_searches", views.page(resources.library()), {"remove": remove})


page.show(searches)
