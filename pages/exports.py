"""Exports: everything that was rendered, how far it is, how long its file stays, and what can be done with it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState, ReelOptions
from ui import address, media, page, relink_panel, resources, state
from ui.components import export_list, player
from ui.i18n import t
from ui.views import exports as views
from ui.views import short as short_views
from ui.views.reel import rendered_clip
from ui.views.scenes import player_labels

PAGE_SIZE = 30
UPDATE_EVERY_S, LOOK_EVERY_S = 1.0, 5.0  # while something is rendered; else, for what others start


# --- operations -----------------------------------------------------------------------------------


def watch(value: Any) -> None:
    state.show_export(resources.library().exports.get(str(value)).export_id)
    state.update_search(play_count=state.search().play_count + 1)
    state.request_rerun()


def keep(value: Any) -> None:
    """Keep the file of an export, or let it be deleted after all."""
    resources.library().exports.keep(str(value["id"]), keep=bool(value["keep"]))


def cancel(value: Any) -> None:
    resources.library().exports.cancel(str(value))


def skip(value: Any) -> None:
    """Render a failed reel again without the clips that cannot be rendered."""
    state.follow_export(resources.library().exports.without_failed(str(value), queue=True).export_id)


def again(value: Any) -> None:
    library = resources.library()
    export = library.exports.get(str(value))
    if export.kind == "short":
        # with what was chosen and corrected for it
        state.request_page("short", export=export.export_id)
        state.request_rerun()
        return
    options = asdict(ReelOptions.from_params(export.params))
    state.follow_export(library.reel(export.clips, title=export.title, queue=True, **options).export_id)


def remove(value: Any) -> None:
    resources.library().exports.remove(str(value))


def show_kind(value: Any) -> None:
    state.show_export_kind(str(value) if value in views.KINDS else None)


# --- the page -------------------------------------------------------------------------------------

HANDLERS = {
    "watch": watch,
    "keep": keep,
    "cancel": cancel,
    "skip": skip,
    "again": again,
    "remove": remove,
    "kind": show_kind,
    "more": lambda _: state.show_more_exports(),
    "renew": lambda _: None,
}


@page.error_boundary
def list_fragment() -> None:
    library = resources.library()
    page.show_flash()
    if left := short_views.remaining(library.shorts.allowance()):
        st.html(f'<div class="hx-status">{html.escape(left)}</div>')
    shown = state.export_pages() * PAGE_SIZE
    exports = library.exports.list(limit=shown + 1)
    running = any(export.state in views.RUNNING for export in exports)
    if running and not resources.worker_state()["ok"]:
        st.html(f'<div class="hx-status" role="status">{html.escape(t("exports.no_worker"))}</div>')
    _show_followed(exports)
    relink_panel.draw(library, (), [export.error for export in exports[:shown]])
    if exports:
        export_list(
            "hx_export_list",
            views.page(
                library,
                exports[:shown],
                kind=state.export_kind(),
                shown=state.shown_export(),
                more=len(exports) > shown,
            ),
            HANDLERS,
        )
    else:
        page.empty_state(t("exports.empty"), t("exports.empty_hint"))
        with st.container(key="hx-to-search", horizontal_alignment="center"):
            st.button(t("reel.to_search"), on_click=state.request_page, args=("search",), type="primary")
    if state.take_rerun_request() or running != state.is_polling("exports"):
        state.set_polling("exports", running)
        st.rerun()


def _show_followed(exports: list[Export]) -> None:
    """Show an export in the player as soon as it has been rendered on request of this page."""
    followed = next((one for one in exports if one.export_id == state.followed_export()), None)
    if followed is None or followed.state in views.RUNNING:
        return
    state.follow_export(None)
    if followed.state is ExportState.COMPLETED:
        state.show_export(followed.export_id)
        state.request_rerun()


def draw_player(library: Library) -> None:
    shown = state.shown_export()
    export = library.exports.get(shown) if shown else None
    urls = media.export_urls(library, export) if export else None
    if export is None or urls is None:
        return
    search = state.search()
    data = {
        "clips": rendered_clip(export, urls[0]),
        "reel": False,
        "duration": export.measured_duration_s,
        "portrait": bool(export.height and export.width and export.height > export.width),
        "play_count": search.play_count,
        "ignored_plays": search.ignored_plays,
        "labels": player_labels(None),
        "actions": [],
        "lines": None,
    }
    with st.container(key="hx-shown-export"):  # without it the list has the whole page (app.css)
        player("hx_export_player", data, {"renew": lambda _: None})


@st.fragment
@page.error_boundary
def workspace() -> None:
    page.switch_if_requested()
    library = resources.library()
    address.show({"export": state.shown_export()}, {"kind": state.export_kind()})
    with st.container(key="hx-export-page"):
        main, side = st.columns([3, 1], gap=None)
        with main, st.container(key="hx-main"):
            page.title(t("nav.exports"))
            every_s = UPDATE_EVERY_S if state.is_polling("exports") else LOOK_EVERY_S
            st.fragment(list_fragment, run_every=every_s)()
        with side, st.container(key="hx-right"):
            draw_player(library)


def open_link(library: Library, params: Mapping[str, str]) -> None:
    """Show what the URL names: the export in the player, and the kind that the list is limited to."""
    show_kind(params.get("kind"))
    state.show_export(None)
    if params.get("export"):
        # an export that does not exist is nothing to show
        with suppress(HeimdexError):
            state.show_export(library.exports.get(params["export"]).export_id)


def draw() -> None:
    if (params := address.opened()) is not None:
        open_link(resources.library(), params)
    workspace()


page.show(draw)
