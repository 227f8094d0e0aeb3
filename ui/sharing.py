"""What pages show of a library that several users share: whose videos, the dialog to share, collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Collection, Share, Video
from ui import page, resources, state
from ui.components import sharing_panel
from ui.i18n import describe_error, t, tn
from ui.state import OpenedSharing
from ui.views import work
from ui.views.work import action

MAX_SHARED = 1000
_COMMAND = "python -m heimdex_core users assign-videos"
_LABELS = (
    "collections", "new_collection", "make", "open", "close", "address", "access", "read", "write", "with", "share",
    "nobody", "unshare", "collection", "collection_title", "put_into", "put", "videos", "empty", "take_out", "rename",
    "remove", "remove_sure", "leave", "leave_sure", "leave_note",
)  # fmt: skip


def is_shared(library: Library) -> bool:
    """Whether there is anybody to share with."""
    return library.accounts.is_shared()


def open_videos(video_ids: list[str]) -> None:
    """Open the dialog for videos."""
    state.open_sharing(OpenedSharing("video", tuple(video_ids[:MAX_SHARED])))


def draw(library: Library, videos: list[Video]) -> None:
    """Draw the list of collections, and the dialog if it is open.

    Args:
        library: the user's.
        videos: what the page lists, for their titles and owners.
    """
    collections = library.sharing.collections()
    listed = [{"id": one.collection_id, "title": one.title, "text": _described(library, one)} for one in collections]
    _draw(library, listed, _opened(library, collections, videos))


def draw_button(library: Library, video: Video) -> None:
    """Draw the button that opens the dialog for one video, and the dialog, which covers the page."""
    label = t("action.share") if video.user_id == library.user_id else t("sharing.leave_open")
    st.button(label, on_click=open_videos, args=([video.video_id],), key="hx_share")
    opened = state.opened_sharing()
    is_open = opened is not None and (opened.kind, opened.ids) == ("video", (video.video_id,))
    _draw(library, None, _opened(library, library.sharing.collections(), [video]) if is_open else None)


def _draw(library: Library, collections: list[dict[str, str]] | None, opened: dict[str, Any] | None) -> None:
    sharing_panel(
        "hx_sharing",
        {
            "collections": collections,
            "opened": opened,
            "max_title": library.settings.max_title_chars,
            "labels": {name: t(f"sharing.{name}") for name in _LABELS},
        },
        {name: _reported(act) for name, act in _ACTS.items()}
        | {"close": lambda _: state.open_sharing(None), "open": _open_collection, "make": _make},
    )


def from_text(library: Library, user_id: str) -> str:
    """Who shares something, in words."""
    return t("sharing.from", name=library.sharing.user_names().get(user_id) or t("sharing.somebody"))


def from_texts(library: Library) -> dict[str, str]:
    """By video_id: who shares it, in words, for the videos of other users that can be searched."""
    others = [video for video in library.searchable_videos() if video.user_id != library.user_id]
    names = library.sharing.user_names() if others else {}
    somebody = t("sharing.somebody")
    return {video.video_id: t("sharing.from", name=names.get(video.user_id, somebody)) for video in others}


def _described(library: Library, collection: Collection) -> str:
    parts = [tn("library.videos", len(collection.video_ids))]
    if collection.owner_id != library.user_id:
        parts.append(from_text(library, collection.owner_id))
    return " · ".join(parts)


def may_change(library: Library, video: Video) -> bool:
    """Whether the user may change a video that they see: their own, or one that is shared with them for that."""
    return video.user_id == library.user_id or library.sharing.access_to(video.video_id) == "write"


def as_seen(library: Library, video: Video, data: dict[str, Any]) -> dict[str, Any]:
    """The data of a component that changes a video, for its user: who may only look gets its controls disabled."""
    if may_change(library, video):
        return data
    return data | {"busy": True, "labels": data["labels"] | {"busy": t("sharing.read_only")}}


# --- videos from before sign-in -------------------------------------------------------------------


def draw_unassigned(library: Library) -> None:
    """Tell admins of videos that belonged to the single user, and so to nobody who signs in, and offer them."""
    count = _unassigned(library)
    card = None
    if count:
        take = action("take", t("sharing.take"))
        command = f"{_COMMAND} {resources.process_library().user_id} anna@example.com"
        card = work.card(tn("sharing.unassigned", count), t("sharing.unassigned_hint", command=command), actions=[take])
    page.draw_card("hx_unassigned", card, {"take": _take})


def _unassigned(library: Library) -> int:
    single = resources.process_library()
    if library.user_id == single.user_id or not (is_shared(library) and library.accounts.is_admin):
        return 0
    return sum(video.user_id == single.user_id for video in single.searchable_videos())


def _take(_: Any) -> None:
    library = resources.library()
    library.accounts.assign_videos(resources.process_library().user_id, library.user_id)


# --- the dialog -----------------------------------------------------------------------------------


def _opened(library: Library, collections: list[Collection], videos: list[Video]) -> dict[str, Any] | None:
    opened = state.opened_sharing()
    if opened is None:
        return None
    if opened.kind == "collection":
        about = _about_collection(library, opened.ids[0], collections, videos)
    else:
        about = _about_videos(library, opened.ids, collections, videos)
    if about is None:  # it is not there any more, or not shared any more
        state.open_sharing(None)
        return None
    return {
        "key": f"{opened.kind} {' '.join(opened.ids[:3])}",
        "error": list(describe_error(opened.error, state.language())) if opened.error else None,
        "done": opened.done,
        "from": "",
        "ways": None,
        "shares": _shares(library, opened) if about["owned"] and len(opened.ids) == 1 else None,
        "collection": None,
        "collections": None,
    } | about


def _about_collection(
    library: Library, collection_id: str, collections: list[Collection], videos: list[Video]
) -> dict[str, Any] | None:
    found = next((one for one in collections if one.collection_id == collection_id), None)
    if found is None:
        return None
    titles = {video.video_id: video.title for video in videos}
    inside = [[video_id, titles.get(video_id, "")] for video_id in found.video_ids]
    about = {"title": found.title, "owned": True, "collection": {"title": found.title, "videos": inside}}
    if found.owner_id == library.user_id:
        return about
    shares = [one for one in library.sharing.shared_with_me() if one.target_id == collection_id]
    return about | _received(library, found.owner_id, shares, collections)


def _about_videos(
    library: Library, video_ids: tuple[str, ...], collections: list[Collection], videos: list[Video]
) -> dict[str, Any] | None:
    own = [[one.collection_id, one.title] for one in collections if one.owner_id == library.user_id]
    if len(video_ids) > 1:
        return {"title": tn("sharing.several", len(video_ids)), "owned": True, "collections": own}
    video = next((one for one in videos if one.video_id == video_ids[0]), None)
    if video is None:
        return None
    if video.user_id == library.user_id:
        return {"title": t("sharing.title", title=video.title), "owned": True, "collections": own}
    shares = library.sharing.shared_with_me(video.video_id)
    return {"title": video.title} | _received(library, video.user_id, shares, collections)


def _received(library: Library, owner_id: str, shares: list[Share], collections: list[Collection]) -> dict[str, Any]:
    """Who shares something, by which shares, and that these can be given back."""
    by_id = {one.collection_id: one for one in collections}

    def text(share: Share) -> str:
        if share.kind == "video":
            return t("sharing.by_itself")
        found = by_id[share.target_id]
        return f"{t('sharing.by_collection', title=found.title)} · {tn('library.videos', len(found.video_ids))}"

    return {
        "owned": False,
        "from": from_text(library, owner_id),
        "ways": [{"kind": one.kind, "id": one.target_id, "text": text(one), "access": one.access} for one in shares],
    }


def _shares(library: Library, opened: OpenedSharing) -> list[dict[str, str]]:
    names, somebody = library.sharing.user_names(), t("sharing.somebody")
    return [
        {"user_id": share.user_id, "name": names.get(share.user_id, somebody), "access": share.access}
        for share in library.sharing.shares(opened.kind, opened.ids[0])
    ]


def _open_collection(value: Any) -> None:
    state.open_sharing(OpenedSharing("collection", (str(value),)))


def _make(value: Any) -> None:
    resources.library().sharing.make_collection(str(value["title"]))


Act = Callable[[Library, OpenedSharing, Any], str | None]
"""Does what was asked for in the dialog; returns what is said about it, None to close the dialog."""


def _share(library: Library, opened: OpenedSharing, value: Any) -> str:
    for target_id in opened.ids:
        library.sharing.share(opened.kind, target_id, str(value["user"]), str(value["access"]))
    return t("sharing.shared", name=str(value["user"]))


def _unshare(library: Library, opened: OpenedSharing, value: Any) -> str:
    library.sharing.unshare(opened.kind, opened.ids[0], str(value))
    return t("sharing.unshared")


def _give_back(library: Library, opened: OpenedSharing, value: Any) -> str | None:
    library.sharing.give_back(str(value["kind"]), str(value["id"]))
    if opened.kind == "video" and library.sharing.access_to(opened.ids[0]) is not None:
        return t("sharing.left")
    shown = state.address()
    if shown is not None and shown.page == "video":
        state.request_page("library")
    return None


def _put(library: Library, opened: OpenedSharing, value: Any) -> str:
    collection_id = str(value["id"])
    if not collection_id:
        collection_id = library.sharing.make_collection(str(value["title"])).collection_id
    return t("sharing.was_put", title=library.sharing.put(collection_id, list(opened.ids)).title)


def _take_out(library: Library, opened: OpenedSharing, value: Any) -> str:
    library.sharing.take_out(opened.ids[0], [str(value)])
    return ""


def _rename(library: Library, opened: OpenedSharing, value: Any) -> str:
    library.sharing.rename_collection(opened.ids[0], str(value))
    return ""


def _remove(library: Library, opened: OpenedSharing, _: Any) -> None:
    library.sharing.delete_collection(opened.ids[0])


_ACTS: dict[str, Act] = {
    "share": _share,
    "unshare": _unshare,
    "give_back": _give_back,
    "put": _put,
    "take_out": _take_out,
    "rename": _rename,
    "remove": _remove,
}


def _reported(act: Act) -> Callable[[Any], None]:
    """A handler whose error is shown in the dialog, which covers the page."""

    def handle(value: Any) -> None:
        opened = state.opened_sharing()
        if opened is None:
            return
        try:
            done = act(resources.library(), opened, value)
        except HeimdexError as error:
            state.open_sharing(replace(opened, error=error.to_dict(), done=""))
        else:
            state.open_sharing(None if done is None else replace(opened, error=None, done=done))

    return handle
