"""Search: the dial on the left, the scenes in the middle, the player on the right."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core.errors import SceneNotFound, StorageError
from heimdex_core.library import Library
from heimdex_core.settings import PRESETS, default_weights
from heimdex_core.types import Scene, SearchResult, VisibleVideo
from ui import media, page, resources, scene_panel, state, tray
from ui.components import dial, grid
from ui.i18n import t
from ui.views import scenes as views

FUSIONS = ("minmax", "rrf")
DIAL_LABELS = ("heading", "exact", "balance", "presets", "fusion", "spaces", "videos", "all", "only")


# --- operations -----------------------------------------------------------------------------------


def set_weights(value: Any) -> None:
    """Search with the weights of the dial while it is being moved: {channel: weight from 0 to 1}."""
    state.update_search(weights={name: min(max(float(value[name]), 0.0), 1.0) for name in views.CHANNELS})


def save_weights(value: Any) -> None:
    """Search with the weights of the dial and save them, when it has been released."""
    set_weights(value)
    resources.library().set_preference("weights", dict(state.search().weights or {}))


def set_fusion(value: Any) -> None:
    if value in FUSIONS:
        state.update_search(fusion=str(value))


def set_spaces(value: Any) -> None:
    """Search the spaces of these names.

    A kind of which only the primary space is chosen is left out: the search then uses that space by default, and the
    channel keeps its plain name.
    """
    wanted = {str(name) for name in value}
    spaces: list[str] = []
    for of_kind, _ in views.space_choices(resources.library(), state.search().spaces).values():
        chosen = [space.name for space in of_kind if space.name in wanted]
        spaces += chosen if chosen != [of_kind[0].name] else []
    state.update_search(spaces=tuple(spaces))


def hide_videos(value: Any) -> None:
    state.update_search(hidden_videos=frozenset(str(video_id) for video_id in value))


def turn_page(value: Any) -> None:
    state.update_search(page=max(0, int(value)), selected=None)


def submit_query() -> None:
    text = state.typed_query()
    state.update_search(query=text, selected=None)
    st.query_params.from_dict({"q": text} if text else {})


# --- the dial -------------------------------------------------------------------------------------


def current_weights(library: Library) -> dict[str, float]:
    """The weights of this page, else the saved ones, else the defaults."""
    weights = state.search().weights
    if weights is None:
        weights = library.preferences().get("weights") or default_weights(library.settings)
        state.update_search(weights=dict(weights), page=state.search().page)
    return {name: float(weights.get(name, 0.0)) for name in views.CHANNELS}


def draw_dial(library: Library, videos: list[VisibleVideo]) -> None:
    search = state.search()
    dial(
        "hx_dial",
        {
            "weights": current_weights(library),
            "presets": [{"label": t(f"preset.{name}"), "weights": weights} for name, weights in PRESETS.items()],
            "fusion": search.fusion or library.settings.fusion,
            "fusions": [
                {"name": name, "label": t(f"fusion.{name}"), "title": t(f"fusion.{name}.title")} for name in FUSIONS
            ],
            "spaces": [
                {
                    "kind": kind,
                    "label": t(f"channel.{kind}"),
                    "choices": [
                        {"name": space.name, "label": space.name.partition("/")[2], "on": space.name in chosen}
                        for space in of_kind
                    ],
                }
                for kind, (of_kind, chosen) in views.space_choices(library, search.spaces).items()
            ],
            "videos": [
                {
                    "id": video.video_id,
                    "title": video.title,
                    "count": video.scene_count,
                    "on": video.video_id not in search.hidden_videos,
                }
                for video in videos
            ],
            "labels": {name: t(f"dial.{name}") for name in DIAL_LABELS}
            | {f"channel_{name}": t(f"channel.{name}") for name in views.CHANNELS},
        },
        {
            "set_weights": set_weights,
            "save_weights": save_weights,
            "set_fusion": set_fusion,
            "set_spaces": set_spaces,
            "hide_videos": hide_videos,
        },
    )


# --- the results ----------------------------------------------------------------------------------


def find(library: Library, shown: list[str], *, all_shown: bool) -> SearchResult | None:
    """The results of the current search; None without a query or a video to search.

    Args:
        library: to search.
        shown: ids of the videos to search.
        all_shown: whether these are all videos.
    """
    search = state.search()
    if not search.query or not shown:
        return None
    limit = library.settings.result_limit
    # after a switch to other models, chosen spaces may not exist any more
    existing = {space.name for space in library.spaces().values()}
    return library.search(
        search.query,
        spaces=[name for name in search.spaces if name in existing],
        weights=current_weights(library),
        fusion=search.fusion,
        videos=None if all_shown else shown,
        limit=limit,
        offset=search.page * limit,
    )


def pager(result: SearchResult, limit: int) -> dict[str, Any] | None:
    """The buttons below the grid; None if one page has all results."""
    current = state.search().page
    if result.total <= limit:
        return None
    first = current * limit + 1
    return {
        "text": t("search.range", first=first, last=first + len(result.hits) - 1, total=result.total),
        "previous": {"label": t("search.previous_page"), "page": current - 1, "disabled": current == 0},
        "next": {"label": t("search.next_page"), "page": current + 1, "disabled": first + limit > result.total},
    }


def draw_grid(library: Library, result: SearchResult, selected: str | None) -> None:
    try:
        picked = tray.picked_ids(library)
    except StorageError as error:  # the tray is in the catalog, which searching does without
        page.error_card(error.to_dict())
        picked = frozenset()
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


def draw_empty(result: SearchResult | None, videos: list[VisibleVideo]) -> None:
    """Draw why there are no results, and what to do about it."""
    if not videos:
        page.empty_state(t("search.no_videos"), t("search.no_videos_hint"))
    elif result is None and not state.search().query:
        page.empty_state(t("search.start"), t("search.start_hint"))
    elif result is None:
        page.empty_state(t("search.none_selected"), t("search.none_selected_hint"))
    else:
        channels = [(name, channel) for name, channel in result.channels.items() if views.is_reported(channel)]
        reasons = [views.abstention_text(name, channel) for name, channel in channels]
        sentences = [f"{reason[:1].upper()}{reason[1:]}." for reason in reasons]
        page.empty_state(t("search.nothing"), " ".join([*sentences, t("search.nothing_hint")]))


def selected_scene(library: Library, result: SearchResult | None) -> Scene | None:
    """The scene in the player: the selected one, even if it is not among the hits of this page, else the best hit."""
    selected = state.search().selected
    if selected:
        try:
            return library.scene(selected)
        except SceneNotFound:
            state.update_search(selected=None)
    return result.hits[0].scene if result and result.hits else None


@st.fragment
@page.error_boundary
def workspace() -> None:
    page.switch_if_requested()
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
                    on_change=submit_query,
                    max_chars=library.settings.max_query_chars,
                )
            page.show_flash()
            shown = [video.video_id for video in videos if video.video_id not in state.search().hidden_videos]
            # visible only if it takes long: the first search loads the models
            with st.spinner(t("search.searching")):
                result = find(library, shown, all_shown=len(shown) == len(videos))
            scene = selected_scene(library, result)
            if result is not None and result.hits:
                st.html(f'<div class="hx-status">{views.status_line(result, len(shown))}</div>')
                draw_grid(library, result, scene.scene_id if scene else None)
            else:
                draw_empty(result, videos)
        with right, st.container(key="hx-right"):
            if scene is not None:
                hit = next((hit for hit in result.hits if hit.scene_id == scene.scene_id), None) if result else None
                page.error_boundary(scene_panel.draw)(library, scene, key="hx_panel", hit=hit, result=result)
    tray.draw(library, open_scene=scene_panel.open_scene)


def draw() -> None:
    linked = st.query_params.get("q", "")
    if linked and not state.search().query:
        state.update_search(query=linked)
    state.seed_query(state.search().query)
    workspace()


page.show(draw)
