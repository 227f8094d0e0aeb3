"""Library: upload videos, follow their indexing, and look after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError, VideoNotFound
from heimdex_core.library import Library
from heimdex_core.types import Video, VideoState
from ui import address, page, resources, sharing, state, tray, uploads, watched_folders
from ui.components import facts_panels, video_rows
from ui.i18n import t, tn
from ui.views import migration, video_list
from ui.views import videos as views
from ui.views.video_list import ListChoice, Queue

PAGE_SIZE = 50
MAX_BULK = 1000
MAX_DELETED = 100
UPDATE_EVERY_S = 1.0
FACTS_EVERY_S = 5.0  # they add up the sizes of all files
WATCH_EVERY_S = 5.0  # videos of watched folders appear by themselves, but seldom
BULK = ("retry", "reindex", "cancel", "delete")
BULK_SHARED = ("share", *BULK)
LABELS = (
    "search", "sort", "filter", "choose", "choose_all", "choose_none", "bulk", "rename", "none", "show_all", "restore",
)  # fmt: skip


# --- operations -----------------------------------------------------------------------------------


def cancel(value: Any) -> None:
    resources.library().cancel(str(value))


def retry(value: Any) -> None:
    resources.library().retry(str(value), queue=True)


def reindex(value: Any) -> None:
    resources.library().reindex_video(str(value), queue=True)


def delete(value: Any) -> None:
    delete_all([str(value)])


def delete_all(video_ids: list[str]) -> None:
    """Delete videos; the page then offers to undo that, and says if the reel uses them."""
    library = resources.library()
    clips = library.tray_edits.clip_count(*video_ids)
    library.bulk.delete(video_ids)
    state.set_deleted_videos(video_ids, clips)
    state.request_rerun()  # of the facts


def bulk(value: Any) -> None:
    """Do one thing with several videos: {"action", "ids"}."""
    video_ids = [str(video_id) for video_id in value["ids"][:MAX_BULK]]
    if value["action"] == "delete":
        delete_all(video_ids)
    elif value["action"] == "cancel":
        resources.library().bulk.cancel(video_ids)
    elif value["action"] == "share":
        sharing.open_videos(video_ids)
    elif value["action"] in ("retry", "reindex"):
        apply_to_all(retry if value["action"] == "retry" else reindex, video_ids)


def apply_to_all(operation: Callable[[str], None], video_ids: list[str]) -> None:
    """Call `operation` for each video, also after errors; then the first of these is raised."""
    errors: list[HeimdexError] = []
    for video_id in video_ids:
        try:
            operation(video_id)
        except HeimdexError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def undo(value: Any) -> None:
    resources.library().bulk.restore([str(video_id) for video_id in value])
    state.set_deleted_videos(())
    state.request_rerun()


def restore(value: Any) -> None:
    resources.library().restore(str(value))
    video_ids, clips = state.deleted_videos()
    remaining = [video_id for video_id in video_ids if video_id != value]
    state.set_deleted_videos(remaining, clips if remaining else 0)
    state.request_rerun()


def rename(value: Any) -> None:
    resources.library().rename(str(value["id"]), str(value["title"]))


def choose_view(value: Any) -> None:
    state.set_list_choice(ListChoice.of(value))


def show_settings(_: Any) -> None:
    state.request_page("settings")


# --- the list of videos ---------------------------------------------------------------------------


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


def draw_rows(library: Library, everything: list[Video]) -> bool:
    """Draw the list. True while work on one of the videos is in progress.

    Args:
        library: of the videos.
        everything: all videos of the user, deleted ones too.
    """
    choice: ListChoice = state.list_choice() or ListChoice()
    videos = [video for video in everything if video.state is not VideoState.DELETED]
    deleted = [video for video in everything if video.state is VideoState.DELETED]
    deleted.sort(key=lambda video: video.updated_at, reverse=True)
    queue = Queue.read(library, videos)
    is_shared = sharing.is_shared(library)
    user_id = library.user_id if is_shared else None
    shown = video_list.listed(videos, choice, user_id)
    visible = shown[: PAGE_SIZE * state.library_pages()]
    count = video_list.counts(videos, user_id)
    names = library.sharing.user_names() if is_shared else {}
    data = {
        "rows": [views.row(library, video, queue, names.get(video.user_id, "")) for video in visible],
        "total": len(videos),
        "more": t("library.more") if len(visible) < len(shown) else None,
        "queue": queue.summary(),
        "undo": _undo_data(library),
        "deleted": [video_list.deleted_row(library, video) for video in deleted[:MAX_DELETED]],
        "view": {"query": choice.query, "sort": choice.sort, "show": choice.show},
        "sorts": [{"name": name, "label": t(f"library.sort.{name}")} for name in video_list.SORTS],
        "filters": [{"name": name, "label": t(f"library.show.{name}", n=count[name])} for name in count],
        "bulk": [{"name": name, "label": t(f"action.{name}")} for name in (BULK_SHARED if is_shared else BULK)],
        "labels": _labels(len(deleted)),
        "max_title": library.settings.max_title_chars,
    }
    handlers = {
        "cancel": cancel, "retry": retry, "delete": delete, "undo": undo, "open": uploads.open_video, "rename": rename,
        "restore": restore, "bulk": bulk, "view": choose_view, "more": lambda _: state.show_more_videos(),
        "renew": lambda _: None, "share": lambda value: sharing.open_videos([str(value)]),
    }  # fmt: skip
    video_rows("hx_videos", data, handlers)
    if is_shared:
        sharing.draw(library, videos)
    address.show({"q": choice.query}, {"sort": _unless(choice.sort, "newest"), "state": _unless(choice.show, "all")})
    return any(video.state in video_list.RUNNING for video in videos)


def _labels(deleted: int) -> dict[str, str]:
    # the component fills in the titles
    fields = {"title": "{title}", "n": "{n}"}
    labels = {name: t(f"library.{name}", **fields) for name in LABELS}
    chosen = {f"chosen_{form}": t(f"library.chosen.{form}", **fields) for form in ("one", "other")}
    return labels | chosen | {"deleted": t("library.recently_deleted", n=deleted)}


def _undo_data(library: Library) -> dict[str, Any] | None:
    video_ids, clips = state.deleted_videos()
    if not video_ids:
        return None
    try:
        title = library.video(video_ids[0]).title
    except VideoNotFound:
        return None
    text = t("library.deleted", title=title) if len(video_ids) == 1 else t("library.deleted_several", n=len(video_ids))
    if clips:
        text = f"{text} {tn('library.deleted_clips', clips)}"
    return {"ids": list(video_ids), "text": text, "action": t("action.undo")}


def _unless(value: str, usual: str) -> str | None:
    return value if value != usual else None


@page.error_boundary
def draw_list() -> None:
    page.switch_if_requested()
    library = resources.library()
    page.show_flash()
    migrating = draw_migration_banner(library)
    everything = library.videos(include_deleted=True)
    sharing.draw_unassigned(library)
    is_empty = all(video.state is VideoState.DELETED for video in everything)
    uploads.draw_zone(library, "hx_upload", is_empty=is_empty)
    watching = watched_folders.draw(library)
    running = draw_rows(library, everything) or migrating
    is_other = running != state.is_polling("library") or watching != state.is_polling("watched")
    if is_other or state.take_rerun_request():
        state.set_polling("library", running)
        state.set_polling("watched", watching)
        st.rerun()


def update_interval_s() -> float | None:
    """How often the list is drawn again by itself; None for never."""
    if state.is_polling("library"):
        return UPDATE_EVERY_S
    return WATCH_EVERY_S if state.is_polling("watched") else None


@page.error_boundary
def draw_facts() -> None:
    page.switch_if_requested()
    library = resources.library()
    panels = [views.library_facts(library), views.model_facts(library)]
    facts_panels("hx_facts", {"panels": panels}, {"models": show_settings})


@st.fragment
@page.error_boundary
def draw_tray() -> None:
    page.switch_if_requested()
    tray.draw(resources.library())


def draw() -> None:
    if (opened := address.opened()) is not None:
        names = {"query": opened.get("q"), "sort": opened.get("sort"), "show": opened.get("state")}
        state.set_list_choice(ListChoice.of({name: value for name, value in names.items() if value}))
    with st.container(key="hx-library"):
        page.heading(t("nav.library"))
        main, side = st.columns([3.6, 1], gap=None)
        with main, st.container(key="hx-main"):
            st.fragment(draw_list, run_every=update_interval_s())()
        with side, st.container(key="hx-side"):
            facts_every_s = FACTS_EVERY_S if update_interval_s() else None
            st.fragment(draw_facts, run_every=facts_every_s)()
    draw_tray()


page.show(draw)
