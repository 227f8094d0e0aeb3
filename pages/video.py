"""Video: one video with its timeline, scenes and transcript. The address has its id, and that of the selected scene."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from heimdex_core.errors import EditsDamaged, SceneNotFound, VideoNotFound
from heimdex_core.library import Library
from heimdex_core.types import Scene, SceneEdit, Video, parse_scene_id
from ui import address, page, reindex_form, relink_panel, resources, scene_panel, sharing, state, tray
from ui.components import grid, timeline, transcript
from ui.i18n import t, tn
from ui.views import scenes as scene_views
from ui.views import search as search_views
from ui.views import timeline as timeline_views
from ui.views import videos as views

UPDATE_EVERY_S = 1.0
SCENES_PER_PAGE = 120


# --- operations -----------------------------------------------------------------------------------


def cancel(value: Any) -> None:
    resources.library().cancel(str(value))


def retry(value: Any) -> None:
    resources.library().retry(str(value), queue=True)


def split(value: Any) -> None:
    """Split the scene at {"at": seconds}."""
    resources.library().scene_edits.split(state.opened_video() or "", float(value["at"]), queue=True)


def merge(value: Any) -> None:
    """Merge two scenes that follow each other: {"ids": [scene_id, scene_id]}."""
    first, second = value["ids"]
    resources.library().scene_edits.merge(str(first), str(second), queue=True)


def undo_edit(value: Any) -> None:
    """Undo an edit: {"id": edit_id}, None for the last one."""
    edit_id = value["id"]
    resources.library().scene_edits.undo(
        state.opened_video() or "", None if edit_id is None else str(edit_id), queue=True
    )


def close_video() -> None:
    state.request_page(state.opened_from())


def search_in_video(video_id: str) -> None:
    others = [v.video_id for v in resources.library().videos() if v.video_id != video_id]
    state.update_search(hidden_videos=frozenset(others))
    state.request_page("search")


# --- the page -------------------------------------------------------------------------------------


def draw_back() -> None:
    label = t("action.back") if state.opened_from() == "library" else t("video.back")
    st.button(label, on_click=close_video, key="hx_back", icon=":material/arrow_back:")


def draw_head(library: Library, video: Video, *, running: bool) -> None:
    owner = [] if video.user_id == library.user_id else [sharing.from_text(library, video.user_id)]
    details = html.escape(" · ".join([*owner, *views.file_facts(video), tn("library.scenes", video.scene_count)]))
    with st.container(key="hx-video-head", horizontal=True, vertical_alignment="center"):
        draw_back()
        st.html(f'<div class="hx-head"><h1>{html.escape(video.title)}</h1> <span>{details}</span></div>')
        st.button(t("library.search_here"), on_click=search_in_video, args=(video.video_id,), key="hx_search_here")
        if not running and sharing.may_change(library, video):
            st.button(t("reindex.open"), on_click=reindex_form.toggle, args=(video,), key="hx_reindex")
        if library.accounts.is_shared():
            sharing.draw_button(library, video)


def draw_timeline(library: Library, video: Video, scenes: list[Scene], selected: Scene) -> None:
    edits: list[SceneEdit] = []
    try:
        edits = library.scene_edits.list(video.video_id)
    except EditsDamaged as error:
        page.error_card(error.to_dict())
    timeline(
        "hx_timeline",
        sharing.as_seen(library, video, timeline_views.data(library, video, scenes, edits, selected=selected.scene_id)),
        {"split": split, "merge": merge, "undo": undo_edit, "select": scene_panel.select},
    )


def draw_scenes(library: Library, video: Video, scenes: list[Scene], selected: Scene) -> None:
    """Draw the cards of the page of scenes that the selected one is on."""
    picked = tray.picked_ids(library)
    number = scenes.index(selected) // SCENES_PER_PAGE
    shown = scenes[number * SCENES_PER_PAGE :][:SCENES_PER_PAGE]

    def turn_page(value: Any) -> None:
        first = min(max(number + int(value["by"]), 0) * SCENES_PER_PAGE, len(scenes) - 1)
        state.update_search(selected=scenes[first].scene_id)

    grid(
        "hx_scenes",
        {
            "cards": [
                scene_views.card(library, scene, video.title, picked=scene.scene_id in picked) for scene in shown
            ],
            "selected": selected.scene_id,
            "pager": search_views.page_buttons(number, len(shown), len(scenes), SCENES_PER_PAGE),
            "labels": search_views.grid_labels(),
        },
        {"select": scene_panel.select, "pick": tray.pick, "page": turn_page, "renew": lambda _: None},
    )


def selected_scene(scenes: list[Scene]) -> Scene:
    """The selected scene; where it was split, merged or moved, the one that has its beginning; else the first one."""
    selected = state.search().selected
    by_id = {scene.scene_id: scene for scene in scenes}
    if selected in by_id:
        return by_id[selected]
    try:
        video_id, start_ms, _ = parse_scene_id(selected or "")
    except SceneNotFound:
        return scenes[0]
    if video_id != scenes[0].video_id:
        return scenes[0]
    return next((scene for scene in scenes if scene.start_s <= start_ms / 1000 < scene.end_s), scenes[0])


@page.error_boundary
def video_page() -> None:
    page.switch_if_requested()
    library = resources.library()
    video = library.video(state.opened_video() or "")
    page.set_title(video.title)
    scenes = library.scenes(video.video_id)
    running = video.state in views.RUNNING
    if running != state.is_polling("video"):
        state.set_polling("video", running)
        st.rerun()
    selected = selected_scene(scenes) if scenes else None
    is_chosen = selected is not None and state.search().selected is not None
    address.show({"id": video.video_id, "scene": selected.scene_id if selected and is_chosen else None})
    with st.container(key="hx-video"):
        main, side = st.columns([2.6, 1], gap=None)
        with main:
            middle = st.container(key="hx-main")
        with middle:
            draw_head(library, video, running=running)
            for fact in views.track_facts(video):
                st.html(f'<p class="hx-note">{html.escape(fact)}</p>')
            page.show_flash()
            relink_panel.draw(library, [video.video_id])
            if video.generation is not None:
                card = views.reindex_card(library, video)
                page.draw_card("hx_video_work", card, {"cancel": cancel, "retry": retry})
            if state.shown_form() == reindex_form.form_name(video) and not running:
                reindex_form.draw(library, video)
            if selected is None:
                page.empty_state(t("library.no_scenes"), t("library.no_scenes_hint"))
                return
            draw_timeline(library, video, scenes, selected)
        # before the many cards, so that a long video can be played at once
        with side, st.container(key="hx-right"):
            scene_panel.draw(library, selected, key="hx_video_panel", on_open_video=None, with_lines=False)
            transcript("hx_transcript", timeline_views.transcript(library, video))
        with middle:
            draw_scenes(library, video, scenes, selected)
    tray.draw(library, open_scene=scene_panel.open_scene)


def draw() -> None:
    opened = address.opened()
    if opened is not None:
        state.show_video(opened.get("id", ""), opened.get("scene"))
    try:
        resources.library().video(state.opened_video() or "")
    except VideoNotFound as error:
        page.heading(t("nav.video"))
        with st.container(key="hx-main"):
            draw_back()
            page.error_card(error.to_dict())
        return
    st.fragment(video_page, run_every=UPDATE_EVERY_S if state.is_polling("video") else None)()


page.show(draw)
