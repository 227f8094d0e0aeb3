"""Library: upload videos, follow their indexing, and see the scenes of one of them."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import VideoNotFound
from heimdex_core.library import Library
from heimdex_core.types import Scene, Video
from ui import page, reindex_form, resources, scene_panel, state, tray, watched_folders
from ui.components import facts_panels, grid, upload_zone, video_rows
from ui.i18n import SPEECH_LANGUAGES, t, t_or, tn
from ui.views import migration
from ui.views import scenes as scene_views
from ui.views import videos as views

PAGE_SIZE = 50
UPDATE_EVERY_S = 1.0
WATCH_EVERY_S = 5.0  # videos of watched folders appear by themselves, but seldom
UPLOAD_LABELS = (
    "drop", "choose", "too_large", "unmatched", "unmatched_hint", "waiting", "sending", "checking", "done", "cancel",
    "dismiss", "lost", "lost_hint", "more", "title", "title_hint", "description", "description_hint", "language",
)  # fmt: skip


# --- operations -----------------------------------------------------------------------------------


def cancel(value: Any) -> None:
    resources.library().cancel(str(value))


def retry(value: Any) -> None:
    resources.library().retry(str(value), queue=True)


def delete(value: Any) -> None:
    state.set_deleted_video(resources.library().delete(str(value)).video_id)


def restore(value: Any) -> None:
    state.set_deleted_video(None)
    resources.library().restore(str(value))


def open_video(value: Any) -> None:
    state.open_video(resources.library().video(str(value)).video_id)
    state.update_search(selected=None)


def close_video() -> None:
    state.open_video(None)


def search_in_video(video_id: str) -> None:
    others = [v.video_id for v in resources.library().videos() if v.video_id != video_id]
    state.update_search(hidden_videos=frozenset(others))
    state.open_video(None)
    state.request_page("search")


def show_settings(_: Any) -> None:
    state.request_page("settings")


# --- the list of videos ---------------------------------------------------------------------------


def draw_upload(library: Library, *, is_empty: bool) -> None:
    settings = library.settings
    limits = {"size": fmt.limit_size(settings.max_file_bytes), "minutes": f"{settings.max_duration_s / 60:g}"}
    upload_zone(
        "hx_upload",
        {
            "url": "/upload",
            "token": resources.links().upload_token(library.user_id, state.language()),
            "max_bytes": settings.max_file_bytes,
            "welcome": {"title": t("library.empty"), "text": t("library.empty_hint")} if is_empty else None,
            "labels": {name: t(f"upload.{name}") for name in UPLOAD_LABELS}
            | {"hint": t("upload.hint", **limits), "limit": t("upload.limit", **limits)},
            "languages": [
                {"code": code, "name": t_or(f"speech.{code}", code)}
                for code in dict.fromkeys([*SPEECH_LANGUAGES, settings.language])
            ],
            "language": settings.language,
            "max_title": settings.max_title_chars,
        },
        {"added": lambda _: None, "token": lambda _: None},
    )


def draw_migration_banner(library: Library) -> bool:
    """Draw one line about a switch to other models while it runs. True then."""
    status = library.model_sets.status()
    running = status is not None and status.is_running
    card = migration.migration_banner(status, library.model_sets.active()) if running else None
    if status is not None and running and state.is_polling("library"):
        # not in the first run: loading slows down the rest of the page
        resources.load_query_encoders(status.set_id)
    page.draw_card("hx_migration_banner", card, {"show": show_settings})
    return running


def draw_rows(library: Library) -> bool:
    """Draw the rows. True while work on one of the videos is in progress."""
    shown = PAGE_SIZE * state.library_pages()
    videos = library.videos(limit=shown + 1)
    deleted = state.deleted_video()
    data = {
        "rows": [views.row(library, video) for video in videos[:shown]],
        "undo": _undo_data(library, deleted) if deleted else None,
    }
    handlers = {"cancel": cancel, "retry": retry, "delete": delete, "undo": restore, "open": open_video}
    video_rows("hx_videos", data, {**handlers, "renew": lambda _: None})
    if len(videos) > shown:
        st.button(t("library.more"), on_click=state.show_more_videos)
    return any(video.state in views.RUNNING for video in videos)


def _undo_data(library: Library, video_id: str) -> dict[str, Any] | None:
    try:
        video = library.video(video_id)
    except VideoNotFound:
        return None
    return {"id": video_id, "text": t("library.deleted", title=video.title), "action": t("action.undo")}


@page.error_boundary
def draw_list() -> None:
    page.switch_if_requested()
    library = resources.library()
    if state.opened_video():
        st.rerun()
    page.show_flash()
    migrating = draw_migration_banner(library)
    draw_upload(library, is_empty=not library.videos(limit=1))
    watching = watched_folders.draw(library)
    running = draw_rows(library) or migrating
    if running != state.is_polling("library") or watching != state.is_polling("watched"):
        state.set_polling("library", running)
        state.set_polling("watched", watching)
        st.rerun()


def update_interval_s() -> float | None:
    """How often the list is drawn again by itself; None for never."""
    if state.is_polling("library"):
        return UPDATE_EVERY_S
    return WATCH_EVERY_S if state.is_polling("watched") else None


def list_page(library: Library) -> None:
    with st.container(key="hx-library"):
        main, side = st.columns([3.6, 1], gap=None)
        with main, st.container(key="hx-main"):
            st.fragment(draw_list, run_every=update_interval_s())()
        with side, st.container(key="hx-side"):
            panels = [views.library_facts(library), views.model_facts(library)]
            facts_panels("hx_facts", {"panels": panels}, {"models": show_settings})
    draw_tray()


@st.fragment
@page.error_boundary
def draw_tray() -> None:
    page.switch_if_requested()
    tray.draw(resources.library())


# --- one video ------------------------------------------------------------------------------------


def draw_head(video: Video, *, running: bool) -> None:
    details = html.escape(" · ".join([*views.file_facts(video), tn("library.scenes", video.scene_count)]))
    with st.container(key="hx-video-head", horizontal=True, vertical_alignment="center"):
        st.button(t("action.back"), on_click=close_video, key="hx_back", icon=":material/arrow_back:")
        st.html(f'<div class="hx-head"><b>{html.escape(video.title)}</b> <span>{details}</span></div>')
        st.button(t("library.search_here"), on_click=search_in_video, args=(video.video_id,), key="hx_search_here")
        if not running:
            st.button(t("reindex.open"), on_click=reindex_form.toggle, args=(video,), key="hx_reindex")


def draw_scenes(library: Library, video: Video, scenes: list[Scene], selected: Scene) -> None:
    picked = tray.picked_ids(library)
    grid(
        "hx_scenes",
        {
            "cards": [
                scene_views.card(library, scene, video.title, picked=scene.scene_id in picked) for scene in scenes
            ],
            "selected": selected.scene_id,
            "labels": {"pick": t("tray.add_key"), "unpick": t("tray.remove")},
        },
        {"select": scene_panel.select, "pick": tray.pick, "renew": lambda _: None},
    )


@page.error_boundary
def video_page() -> None:
    page.switch_if_requested()
    library = resources.library()
    video_id = state.opened_video()
    if video_id is None:
        st.rerun()
        return
    video = library.video(video_id)
    scenes = library.scenes(video_id)
    running = video.state in views.RUNNING
    if running != state.is_polling("video"):
        state.set_polling("video", running)
        st.rerun()
    with st.container(key="hx-video"):
        main, side = st.columns([2.6, 1], gap=None)
        with main, st.container(key="hx-main"):
            draw_head(video, running=running)
            for fact in views.track_facts(video):
                st.html(f'<p class="hx-note">{html.escape(fact)}</p>')
            page.show_flash()
            if video.generation is not None:
                card = views.reindex_card(library, video)
                page.draw_card("hx_video_work", card, {"cancel": cancel, "retry": retry})
            if state.shown_form() == reindex_form.form_name(video) and not running:
                reindex_form.draw(library, video)
            if not scenes:
                page.empty_state(t("library.no_scenes"), t("library.no_scenes_hint"))
                return
            selected = next((s for s in scenes if s.scene_id == state.search().selected), scenes[0])
            draw_scenes(library, video, scenes, selected)
        with side, st.container(key="hx-right"):
            scene_panel.draw(library, selected, key="hx_video_panel", on_open_video=None)
    tray.draw(library, open_scene=scene_panel.open_scene)


def draw() -> None:
    opened = state.opened_video()
    if opened:
        try:
            resources.library().video(opened)
        except VideoNotFound:
            state.open_video(None)
    if state.opened_video():
        st.fragment(video_page, run_every=UPDATE_EVERY_S if state.is_polling("video") else None)()
    else:
        list_page(resources.library())


page.show(draw)
