"""From an empty library to a rendered reel without a mouse; each place that the keyboard reaches is visible."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_accessibility import FOCUSED
from tests.support.media import colour_clips, srt

pytestmark = [pytest.mark.browser, pytest.mark.long]

WORKING_MS = 120_000


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of that name has the focus; all on the way are visibly focused."""
    names = []
    for _ in range(120):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        names.append(focused["name"])
        if focused["isPage"]:
            continue  # around the end of the page
        assert focused["isVisible"], focused["place"]
        if re.search(name, focused["name"]):
            return
    raise AssertionError(f"Tab never reaches {name}: {names}")


def test_a_reel_is_made_with_the_keyboard_alone(page: Page, tmp_path: Path) -> None:
    clip = colour_clips(tmp_path / "autumn.mp4", [("green", 3.0), ("orange", 3.0)])
    subtitles = tmp_path / "autumn.srt"
    subtitles.write_text(srt([(0.5, 2.5, "green hills"), (3.5, 5.5, "the harvest begins")]), encoding="utf-8")

    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="Library", exact=True)).to_be_visible()
    tab_to(page, r"^A Library")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/library$"))
    expect(page.get_by_role("button", name="choose files")).to_be_visible()
    with page.expect_file_chooser() as waiting:
        tab_to(page, "choose files")
        page.keyboard.press("Enter")
    waiting.value.set_files([clip, subtitles])
    expect(page.locator("article.video", has_text="autumn")).to_contain_text("ready", timeout=WORKING_MS)

    tab_to(page, r"^A Search")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/search$"))
    field = page.locator(".st-key-hx-query input")
    expect(field).to_be_visible()
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("harvest")
    page.keyboard.press("Enter")
    expect(page.locator("article.card").first).to_contain_text("the harvest begins")
    tab_to(page, r"^(BUTTON|A|ARTICLE) .*(Play|harvest|0:03)")  # out of the field
    page.keyboard.press("a")
    expect(page.locator(".st-key-hx-tray .clip")).to_have_count(1)
    page.keyboard.press("n")
    page.keyboard.press("a")
    expect(page.locator(".st-key-hx-tray .clip")).to_have_count(2)
    expect(page.locator(".hx[data-pending]")).to_have_count(0)

    tab_to(page, r"Create reel")
    page.keyboard.press("Enter")
    expect(page.locator("article.clip")).to_have_count(2)
    tab_to(page, r"Render MP4")
    page.keyboard.press("Enter")
    expect(page.locator('.export[data-state="completed"]')).to_be_visible(timeout=WORKING_MS)
