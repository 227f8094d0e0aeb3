"""Activity: what goes on in the library, of all users, for its admins."""

from __future__ import annotations

import streamlit as st

from heimdex_core.library.activity_table import csv_text
from heimdex_core.types import ActivityReport
from ui import page, resources
from ui.components import activity_figures
from ui.i18n import t
from ui.views import activity as views


def draw_downloads(report: ActivityReport) -> None:
    name = f"activity-{report.at:%Y-%m-%d}.csv"
    with st.container(horizontal=True, key="hx-activity-downloads"):
        st.download_button(t("activity.csv"), csv_text(report), file_name=name, mime="text/csv", on_click="ignore")
        st.button(t("activity.renew"), key="hx_activity_renew")  # the click itself draws the page again


@st.fragment
@page.error_boundary
def draw() -> None:
    with st.container(key="hx-activity"):
        page.title(t("nav.activity"))
        library = resources.library()
        if not library.accounts.is_admin:
            page.empty_state(t("activity.for_admins"), t("activity.for_admins_hint"))
            return
        report = library.activity.report()
        activity_figures("hx_activity_figures", views.page(report, library.user_id))
        draw_downloads(report)


page.show(draw)
