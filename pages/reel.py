"""Reel: arrange and trim the clips in the tray, render them into one file, watch and download it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from heimdex_core.errors import ClipsFailed, HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState
from ui import address, media, page, resources, scene_panel, state, tray
from ui.components import exports_panel, player, reel_editor
from ui.i18n import describe_error, t
from ui.views import exports as export_views
from ui.views import opened_clip
from ui.views import reel as views
from ui.views.scenes import player_labels

HISTORY = 8  # how many exports are listed
UPDATE_EVERY_S = 1.0
SECTION = "reel"  # of ui.state.set_error: clips that cannot be rendered
EDITOR_LABELS = (
    "untitled", "title", "clips_one", "clips_other", "saved", "saving", "drag", "up", "down", "duplicate", "remove",
    "trim_start", "trim_end", "show", "of", "action_on", "moved", "not_available", "beyond", "play_clip", "trim_in",
    "trim_out", "whole_scene", "words", "cut_to_words", "words_hint", "no_words", "reels",
)  # fmt: skip


def select(value: Any) -> None:
    state.show_export(None)
    scene_panel.select(value)


def render(value: Any) -> None:
    """Render the reel, unless a render is running: a second click is not a second file."""
    library = resources.library()
    if any(export.state in export_views.RUNNING for export in library.exports.list(limit=HISTORY)):
        return
    title = tray.title(library)
    state.set_error(SECTION, None)
    try:
        export = library.reel(tray.clips(library), title=title, queue=True)
    except ClipsFailed as error:
        state.set_error(SECTION, error.to_dict())
        return
    state.follow_export(export.export_id)
    state.show_export(None)


def render_without_failed(value: Any) -> None:
    """Render the clips of a failed export without those that fail, or without an export those of the tray."""
    library = resources.library()
    if value:
        export = library.exports.without_failed(str(value), queue=True)
    else:
        export = library.reel(tray.clips(library), title=tray.title(library), skip_failed=True, queue=True)
    state.set_error(SECTION, None)
    state.follow_export(export.export_id)
    state.show_export(None)


def cancel(value: Any) -> None:
    resources.library().exports.cancel(str(value))


def watch(value: Any) -> None:
    state.show_export(resources.library().exports.get(str(value)).export_id)
    state.update_search(play_count=state.search().play_count + 1)
    state.request_rerun()


def keep(value: Any) -> None:
    """Keep the file of an export, or let it be deleted after all."""
    resources.library().exports.keep(str(value["id"]), keep=bool(value["keep"]))


def clips_with_scenes(library: Library) -> list[views.ClipWithScene]:
    """The clips of the tray, each with its scene and video; None for both if the clip cannot be used at present."""
    found: list[views.ClipWithScene] = []
    for clip in tray.clips(library):
        scene = tray.scene_of(library, clip)
        found.append((clip, scene, media.video_of(library, clip.video_id) if scene else None))
    return found


def draw_editor(library: Library, clips: list[views.ClipWithScene], selected: str | None) -> None:
    reel_editor(
        "hx_reel",
        {
            "title": tray.title(library),
            "max_title": library.settings.max_title_chars,
            "clips": views.rows(library, clips),
            "selected": selected,
            "opened": draw_opened(library, clips, selected),
            "can_duplicate": True,
            "reels": [],
            "reel": "",
            "reel_actions": [],
            "labels": {name: t(f"reel.{name}") for name in EDITOR_LABELS},
            **tray.history_buttons(library),
        },
        {
            "move": tray.move,
            "trim": tray.trim,
            "remove": tray.remove,
            "duplicate": tray.duplicate,
            "title": tray.rename,
            "undo": tray.undo,
            "redo": tray.redo,
            "select": select,
            "renew": lambda _: None,
        },
    )


def draw_opened(library: Library, clips: list[views.ClipWithScene], selected: str | None) -> dict[str, Any] | None:
    """The chosen clip; None if it cannot be used at present."""
    for clip, _, video in clips:
        if clip.clip_id == selected and video is not None:
            return {**opened_clip.opened(library, clip, video), "actions": []}
    return None


def draw_player(library: Library, clips: list[views.ClipWithScene], selected: str | None) -> None:
    """Draw the player with the chosen export, or with the reel as it is now."""
    shown = state.shown_export()
    export = library.exports.get(shown) if shown else None
    urls = media.export_urls(library, export) if export else None
    search = state.search()
    data: dict[str, Any] = {
        "play_count": search.play_count,
        "ignored_plays": search.ignored_plays,
        "labels": player_labels(None),
        "actions": [],
        "lines": None,
    }
    if export is not None and urls is not None:
        clip = views.rendered_clip(export, urls[0])
        data |= {"clips": clip, "reel": False, "duration": export.measured_duration_s}
    else:
        data |= {"clips": views.sequence(library, clips), "reel": True, "select": selected}
    player("hx_reel_player", data, {"renew": lambda _: None})


def draw_exports(library: Library, *, can_render: bool) -> bool:
    """Draw the render button, its progress and the last exports. True while one is being rendered."""
    exports = library.exports.list(limit=HISTORY)
    followed = state.followed_export() or next((e.export_id for e in exports if e.state in export_views.RUNNING), None)
    state.follow_export(followed)
    current = next((e for e in exports if e.export_id == followed), None)
    running = current if current and current.state in export_views.RUNNING else None
    actions: list[dict[str, Any]] = [
        {"name": "render", "label": t("reel.render"), "primary": True, "disabled": bool(running) or not can_render}
    ]
    if running:
        actions.append({"name": "cancel", "label": t("action.cancel"), "value": running.export_id})
    refused = state.error_in(SECTION)
    error = refused or _failure(current)
    failed = current if current and not refused else None
    skip = export_views.skip_label(error, len(failed.clips if failed else tray.clips(library)))
    if skip and not running:
        actions.append({"name": "skip", "label": skip, "value": failed.export_id if failed else None})
    settings = library.settings
    exports_panel(
        "hx_exports",
        {
            "progress": export_views.progress_card(library.exports.progress(running.export_id)) if running else None,
            "error": _error_texts(error),
            "notice": views.render_notice(settings),
            "actions": actions,
            "history": views.history(library, exports, state.shown_export(), failed.export_id if failed else None),
            "labels": {"history": t("reel.history")},
        },
        {"render": render, "cancel": cancel, "watch": watch, "keep": keep, "skip": render_without_failed},
    )
    if current is not None and current.state is ExportState.COMPLETED and state.followed_export():
        # it has just been completed
        state.follow_export(None)
        state.show_export(current.export_id)
        st.rerun()
    return running is not None


def _failure(export: Export | None) -> dict[str, Any] | None:
    if export is None or export.state is not ExportState.FAILED:
        return None
    return export.error or HeimdexError(reason="").to_dict()


def _error_texts(error: dict[str, Any] | None) -> dict[str, str] | None:
    if error is None:
        return None
    message, hint = describe_error(error, state.language())
    return {"message": message, "hint": hint}


@page.error_boundary
def exports_fragment() -> None:
    library = resources.library()
    page.show_flash()
    running = draw_exports(library, can_render=bool(tray.clips(library)))
    if state.take_rerun_request():
        # the player is outside this fragment
        st.rerun()
    if running != state.is_polling("reel"):
        state.set_polling("reel", running)
        st.rerun()


@st.fragment
@page.error_boundary
def workspace() -> None:
    page.switch_if_requested()
    library = resources.library()
    clips = clips_with_scenes(library)
    ids = [clip.clip_id for clip, _, _ in clips]
    selected = state.search().selected
    selected = selected if selected in ids else (ids[0] if ids else None)
    address.show({"export": state.shown_export()}, {"scene": selected})
    with st.container(key="hx-reel"):
        main, side = st.columns([3, 1], gap=None)
        with main, st.container(key="hx-main"):
            # drawn without clips, too: removing the last one can be undone
            draw_editor(library, clips, selected)
            if not clips:
                page.empty_state(t("reel.empty"), t("reel.empty_hint"))
                with st.container(key="hx-to-search", horizontal_alignment="center"):
                    st.button(t("reel.to_search"), on_click=state.request_page, args=("search",), type="primary")
        with side, st.container(key="hx-right"):
            if any(scene for _, scene, _ in clips) or state.shown_export():
                draw_player(library, clips, selected)
            with st.container(key="hx-exports"):
                st.fragment(exports_fragment, run_every=UPDATE_EVERY_S if state.is_polling("reel") else None)()
        with st.container(key="hx-keys"):
            st.html(f'<div class="hx-keys">{html.escape(t("reel.keys"))}</div>')


def open_link(library: Library, params: Mapping[str, str]) -> None:
    """Show what the URL names: the export that plays, and the clip that is selected."""
    state.show_export(None)
    if params.get("export"):
        # an export that does not exist is nothing to show
        with suppress(HeimdexError):
            state.show_export(library.exports.get(params["export"]).export_id)
    state.update_search(selected=params.get("scene"))


def draw() -> None:
    if (params := address.opened()) is not None:
        open_link(resources.library(), params)
    page.heading(t("nav.reel"))
    workspace()


page.show(draw)
