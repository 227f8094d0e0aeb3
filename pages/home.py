"""Home: the first steps, example searches and recent videos."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.types import Video, VideoState
from ui import media, page, resources, state, tray
from ui.components import home_steps
from ui.i18n import t, tn
from ui.views import models

RECENT = 6
# the page that each step opens
STEPS = {"upload": "library", "search": "search", "reel": "reel"}


def open_step(value: Any) -> None:
    if value in STEPS or value == "settings":
        state.request_page(STEPS.get(str(value), "settings"))


def search(value: Any) -> None:
    state.set_query(str(value))
    state.request_page("search")


def open_video(value: Any) -> None:
    state.open_video(resources.library().video(str(value)).video_id)
    state.request_page("library")


def steps(videos: list[Video], tray_size: int) -> list[dict[str, Any]]:
    """The three steps. The next one to take is marked as current."""
    searchable = any(video.generation is not None for video in videos)
    current = "upload" if not searchable else "reel" if tray_size else "search"
    texts = {
        "upload": tn("home.upload.have", len(videos)) if videos else t("home.upload.text"),
        "search": t("home.search.text"),
        "reel": tn("home.reel.have", tray_size) if tray_size else t("home.reel.text"),
    }
    return [
        {
            "number": number,
            "name": name,
            "title": t(f"home.{name}.title"),
            "text": texts[name],
            "action": t(f"home.{name}.action"),
            "current": name == current,
            "disabled": name != "upload" and not searchable,
        }
        for number, name in enumerate(STEPS, 1)
    ]


def recent(library: Library, video: Video) -> dict[str, Any]:
    indexed = video.state is VideoState.INDEXED
    facts = [fmt.clock(video.info.duration_s)] if video.info else []
    facts.append(tn("library.scenes", video.scene_count) if indexed else t(f"state.{video.state}"))
    return {
        "id": video.video_id,
        "title": video.title,
        "meta": " · ".join(facts),
        "thumbnail": media.cover_url(library, video),
        "openable": video.generation is not None,
    }


def step_up_note(library: Library) -> dict[str, str] | None:
    """A note that this machine could use better models, if so."""
    text = models.step_up_text(library)
    in_use = t("models.in_use", models=models.choice_label(library.models.choice.name))
    return {"text": f"{in_use} {text}", "action": t("models.step_up.show")} if text else None


@st.fragment
@page.error_boundary
def draw() -> None:
    page.switch_if_requested()
    page.show_flash()
    library = resources.library()
    videos = library.videos()
    searchable = any(video.generation is not None for video in videos)
    with st.container(key="hx-home"):
        home_steps(
            "hx_home_steps",
            {
                "title": t("home.title"),
                "intro": t("home.intro"),
                "steps": steps(videos, len(tray.clips(library))),
                "examples": [t(f"home.example.{n}") for n in range(1, 5)] if searchable else [],
                "recent": [recent(library, video) for video in videos[:RECENT]],
                "note": step_up_note(library),
                "labels": {"examples": t("home.examples"), "recent": t("home.recent")},
            },
            {"open_step": open_step, "search": search, "open_video": open_video},
        )
    if videos:
        tray.draw(library)


page.show(draw)
