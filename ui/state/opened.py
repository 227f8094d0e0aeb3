"""What is open: videos, scenes, forms and exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.types import Export
from ui.state.navigation import request_page
from ui.state.search_state import update_search

_VIDEO = "hx_open_video"
_VIDEO_BACK = "hx_open_video_back"
_SCENE = "hx_open_scene"
_EXPORT = "hx_export"
_LIBRARY_PAGES = "hx_library_pages"
_LIST_CHOICE = "hx_library_choice"
_FOLLOWED = "hx_followed_export"
_FORM = "hx_shown_form"
_RENDER_WATCH = "hx_render_watch"


def open_video(video_id: str, *, scene_id: str | None = None, back_to: str = "library") -> None:
    """Go to the page of a video.

    Args:
        video_id: of the video.
        scene_id: the scene to select; None for the first one.
        back_to: the page that the button "Back" opens.
    """
    st.session_state[_VIDEO] = video_id
    st.session_state[_VIDEO_BACK] = back_to
    update_search(selected=scene_id)
    request_page("video", id=video_id, **({"scene": scene_id} if scene_id else {}))


def open_scene(scene_id: str) -> None:
    """Go to the page of a scene."""
    request_page("scene", id=scene_id)


def open_short(scene_id: str) -> None:
    """Go to the editor of a short of a scene."""
    request_page("short", scene=scene_id)


def show_scene(scene_id: str) -> None:
    """Show a scene on its page, which is open."""
    st.session_state[_SCENE] = scene_id


def opened_scene() -> str | None:
    """The scene that the scene page shows."""
    found: str | None = st.session_state.get(_SCENE)
    return found


def show_video(video_id: str, scene_id: str | None) -> None:
    """Show a video on its page, which is open; `scene_id` as for `open_video`."""
    st.session_state[_VIDEO] = video_id
    update_search(selected=scene_id)


def opened_video() -> str | None:
    """The video that the video page shows."""
    found: str | None = st.session_state.get(_VIDEO)
    return found


def opened_from() -> str:
    """The page from which the video was opened."""
    return str(st.session_state.get(_VIDEO_BACK, "library"))


def list_choice() -> Any:
    """The ui.views.video_list.ListChoice of the library page; None before there is one."""
    return st.session_state.get(_LIST_CHOICE)


def set_list_choice(choice: Any) -> None:
    """Keep a ListChoice; the list begins again with its first page."""
    st.session_state[_LIST_CHOICE] = choice
    st.session_state[_LIBRARY_PAGES] = 1


def library_pages() -> int:
    """How many pages of the list of videos are shown."""
    return int(st.session_state.get(_LIBRARY_PAGES, 1))


def show_more_videos() -> None:
    """Show one more page of the list of videos."""
    st.session_state[_LIBRARY_PAGES] = library_pages() + 1


def show_form(name: str | None) -> None:
    """Open the form of that name; None closes it."""
    st.session_state[_FORM] = name


def shown_form() -> str | None:
    """The form that is open."""
    found: str | None = st.session_state.get(_FORM)
    return found


def show_export(export_id: str | None) -> None:
    """Choose the export in the player; None for none, on the reel page for the clips of the reel."""
    st.session_state[_EXPORT] = export_id


def shown_export() -> str | None:
    """The export in the player."""
    found: str | None = st.session_state.get(_EXPORT)
    return found


def follow_export(export_id: str | None) -> None:
    """Choose the export whose progress is shown."""
    st.session_state[_FOLLOWED] = export_id


def followed_export() -> str | None:
    """The export whose progress is shown."""
    found: str | None = st.session_state.get(_FOLLOWED)
    return found


@dataclass(frozen=True)
class RenderWatch:
    """The render whose end is told on every page."""

    awaited: str | None = None
    """export_id of the render that is running."""
    told: str | None = None
    """export_id of the last one whose end was told."""
    finished: Export | None = None
    """What is told now, until it has been seen."""


def render_watch() -> RenderWatch | None:
    """The render that is watched; None if nobody has looked for one yet."""
    found: RenderWatch | None = st.session_state.get(_RENDER_WATCH)
    return found


def update_render_watch(**changes: Any) -> RenderWatch:
    """Change fields of `render_watch`."""
    changed = replace(render_watch() or RenderWatch(), **changes)
    st.session_state[_RENDER_WATCH] = changed
    return changed
