"""Settings: the language, the models, and the state of the library and the worker."""

from __future__ import annotations

import html

import streamlit as st

from heimdex_core.library import Library
from ui import models_panel, page, resources, state
from ui.components import facts_panels
from ui.i18n import LANGUAGES, t, t_or
from ui.views import videos as views

_LANGUAGE_WIDGET = "hx_language_choice"


def save_language() -> None:
    code = state.widget_value(_LANGUAGE_WIDGET)
    if code in LANGUAGES:
        state.set_language(str(code))
        resources.library().set_preference("language", code)


def worker_facts() -> dict[str, object]:
    """The panel of the worker's state."""
    current = resources.worker_state()
    worker = current.get("worker") or {}
    name = worker.get("state") or current["state"]
    rows = [[t("facts.worker_state"), t_or(f"worker.{name}", str(current["state"]))]]
    if current.get("restarts"):
        rows.append([t("facts.worker_restarts"), str(current["restarts"])])
    return {"heading": t("facts.worker"), "rows": rows, "note": "" if current["ok"] else t("worker.hint")}


def library_facts(library: Library) -> dict[str, object]:
    """The panel of the library's size and folder."""
    facts = views.library_facts(library)
    return facts | {"rows": [*facts["rows"], [t("facts.folder"), str(library.path)]]}


def draw() -> None:
    library = resources.library()
    with st.container(key="hx-settings"):
        st.html(f'<h1 class="hx-title">{html.escape(t("nav.settings"))}</h1>')
        state.set_widget_value(_LANGUAGE_WIDGET, state.language())
        st.segmented_control(
            t("settings.language"),
            list(LANGUAGES),
            key=_LANGUAGE_WIDGET,
            format_func=LANGUAGES.__getitem__,
            on_change=save_language,
            required=True,
        )
        st.html(f'<p class="hx-note">{html.escape(t("settings.theme_note"))}</p>')
        models_panel.draw(library)
        panels = [library_facts(library), worker_facts()]
        facts_panels("hx_settings_facts", {"panels": panels, "wide": True})


page.show(draw)
