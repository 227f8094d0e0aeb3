"""Home: what to do first."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.types import Video, VideoState
from ui import media, page, resources, state, tray
from ui.components.controls import home_steps
from ui.i18n import t, tn
from ui.views import models

RECENT = 6
STEPS = {"upload": "library", "search": "search", "reel": "reel"}


def go(value: Any) -> None:
    if value in STEPS or value == "settings":
        state.want_page(STEPS.get(str(value), "settings"))


def ask(value: Any) -> None:
    state.ask(str(value))
    state.want_page("search")


def open_video(value: Any) -> None:
    state.open_video(resources.library().video(str(value)).video_id)
    state.want_page("library")


def steps(videos: list[Video], tray_size: int) -> list[dict[str, Any]]:
    """Three steps; the one that comes next is marked."""
    searchable = any(video.generation is not None for video in videos)
    now = "upload" if not searchable else "reel" if tray_size else "search"
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
            "now": name == now,
            "disabled": name != "upload" and not searchable,
        }
        for number, name in enumerate(STEPS, 1)
    ]


def recent(video: Video) -> dict[str, Any]:
    library = resources.library()
    indexed = video.state is VideoState.INDEXED
    facts = [fmt.clock(video.info.duration_s)] if video.info else []
    facts.append(tn("library.scenes", video.scene_count) if indexed else t(f"state.{video.state}"))
    return {
        "id": video.video_id,
        "title": video.title,
        "meta": " · ".join(facts),
        "thumb": media.cover(library, video),
        "openable": video.generation is not None,
    }


def step_note(library: Library) -> dict[str, str] | None:
    """Quietly: better models could be used here."""
    text = models.step_note(library)
    now = t("models.in_use", models=models.label(library.models.choice.name))
    return {"text": f"{now} {text}", "action": t("models.step.show")} if text else None


@st.fragment
@page.guarded
def body() -> None:
    page.navigation.go_if_asked()
    page.flash()
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
                "recent": [recent(video) for video in videos[:RECENT]],
                "note": step_note(library),
                "labels": {"examples": t("home.examples"), "recent": t("home.recent")},
            },
            {"go": go, "ask": ask, "open": open_video},
        )
    if videos:
        tray.draw(library)


def draw() -> None:
    body()


page.show(draw)
