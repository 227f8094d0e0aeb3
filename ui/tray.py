"""The tray: the scenes picked for the reel. It is saved in the library and shown on every page but the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import HeimdexError, InvalidReel
from heimdex_core.library import Library
from heimdex_core.types import ReelClip, Scene
from ui import media, resources, state
from ui.components import tray_bar
from ui.i18n import t, tn


def clips(library: Library) -> tuple[ReelClip, ...]:
    """The clips in the tray, read from the library once per open page."""
    found = state.tray()
    if found is None:
        saved = library.tray()
        state.set_tray(saved.clips, saved.title)
        found = saved.clips
    return found


def title(library: Library) -> str:
    """The title of the reel."""
    clips(library)
    return state.tray_title()


def picked_ids(library: Library) -> frozenset[str]:
    """The ids of the scenes in the tray."""
    return frozenset(clip.scene_id for clip in clips(library))


def save(library: Library, wanted: Sequence[ReelClip], *, title: str | None = None) -> None:
    """Save these clips in this order; a second clip of the same scene is dropped. None keeps the title."""
    saved = library.save_tray(list(wanted), title=state.tray_title() if title is None else title)
    state.set_tray(saved.clips, saved.title)


def pick(value: Any) -> None:
    """Add a scene or remove it: {"id": scene_id, "picked": bool}."""
    library = resources.library()
    scene_id, wanted = str(value["id"]), bool(value["picked"])
    now = clips(library)
    if not wanted:
        save(library, [clip for clip in now if clip.scene_id != scene_id])
        return
    if scene_id in {clip.scene_id for clip in now}:
        return
    if len(now) >= library.settings.max_reel_scenes:
        raise InvalidReel(
            reason=f"the tray already has {len(now)} scenes",
            max_scenes=library.settings.max_reel_scenes,
            max_title=library.settings.max_title_chars,
        )
    scene = library.scene(scene_id)
    save(library, [*now, ReelClip(scene.video_id, scene.start_s, scene.end_s, scene.start_s, scene.end_s)])


def remove(value: Any) -> None:
    pick({"id": value, "picked": False})


def clear(value: Any) -> None:
    save(resources.library(), [], title="")


def arrange(value: Any) -> None:
    """Apply the order and the trims of the reel editor: [{"id", "start", "end"}], in seconds of the video.

    Unknown ids are dropped, and so are clips that are not listed. Trims are clamped to the scene.
    """
    library = resources.library()
    by_id = {clip.scene_id: clip for clip in clips(library)}
    wanted = []
    for item in value:
        clip = by_id.get(str(item["id"]))
        if clip is None:
            continue
        start = min(max(float(item["start"]), clip.scene_start_s), clip.scene_end_s)
        end = min(max(float(item["end"]), clip.scene_start_s), clip.scene_end_s)
        if start >= end:
            start, end = clip.start_s, clip.end_s
        wanted.append(ReelClip(clip.video_id, start, end, clip.scene_start_s, clip.scene_end_s))
    save(library, wanted)


def rename(value: Any) -> None:
    library = resources.library()
    save(library, clips(library), title=str(value).strip()[: library.settings.max_title_chars])


def scene_of(library: Library, clip: ReelClip) -> Scene | None:
    """The scene of a clip; None if it does not exist any more."""
    try:
        return library.scene(clip.scene_id)
    except HeimdexError:
        return None


def draw(library: Library, *, open_scene: Any = None) -> None:
    """Draw the bar at the bottom. `open_scene` is called with the scene_id of a clip that is clicked."""
    picked = clips(library)
    total_s = sum(clip.duration_s for clip in picked)
    handlers = {"remove": remove, "clear": clear, "create": lambda _: state.request_page("reel")}
    if open_scene is not None:
        handlers["open"] = open_scene
    with st.container(key="hx-tray"):
        tray_bar(
            "hx_tray_bar",
            {
                "clips": [_clip_data(library, clip) for clip in picked],
                "labels": {
                    "heading": t("tray.heading") + (" · " + tn("tray.scenes", len(picked)) if picked else ""),
                    "total": t("tray.total", total=fmt.clock(total_s)) if picked else t("tray.empty"),
                    "hint": t("tray.hint"),
                    "clear": t("tray.clear"),
                    "create": t("tray.create"),
                    "remove": t("tray.remove"),
                },
            },
            handlers,
        )


def _clip_data(library: Library, clip: ReelClip) -> dict[str, Any]:
    scene = scene_of(library, clip)
    return {
        "id": clip.scene_id,
        "thumbnail": media.frame_url(library, scene) if scene else None,
        "duration": fmt.clock(round(clip.duration_s)),
        "label": t("tray.clip_label", time=fmt.precise(clip.start_s)),
    }
