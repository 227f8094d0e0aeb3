"""Settings: the language, the models, and what works here and why."""

from __future__ import annotations

import streamlit as st

from heimdex_core.library import Library
from ui import model_room, page, resources, state
from ui.components.controls import facts_panels
from ui.i18n import t, t_or
from ui.languages import LANGUAGES
from ui.views import videos as views

_CHOICE = "hx_language_choice"


def language_chosen() -> None:
    code = state.widget(_CHOICE)
    if code in LANGUAGES:
        state.set_language(str(code))
        resources.library().set_preference("language", code)


def worker_facts() -> dict[str, object]:
    """Whether the work that lasts is being done."""
    now = resources.worker_state()
    worker = now.get("worker") or {}
    rows = [[t("facts.worker_state"), t_or(f"worker.{worker.get('state') or now['state']}", str(now["state"]))]]
    if now.get("restarts"):
        rows.append([t("facts.worker_restarts"), str(now["restarts"])])
    return {"heading": t("facts.worker"), "rows": rows, "note": "" if now["ok"] else t("worker.hint")}


def folder_facts(library: Library) -> dict[str, object]:
    facts = views.library_facts(library)
    return facts | {"rows": [*facts["rows"], [t("facts.folder"), str(library.path)]]}


def draw() -> None:
    library = resources.library()
    with st.container(key="hx-settings"):
        st.html(f'<h1 class="hx-title">{page.html.escape(t("nav.settings"))}</h1>')
        state.seed(_CHOICE, state.language())
        st.segmented_control(
            t("settings.language"),
            list(LANGUAGES),
            key=_CHOICE,
            format_func=LANGUAGES.__getitem__,
            on_change=language_chosen,
            required=True,
        )
        st.html(f'<p class="hx-note">{page.html.escape(t("settings.theme_note"))}</p>')
        model_room.draw(library)
        facts_panels(
            "hx_settings_facts",
            {"panels": [folder_facts(library), worker_facts()], "wide": True},
        )


page.show(draw)
