"""The reel page in a real browser: from the tray to a rendered reel, with a drag, a growth and an undo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from heimdex_core.library import Library
from tests.e2e.conftest import Shot
from tests.e2e.frozen_app import FrozenApp, address, app_log
from tests.support.frozen import SPOKEN, SUBTITLED

__all__ = ["address", "app_log"]
pytestmark = pytest.mark.browser

RED, YELLOW, BLUE = f"{SUBTITLED}_0_1000", f"{SUBTITLED}_1000_2000", f"{SPOKEN}_0_1000"
RENDERING_MS = 120_000


@pytest.fixture(scope="module")
def library(frozen_app: FrozenApp) -> Path:
    """Three scenes of a second each lie in the tray."""
    return frozen_app.begin([(SUBTITLED, 0.0), (SUBTITLED, 1.0), (SPOKEN, 0.0)], title="Three")


@pytest.fixture(scope="module")
def opened(library: Path) -> Iterator[Library]:
    with Library.open(library, purpose="query") as found:
        yield found


def open_page(page: Page, clips: int) -> None:
    page.goto("/reel")
    expect(page.locator("article.clip")).to_have_count(clips, timeout=60_000)
    settled(page)


def settled(page: Page) -> None:
    expect(page.locator(".hx[data-pending]")).to_have_count(0)


def select(page: Page, clip_id: str) -> None:
    page.locator(f'article.clip[data-scene="{clip_id}"] .times').click()
    expect(page.locator(f'.trimmer[data-clip="{clip_id}"]:not([data-waiting])')).to_be_visible()
    settled(page)


def test_from_the_tray_to_a_rendered_reel_and_a_timeline(
    page: Page, opened: Library, tmp_path: Path, shot: Shot
) -> None:
    open_page(page, 3)
    rows = page.locator("article.clip")
    grip, top = rows.nth(2).locator(".grip").bounding_box(), rows.nth(0).bounding_box()
    assert grip is not None
    assert top is not None
    page.mouse.move(grip["x"] + 10, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(top["x"] + 20, top["y"] + 2, steps=8)
    page.mouse.up()
    expect(rows.first).to_have_attribute("data-scene", BLUE)

    # the red scene grows by two frames of a tenth of a second into the yellow one
    select(page, RED)
    end = page.locator(".trimmer .handle.end")
    for _ in range(2):
        end.press("ArrowRight")
    settled(page)
    expect(page.locator(".beyond")).to_have_text("0:00.20 beyond its scene")
    shot(page, "reel-grown")
    page.keyboard.press("Control+z")
    expect(page.locator(".beyond")).to_have_text("")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".summary")).to_contain_text("0:03")
    settled(page)
    grown = next(clip for clip in opened.tray().clips if clip.clip_id == RED)
    assert (grown.start_s, grown.end_s) == (0.0, pytest.approx(1.2))

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the clips as a table (CSV)").click()
    assert waiting.value.suggested_filename == "Three.csv"
    waiting.value.save_as(tmp_path / "Three.csv")
    assert (tmp_path / "Three.csv").read_text(encoding="utf-8-sig").count("subtitled") >= 2

    own = page.locator(f'article.clip[data-scene="{RED}"]').get_by_role("combobox", name="Wide pictures")
    expect(own).to_have_count(0)
    page.get_by_text("9:16", exact=True).click()
    expect(page.get_by_text("Wide pictures", exact=True)).to_be_visible()
    expect(own).to_have_value("")
    expect(own.locator("option:checked")).to_have_text("Reel: Center")
    own.select_option(label="Bars")
    settled(page)
    page.locator(".history-tools button").first.click()
    expect(own).to_have_value("")
    own.select_option(label="Blur")
    settled(page)
    shot(page, "reel-own-strategy")
    assert [clip.strategy for clip in opened.tray().clips if clip.clip_id == RED] == ["blur_pad"]
    page.get_by_role("button", name="Render MP4").click()
    expect(page).to_have_url(re.compile("/exports"))
    item = page.locator('.export[data-state="completed"]').first
    expect(item).to_contain_text("360×640", timeout=RENDERING_MS)
    with page.expect_download() as waiting:
        item.get_by_role("link", name="Download").click()
    waiting.value.save_as(tmp_path / "Three.mp4")
    made = opened.exports.list(limit=1)[0]
    assert made.measured_duration_s == pytest.approx(3.2, abs=0.1)
    assert sorted(str(clip.strategy) for clip in made.clips) == ["None", "None", "blur_pad"]


@pytest.mark.long
def test_a_named_reel_is_made_changed_and_deleted(page: Page, opened: Library, shot: Shot) -> None:
    count = len(opened.tray().clips)
    open_page(page, count)
    page.get_by_role("button", name="Duplicate reel").click()
    expect(page.get_by_label("Reel title")).to_have_value(re.compile(r"\(copy\)$"))
    expect(page).to_have_url(re.compile(r"[?&]reel="))
    page.keyboard.press("d")
    expect(page.locator("article.clip")).to_have_count(count + 1)
    settled(page)
    shot(page, "reel-named")
    assert len(opened.tray().clips) == count
    (named,) = opened.reels.list()
    assert len(named.clips) == count + 1
    page.reload()
    expect(page.locator("article.clip")).to_have_count(count + 1, timeout=60_000)
    page.get_by_role("combobox", name="Reel").select_option("")
    expect(page.locator("article.clip")).to_have_count(count)
    page.get_by_role("combobox", name="Reel").select_option(named.reel_id)
    expect(page.locator("article.clip")).to_have_count(count + 1)
    page.get_by_role("button", name="Delete reel").click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(page.locator("article.clip")).to_have_count(count)
    settled(page)
    assert opened.reels.list() == []


@pytest.mark.long
def test_a_clip_is_cut_to_words_by_keys(page: Page, opened: Library) -> None:
    open_page(page, len(opened.tray().clips))
    select(page, BLUE)
    words = page.locator(".word")
    expect(words.first).to_be_visible()
    words.nth(1).click()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator('.word[aria-selected="true"]')).to_have_count(2)
    page.keyboard.press("Enter")
    settled(page)
    cut = next(clip for clip in opened.tray().clips if clip.clip_id == BLUE)
    # "below three" of the transcript, the second of which reaches beyond the scene
    assert (cut.start_s, cut.end_s) == (pytest.approx(0.38), pytest.approx(1.11))


@pytest.mark.long
def test_two_windows_of_a_named_reel_follow_each_other(
    page: Page, chromium: Browser, address: str, opened: Library
) -> None:
    reel_id = opened.reels.create("Both", [RED, YELLOW]).reel_id
    context = chromium.new_context(base_url=address)
    other = context.new_page()
    for one in (page, other):
        one.goto(f"/reel?reel={reel_id}")
        expect(one.locator("article.clip")).to_have_count(2, timeout=60_000)
        settled(one)
    page.keyboard.press("d")
    expect(page.locator("article.clip")).to_have_count(3)
    expect(other.locator("article.clip")).to_have_count(3)
    other.get_by_label("Reel title").fill("Renamed there")
    other.get_by_label("Reel title").press("Enter")
    expect(page.get_by_label("Reel title")).to_have_value("Renamed there")
    assert len(opened.reels.get(reel_id).clips) == 3
    # one deletes it: the other says so, and shows the tray
    other.get_by_role("button", name="Delete reel").click()
    other.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_text("This reel does not exist").first).to_be_visible()
    expect(page.get_by_role("combobox", name="Reel").locator("option")).to_have_count(1)
    context.close()


@pytest.mark.long
def test_a_clip_becomes_a_short_as_it_is_trimmed(page: Page, opened: Library) -> None:
    opened.tray_edits.trim(YELLOW, 1.2, 1.8)
    opened.tray_edits.set_strategy(YELLOW, "letterbox")
    open_page(page, len(opened.tray().clips))
    select(page, YELLOW)
    page.locator(".trimmer").get_by_role("button", name="Make a short").click()
    expect(page).to_have_url(re.compile(rf"/short\?.*scene={YELLOW}.*trim=1.200-1.800"))
    expect(page).to_have_url(re.compile("strategy=letterbox"))
    expect(page.get_by_role("slider", name="In")).to_have_attribute("aria-valuenow", re.compile(r"1\.2"))


def test_the_log_has_no_errors(app_log: Path) -> None:
    """Runs last."""
    text = app_log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "no text for the key" not in text
