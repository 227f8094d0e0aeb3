"""Scene: one scene with its player, its words, everything known about it, and the scenes around it."""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import EditsDamaged, HeimdexError, SceneNotFound
from heimdex_core.library import Library
from heimdex_core.types import Correction, Example, FrameText, Scene, SceneFace, Video
from ui import address, media, page, resources, scene_panel, sharing, state, tray
from ui.components import corrections, facts_panels, player, strips
from ui.i18n import t
from ui.views import scene as views
from ui.views import scenes as scene_views
from ui.views import videos as video_views

UPDATE_EVERY_S = 1.0
NEAREST = 12


# --- operations -----------------------------------------------------------------------------------


def say(value: Any) -> None:
    """Correct a line: {"start", "end": seconds, "text"}."""
    scene = _scene()
    resources.library().corrections.transcript(
        scene.video_id, float(value["start"]), float(value["end"]), str(value["text"]), queue=True
    )


def tag(value: Any) -> None:
    """Add and remove tags: {"add": [...], "remove": [...]}."""
    add, remove = ([str(one) for one in value[name]] for name in ("add", "remove"))
    resources.library().corrections.tags(_scene().scene_id, add=add, remove=remove, queue=True)


def undo(value: Any) -> None:
    """Take back a correction: {"id": edit_id}."""
    resources.library().corrections.undo(_scene().video_id, str(value["id"]), queue=True)


def step(value: Any) -> None:
    """Go to the scene before or after: {"by": -1 or +1, "id": scene_id}."""
    library = resources.library()
    scene = library.scene(str(value["id"]))
    scenes = library.scenes(scene.video_id)
    at = [one.scene_id for one in scenes].index(scene.scene_id) + int(value["by"])
    if 0 <= at < len(scenes):
        state.open_scene(scenes[at].scene_id)


def open_video(value: Any) -> None:
    state.open_video(str(value), scene_id=state.opened_scene(), back_to="search")


def close_scene() -> None:
    state.request_page("search")


def _scene() -> Scene:
    return resources.library().scene(state.opened_scene() or "")


# --- the page -------------------------------------------------------------------------------------


def draw_back() -> None:
    st.button(t("video.back"), on_click=close_scene, key="hx_scene_back", icon=":material/arrow_back:")


def draw_head(scene: Scene, video: Video) -> None:
    times = f"{fmt.precise(scene.start_s)} – {fmt.precise(scene.end_s)} · {scene_views.seconds(scene.duration_s)}"
    with st.container(key="hx-video-head", horizontal=True, vertical_alignment="center"):
        draw_back()
        st.html(f'<div class="hx-head"><h1>{html.escape(video.title)}</h1> <span>{html.escape(times)}</span></div>')


def draw_player(library: Library, scene: Scene, scenes: list[Scene], video: Video) -> None:
    ids = [one.scene_id for one in scenes]
    at = ids.index(scene.scene_id)
    data = scene_views.panel(
        library,
        scene,
        video,
        neighbours=(ids[at - 1] if at > 0 else None, ids[at + 1] if at + 1 < len(ids) else None),
        picked=tray.picked_ids(library),
        lines=None,
        explanation=None,
    )
    data["actions"] = [action for action in data["actions"] if action["name"] != "open_scene"]
    search = state.search()
    data |= {
        "big": True,
        "sprites": views.sprites(library, scene, scenes),
        "play_count": search.play_count,
        "ignored_plays": search.ignored_plays,
        "unpinned": False,
    }
    player(
        "hx_scene_player",
        data,
        {
            "pick": tray.pick,
            "step": step,
            "like": scene_panel.like,
            "picture": scene_panel.by_part,
            "short": scene_panel.make_short,
            "open_video": open_video,
            "renew": lambda _: None,
        },
    )


def corrections_of(library: Library, video: Video) -> list[Correction]:
    try:
        return library.corrections.list(video.video_id)
    except EditsDamaged as error:
        page.error_card(error.to_dict())
        return []


@lru_cache(maxsize=32)
def nearest_ids(library: Library, scene_id: str, generations: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """The scenes most like one. `generations` of all videos are part of the key: the answer holds until one changes."""
    found = library.search(example=Example(scene_ids=(scene_id,)), collapse=False, limit=3 * NEAREST)
    return tuple(hit.scene_id for hit in found.hits)


def draw_strips(library: Library, scene: Scene, scenes: list[Scene]) -> None:
    alike = library.scene_details.duplicates(scene.scene_id)
    same = {scene.scene_id, *(one.scene_id for one in alike)}
    generations = tuple((video.video_id, video.generation) for video in library.searchable_videos())
    nearest: list[Scene] = []
    texts: list[FrameText] = []
    faces: list[SceneFace] = []
    try:
        faces = library.people.faces(scene.scene_id)
        texts = library.scene_details.screen_text(scene.scene_id)
        for scene_id in nearest_ids(library, scene.scene_id, generations):
            if scene_id not in same and len(nearest) < NEAREST:
                nearest.append(library.scene(scene_id))
    except HeimdexError as error:  # the rest of the page does without
        page.error_card(error.to_dict())
    strips(
        "hx_strips",
        views.strips(
            library,
            scene,
            scenes,
            alike=alike,
            nearest=nearest,
            picked=tray.picked_ids(library),
            texts=texts,
            faces=faces,
        ),
        {"pick": tray.pick},
    )


@page.error_boundary
def scene_page() -> None:
    page.switch_if_requested()
    library = resources.library()
    scene = _scene()
    video = library.video(scene.video_id)
    scenes = library.scenes(video.video_id)
    if scene.scene_id not in {one.scene_id for one in scenes}:
        scene = library.scene(scene.scene_id)  # a new generation came between
        scenes = library.scenes(video.video_id)
    page.set_title(f"{video.title} {media.start_text(scene)}")
    running = video.state in video_views.RUNNING
    if running != state.is_polling("scene"):
        state.set_polling("scene", running)
        st.rerun()
    address.show({"id": scene.scene_id})
    with st.container(key="hx-video"):
        main, side = st.columns([2.6, 1], gap=None)
        with main, st.container(key="hx-main"):
            draw_head(scene, video)
            page.show_flash()
            draw_player(library, scene, scenes, video)
            draw_strips(library, scene, scenes)
        with side, st.container(key="hx-right"):
            corrections(
                "hx_corrections",
                sharing.as_seen(
                    library,
                    video,
                    views.corrections(scene, video, library.words(video.video_id), corrections_of(library, video)),
                ),
                {"say": say, "tag": tag, "undo": undo},
            )
            made = library.scene_details.provenance(video.video_id)
            facts_panels("hx_scene_facts", views.facts(library, scene, video, len(scenes), made))
    tray.draw(library, open_scene=lambda scene_id: state.open_scene(str(scene_id)))


def draw() -> None:
    opened = address.opened()
    if opened is not None:
        state.show_scene(opened.get("id", ""))
    try:
        _scene()
    except SceneNotFound as error:
        page.heading(t("nav.scene"))
        with st.container(key="hx-main"):
            draw_back()
            page.error_card(error.to_dict())
        return
    st.fragment(scene_page, run_every=UPDATE_EVERY_S if state.is_polling("scene") else None)()


page.show(draw)
