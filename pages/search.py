"""Search: the dial on the left, scenes in the middle, the moment itself on the right."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from heimdex_core.errors import SceneNotFound
from heimdex_core.library import Library
from heimdex_core.settings import PRESETS, default_weights
from heimdex_core.types import Scene, SearchResult, VisibleVideo
from ui import media, page, resources, scene_panel, state, tray
from ui.components.controls import dial, grid
from ui.i18n import t, tn
from ui.views import scenes as views

FUSIONS = ("minmax", "rrf")


def weights_now(library: Library) -> dict[str, float]:
    chosen = state.search().weights
    if chosen is None:
        chosen = library.preferences().get("weights") or default_weights(library.settings)
        state.update_search(weights=dict(chosen), page=state.search().page)
    return {name: float(chosen.get(name, 0.0)) for name in views.CHANNELS}


def weigh(value: Any) -> None:
    state.update_search(weights={name: min(max(float(value[name]), 0.0), 1.0) for name in views.CHANNELS})


def weighed(value: Any) -> None:
    """The hand has left the dial: keep the weights for the next time."""
    weigh(value)
    resources.library().set_preference("weights", dict(state.search().weights or {}))


def fuse(value: Any) -> None:
    if value in FUSIONS:
        state.update_search(fusion=str(value))


def read_by(value: Any) -> None:
    """Only what is not as it is without being asked is asked for, so that channels keep their plain names."""
    wanted = {str(name) for name in value}
    asked: list[str] = []
    for of_kind, _ in views.spaces_to_choose(resources.library(), state.search().spaces).values():
        on = [space.name for space in of_kind if space.name in wanted]
        asked += on if on != [of_kind[0].name] else []
    state.update_search(spaces=tuple(asked))


def hide_videos(value: Any) -> None:
    state.update_search(hidden_videos=frozenset(str(video_id) for video_id in value))


def turn_page(value: Any) -> None:
    state.update_search(page=max(0, int(value)), selected=None)


def take_query() -> None:
    text = state.query_typed()
    state.update_search(query=text, selected=None)
    st.query_params.from_dict({"q": text} if text else {})


def draw_dial(library: Library, videos: list[VisibleVideo]) -> None:
    now = state.search()
    dial(
        "hx_dial",
        {
            "weights": weights_now(library),
            "presets": [{"label": t(f"preset.{name}"), "weights": weights} for name, weights in PRESETS.items()],
            "fusion": now.fusion or library.settings.fusion,
            "fusions": [
                {"name": name, "label": t(f"fusion.{name}"), "title": t(f"fusion.{name}.title")} for name in FUSIONS
            ],
            "spaces": [
                {
                    "kind": kind,
                    "label": t(f"channel.{kind}"),
                    "choices": [
                        {"name": space.name, "label": space.name.partition("/")[2], "on": space.name in on}
                        for space in of_kind
                    ],
                }
                for kind, (of_kind, on) in views.spaces_to_choose(library, now.spaces).items()
            ],
            "videos": [
                {
                    "id": video.video_id,
                    "title": video.title,
                    "count": video.scene_count,
                    "on": video.video_id not in now.hidden_videos,
                }
                for video in videos
            ],
            "labels": {
                name: t(f"dial.{name}")
                for name in (
                    "weigh",
                    "said",
                    "seen",
                    "words",
                    "exact",
                    "balance",
                    "presets",
                    "fuse",
                    "spaces",
                    "videos",
                    "all",
                    "only",
                )
            },
        },
        {"weigh": weigh, "weighed": weighed, "fuse": fuse, "spaces": read_by, "videos": hide_videos},
    )


def search(library: Library, videos: list[VisibleVideo]) -> SearchResult | None:
    now = state.search()
    shown = [video.video_id for video in videos if video.video_id not in now.hidden_videos]
    if not now.query or not shown:
        return None
    limit = library.settings.result_limit
    # The library may have moved to models that do not have what was chosen before.
    there = {space.name for space in library.spaces().values()}
    return library.search(
        now.query,
        spaces=[name for name in now.spaces if name in there],
        weights=weights_now(library),
        fusion=now.fusion,
        videos=shown if len(shown) < len(videos) else None,
        limit=limit,
        offset=now.page * limit,
    )


def draw_status(result: SearchResult, video_count: int) -> None:
    found = html.escape(tn("search.scenes", result.total))
    st.html(f'<div class="hx-status"><b>{found}</b> {html.escape(views.status_line(result, video_count))}</div>')


def pager(result: SearchResult, limit: int) -> dict[str, Any] | None:
    at = state.search().page
    if result.total <= limit:
        return None
    first = at * limit + 1
    return {
        "text": t("search.range", first=first, last=first + len(result.hits) - 1, total=result.total),
        "previous": {"label": t("search.previous_page"), "page": at - 1, "disabled": at == 0},
        "next": {"label": t("search.next_page"), "page": at + 1, "disabled": first + limit > result.total},
    }


def draw_grid(library: Library, result: SearchResult, selected: str | None) -> None:
    picked = tray.picked_ids(library)
    grid(
        "hx_grid",
        {
            "cards": [
                views.card(
                    library,
                    hit.scene,
                    hit.video_title,
                    picked=hit.scene_id in picked,
                    terms=result.terms,
                    hit=hit,
                    fusion=result.fusion,
                )
                for hit in result.hits
            ],
            "selected": selected,
            "pager": pager(result, library.settings.result_limit),
            "labels": {"pick": t("tray.add_key"), "unpick": t("tray.remove")},
        },
        {"select": scene_panel.select, "pick": tray.pick, "page": turn_page, "renew": lambda _: None},
    )


def draw_nothing(result: SearchResult | None, videos: list[VisibleVideo]) -> None:
    """The middle when there is no hit: why, and what to do."""
    if not videos:
        page.empty(t("search.no_videos"), t("search.no_videos_hint"))
    elif result is None and not state.search().query:
        page.empty(t("search.begin"), t("search.begin_hint"))
    elif result is None:
        page.empty(t("search.none_shown"), t("search.none_shown_hint"))
    else:
        reasons = [views.abstention(name, s) for name, s in result.channels.items() if views.speaks_up(s)]
        page.empty(t("search.nothing"), " ".join([*(f"{reason}." for reason in reasons), t("search.nothing_hint")]))


def selected_scene(library: Library, result: SearchResult | None) -> Scene | None:
    """What the player shows: the chosen scene, also when it is not on this page of hits, else the best hit."""
    chosen = state.search().selected
    if chosen:
        try:
            return library.scene(chosen)
        except SceneNotFound:
            state.update_search(selected=None)
    return result.hits[0].scene if result and result.hits else None


@st.fragment
@page.guarded
def workspace() -> None:
    page.navigation.go_if_asked()
    library = resources.library()
    videos = media.visible_videos(library)
    with st.container(key="hx-search"):
        left, middle, right = st.columns([1, 3, 1.5], gap=None)
        with left, st.container(key="hx-left"):
            draw_dial(library, videos)
        result, scene = None, None
        with middle, st.container(key="hx-middle"):
            with st.container(key="hx-query"):
                st.text_input(
                    t("search.label"),
                    key=state.QUERY_WIDGET,
                    placeholder=t("search.placeholder"),
                    label_visibility="collapsed",
                    on_change=take_query,
                    max_chars=library.settings.max_query_chars,
                )
            page.flash()
            # Shown only when it takes a while: the first search loads the models.
            with st.spinner(t("search.searching")):
                result = search(library, videos)
            scene = selected_scene(library, result)
            if result is not None and result.hits:
                shown = len([video for video in videos if video.video_id not in state.search().hidden_videos])
                draw_status(result, shown)
                draw_grid(library, result, scene.scene_id if scene else None)
            else:
                draw_nothing(result, videos)
        with right, st.container(key="hx-right"):
            if scene is not None:
                hit = next((hit for hit in result.hits if hit.scene_id == scene.scene_id), None) if result else None
                scene_panel.draw(library, scene, key="hx_panel", hit=hit, result=result)
    tray.draw(library, open_scene=scene_panel.open_scene)


def draw() -> None:
    asked = st.query_params.get("q", "")
    if asked and not state.search().query:
        state.update_search(query=asked)
    state.seed_query(state.search().query)
    workspace()


page.show(draw)
