"""The tray: the scenes picked for the reel. It is kept in the library and shown on every page but the settings.

What a person does is sent as an operation with the version of the tray that they saw, and applied to the tray as it is
(heimdex_core/library/tray.py). The page keeps a copy, which ui.refresh renews when another page has changed the tray.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import HeimdexError, VideoNotFound
from heimdex_core.library import Library
from heimdex_core.library.tray import TrayEdits
from heimdex_core.types import ReelClip, Scene, Tray
from ui import media, page, resources, state
from ui.components import tray_bar
from ui.i18n import t, tn


class Edited:
    """The tray, or a named reel, as this page changes it. Its methods are the operations of components."""

    def __init__(self, reel_id: str = "") -> None:
        self.reel_id = reel_id

    def current(self, library: Library) -> Tray:
        """The clips and the title, read from the library once per open page. Raises ReelNotFound."""
        found = state.tray(self.reel_id)
        if found is None:
            found = library.reels.get(self.reel_id) if self.reel_id else library.tray()
            state.set_tray(found, self.reel_id)
        return found

    def edits(self) -> TrayEdits:
        """What changes it."""
        library = resources.library()
        return library.reels.edits(self.reel_id) if self.reel_id else library.tray_edits

    def change(self, change: Callable[..., Tray], *args: Any, value: Mapping[str, Any], **kwargs: Any) -> None:
        """Make a change in the name of this page. If it is refused, the page shows what there is now."""
        self.current(resources.library())
        about = {"made_on": value.get("version"), "author": state.session_id(), "key": _key(value)}
        try:
            changed = change(*args, **kwargs, **about, since=state.tray_since(self.reel_id))
        except HeimdexError:
            state.set_tray(None, self.reel_id)
            raise
        state.set_tray(changed, self.reel_id)

    def remove(self, value: Any) -> None:
        """Remove clips: {"ids": [clip_id]}."""
        self.change(self.edits().remove, [str(one) for one in value["ids"]], value=value)

    def clear(self, value: Any) -> None:
        """Remove the clips that the page shows, and the title: {"ids": [clip_id]}."""
        self.change(self.edits().clear, [str(one) for one in value["ids"]], value=value)

    def move(self, value: Any) -> None:
        """Move a clip between two others: {"id", "after", "before"}, clip_ids or None at either end."""
        places = {name: str(value[name]) if value.get(name) else None for name in ("after", "before")}
        self.change(self.edits().move, str(value["id"]), value=value, **places)

    def duplicate(self, value: Any) -> None:
        """Put a copy of a clip behind it: {"id": clip_id}."""
        self.change(self.edits().duplicate, str(value["id"]), value=value)

    def trim(self, value: Any) -> None:
        """Trim a clip: {"id", "start", "end"}, in seconds of the video."""
        self.change(self.edits().trim, str(value["id"]), float(value["start"]), float(value["end"]), value=value)

    def snap(self, value: Any) -> None:
        """Move the ends of a clip to those of words or sentences: {"id", "to": "word" or "sentence"}."""
        library = resources.library()
        clip = next((one for one in self.current(library).clips if one.clip_id == value["id"]), None)
        if clip is not None:
            start_s, end_s = library.snap(clip.video_id, clip.start_s, clip.end_s, value["to"])
            self.trim({**value, "start": start_s, "end": end_s})

    def set_strategy(self, value: Any) -> None:
        """Give a clip a crop strategy of its own: {"id", "strategy": None for that of the reel}."""
        name = str(value["strategy"]) if value.get("strategy") else None
        self.change(self.edits().set_strategy, str(value["id"]), name, value=value)

    def rename(self, value: Any) -> None:
        """Name the reel: {"title"}."""
        self.change(self.edits().rename, str(value["title"]), value=value)

    def undo(self, value: Any) -> None:
        """Undo the last change that this page made, or that was made before it was opened."""
        self._step(self.edits().undo, value)

    def redo(self, value: Any) -> None:
        """Make the change again that was undone last."""
        self._step(self.edits().redo, value)

    def _step(self, change: Callable[..., Tray], value: Mapping[str, Any]) -> None:
        self.current(resources.library())
        since = state.tray_since(self.reel_id)
        state.set_tray(change(author=state.session_id(), since=since, key=_key(value)), self.reel_id)

    def history_buttons(self, library: Library) -> dict[str, Any]:
        """The buttons to undo and redo, for a component."""
        current, author, since = self.current(library), state.session_id(), state.tray_since(self.reel_id)
        return {
            "version": current.revision,
            "history": [
                {
                    "name": name,
                    "label": t(f"tray.{name}"),
                    "disabled": current.last_change(author, since, undone=name == "redo") is None,
                }
                for name in ("undo", "redo")
            ],
        }


def _key(value: Mapping[str, Any]) -> str:
    """The name that the browser gave to what was done; "" from a component that gives none."""
    return str(value.get("key", ""))


TRAY = Edited()


def clips(library: Library) -> tuple[ReelClip, ...]:
    """The clips in the tray."""
    return TRAY.current(library).clips


def picked_ids(library: Library) -> frozenset[str]:
    """The ids of the scenes in the tray."""
    return frozenset(clip.scene_id for clip in clips(library))


def pick(value: Any) -> None:
    """Add a scene or remove it: {"id": scene_id, "picked": bool}."""
    edits = TRAY.edits()
    if value["picked"]:
        TRAY.change(edits.add, str(value["id"]), value=value)
    else:
        TRAY.change(edits.remove_scene, str(value["id"]), value=value)


# --- what is in it --------------------------------------------------------------------------------


def scene_of(library: Library, clip: ReelClip) -> Scene | None:
    """The scene of a clip; None if it does not exist now: its video was deleted, or has other scenes."""
    try:
        return library.scene(clip.scene_id)
    except HeimdexError:
        return None


def unavailable_reason(library: Library, clip: ReelClip) -> str:
    """Why a clip that has no scene cannot be used at present."""
    is_searchable = any(video.video_id == clip.video_id for video in library.searchable_videos())
    return t("tray.scene_gone") if is_searchable else t("tray.video_gone")


def video_title(library: Library, clip: ReelClip) -> str:
    """The title of a clip's video, also of one that was deleted; "" if nothing is known of it any more."""
    try:
        return media.video_of(library, clip.video_id).title
    except VideoNotFound:
        return ""


def clip_name(library: Library, clip: ReelClip) -> str:
    """A clip in a few words, for the names of its buttons."""
    title = video_title(library, clip)
    start = fmt.precise(clip.start_s)
    return t("tray.clip_name", time=start, title=title) if title else start


def counts(library: Library) -> tuple[int, int, float]:
    """(clips, those that cannot be used at present, duration in seconds of the others)."""
    usable = [clip for clip in clips(library) if scene_of(library, clip) is not None]
    total = len(clips(library))
    return total, total - len(usable), sum(clip.duration_s for clip in usable)


# --- the bar at the bottom ------------------------------------------------------------------------


def _open_reel(value: Any) -> None:
    state.edit_reel("")
    state.request_page("reel")


def draw(library: Library, *, open_scene: Any = None) -> None:
    """Draw the bar at the bottom. `open_scene` is called with the scene_id of a clip that is clicked."""
    handlers = {
        "remove": TRAY.remove,
        "clear": TRAY.clear,
        "undo": TRAY.undo,
        "redo": TRAY.redo,
        "create": _open_reel,
        "renew": lambda _: None,
    }
    if open_scene is not None:
        handlers["open"] = open_scene
    with st.container(key="hx-tray"):
        tray_bar(
            "hx_tray_bar",
            {
                "clips": [_clip_data(library, clip) for clip in clips(library)],
                "labels": _labels(library),
                **TRAY.history_buttons(library),
            },
            handlers,
        )
        # above the bar, out of the flow: the bar keeps its place on the page
        with st.container(key="hx-tray-flash"):
            page.show_flash("tray")


def _labels(library: Library) -> dict[str, str]:
    count, unavailable, total_s = counts(library)
    facts = [t("tray.total", total=fmt.clock(total_s))] if count else [t("tray.empty")]
    if unavailable:
        facts.append(tn("tray.unavailable", unavailable))
    return {
        "heading": t("tray.heading") + (" · " + tn("tray.scenes", count) if count else ""),
        "total": " · ".join(facts),
        "hint": t("tray.hint"),
        "clear": t("tray.clear"),
        "create": t("tray.create"),
    }


def _clip_data(library: Library, clip: ReelClip) -> dict[str, Any]:
    scene = scene_of(library, clip)
    name = clip_name(library, clip)
    data = {
        "id": clip.clip_id,
        "scene": clip.scene_id,
        "thumbnail": media.frame_url(library, scene) if scene else None,
        "duration": fmt.clock(round(clip.duration_s)),
        "label": t("tray.clip_label", clip=name),
        "remove_label": t("tray.remove_clip", clip=name),
        "unavailable": "",
    }
    if scene is None:
        reason = unavailable_reason(library, clip)
        data |= {"unavailable": reason, "label": t("tray.clip_unavailable", clip=name, reason=reason)}
    return data
