"""Library: bring videos in, watch them become searchable, look at the scenes of one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import VideoNotFound
from heimdex_core.library import Library
from heimdex_core.types import Scene, Video
from ui import again_form, cards, page, resources, scene_panel, state, tray
from ui.components.controls import facts_panels, grid, upload_zone, video_rows
from ui.i18n import t, t_or, tn
from ui.languages import SPEECH_LANGUAGES
from ui.views import moving
from ui.views import scenes as scene_views
from ui.views import videos as views

PAGE_SIZE = 50
UPDATE_EVERY_S = 1.0


def cancel(value: Any) -> None:
    resources.library().cancel(str(value))


def retry(value: Any) -> None:
    resources.library().retry(str(value), queue=True)


def delete(value: Any) -> None:
    state.set_undo(resources.library().delete(str(value)).video_id)


def undo(value: Any) -> None:
    state.set_undo(None)
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
    state.want_page("search")


def show_more() -> None:
    state.count("library_pages")


def draw_upload(library: Library, *, is_empty: bool) -> None:
    settings = library.settings
    limits = {"size": fmt.limit_size(settings.max_file_bytes), "minutes": f"{settings.max_duration_s / 60:g}"}
    names = (
        "drop", "choose", "too_large", "loose", "loose_hint", "waiting", "sending", "checking", "done", "cancel",
        "dismiss", "lost", "lost_hint", "more", "title", "title_hint", "description", "description_hint", "language",
    )  # fmt: skip
    upload_zone(
        "hx_upload",
        {
            "url": "/upload",
            "token": resources.links().upload_token(library.user_id, state.language()),
            "max_bytes": settings.max_file_bytes,
            "welcome": {"title": t("library.empty"), "text": t("library.empty_hint")} if is_empty else None,
            "labels": {name: t(f"upload.{name}") for name in names}
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


def draw_move(library: Library) -> bool:
    """A line on the move to other models while one runs; true then."""
    status = library.model_sets.status()
    card = moving.banner(status, library.model_sets.active()) if status is not None and status.is_running else None
    if status is not None and card is not None and state.is_watching("library"):
        # not in the first drawing: loading slows down what is still to be drawn
        resources.warm_set(status.set_id)
    cards.show("hx_move_banner", card, {"show": to_models})
    return card is not None


def to_models(_: Any) -> None:
    state.want_page("settings")


def draw_rows(library: Library) -> bool:
    """The rows; true while work is under way on one of them."""
    shown = PAGE_SIZE * (1 + state.counter("library_pages"))
    videos = library.videos(limit=shown + 1)
    undone = state.undo()
    data = {
        "rows": [views.row(library, video) for video in videos[:shown]],
        "undo": _undo_data(library, undone) if undone else None,
    }
    handlers = {"cancel": cancel, "retry": retry, "delete": delete, "undo": undo, "open": open_video}
    video_rows("hx_videos", data, {**handlers, "renew": lambda _: None})
    if len(videos) > shown:
        st.button(t("library.more"), on_click=show_more)
    return any(video.state in views.RUNNING for video in videos)


def _undo_data(library: Library, video_id: str) -> dict[str, Any] | None:
    try:
        video = library.video(video_id)
    except VideoNotFound:
        return None
    return {"id": video_id, "text": t("library.deleted", title=video.title), "action": t("action.undo")}


@page.guarded
def draw_list() -> None:
    page.navigation.go_if_asked()
    library = resources.library()
    if state.opened_video():
        st.rerun()
    page.flash()
    moves = draw_move(library)
    draw_upload(library, is_empty=not library.videos(limit=1))
    running = draw_rows(library) or moves
    if running != state.is_watching("library"):
        # The fragment repeats itself only while something is running.
        state.watch("library", running)
        st.rerun()


def list_page(library: Library) -> None:
    with st.container(key="hx-library"):
        main, side = st.columns([3.6, 1], gap=None)
        with main, st.container(key="hx-main"):
            st.fragment(draw_list, run_every=UPDATE_EVERY_S if state.is_watching("library") else None)()
        with side, st.container(key="hx-side"):
            panels = [views.library_facts(library), views.model_facts(library)]
            facts_panels("hx_facts", {"panels": panels}, {"models": to_models})
    bottom()


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


@page.guarded
def video_page() -> None:
    page.navigation.go_if_asked()
    library = resources.library()
    video_id = state.opened_video()
    if video_id is None:
        st.rerun()
        return
    video = library.video(video_id)
    scenes = library.scenes(video_id)
    running = video.state in views.RUNNING
    if running != state.is_watching("video"):
        state.watch("video", running)
        st.rerun()
    with st.container(key="hx-video"):
        main, side = st.columns([2.6, 1], gap=None)
        with main, st.container(key="hx-main"):
            with st.container(key="hx-video-head", horizontal=True, vertical_alignment="center"):
                st.button(t("action.back"), on_click=close_video, key="hx_back", icon=":material/arrow_back:")
                st.html(scene_head(video))
                st.button(t("library.search_here"), on_click=search_in_video, args=(video_id,), key="hx_search_here")
                if not running:
                    st.button(t("again.open"), on_click=again_form.toggle, args=(video,), key="hx_again")
            page.flash()
            if video.generation is not None:
                cards.show("hx_video_work", views.again_card(library, video), {"cancel": cancel, "retry": retry})
            if state.shown_form() == again_form.name_of(video) and not running:
                again_form.draw(library, video)
            if not scenes:
                page.empty(t("library.no_scenes"), t("library.no_scenes_hint"))
                return
            selected = next((s for s in scenes if s.scene_id == state.search().selected), scenes[0])
            draw_scenes(library, video, scenes, selected)
        with side, st.container(key="hx-right"):
            scene_panel.draw(library, selected, key="hx_video_panel", on_open_video=None)
    tray.draw(library, open_scene=scene_panel.open_scene)


def scene_head(video: Video) -> str:
    title = page.html.escape(video.title)
    details = page.html.escape(" · ".join([*views.meta(video), tn("library.scenes", video.scene_count)]))
    return f'<div class="hx-head"><b>{title}</b> <span>{details}</span></div>'


@st.fragment
@page.guarded
def bottom() -> None:
    page.navigation.go_if_asked()
    tray.draw(resources.library())


def draw() -> None:
    opened = state.opened_video()
    if opened:
        try:
            resources.library().video(opened)
        except VideoNotFound:
            state.open_video(None)
    if state.opened_video():
        st.fragment(video_page, run_every=UPDATE_EVERY_S if state.is_watching("video") else None)()
    else:
        list_page(resources.library())


page.show(draw)
