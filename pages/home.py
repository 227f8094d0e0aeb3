"""Home: search, upload, the first steps and recent videos."""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.library import Library
from heimdex_core.types import Video, VideoState
from ui import address, media, page, resources, state, tray, uploads
from ui.components import home_steps
from ui.i18n import t, tn
from ui.views import models
from ui.views.video_list import RUNNING

RECENT = 6
EXAMPLES = 4
SAMPLE = "heimdex_sample.mp4"  # `make run` puts it into an empty library; the example searches are about it
UPDATE_EVERY_S = 2.0
# the page that each step opens
STEPS = {"upload": "library", "search": "search", "reel": "reel"}


def open_step(value: Any) -> None:
    if value in STEPS or value == "settings":
        state.request_page(STEPS.get(str(value), "settings"))


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
        "href": address.url("video", id=video.video_id) if video.generation is not None else None,
        "title": video.title,
        "meta": " · ".join(facts),
        "thumbnail": media.cover_url(library, video),
    }


def examples(videos: list[Video]) -> list[dict[str, str]]:
    """Example searches, while the video that they are about can be searched."""
    if not any(video.filename == SAMPLE and video.generation is not None for video in videos):
        return []
    texts = [t(f"home.example.{n}") for n in range(1, EXAMPLES + 1)]
    return [{"text": text, "href": address.url("search", q=text)} for text in texts]


def step_up_note(library: Library) -> dict[str, str] | None:
    """A note that this machine could use better models, if so."""
    text = models.step_up_text(library) if resources.may_manage_server(library.user_id) else ""
    in_use = t("models.in_use", models=models.choice_label(library.models.choice.name))
    return {"text": f"{in_use} {text}", "action": t("models.step_up.show")} if text else None


@page.error_boundary
def draw_page() -> None:
    page.switch_if_requested()
    page.show_flash()
    library = resources.library()
    videos = library.videos()
    searchable = any(video.generation is not None for video in videos)
    search = {
        "label": t("nav.search"), "placeholder": t("search.placeholder"), "href": address.url("search"),
        "max": library.settings.max_query_chars,
    }  # fmt: skip
    with st.container(key="hx-home"):
        head = {"title": t("home.title"), "intro": t("home.intro"), "search": search if searchable else None}
        home_steps("hx_home_head", head)
        uploads.draw_zone(library, "hx_home_upload", is_large=not videos, is_centered=True)
        home_steps(
            "hx_home_steps",
            {
                "steps": steps(videos, len(tray.clips(library))),
                "examples": examples(videos),
                "recent": [recent(library, video) for video in videos[:RECENT]],
                "note": step_up_note(library),
                "labels": {"examples": t("home.examples"), "recent": t("home.recent")},
            },
            {"open_step": open_step},
        )
    if videos:
        tray.draw(library)
    running = any(video.state in RUNNING for video in videos)
    if running != state.is_polling("home"):
        state.set_polling("home", running)
        st.rerun()


def draw() -> None:
    st.fragment(draw_page, run_every=UPDATE_EVERY_S if state.is_polling("home") else None)()


page.show(draw)
