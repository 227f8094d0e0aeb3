"""What the library page shows of a library that several users share: whose videos, the dialog to share, collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Collection, Video
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
    "remove", "remove_sure",
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
        videos: what the page lists, for their titles.
    """
    collections = library.sharing.collections()
    titles = {video.video_id: video.title for video in videos}
    sharing_panel(
        "hx_sharing",
        {
            "collections": [
                {"id": one.collection_id, "title": one.title, "text": _described(library, one)} for one in collections
            ],
            "opened": _opened(library, collections, titles),
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


def _opened(library: Library, collections: list[Collection], titles: dict[str, str]) -> dict[str, Any] | None:
    opened = state.opened_sharing()
    if opened is None:
        return None
    own = [one for one in collections if one.owner_id == library.user_id]
    names = library.sharing.user_names()
    data: dict[str, Any] = {
        "key": f"{opened.kind} {' '.join(opened.ids[:3])}",
        "error": list(describe_error(opened.error, state.language())) if opened.error else None,
        "done": opened.done,
        "owned": True,
        "from": "",
        "shares": None,
        "collection": None,
        "collections": [[one.collection_id, one.title] for one in own],
    }
    if opened.kind == "collection":
        found = next((one for one in collections if one.collection_id == opened.ids[0]), None)
        if found is None:
            return None
        owned = found.owner_id == library.user_id
        inside = [[video_id, titles.get(video_id, "")] for video_id in found.video_ids]
        data |= {
            "title": found.title,
            "owned": owned,
            "from": "" if owned else from_text(library, found.owner_id),
            "collection": {"title": found.title, "videos": inside},
        }
    elif len(opened.ids) == 1:
        data["title"] = t("sharing.title", title=titles.get(opened.ids[0], ""))
    else:
        data["title"] = tn("sharing.several", len(opened.ids))
    if data["owned"] and len(opened.ids) == 1:
        data["shares"] = [
            {"user_id": share.user_id, "name": names.get(share.user_id, share.user_id), "access": share.access}
            for share in library.sharing.shares(opened.kind, opened.ids[0])
        ]
    return data


def _open_collection(value: Any) -> None:
    state.open_sharing(OpenedSharing("collection", (str(value),)))


def _make(value: Any) -> None:
    resources.library().sharing.make_collection(str(value["title"]))


Act = Callable[[Library, OpenedSharing, Any], str]
"""Does what was asked for in the dialog; returns what is said about it."""


def _share(library: Library, opened: OpenedSharing, value: Any) -> str:
    for target_id in opened.ids:
        library.sharing.share(opened.kind, target_id, str(value["user"]), str(value["access"]))
    return t("sharing.shared", name=str(value["user"]))


def _unshare(library: Library, opened: OpenedSharing, value: Any) -> str:
    library.sharing.unshare(opened.kind, opened.ids[0], str(value))
    return t("sharing.unshared")


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


def _remove(library: Library, opened: OpenedSharing, _: Any) -> str:
    library.sharing.delete_collection(opened.ids[0])
    return ""


_ACTS: dict[str, Act] = {
    "share": _share,
    "unshare": _unshare,
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
            state.open_sharing(None if act is _remove else replace(opened, error=None, done=done))

    return handle
