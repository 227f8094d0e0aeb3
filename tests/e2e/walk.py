"""A library with a walk of five scenes, and the search page over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.e2e.driver import video_state, wait_for_video
from tests.support.media import colour_clips, srt

LONG = "we walked along the shore for many hours and talked about the weather, the boats and the price of fish"
LINES = [
    (0.5, 5.5, "green hills under a quiet sky"),
    (6.5, 8.0, LONG),
    (8.0, 9.5, "and then about something else"),
    (9.5, 11.8, "until we saw the old lighthouse"),
    (12.5, 17.0, "the harvest begins in autumn"),
    *((18.0 + n, 19.0 + n, f"one more line, number {n + 1}") for n in range(18)),
]
"""Of four scenes of six seconds and one of twelve."""
FAR = "number theory of prime fields"
"""A query to which nothing of the walk is close."""
EVERYWHERE = "sky lighthouse harvest number"
"""A query with a word of each scene of the walk."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos: one with cuts at 6, 12, 18 and 24 s and subtitles; one that is black for most of its two seconds."""
    folder = tmp_path_factory.mktemp("media")
    parts = [("green", 6.0), ("orange", 6.0), ("blue", 6.0), ("gray", 6.0), ("red", 12.0)]
    walk = colour_clips(folder / "a walk.mp4", parts, size=(480, 270), tone_hz=330, noise=8, key_every=12)
    walk.with_suffix(".srt").write_text(srt(LINES), encoding="utf-8")
    # too plain to be preferred, so the keyframe is the one in the middle: a black one
    fade = colour_clips(folder / "fade in.mp4", [("black", 1.3), ("gray", 0.6)])
    root = tmp_path_factory.mktemp("library") / "library"
    with Library.open(root, settings=Settings(profile="offline")) as opened:
        for path in (walk, fade):
            opened.add(path)
    return root


def cards(page: Page) -> Locator:
    return page.locator("article.card")


def card(page: Page, start_s: int) -> Locator:
    """The card of the scene of the walk that starts at this time."""
    return page.locator(f'article.card[data-scene*="_{1000 * start_s}_"]')


def open_search(page: Page, query: str) -> None:
    page.goto(f"/search?q={query}")
    expect(cards(page).first).to_be_visible(timeout=60_000)
    wait_for_video(page, "v.readyState === 4 && !v.seeking")


def settled(page: Page) -> None:
    """Wait until the server has answered everything that was done on the page."""
    expect(page.locator(".hx[data-pending]")).to_have_count(0)


def slowly(page: Page) -> None:
    """What plays does not come to its end while the test waits for the server."""
    page.locator("video").evaluate("v => { v.playbackRate = 0.1; }")


def time_of(page: Page) -> float:
    return float(video_state(page)["time"])
