"""From a scene to a short in a real browser, and the page of the exports."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from pathlib import Path

import av
import pytest
from playwright.sync_api import Browser, Page, expect

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import Cue, Export, ExportState, ReelClip, utc_now
from tests.e2e.conftest import Shot
from tests.e2e.frozen_app import FrozenApp, address, app_log
from tests.support.frozen import SUBTITLED

__all__ = ["address", "app_log"]
pytestmark = pytest.mark.browser

SCENE = f"{SUBTITLED}_0_1000"
LIMIT = 10


@pytest.fixture(scope="module")
def library(frozen_app: FrozenApp) -> Path:
    return frozen_app.begin()


def settled(page: Page) -> None:
    expect(page.locator(".hx[data-pending]")).to_have_count(0)


def open_editor(page: Page, **params: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in params.items())
    page.goto(f"/short?scene={SCENE}&{query}")
    expect(page.get_by_role("button", name="Make the short")).to_be_visible(timeout=60_000)


def test_a_scene_becomes_a_short_with_corrected_captions_and_crop(
    page: Page, library: Path, tmp_path: Path, shot: Shot
) -> None:
    page.goto(f"/scene?id={SCENE}")
    page.get_by_role("button", name="Make a short").click(timeout=60_000)
    page.get_by_role("button", name="Word by word").click()
    caption = page.get_by_role("textbox", name=re.compile("Caption at"))
    expect(caption).to_have_count(1)
    caption.fill("my own words")
    caption.press("Enter")
    crop = page.get_by_role("slider", name="Position of the crop")
    box = crop.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 20, steps=3)
    page.mouse.up()
    expect(page.get_by_role("slider", name=re.compile("Keyframe at"))).to_have_count(1)
    # the scene ends at 1 s; the short reaches beyond it
    page.get_by_role("slider", name="Out").press("Shift+ArrowRight")
    settled(page)
    page.reload()
    expect(page.get_by_role("textbox", name=re.compile("Caption at")).first).to_have_value("my own words")
    expect(page.get_by_role("slider", name=re.compile("Keyframe at"))).to_have_count(1)
    shot(page, "short")
    page.get_by_role("button", name="Make the short").click()
    made = page.locator("li.export").first
    expect(made).to_have_attribute("data-state", "completed", timeout=120_000)
    expect(made.locator(".countdown")).to_have_text(re.compile(r"deleted in 2[34]:\d\d:\d\d"))
    expect(page.locator(".hx-status")).to_contain_text(f"{LIMIT - 1} of {LIMIT} shorts left")
    with page.expect_download() as download:
        made.get_by_role("link", name=re.compile("Download")).click()
    file = tmp_path / "short.mp4"
    download.value.save_as(file)
    shot(page, "exports")
    with av.open(str(file)) as opened:
        assert (opened.streams.video[0].width, opened.streams.video[0].height) == (1080, 1920)
    with Library.open(library, purpose="query") as found:
        request = found.shorts.request_of(found.exports.list(limit=1)[0].export_id)
    assert request.cues
    assert request.cues[0].text == "my own words"
    assert request.crop_path
    assert request.crop_path.keyframes[0].x > 0.5
    assert request.trim
    assert request.trim[1] > 1.0


@pytest.mark.long
def test_a_short_is_made_again_as_it_was_and_its_file_is_removed(page: Page, library: Path) -> None:
    with Library.open(library, settings=Settings(short_preset="ultrafast"), purpose="query") as found:
        found.short(SCENE, captions="karaoke", cues=[Cue(0.0, 0.8, "my own words")])
    page.goto("/exports")
    made = page.locator("li.export").first
    made.get_by_role("button", name=re.compile("Make again")).click(timeout=60_000)
    expect(page.get_by_role("textbox", name=re.compile("Caption at")).first).to_have_value("my own words")
    page.get_by_role("link", name="Exports").click()
    made.get_by_role("button", name=re.compile("Remove file")).click()
    made.get_by_role("button", name=re.compile("Yes, remove it")).click()
    expect(made).to_contain_text("file removed")
    expect(made.get_by_role("link", name=re.compile("Download"))).to_have_count(0)


@pytest.mark.long
def test_the_countdown_follows_the_servers_clock_and_ends_with_the_file(page: Page, library: Path) -> None:
    """The clock of the browser is put forward by two days while the page is open."""
    with Library.open(library, settings=Settings(short_preset="ultrafast"), purpose="query") as found:
        export = found.short(SCENE)
    page.add_init_script(
        "const now = Date.now; let ahead = 0; Date.now = () => now() + ahead; window.goAhead = (ms) => { ahead = ms; };"
    )
    page.goto("/exports")
    made = page.locator(f'li.export[data-export="{export.export_id}"]')
    expect(made.locator(".countdown")).to_have_text(re.compile(r"deleted in 2[34]:\d\d:\d\d"), timeout=60_000)
    page.evaluate("goAhead(2 * 24 * 3600 * 1000)")
    Store.open(library).exports.set_expiry("local", export.export_id, utc_now() + timedelta(seconds=20))
    expect(made.locator(".countdown")).to_have_text(re.compile(r"deleted in 0:00:(0[1-9]|1\d)"))
    expect(made).to_contain_text("file removed", timeout=30_000)
    expect(made.get_by_role("link", name=re.compile("Download"))).to_have_count(0)


@pytest.mark.long
def test_the_eleventh_short_of_a_day_is_refused_with_the_hours_to_wait(page: Page, library: Path) -> None:
    open_editor(page)
    with Library.open(library, purpose="query") as found:
        used = found.shorts.allowance().used
    # the oldest was made 3 h 10 min ago
    made = [utc_now() - timedelta(hours=3, minutes=10 - n) for n in range(LIMIT - used)]
    clips = (ReelClip(SUBTITLED, 0.0, 1.0, 0.0, 1.0),)
    exports = [
        Export(str(uuid.uuid4()), "local", "short", f"Made {n}", ExportState.COMPLETED, clips, at, {"scene_id": SCENE})
        for n, at in enumerate(made)
    ]
    Store.open(library).exports.create_all(exports)
    # this page does not know of them
    page.get_by_role("button", name="Make the short").click()
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("10 of 10 shorts of the last 24 hours are used")
    expect(refused).to_contain_text(re.compile(r"in 20 h (49|50|51) min"))
    expect(page.get_by_role("button", name="Make the short")).to_be_disabled()
    left = re.compile(r"0 of 10 shorts left today · the next is free in 20 h (49|50) min")
    expect(page.get_by_text(left)).to_be_visible()
    page.goto("/exports")
    expect(page.locator(".hx-status")).to_have_text(left, timeout=60_000)


@pytest.mark.long
def test_a_batch_that_does_not_fit_is_refused_whole(page: Page, library: Path) -> None:
    with Library.open(library, purpose="query") as found:
        found.save_tray([])
        for scene in [one for video in found.videos() for one in found.scenes(video.video_id)]:
            found.tray_edits.add(scene.scene_id)
        made = len(found.exports.list())
    open_editor(page)
    page.get_by_role("button", name=re.compile("Make shorts of the 4 scenes")).click()
    expect(page.get_by_role("alert")).to_contain_text("New ones asked for: 4, possible: 0")
    with Library.open(library, purpose="query") as found:
        assert len(found.exports.list()) == made


@pytest.mark.long
@pytest.mark.parametrize("path", ["/exports", f"/short?scene={SCENE}&captions=boxed&strategy=smart_crop"])
def test_the_pages_show_within_a_phone(chromium: Browser, address: str, path: str) -> None:
    context = chromium.new_context(base_url=address, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(path)
    expect(page.locator("li.export, .shot img").first).to_be_visible(timeout=60_000)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_a_short_of_a_scene_that_has_gone_leads_back_to_the_search(page: Page, library: Path) -> None:
    page.goto("/short?scene=gone_0_1000")
    expect(page.get_by_text("SCENE_NOT_FOUND")).to_be_visible(timeout=60_000)
    expect(page.locator(".hx-keys")).to_have_count(0)
    page.get_by_role("button", name="Search scenes").click()
    expect(page.get_by_placeholder(re.compile("Describe a scene"))).to_be_visible(timeout=60_000)
