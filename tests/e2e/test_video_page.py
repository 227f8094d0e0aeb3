"""The page of one video in a real browser: direct links, the timeline, the transcript, splitting and merging scenes.

The tests share one library and run in the order of the file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import Video
from tests.e2e.conftest import Shot
from tests.e2e.driver import video_state, wait_for_video
from tests.support.media import colour_clips, srt

pytestmark = [pytest.mark.browser, pytest.mark.long]

INDEXING_MS = 120_000
LINES = [
    (0.5, 3.5, "Green hills under a quiet sky"),
    (4.5, 8.0, "the harvest begins in autumn, the hills are gold"),
    (9.5, 13.0, "the sea at last"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 14 s with cuts at 4.0 and 9.0, and its subtitles."""
    folder = tmp_path_factory.mktemp("video-page")
    colours = [("green", 4.0), ("orange", 5.0), ("blue", 5.0)]
    clip = colour_clips(folder / "autumn.mp4", colours, size=(480, 270), tone_hz=330, noise=8)
    clip.with_suffix(".srt").write_text(srt(LINES), encoding="utf-8")
    with Library.open(folder / "library", profile="offline", settings=Settings(_env_file=None)) as made:
        made.add(clip)
    return folder / "library"


@pytest.fixture(scope="module")
def video(library: Path) -> Video:
    with Library.open(library, settings=Settings(_env_file=None)) as opened:
        return opened.videos()[0]


def scene_id(video: Video, start_ms: int, end_ms: int) -> str:
    return f"{video.video_id}_{start_ms}_{end_ms}"


def open_video(page: Page, video: Video, query: str = "") -> None:
    page.goto(f"/video?id={video.video_id}{query}")
    expect(track(page)).to_be_visible(timeout=60_000)
    wait_for_video(page, "v.readyState >= 2")


def track(page: Page) -> Locator:
    return page.get_by_role("slider", name="Position in the video")


def scenes_shown(page: Page) -> Locator:
    return page.locator(".st-key-hx_timeline .scene")


def button(page: Page, name: str) -> Locator:
    return page.locator(".st-key-hx_timeline").get_by_role("button", name=re.compile(name))


def position(page: Page) -> str:
    return track(page).get_attribute("aria-valuetext") or ""


def drag(page: Page, from_s: float, to_s: float, duration_s: float = 14.0) -> None:
    """Drag the playhead with the mouse."""
    box = track(page).bounding_box()
    assert box is not None
    x, y = (lambda t: box["x"] + box["width"] * t / duration_s), box["y"] + box["height"] / 2
    page.mouse.move(x(from_s), y)
    page.mouse.down()
    page.mouse.move(x((from_s + to_s) / 2), y)
    page.mouse.move(x(to_s), y)
    page.mouse.up()


def edits_of(library: Path, video: Video) -> list[tuple[str, float]]:
    path = library / "videos" / video.video_id / "edits.json"
    return [(one["op"], one["at_s"]) for one in json.loads(path.read_text())["operations"]]


def test_a_direct_link_opens_the_scene(page: Page, video: Video, shot: Shot) -> None:
    second = scene_id(video, 4000, 9000)
    open_video(page, video, f"&scene={second}")
    expect(page.get_by_role("heading", level=1)).to_have_text("autumn")
    expect(page).to_have_title(re.compile("^autumn"))
    expect(page.locator(".st-key-hx_timeline .scene.selected")).to_have_attribute("data-scene", second)
    wait_for_video(page, "Math.abs(v.currentTime - 4.0) < 0.1")
    expect(track(page)).to_have_attribute("aria-valuetext", "0:04.0 · scene 2 of 3")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {"id": [video.video_id], "scene": [second]}
    shot(page, "video-page")


@pytest.mark.parametrize(
    "video_id",
    [
        "00000000-1111-4222-8333-444455556666",
        "../../etc/passwd",
        "",
    ],
)
def test_a_link_to_no_video_says_so(page: Page, video_id: str) -> None:
    page.goto(f"/video?id={video_id}")
    expect(page.get_by_role("alert")).to_contain_text("This video does not exist.", timeout=60_000)
    page.get_by_role("button", name="All videos").click()
    expect(page).to_have_url(re.compile("/library"))


def test_dragging_over_the_timeline_scrubs(page: Page, video: Video) -> None:
    open_video(page, video)
    drag(page, 2.0, 11.0)
    wait_for_video(page, "Math.abs(v.currentTime - 11.0) < 0.2")
    assert re.fullmatch(r"0:1[01]\.\d · scene 3 of 3", position(page))
    assert video_state(page)["paused"] is True
    expect(page.locator(".st-key-hx_timeline .scene.current")).to_have_attribute("data-scene", re.compile("_9000_14"))
    box = track(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 6 / 14, box["y"] + 10)
    expect(page.locator(".st-key-hx_timeline .preview")).to_contain_text(re.compile(r"0:0[56]\.\d · scene 2 of 3"))
    expect(page.locator(".st-key-hx_timeline .preview img")).to_be_visible()


def test_the_timeline_is_used_with_the_keyboard(page: Page, video: Video) -> None:
    open_video(page, video)
    track(page).focus()
    for key, time_s in (("PageUp", 4.0), ("PageUp", 9.0), ("ArrowRight", 10.0), ("PageDown", 9.0), ("PageDown", 4.0),
                        ("Shift+ArrowRight", 9.0), ("Home", 0.0), ("End", 14.0)):  # fmt: skip
        page.keyboard.press(key)
        expect(track(page)).to_have_attribute("aria-valuenow", re.compile(rf"^{time_s:.1f}$|^14\.\d$"))
        wait_for_video(page, f"Math.abs(v.currentTime - {time_s}) < 0.2")


def test_the_transcript_is_searched(page: Page, video: Video) -> None:
    open_video(page, video)
    text = page.locator(".st-key-hx_transcript")
    expect(text.locator(".line")).to_have_count(3)
    query = text.get_by_role("searchbox", name="Search the transcript")
    query.fill("HILLS")
    expect(text.get_by_role("status")).to_have_text("1 of 2")
    assert text.locator("mark").all_inner_texts() == ["hills", "hills"]
    query.press("Enter")
    expect(text.get_by_role("status")).to_have_text("2 of 2")
    expect(text.locator(".line", has_text="harvest").locator("mark.here")).to_have_count(1)
    query.press("Enter")
    expect(text.get_by_role("status")).to_have_text("1 of 2")
    text.get_by_role("button", name="Previous match").click()
    expect(text.get_by_role("status")).to_have_text("2 of 2")
    query.fill("nothing like it")
    expect(text.get_by_role("status")).to_have_text("No matches")
    expect(text.get_by_role("button", name="Next match")).to_be_disabled()
    query.press("Escape")
    expect(text.locator("mark")).to_have_count(0)
    text.locator(".line", has_text="sea at last").click()
    wait_for_video(page, "v.currentTime >= 9.5 && v.currentTime < 13")
    expect(text.locator(".line.current")).to_contain_text("sea at last")


def test_a_scene_is_split_merged_and_that_is_undone(page: Page, video: Video, library: Path, shot: Shot) -> None:
    open_video(page, video)
    expect(button(page, "Undo last edit")).to_have_count(0)
    track(page).focus()
    page.keyboard.press("PageUp")
    expect(button(page, "Split at 0:04.0")).to_be_disabled()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(button(page, "Split at 0:06.0")).to_be_enabled()
    page.keyboard.press("s")
    expect(button(page, "Split at")).to_be_disabled()
    expect(scenes_shown(page)).to_have_count(4, timeout=INDEXING_MS)
    assert edits_of(library, video) == [("split", 6.0)]
    expect(page.locator("article.card")).to_have_count(4)
    expect(page.locator(".st-key-hx_timeline details.edits")).to_contain_text("1 edit by hand")
    shot(page, "video-page-split")

    track(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    expect(track(page)).to_have_attribute("aria-valuetext", "0:06.0 · scene 3 of 4")
    button(page, "Merge with next scene").click()
    expect(scenes_shown(page)).to_have_count(3, timeout=INDEXING_MS)
    ids = scenes_shown(page).evaluate_all("els => els.map(el => el.dataset.scene.split('_').slice(1).join('-'))")
    assert [one.rpartition("-")[0] for one in ids] == ["0", "4000", "6000"]
    assert edits_of(library, video) == [("split", 6.0), ("merge", 9.0)]

    page.locator("summary", has_text="2 edits by hand").click()
    page.get_by_role("button", name="Undo: Split at 0:06.0").click()
    expect(scenes_shown(page)).to_have_count(2, timeout=INDEXING_MS)
    expect(page.locator(".st-key-hx_timeline details.edits")).to_contain_text("1 edit by hand", timeout=INDEXING_MS)
    assert edits_of(library, video) == [("merge", 9.0)]
    expect(button(page, "Undo last edit")).to_be_enabled()


def test_in_korean_on_a_phone(page: Page, video: Video, library: Path, shot: Shot) -> None:
    with Library.open(library, settings=Settings(_env_file=None)) as opened:
        opened.set_preference("language", "ko")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/video?id={video.video_id}")
    expect(page.get_by_role("slider", name="영상 안의 위치")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="다음 장면과 합치기")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shot(page, "video-page-390-ko")
