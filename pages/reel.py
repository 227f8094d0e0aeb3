"""Reel: put the picked scenes in order, trim them, render one file, watch and download it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState
from ui import page, resources, state, tray
from ui.components.controls import exports_panel, player, reel_editor
from ui.i18n import describe_error, t
from ui.views import reel as views
from ui.views.scenes import player_labels

HISTORY = 8
UPDATE_EVERY_S = 1.0


def select(value: Any) -> None:
    state.show_export(None)
    play = state.search().play + 1 if value.get("play") else state.search().play
    state.update_search(selected=str(value["id"]), play=play)


def render(value: Any) -> None:
    library = resources.library()
    title = tray.title(library)
    export = library.reel(tray.clips(library), title=title, queue=True)
    state.follow_export(export.export_id)
    state.show_export(None)


def cancel(value: Any) -> None:
    resources.library().exports.cancel(str(value))


def watch(value: Any) -> None:
    state.show_export(resources.library().exports.get(str(value)).export_id)
    state.update_search(play=state.search().play + 1)
    state.want_redraw()


def found_clips(library: Library) -> list[views.Found]:
    """The clips whose scenes are still there."""
    found = []
    for clip in tray.clips(library):
        scene = tray.scene_of(library, clip)
        if scene is not None:
            found.append((clip, scene, views.media.video_of(library, clip.video_id)))
    return found


def draw_editor(library: Library, found: list[views.Found], selected: str | None) -> None:
    names = (
        "untitled", "title", "clips_one", "clips_other", "saved", "saving", "drag", "up", "down", "remove",
        "trim_start", "trim_end", "show", "of",
    )  # fmt: skip
    reel_editor(
        "hx_reel",
        {
            "title": tray.title(library),
            "max_title": library.settings.max_title_chars,
            "clips": views.rows(library, found),
            "selected": selected,
            "labels": {name: t(f"reel.{name}") for name in names},
        },
        {"arrange": tray.arrange, "title": tray.rename, "select": select, "renew": lambda _: None},
    )


def draw_player(library: Library, found: list[views.Found], selected: str | None) -> None:
    """The reel as it is now, or the rendered file that was chosen."""
    shown = state.shown_export()
    export = library.exports.get(shown) if shown else None
    urls = views.media.export_urls(library, export) if export else None
    now = state.search()
    data: dict[str, Any] = {"play": now.play, "played": now.played, "labels": player_labels(None)}
    data |= {"actions": [], "lines": None}
    if export is not None and urls is not None:
        data |= {"clips": views.finished(export, urls[0]), "reel": False, "duration": export.measured_duration_s}
    else:
        data |= {"clips": views.sequence(library, found), "reel": True, "select": selected}
    player("hx_reel_player", data, {"renew": lambda _: None})


def draw_exports(library: Library, *, can_render: bool) -> bool:
    """The render button, its progress, the last exports; true while a render is under way."""
    exports = library.exports.list(limit=HISTORY)
    followed = state.followed_export() or next((e.export_id for e in exports if e.state in views.RUNNING), None)
    state.follow_export(followed)
    current = next((e for e in exports if e.export_id == followed), None)
    running = current if current and current.state in views.RUNNING else None
    actions: list[dict[str, Any]] = [
        {"name": "render", "label": t("reel.render"), "primary": True, "disabled": bool(running) or not can_render}
    ]
    if running:
        actions.append({"name": "cancel", "label": t("action.cancel"), "value": running.export_id})
    settings = library.settings
    exports_panel(
        "hx_exports",
        {
            "progress": views.progress_card(running, library.exports.progress(running.export_id)) if running else None,
            "error": _failure(current),
            "notice": t("reel.format", height=settings.reel_height_px, fps=f"{settings.reel_fps:g}"),
            "actions": actions,
            "history": views.history(library, exports, state.shown_export()),
            "labels": {"history": t("reel.history")},
        },
        {"render": render, "cancel": cancel, "watch": watch},
    )
    if current is not None and current.state is ExportState.COMPLETED and state.followed_export():
        # Just finished: show it.
        state.follow_export(None)
        state.show_export(current.export_id)
        st.rerun()
    return running is not None


def _failure(export: Export | None) -> dict[str, str] | None:
    if export is None or export.state is not ExportState.FAILED:
        return None
    message, hint = describe_error(export.error or HeimdexError(reason="").to_dict(), state.language())
    return {"message": message, "hint": hint}


@page.guarded
def exports_part() -> None:
    library = resources.library()
    page.flash()
    running = draw_exports(library, can_render=bool(tray.clips(library)))
    if state.take_redraw():
        # The player is outside of this part.
        st.rerun()
    if running != state.is_watching("reel"):
        state.watch("reel", running)
        st.rerun()


@st.fragment
@page.guarded
def editor_part() -> None:
    page.navigation.go_if_asked()
    library = resources.library()
    found = found_clips(library)
    ids = [clip.scene_id for clip, _, _ in found]
    selected = state.search().selected
    selected = selected if selected in ids else (ids[0] if ids else None)
    with st.container(key="hx-reel"):
        main, side = st.columns([3, 1], gap=None)
        with main, st.container(key="hx-main"):
            if found:
                draw_editor(library, found, selected)
            else:
                page.empty(t("reel.empty"), t("reel.empty_hint"))
                with st.container(key="hx-to-search", horizontal_alignment="center"):
                    st.button(t("reel.to_search"), on_click=state.want_page, args=("search",), type="primary")
        with side, st.container(key="hx-right"):
            if found or state.shown_export():
                draw_player(library, found, selected)
            with st.container(key="hx-exports"):
                st.fragment(exports_part, run_every=UPDATE_EVERY_S if state.is_watching("reel") else None)()
        with st.container(key="hx-keys"):
            st.html(f'<div class="hx-keys">{page.html.escape(t("reel.keys"))}</div>')


def draw() -> None:
    editor_part()


page.show(draw)
