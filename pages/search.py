"""Search: the query, the dial on the left, the scenes in the middle, the player on the right."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core.errors import SceneNotFound, StorageError
from heimdex_core.library import Library
from heimdex_core.settings import PRESETS, default_weights
from heimdex_core.types import Scene, SearchResult, VisibleVideo
from ui import address, media, page, resources, scene_panel, search_address, state, tray
from ui.components import dial, empty_page, grid
from ui.i18n import t
from ui.views import scenes as views
from ui.views import search as search_views
from ui.views.videos import not_ready_note

DIAL_LABELS = ("heading", "exact", "balance", "presets", "advanced", "fusion", "spaces", "videos", "all", "only")

# a note from the catalog is shown again for so long without asking: sliders draw the page several times a second
NOTE_KEPT_S = 10.0


# --- operations -----------------------------------------------------------------------------------


def set_weights(value: Any) -> None:
    """Search with the weights of the dial while it is being moved: {channel: weight from 0 to 1}."""
    state.update_search(weights={name: min(max(float(value[name]), 0.0), 1.0) for name in views.CHANNELS})


def save_weights(value: Any) -> None:
    """Search with the weights of the dial and save them, when it has been released."""
    set_weights(value)
    resources.library().set_preference("weights", dict(state.search().weights or {}))


def set_fusion(value: Any) -> None:
    if value in search_address.FUSIONS:
        state.update_search(fusion=str(value))


def set_space(value: Any) -> None:
    """Search a space or not: {"name", "on"}. At least one of each kind stays.

    A kind of which only the primary space is chosen is left out: the search then uses that space by default, and the
    channel keeps its plain name.
    """
    name, wanted = str(value["name"]), bool(value["on"])
    spaces: list[str] = []
    for of_kind, searched in views.space_choices(resources.library(), state.search().spaces).values():
        names = [space.name for space in of_kind]
        now = (searched | {name} if wanted else searched - {name}) if name in names else searched
        chosen = [space for space in names if space in (now or searched)]
        spaces += chosen if chosen != names[:1] else []
    state.update_search(spaces=tuple(spaces))


def show_video(value: Any) -> None:
    """Search a video or not: {"id", "on"}; only one: {"only": id}; all: {"all": true}."""
    hidden = state.search().hidden_videos
    if value.get("all"):
        hidden = frozenset()
    elif "only" in value:
        hidden = frozenset(video.video_id for video in media.visible_videos(resources.library())) - {str(value["only"])}
    else:
        hidden = hidden - {str(value["id"])} if value["on"] else hidden | {str(value["id"])}
    state.update_search(hidden_videos=hidden)


def turn_page(value: Any) -> None:
    """Go some pages on: {"by": +1 or -1}. The scene in the player stays if it has been chosen or played."""
    state.update_search(page=max(0, state.search().page + int(value["by"])))


def submit_query() -> None:
    state.update_search(query=state.typed_query(), selected=None)


# --- the dial -------------------------------------------------------------------------------------


def current_weights(library: Library) -> dict[str, float]:
    """The weights of this page, else the saved ones, else the defaults."""
    weights = state.search().weights
    if weights is None:
        weights = library.preferences().get("weights") or default_weights(library.settings)
        state.update_search(weights=dict(weights), page=state.search().page)
    return {name: float(weights.get(name, 0.0)) for name in views.CHANNELS}


def draw_dial(library: Library, videos: list[VisibleVideo], note: str) -> None:
    search = state.search()
    dial(
        "hx_dial",
        {
            "weights": current_weights(library),
            "presets": [{"label": t(f"preset.{name}"), "weights": weights} for name, weights in PRESETS.items()],
            "fusion": search.fusion or library.settings.fusion,
            "fusions": [
                {"name": name, "label": t(f"fusion.{name}"), "title": t(f"fusion.{name}.title")}
                for name in search_address.FUSIONS
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
                    "only": t("dial.only_this", title=video.title),
                    "count": video.scene_count,
                    "on": video.video_id not in search.hidden_videos,
                }
                for video in videos
            ],
            "note": note,
            "is_empty": not search.query,
            "labels": {name: t(f"dial.{name}") for name in DIAL_LABELS}
            | {f"channel_{name}": t(f"channel.{name}") for name in views.CHANNELS},
        },
        {
            "set_weights": set_weights,
            "save_weights": save_weights,
            "set_fusion": set_fusion,
            "set_space": set_space,
            "show_video": show_video,
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

    def at(page_number: int) -> SearchResult:
        return library.search(
            search.query,
            spaces=[name for name in search.spaces if name in existing],
            weights=current_weights(library),
            fusion=search.fusion,
            videos=None if all_shown else shown,
            limit=limit,
            offset=page_number * limit,
        )

    found = at(search.page)
    if found.total and not found.hits:  # there are fewer now than when the page was chosen
        last = (found.total - 1) // limit
        state.update_search(page=last)
        found = at(last)
    return found


def draw_grid(library: Library, result: SearchResult, selected: str | None) -> None:
    try:
        picked = tray.picked_ids(library)
    except StorageError as error:  # the tray is in the catalog, which searching does without
        page.error_card(error.to_dict())
        picked = frozenset()
    grid(
        "hx_grid",
        {
            "status": views.status(result),
            "cards": [
                views.card(
                    library,
                    hit.scene,
                    hit.video_title,
                    picked=hit.scene_id in picked,
                    terms=result.terms,
                    hit=hit,
                )
                for hit in result.hits
            ],
            "selected": selected,
            "pager": search_views.pager(result, state.search().page, library.settings.result_limit),
            "labels": search_views.grid_labels(),
        },
        {"select": scene_panel.select, "pick": tray.pick, "page": turn_page, "renew": lambda _: None},
    )


def draw_empty(library: Library, result: SearchResult | None, videos: list[VisibleVideo], note: str) -> None:
    """Draw why there are no results, and what to do about it."""
    to_library = {"text": t("search.open_library"), "href": address.url("library")}
    if not videos:
        _draw_empty(t("search.no_videos"), note or t("search.no_videos_hint"), link=to_library)
    elif result is None and not state.search().query:
        examples = search_views.examples(library, videos)
        _draw_empty(t("search.start"), t("search.start_hint"), examples=examples, link=to_library)
    elif result is None:
        _draw_empty(t("search.none_selected"), t("search.none_selected_hint"))
    else:
        channels = [(name, channel) for name, channel in result.channels.items() if views.is_reported(channel)]
        reasons = [views.abstention_text(name, channel) for name, channel in channels]
        sentences = [f"{reason[:1].upper()}{reason[1:]}." for reason in reasons]
        _draw_empty(t("search.nothing"), " ".join([*sentences, t("search.nothing_hint")]))


def _draw_empty(
    title: str, text: str, *, examples: list[str] | None = None, link: dict[str, str] | None = None
) -> None:
    links = [{"text": example, "href": address.url("search", q=example)} for example in examples or []]
    labels = {"examples": t("search.examples")}
    empty_page("hx_empty", {"title": title, "text": text, "examples": links, "link": link, "labels": labels})


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
    note = state.kept("not_ready", NOTE_KEPT_S, lambda: not_ready_note(library))
    with st.container(key="hx-search"):
        # before the dial in the order of the keyboard; the style sheet puts it above the results
        with st.container(key="hx-query"):
            st.text_input(
                t("search.label"),
                key=state.QUERY_WIDGET,
                placeholder=t("search.placeholder"),
                label_visibility="collapsed",
                on_change=submit_query,
                max_chars=library.settings.max_query_chars,
            )
        left, middle, right = st.columns([1, 3, 1.5], gap=None)
        with left, st.container(key="hx-left"):
            draw_dial(library, videos, note)
        result, scene = None, None
        with middle, st.container(key="hx-middle"):
            page.show_flash()
            shown = [video.video_id for video in videos if video.video_id not in state.search().hidden_videos]
            # visible only if it takes long: the first search loads the models
            with st.spinner(t("search.searching")):
                result = find(library, shown, all_shown=len(shown) == len(videos))
            scene = selected_scene(library, result)
            if result is not None and result.hits:
                draw_grid(library, result, scene.scene_id if scene else None)
            else:
                draw_empty(library, result, videos, note)
        with right, st.container(key="hx-right"):
            if scene is not None:
                hit = next((hit for hit in result.hits if hit.scene_id == scene.scene_id), None) if result else None
                page.error_boundary(scene_panel.draw)(library, scene, key="hx_panel", hit=hit, result=result)
    ids = [video.video_id for video in videos]
    address.show(*search_address.params(state.search(), current_weights(library), library.settings.fusion, ids))
    tray.draw(library, open_scene=scene_panel.open_scene)


def draw() -> None:
    params = address.opened()
    if params is not None:
        library = resources.library()
        ids = [video.video_id for video in media.visible_videos(library)]
        search_address.restore(params, ids, max_query_chars=library.settings.max_query_chars)
    state.seed_query(state.search().query)
    page.heading(t("nav.search"))
    workspace()


page.show(draw)
