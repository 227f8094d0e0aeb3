"""Uploads on the pages: the drop zone with its list, and the indicator on pages without one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.api import partials
from heimdex_core.errors import HeimdexError, StorageError
from heimdex_core.library import Library
from heimdex_core.library.storage_uploads import Part, StorageUpload
from ui import page, resources, state
from ui.components import upload_zone, uploads_indicator
from ui.i18n import SPEECH_LANGUAGES, t, t_or
from ui.server.storage_uploads import uploads_in_storage
from ui.server.upload import WRITERS

ZONE_LABELS = (
    "drop", "choose", "choose_folder", "too_large", "unmatched", "unmatched_hint", "waiting", "comparing", "sending",
    "resumed", "checking", "done", "known", "repeated", "elsewhere", "cancel", "dismiss", "lost", "lost_hint",
    "blocked", "blocked_hint", "unreadable", "unreadable_hint", "more", "title", "title_hint", "description",
    "description_hint", "language", "stopped", "choose_again", "discard", "left_out", "none_in_folder", "more_waiting",
    "files_done",
)  # fmt: skip
_SHARED_LABELS = (
    "too_large", "unmatched", "unmatched_hint", "lost", "lost_hint", "blocked", "blocked_hint", "unreadable",
    "unreadable_hint",
)  # fmt: skip

_STORAGE_ASKED_EVERY_S = 15


def draw_zone(
    library: Library, key: str, *, is_empty: bool = False, is_large: bool = False, is_centered: bool = False
) -> None:
    """Draw the drop zone and the uploads of this browser tab, and those that were interrupted.

    Args:
        library: where the files go.
        key: of the component.
        is_empty: say that the library has no videos yet.
        is_large: draw a large zone.
        is_centered: as wide as the text of the home page.
    """
    settings = library.settings
    limits = {"size": fmt.limit_size(settings.max_file_bytes), "minutes": f"{settings.max_duration_s / 60:g}"}
    times = {name: t(f"unit.{name}", n="{n}") for name in ("seconds", "minutes", "hours")}
    upload_zone(
        key,
        {
            **_connection(library),
            "welcome": {"title": t("library.empty"), "text": t("library.empty_hint")} if is_empty else None,
            "large": is_large or is_empty,
            "centered": is_centered,
            "labels": {name: t(f"upload.{name}") for name in ZONE_LABELS}
            | times
            | {name: t(f"action.{name}") for name in ("retry", "open")}
            | {"of": t("progress.of", done="{done}", total="{total}"), "left": t("progress.left", time="{time}")}
            | {"hint": t("upload.hint", **limits), "limit": t("upload.limit", **limits)},
            "languages": [
                {"code": code, "name": t_or(f"speech.{code}", code)}
                for code in dict.fromkeys([*SPEECH_LANGUAGES, settings.language])
            ],
            "language": settings.language,
            "max_title": settings.max_title_chars,
            "stopped": stopped(library),
        },
        {"added": lambda _: None, "token": lambda _: None, "discard": discard, "open": open_video},
    )


@page.error_boundary
def draw_indicator() -> None:
    """Draw how far the uploads of this browser tab are, where no drop zone shows it. On every page: it renews links."""
    with suppress(HeimdexError):  # the page itself shows this error
        library = resources.library()
        labels = {name: t(f"upload.{name}") for name in _SHARED_LABELS}
        labels |= {
            "limit": t("upload.limit", size=fmt.limit_size(library.settings.max_file_bytes),
                       minutes=f"{library.settings.max_duration_s / 60:g}"),
            "indicator_one": t("upload.indicator.one", n="{n}"),
            "indicator_other": t("upload.indicator.other", n="{n}"),
            "indicator_failed": t("upload.indicator_failed", n="{n}"),
            "indicator_known": t("upload.indicator_known"),
        }  # fmt: skip
        with st.container(key="hx-uploads"):
            uploads_indicator(
                "hx_uploads",
                {**_connection(library), "labels": labels},
                {"library": lambda _: state.request_page("library"), "token": lambda _: None},
            )


def stopped(library: Library) -> list[dict[str, Any]]:
    """The uploads that were interrupted, for the zone; those that are being sent at the moment are left out."""
    if library.storage is not None:
        return [
            _stopped(upload.name, upload.filename, sum(part.size_bytes for part in parts), upload.size_bytes)
            for upload, parts in _stopped_in_storage(library.user_id, library)
        ]
    found = partials.of_user(library.uploads_folder, library.user_id)
    return [
        _stopped(one.path.name, one.filename, one.received_bytes, one.size_bytes)
        for one in found
        if one.received_bytes and not WRITERS.is_busy(one.path)
    ]


@st.cache_data(ttl=_STORAGE_ASKED_EVERY_S, show_spinner=False)
def _stopped_in_storage(user_id: str, _library: Library) -> list[tuple[StorageUpload, list[Part]]]:
    with suppress(StorageError):  # the uploads themselves say what is wrong
        return uploads_in_storage(_library).stopped(user_id)
    return []


def discard(value: Any) -> None:
    """Remove what has arrived of an interrupted upload."""
    library = resources.library()
    if library.storage is not None:
        uploads = uploads_in_storage(library)
        for upload in uploads.of_user(library.user_id):
            if upload.name == value:
                uploads.discard(upload)
        _stopped_in_storage.clear()
    else:
        partials.named(library.uploads_folder, library.user_id, str(value)).path.unlink(missing_ok=True)


def open_video(value: Any) -> None:
    """Go to the page of a video."""
    state.open_video(resources.library().video(str(value)).video_id, back_to="library")


def _connection(library: Library) -> dict[str, Any]:
    return {
        "url": "/upload",
        "token": resources.links().upload_token(library.user_id, state.language()),
        "max_bytes": library.settings.max_file_bytes,
    }


def _stopped(upload_id: str, filename: str, received_bytes: int, size_bytes: int) -> dict[str, Any]:
    of = t("progress.of", done=fmt.size(received_bytes), total=fmt.size(size_bytes))
    return {"id": upload_id, "name": filename, "size": size_bytes, "text": t("upload.stopped_text", of=of)}
