"""From the search page on: saved searches, searches by a scene or a part of a picture, and the page of a scene."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Shot
from tests.e2e.driver import wait_for_video
from tests.e2e.walk import card, cards, library, open_search, settled, slowly

__all__ = ["library"]

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_a_search_is_saved_and_found_again(page: Page, shot: Shot) -> None:
    open_search(page, "harvest")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Name of the search").fill("autumn work")
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("link", name="Searches", exact=True).click()
    saved = page.get_by_role("link", name="autumn work harvest")
    expect(saved).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("harvest")
    shot(page, "searches")
    saved.click()
    expect(page.get_by_placeholder(re.compile("Describe a scene"))).to_have_value("harvest")
    expect(card(page, 12)).to_be_visible()


def test_more_like_this_searches_by_the_scene(page: Page) -> None:
    open_search(page, "lighthouse")
    scene = card(page, 6)
    scene.hover()
    scene.locator('[data-act="like"]').click()
    expect(page.locator(".st-key-hx-chips .chip")).to_contain_text("Like a walk, 0:06.0")
    expect(card(page, 6)).to_have_count(0)  # it is not offered again
    expect(cards(page).first).to_be_visible()
    expect(page).to_have_url(re.compile(r"like=.*_6000_12000"))


def test_a_box_on_the_paused_picture_is_searched_by(page: Page) -> None:
    open_search(page, "harvest")
    page.locator(".stage").hover()
    page.get_by_role("button", name="Search by a part of the picture").click()
    box = page.locator(".stage .region").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 140, steps=3)
    page.mouse.up()
    expect(page.locator(".st-key-hx-chips .chip")).to_have_text("Like a picture")
    expect(card(page, 12)).to_be_visible()  # the blue one


# --- the page of a scene --------------------------------------------------------------------------


def test_a_line_and_a_tag_are_corrected_on_the_page_of_the_scene(page: Page, shot: Shot) -> None:
    open_search(page, "harvest")
    page.get_by_role("button", name="Details").click()
    line = page.locator(".st-key-hx-right .line.inside")
    expect(line).to_contain_text("the harvest begins in autumn", timeout=60_000)
    expect(page).to_have_url(re.compile(r"/scene\?id=.*_12000_18000"))
    shot(page, "scene")
    line.hover()
    line.get_by_role("button", name="Correct the line at 0:12").click()
    page.locator("textarea").fill("the zebra begins in autumn")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-hx-right .line.inside")).to_contain_text("the zebra begins", timeout=60_000)
    add = page.get_by_placeholder("Add a tag")
    expect(add).to_be_enabled(timeout=60_000)
    add.fill("savanna")
    page.keyboard.press("Enter")
    expect(page.locator(".tag", has_text="savanna")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("2 corrections")).to_be_visible()
    open_search(page, "zebra")
    expect(cards(page).first).to_have_attribute("data-scene", re.compile("_12000_18000"))
    open_search(page, "savanna")
    expect(card(page, 12)).to_be_visible()


def test_a_scene_is_played_stepped_through_and_seen_along_the_track(page: Page) -> None:
    open_search(page, "lighthouse")
    page.get_by_role("button", name="Details").click()
    expect(page.locator(".item.current")).to_be_visible(timeout=60_000)
    wait_for_video(page, "v.readyState === 4 && Math.abs(v.currentTime - 6) < 0.1")
    page.keyboard.press(" ")
    wait_for_video(page, "!v.paused")
    slowly(page)
    page.keyboard.press(" ")
    track = page.locator(".track").bounding_box()
    assert track is not None
    page.mouse.move(track["x"] + track["width"] * 0.95, track["y"] + 10)
    expect(page.locator(".hover .picture")).to_be_visible()  # from the sprite of the last scene
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"_12000_18000"))
    wait_for_video(page, "Math.abs(v.currentTime - 12) < 0.1")
    page.keyboard.press("a")
    expect(page.locator(".st-key-hx-tray")).to_contain_text("1 scene")
    page.go_back()
    expect(page).to_have_url(re.compile(r"_6000_12000"))


def test_the_log_has_no_errors(app_log: Path) -> None:
    """Runs last: errors that the pages caught are in the log."""
    text = app_log.read_text(encoding="utf-8")
    assert re.search(r"(drawing|the operation) \w+ failed|no text for the key", text) is None
