"""Search: the query, dial and filters on the left, the scenes in the middle, the player on the right."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from heimdex_core.errors import FileUnreadable, HeimdexError, SceneNotFound, StorageError
from heimdex_core.library import Library
from heimdex_core.types import Example, Hit, Scene, SearchResult, Then, VisibleVideo
from ui import (
    address,
    judging,
    media,
    page,
    resources,
    scene_panel,
    search_address,
    search_dial,
    search_filters,
    sharing,
    state,
    tray,
)
from ui.components import chips_row, empty_page, filters_panel, grid
from ui.i18n import t
from ui.views import filters as filter_views
from ui.views import scenes as views
from ui.views import search as search_views
from ui.views import searches as search_list
from ui.views.videos import not_ready_note

# a note from the catalog is shown again for so long without asking: sliders draw the page several times a second
NOTE_KEPT_S = 10.0
MOST_UNFOLDED = 60
RECENT_SHOWN = 6


# --- operations -----------------------------------------------------------------------------------


def turn_page(value: Any) -> None:
    """Go some pages on: {"by": +1 or -1}. The scene in the player stays if it has been chosen or played."""
    state.update_search(page=max(0, state.search().page + int(value["by"])))


def submit_query() -> None:
    state.update_search(query=state.typed_query(), selected=None)


# --- the results ----------------------------------------------------------------------------------


def find(library: Library, shown: list[str], *, all_shown: bool) -> SearchResult | None:
    """The results of the current search; None without a query or a video to search.

    Args:
        library: to search.
        shown: ids of the videos to search.
        all_shown: whether these are all videos.
    """
    search = state.search()
    if not search.is_asked or not shown:
        return None
    limit = library.settings.result_limit
    # after a switch to other models, chosen spaces may not exist any more
    existing = {space.name for space in library.spaces().values()}
    example = None
    if search.has_example:
        picture = library.searches.picture(search.image) if search.image else None
        if search.image and picture is None:
            raise FileUnreadable(filename=f"{search.image}.jpg", reason="this picture is not kept any more")
        example = Example(scene_ids=search.liked, less_like=search.disliked, image=picture)
    elif search.disliked and search.query:
        example = Example(less_like=search.disliked)

    def at(page_number: int) -> SearchResult:
        return library.search(
            search.query,
            spaces=[name for name in search.spaces if name in existing],
            weights=search_dial.current_weights(library),
            fusion=search_dial.current_fusion(library),
            videos=None if all_shown else shown,
            filters=search.filters,
            sort=search.sort,
            group_by_video=search.grouped,
            example=example,
            then=Then(search.then, search.within_s) if search.then else None,
            facets=True,
            view_token=search.view_token if page_number else None,
            limit=limit,
            offset=page_number * limit,
        )

    found = at(search.page)
    if found.total and not found.hits:  # there are fewer now than when the page was chosen
        last = (found.total - 1) // limit
        state.update_search(page=last)
        found = at(last)
    state.update_search(view_token=found.view_token)
    return found


def draw_grid(library: Library, result: SearchResult, selected: str | None) -> None:
    try:
        picked = tray.picked_ids(library)
    except StorageError as error:  # the tray is in the catalog, which searching does without
        page.error_card(error.to_dict())
        picked = frozenset()
    search = state.search()
    grades, owners = judging.grades(library, search.query), sharing.from_texts(library)

    def cards_of(hit: Hit) -> list[dict[str, Any]]:
        rated = "liked" if hit.scene_id in search.liked else "disliked" if hit.scene_id in search.disliked else None
        is_open = hit.scene_id in search.unfolded
        shown = views.card(
            library,
            hit.scene,
            hit.video_title,
            picked=hit.scene_id in picked,
            terms=result.terms,
            hit=hit,
            judged=views.Judged(grades.get(hit.scene_id), rated, by_text=bool(search.query)),
            unfolded=is_open,
            owner=owners.get(hit.scene.video_id, ""),
        )
        return [shown, *(folded_cards(library, hit, picked, owners) if is_open else [])]

    grid(
        "hx_grid",
        {
            "status": views.status(result),
            "query": search.query,
            "cards": [card for hit in result.hits for card in cards_of(hit)],
            "selected": selected,
            "pager": search_views.pager(result, state.search().page, library.settings.result_limit),
            "labels": search_views.grid_labels(),
        },
        {
            "select": scene_panel.select,
            "pick": tray.pick,
            "page": turn_page,
            "renew": lambda _: None,
            "judge": judging.judge,
            "rate": search_filters.rate,
            "like": search_filters.like,
            "unfold": search_filters.unfold,
        },
    )


def folded_cards(
    library: Library, hit: Hit, picked: Collection[str], owners: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The cards of the scenes that look the same as a hit, except of those that have gone meanwhile."""
    found = []
    for scene_id in hit.duplicates[:MOST_UNFOLDED]:
        try:
            scene = library.scene(scene_id)
            title = media.video_of(library, scene.video_id).title
        except HeimdexError:
            continue
        owner = owners.get(scene.video_id, "")
        shown = views.card(library, scene, title, picked=scene.scene_id in picked, owner=owner)
        found.append({**shown, "folded": True})
    return found


def draw_chips(library: Library, result: SearchResult | None) -> None:
    chips_row(
        "hx_chips",
        filter_views.chips(library, state.search(), result),
        {
            "remove": search_filters.remove,
            "clear": search_filters.clear,
            "picture": search_filters.by_picture,
            "save": search_filters.save,
        },
    )


def draw_filters(result: SearchResult | None) -> None:
    filters_panel(
        "hx_filters",
        filter_views.panel(state.search(), result.facets if result is not None else {}),
        {"set": search_filters.set_one, "clear": search_filters.clear},
    )


def draw_empty(library: Library, result: SearchResult | None, videos: list[VisibleVideo], note: str) -> None:
    """Draw why there are no results, and what to do about it."""
    to_library = {"text": t("search.open_library"), "href": address.url("library")}
    if not videos:
        _draw_empty(t("search.no_videos"), note or t("search.no_videos_hint"), link=to_library)
    elif result is None and not state.search().is_asked:
        examples = search_views.examples(library, videos)
        _draw_empty(t("search.start"), t("search.start_hint"), examples=examples, link=to_library)
    elif result is None:
        _draw_empty(t("search.none_selected"), t("search.none_selected_hint"))
    else:
        is_filtered = bool(state.search().filters) or result.is_listing
        channels = [(name, channel) for name, channel in result.channels.items() if views.is_reported(channel)]
        if is_filtered:  # of the few scenes that pass, or none
            channels = [(name, channel) for name, channel in channels if channel.reason != "no_transcript"]
        reasons = [views.abstention_text(name, channel) for name, channel in channels]
        sentences = [f"{reason[:1].upper()}{reason[1:]}." for reason in reasons]
        asked, why = result.query.text, {channel.reason for _, channel in channels}
        looked = "no_matches" in why and "stop_words" not in why
        title = t("search.nothing_close", query=asked) if asked and looked else t("search.nothing")
        hint = t("search.nothing_filtered") if is_filtered else t("search.nothing_hint")
        _draw_empty(title, " ".join([*sentences, hint]))


def _draw_empty(
    title: str, text: str, *, examples: list[str] | None = None, link: dict[str, str] | None = None
) -> None:
    links = [{"text": example, "href": address.url("search", q=example)} for example in examples or []]
    labels = {"examples": t("search.examples")}
    groups = recent_groups() if examples is not None else []
    data = {"title": title, "text": text, "examples": links, "groups": groups, "link": link, "labels": labels}
    empty_page("hx_empty", data)


def recent_groups() -> list[dict[str, Any]]:
    """The saved searches and the last ones as links, for a page without a search."""
    library = resources.library()
    saved = library.searches.saved()[:RECENT_SHOWN]
    texts = search_list.recent_texts(library, RECENT_SHOWN)
    groups = [
        {
            "label": t("searches.saved"),
            "links": [{"text": one.name, "href": search_list.saved_url(one)} for one in saved],
        },
        {
            "label": t("searches.recent"),
            "links": [{"text": text, "href": address.url("search", q=text)} for text in texts],
        },
    ]
    return [group for group in groups if group["links"]]


def selected_scene(library: Library, result: SearchResult | None) -> Scene | None:
    """The scene in the player: the selected one, even if it is not among the hits of this page, else the best hit."""
    selected = state.search().selected
    if selected:
        try:
            return library.scene(selected)
        except SceneNotFound:
            state.update_search(selected=None)
    return result.hits[0].scene if result and result.hits else None


@page.error_boundary
def _draw_problem(error: HeimdexError) -> None:
    raise error


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
        with left:
            side = st.container(key="hx-left")
        with side:
            search_dial.draw(library, videos, note)
        result, scene = None, None
        with middle, st.container(key="hx-middle"):
            chips_place = st.container(key="hx-chips")
            page.show_flash()
            shown = [video.video_id for video in videos if video.video_id not in state.search().hidden_videos]
            # visible only if it takes long: the first search loads the models
            problem = None
            with st.spinner(t("search.searching")):
                try:
                    result = find(library, shown, all_shown=len(shown) == len(videos))
                except HeimdexError as error:
                    problem = error  # the filters and the chips, which may be the reason, have to be there all the same
            with chips_place:
                draw_chips(library, result)
            with side:
                draw_filters(result)
            scene = selected_scene(library, result)
            if problem is not None:
                _draw_problem(problem)
            elif result is not None and result.hits:
                draw_grid(library, result, scene.scene_id if scene else None)
            else:
                draw_empty(library, result, videos, note)
        with right, st.container(key="hx-right"):
            if scene is not None:
                hit = next((hit for hit in result.hits if hit.scene_id == scene.scene_id), None) if result else None
                page.error_boundary(scene_panel.draw)(library, scene, key="hx_panel", hit=hit, result=result)
    ids = [video.video_id for video in videos]
    weights, fusion = search_dial.current_weights(library), search_dial.current_fusion(library)
    shown_search = replace(state.search(), fusion=fusion)
    address.show(*search_address.params(shown_search, weights, library.settings.fusion, ids))
    tray.draw(library, open_scene=scene_panel.open_scene)


def draw() -> None:
    params = address.opened()
    if params is not None:
        library = resources.library()
        ids = [video.video_id for video in media.visible_videos(library)]
        settings = library.settings
        search_address.restore(params, ids, fusion=settings.fusion, max_query_chars=settings.max_query_chars)
    state.seed_query(state.search().query)
    page.heading(t("nav.search"))
    workspace()


page.show(draw)
