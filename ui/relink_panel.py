"""What a page shows of videos whose file is missing or has changed: a button that finds the files again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError, SourceChanged, SourceMissing
from heimdex_core.library import Library
from ui import media, resources, sharing, state
from ui.components import relink_form
from ui.views import relink as views

SECTION = "relink"  # of ui.state.set_error: what was looked for and not found


def draw(library: Library, video_ids: Iterable[str], errors: Iterable[Mapping[str, Any] | None] = ()) -> None:
    """Draw it for those of the videos, and of the videos that errors name, whose file is missing or has changed.

    Nothing is drawn where there are none. Videos that are shared for viewing only are none of these: their owner finds
    the files again. Files are compared only for errors: reading one for a page would take long.
    """
    named = views.named_by(errors)
    lost: dict[str, HeimdexError] = {}
    for video_id in dict.fromkeys([*named, *video_ids]):
        found = _lost(library, video_id, compare=video_id in named)
        if found is not None:
            lost[video_id] = found
    with st.container(key=f"hx-relink-card-{'on' if lost else 'off'}"):
        takes_path = bool(library.watched.roots) and resources.may_manage_server(library.user_id)
        relink_form("hx_relink", views.panel(lost, state.error_in(SECTION), takes_path=takes_path), {"find": find})


def find(value: Any) -> None:
    """Find the files of videos again: {"ids", "path"}; "path" is a file, a folder or ""."""
    library = resources.library()
    state.set_error(SECTION, None)
    place = str(value["path"]) if resources.may_manage_server(library.user_id) else ""
    for video_id in value["ids"]:
        report = library.relink(str(video_id), path=place or None, below=library.watched.roots)
        if not report.is_complete:
            state.set_error(SECTION, {"searched": report.searched, "unreadable": report.unreadable})


def _lost(library: Library, video_id: str, *, compare: bool) -> HeimdexError | None:
    """What is wrong with the file of a video; None if nothing is, and for a video that is gone."""
    try:
        video = media.video_of(library, video_id)
        library.require_source(video, compare=compare)
    except (SourceMissing, SourceChanged) as error:
        return error if sharing.may_change(library, video) else None
    except HeimdexError:  # the page says what it is
        return None
    return None
