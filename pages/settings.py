"""Settings: language and theme, tokens, people; for admins the models and the state of the library and the worker."""

from __future__ import annotations

import html

import streamlit as st

from heimdex_core.library import Library
from ui import models_panel, page, resources, state, tokens_panel
from ui.components import appearance, facts_panels
from ui.i18n import LANGUAGES, t, t_or
from ui.topbar import save_language
from ui.views import videos as views

THEMES = ("System", "Light", "Dark")  # the names that Streamlit gives them


def worker_facts() -> dict[str, object]:
    """The panel of the worker's state."""
    current = resources.worker_state()
    worker = current.get("worker") or {}
    name = worker.get("state") or current["state"]
    return {
        "heading": t("facts.worker"),
        "rows": [[t("facts.worker_state"), t_or(f"worker.{name}", str(current["state"]))]],
        "details": {
            "label": t("settings.details"),
            "rows": [[t("facts.worker_restarts"), str(current.get("restarts") or 0)]],
        },
        "note": "" if current["ok"] else t("worker.hint"),
    }


def library_facts(library: Library) -> dict[str, object]:
    """The panel of the library's size and folder."""
    facts = views.library_facts(library)
    return facts | {"rows": [*facts["rows"], [t("facts.folder"), library.address or str(library.path)]]}


@page.error_boundary
def draw_appearance() -> None:
    appearance(
        "hx_appearance",
        {
            "language": state.language(),
            "languages": [[code, name, code] for code, name in LANGUAGES.items()],
            "themes": [[name, t(f"settings.theme.{name.lower()}"), None] for name in THEMES],
            "labels": {"language": t("settings.language"), "theme": t("settings.theme")},
        },
        {"language": save_language},
    )


@page.error_boundary
def draw_people() -> None:
    """Say whether people are searched for, and what that means; the page People has the switch."""
    library = resources.library()
    people, is_admin = library.people, library.accounts.is_admin
    lines = [t("settings.people_on" if people.is_on else "people.off") + ".", t("settings.people_consent")]
    if not people.has_models:
        lines.append(t("people.no_models" if is_admin else "people.no_models_ask"))
    with st.container(key="hx-settings-people", gap="small"):
        st.html(f'<h2 class="hx-subtitle">{html.escape(t("nav.people"))}</h2>')
        st.markdown("  \n".join(lines))
        st.page_link(
            page.streamlit_page("people"),
            label=t("settings.people_link" if is_admin else "settings.people_link_member"),
        )


@page.error_boundary
def draw_facts() -> None:
    panels = [library_facts(resources.library()), worker_facts()]
    facts_panels("hx_settings_facts", {"panels": panels, "wide": True})


def draw() -> None:
    with st.container(key="hx-settings"):
        page.title(t("nav.settings"))
        draw_appearance()
        page.show_flash()
        if state.is_opening():
            tokens_panel.forget()
        st.fragment(tokens_panel.draw)()
        draw_people()
        library = resources.library()
        if resources.may_manage_server(library.user_id):
            page.error_boundary(models_panel.draw)(library)
            draw_facts()


page.show(draw)
