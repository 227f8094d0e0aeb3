"""Tray and reel in a real browser: two pages at once, quick clicks, undo, keys, and a video that is deleted.

The tests share one library, and each begins with the tray that it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from heimdex_core.library import Library
from heimdex_core.types import ReelClip
from tests.e2e.conftest import Shot
from tests.e2e.driver import wait_for_video
from tests.e2e.frozen_app import FrozenApp, address, app_log
from tests.support.frozen import SPOKEN, SUBTITLED

__all__ = ["address", "app_log"]
pytestmark = pytest.mark.browser

RED, YELLOW, BLUE, GREEN = (
    f"{video_id}_{start}_{start + 1000}" for video_id in (SUBTITLED, SPOKEN) for start in (0, 1000)
)
"""The scenes of the library, of one second each."""
ALL = [RED, YELLOW, BLUE, GREEN]
UNDO, REDO = "Control+z", "Control+Shift+z"


@pytest.fixture(scope="module")
def library(frozen_app: FrozenApp) -> Path:
    """Two videos, "subtitled" and "spoken"."""
    return frozen_app.begin()


@pytest.fixture(scope="module")
def opened(library: Path) -> Iterator[Library]:
    """The same library in this process, as a notebook beside the app has it."""
    with Library.open(library, purpose="query") as found:
        yield found


@contextmanager
def another_page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page in a window of its own."""
    context = chromium.new_context(base_url=address, viewport={"width": 1440, "height": 900}, color_scheme="dark")
    try:
        yield context.new_page()
    finally:
        context.close()


def put(library: Library, *scene_ids: str) -> None:
    """Make these whole scenes the tray."""
    scenes = [library.scene(scene_id) for scene_id in scene_ids]
    library.save_tray([ReelClip(s.video_id, s.start_s, s.end_s, s.start_s, s.end_s) for s in scenes])


def ids(library: Library) -> list[str]:
    return [clip.scene_id for clip in library.tray().clips]


def open_search(page: Page) -> None:
    """Open the search page with all scenes as hits."""
    page.goto("/search?q=subtitled+spoken")
    expect(page.locator("article.card")).to_have_count(len(ALL), timeout=60_000)
    settled(page)


def open_reel(page: Page, wanted: Sequence[str]) -> Locator:
    page.goto("/reel")
    rows = page.locator("article.clip")
    expect(rows).to_have_count(len(wanted), timeout=60_000)
    settled(page)
    return rows


def settled(page: Page) -> None:
    """Wait until the server has answered everything that was done on the page."""
    expect(page.locator(".hx[data-pending]")).to_have_count(0)


def in_tray(page: Page) -> Locator:
    return page.locator(".st-key-hx-tray .clip")


def shows(found: Locator, wanted: Sequence[str]) -> None:
    """Wait until clips are these, in this order."""
    expect(found).to_have_count(len(wanted))
    for at, scene_id in enumerate(wanted):
        expect(found.nth(at)).to_have_attribute("data-scene", scene_id)


def pick(page: Page, scene_id: str) -> Locator:
    return page.locator(f'article.card[data-scene="{scene_id}"] .pick')


def row(page: Page, scene_id: str) -> Locator:
    return page.locator(f'article.clip[data-scene="{scene_id}"]')


def boxes(page: Page) -> Locator:
    """The check boxes of the videos."""
    return page.locator(".video [data-act^=show]")


def click_quickly(page: Page, *targets: Locator, apart_ms: int = 50) -> None:
    """Click where the targets are now, one after the other, without waiting for the page in between."""
    places = [target.bounding_box() for target in targets]
    for place in places:
        assert place is not None
        page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        page.wait_for_timeout(apart_ms)


def open_clip(page: Page, scene_id: str) -> None:
    """Choose a clip, which opens it below the rows."""
    row(page, scene_id).locator(".times").click()
    expect(page.locator(f'.trimmer[data-clip="{scene_id}"]:not([data-waiting])')).to_be_visible()
    settled(page)


def grab_end(page: Page, scene_id: str, share: float) -> None:
    """Take the handle at the end of a clip and drag it to a share of its scene, without letting go."""
    open_clip(page, scene_id)
    scene, end = page.locator(".trimmer .scene").bounding_box(), page.locator(".trimmer .handle.end").bounding_box()
    assert scene is not None
    assert end is not None
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2)
    page.mouse.down()
    page.mouse.move(scene["x"] + scene["width"] * share, end["y"] + end["height"] / 2, steps=4)


# --- on the search page ---------------------------------------------------------------------------


def test_changes_of_two_pages_both_count_and_both_pages_show_them(
    page: Page, chromium: Browser, address: str, opened: Library
) -> None:
    put(opened, RED, YELLOW)
    with another_page(chromium, address) as other:
        for one in (page, other):
            open_search(one)
            shows(in_tray(one), [RED, YELLOW])
        # each page changes the tray that it has opened
        in_tray(page).nth(0).locator(".remove").click()
        pick(other, BLUE).click()
        pick(page, GREEN).click()
        settled(page)
        settled(other)
        wanted = ids(opened)
        assert sorted(wanted) == sorted([YELLOW, BLUE, GREEN])
        for one in (page, other):
            shows(in_tray(one), wanted)
            for scene_id in ALL:
                expect(pick(one, scene_id)).to_have_attribute("aria-pressed", str(scene_id in wanted).lower())


def test_clicks_50_ms_apart_all_count(page: Page, opened: Library) -> None:
    put(opened)
    open_search(page)
    click_quickly(page, *(pick(page, scene_id) for scene_id in ALL))
    shows(in_tray(page), ALL)
    settled(page)
    assert ids(opened) == ALL
    # on and off and on again; what was taken out and put back stands last, unless the server saw only its end
    click_quickly(page, *[pick(page, RED)] * 3, *[pick(page, BLUE)] * 2, apart_ms=20)
    settled(page)
    assert ids(opened) in ([YELLOW, BLUE, GREEN], [YELLOW, GREEN, BLUE])
    # from the right, so that the others stay where they are
    remove = page.locator(".st-key-hx-tray .remove")
    shows(in_tray(page), ids(opened))
    click_quickly(page, remove.nth(2), remove.nth(1))
    shows(in_tray(page), [YELLOW])
    settled(page)
    assert ids(opened) == [YELLOW]

    for is_on in (False, True):
        click_quickly(page, boxes(page).nth(0), boxes(page).nth(1))
        settled(page)
        for at in (0, 1):
            expect(boxes(page).nth(at)).to_be_checked(checked=is_on)


LOSE_ONE = """
() => {
  for (const box of window.hxOutboxes) {
    const { setStateValue } = box;
    box.retryMs = 1000;
    box.setStateValue = () => { box.setStateValue = setStateValue; };
  }
}
"""


def test_what_is_lost_on_its_way_is_sent_again(page: Page, opened: Library) -> None:
    put(opened)
    open_search(page)
    settled(page)
    page.evaluate(LOSE_ONE)
    pick(page, RED).click()
    shows(in_tray(page), [RED])
    settled(page)
    assert ids(opened) == [RED]


def test_undo_and_redo_by_keys_and_buttons_and_after_a_reload(page: Page, opened: Library, shot: Shot) -> None:
    put(opened, GREEN, RED)
    open_search(page)
    page.locator(".st-key-hx-tray .clear").click()
    shows(in_tray(page), [])
    page.keyboard.press(UNDO)
    shows(in_tray(page), [GREEN, RED])
    page.keyboard.press(REDO)
    shows(in_tray(page), [])
    settled(page)
    page.reload()
    expect(page.locator("article.card").first).to_be_visible(timeout=60_000)
    page.locator(".st-key-hx-tray [data-act=undo]").click()
    shows(in_tray(page), [GREEN, RED])
    # of two quick picks the last one is taken back
    click_quickly(page, pick(page, YELLOW), pick(page, BLUE))
    shows(in_tray(page), [GREEN, RED, YELLOW, BLUE])
    settled(page)
    page.keyboard.press(UNDO)
    shows(in_tray(page), [GREEN, RED, YELLOW])
    # what another page does stays
    opened.tray_edits.add(BLUE, author="another page")
    shows(in_tray(page), [GREEN, RED, YELLOW, BLUE])
    page.keyboard.press(UNDO)
    shows(in_tray(page), [GREEN, RED, BLUE])
    settled(page)
    assert ids(opened) == [GREEN, RED, BLUE]
    shot(page, "tray-undone")


@pytest.mark.long
def test_an_undo_on_the_heels_of_two_picks_takes_the_last_one_back(page: Page, opened: Library) -> None:
    put(opened, GREEN, RED)
    open_search(page)
    shows(in_tray(page), [GREEN, RED])
    click_quickly(page, pick(page, YELLOW), pick(page, BLUE))
    page.keyboard.press(UNDO)
    expect(page.locator(".st-key-hx-tray [data-act=redo]")).to_be_enabled()  # it has been taken back
    shows(in_tray(page), [GREEN, RED, YELLOW])
    settled(page)
    assert ids(opened) == [GREEN, RED, YELLOW]


# --- in the reel editor ---------------------------------------------------------------------------


@pytest.mark.long
def test_the_reel_is_edited_by_keys_alone_and_by_quick_clicks(page: Page, opened: Library) -> None:
    put(opened, *ALL)
    rows = open_reel(page, ALL)
    grip = row(page, RED).locator(".grip")
    expect(grip).to_have_attribute("aria-label", "Drag to reorder: 0:00.0 of subtitled")
    grip.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    shows(rows, [YELLOW, BLUE, RED, GREEN])
    expect(grip).to_be_focused()
    expect(page.locator("[role=status]", has_text="0:00.0 of subtitled: clip 3 of 4")).to_have_count(1)
    page.keyboard.press("Home")
    shows(rows, ALL)

    open_clip(page, YELLOW)
    end = page.locator(".trimmer .handle.end")
    end.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")  # by a frame
    expect(end).to_be_focused()
    assert end.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    settled(page)
    assert opened.tray().clips[1].end_s == pytest.approx(1.7)
    page.keyboard.press(UNDO)
    expect(row(page, YELLOW).locator(".length")).to_have_text("0:01.0")

    down, up = row(page, RED).locator("[data-act=down]"), row(page, GREEN).locator("[data-act=up]")
    click_quickly(page, row(page, BLUE).locator("[data-act=close]"), down)
    shows(rows, [YELLOW, RED, GREEN])
    up.click()
    settled(page)
    assert ids(opened) == [YELLOW, GREEN, RED]
    shows(rows, [YELLOW, GREEN, RED])


@pytest.mark.long
def test_a_dragged_handle_shows_its_frame_and_gives_way_to_a_newer_trim(
    page: Page, opened: Library, shot: Shot
) -> None:
    put(opened, RED, GREEN)
    open_reel(page, [RED, GREEN])
    wait_for_video(page, "v.readyState === 4 && !v.seeking")
    grab_end(page, GREEN, 0.4)
    # the button is still held
    wait_for_video(page, "v.paused && !v.seeking && Math.abs(v.currentTime - 1.35) < 0.08")
    # meanwhile another page trims the same clip; this one keeps what is being dragged
    opened.tray_edits.trim(GREEN, 1.0, 1.8, author="another page")
    opened.tray_edits.rename("Renamed elsewhere", author="another page")
    expect(page.get_by_label("Reel title")).to_have_value("Renamed elsewhere")
    expect(row(page, GREEN).locator(".length")).to_have_text("0:00.4")
    page.mouse.up()
    expect(page.get_by_role("alert")).to_contain_text("the clip was trimmed there, too")
    expect(row(page, GREEN).locator(".length")).to_have_text("0:00.8")
    shot(page, "reel-conflict")


@pytest.mark.long
def test_brackets_trim_at_the_playhead_while_the_reel_plays(page: Page, opened: Library) -> None:
    put(opened, RED, GREEN)
    open_reel(page, [RED, GREEN])
    wait_for_video(page, "v.readyState === 4 && !v.seeking")
    page.locator("video").evaluate("v => { v.defaultPlaybackRate = v.playbackRate = 0.25; }")
    row(page, RED).locator(".thumbnail").click()
    wait_for_video(page, "!v.paused && v.currentTime > 0.2")
    page.keyboard.press("[")
    expect(row(page, GREEN)).to_have_class(re.compile("selected"))  # it plays now
    wait_for_video(page, "!v.paused && v.currentTime > 1.3")
    page.keyboard.press("]")
    settled(page)
    red, green = opened.tray().clips
    assert 0.2 <= red.start_s < 0.9
    assert 1.3 <= green.end_s < 1.9


@pytest.mark.long
def test_clips_of_a_deleted_video_are_marked_counted_and_come_back(page: Page, opened: Library, shot: Shot) -> None:
    put(opened, RED, YELLOW, BLUE)
    rows = open_reel(page, [RED, YELLOW, BLUE])
    assert opened.tray_edits.clip_count(SPOKEN) == 1
    opened.delete(SPOKEN)
    expect(row(page, BLUE)).to_contain_text("Its video was deleted.")
    expect(page.locator(".summary")).to_contain_text("3 clips · 0:02 · 1 not available")
    shot(page, "reel-unavailable")
    # the reel is edited meanwhile
    row(page, BLUE).locator("[data-act=up]").click()
    row(page, RED).locator("[data-act=close]").click()
    shows(rows, [BLUE, YELLOW])
    settled(page)
    page.goto("/search?q=subtitled")
    expect(page.locator(".st-key-hx-tray .head")).to_contain_text("2 scenes")
    expect(page.locator(".st-key-hx-tray .head")).to_contain_text("1 not available")
    expect(boxes(page)).to_have_count(1)
    shot(page, "tray-unavailable")
    opened.restore(SPOKEN)
    expect(page.locator(".st-key-hx-tray .head")).not_to_contain_text("not available")
    expect(boxes(page)).to_have_count(2)
    assert ids(opened) == [BLUE, YELLOW]


@pytest.mark.long
def test_removing_the_last_row_of_the_reel_can_be_undone(page: Page, opened: Library, shot: Shot) -> None:
    put(opened, RED)
    rows = open_reel(page, [RED])
    page.keyboard.press("Delete")
    expect(page.get_by_text("The reel is empty")).to_be_visible()
    shot(page, "reel-emptied")
    page.locator("[data-act=undo]").click()
    shows(rows, [RED])


@pytest.mark.long
def test_a_language_that_is_chosen_in_one_page_is_taken_over_by_the_other(page: Page, opened: Library) -> None:
    open_search(page)
    opened.set_preference("language", "ko")
    expect(page.get_by_role("link", name="라이브러리")).to_be_visible()
    opened.set_preference("language", "en")
    expect(page.get_by_role("link", name="Library")).to_be_visible()


def test_the_log_has_no_errors(app_log: Path) -> None:
    """Runs last."""
    text = app_log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "no text for the key" not in text
