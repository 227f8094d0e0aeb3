"""The main task in a real browser: upload, index, search, play, pick, order, render, download.

The tests share one library and run in the order of the file.
"""

from __future__ import annotations

import re
from pathlib import Path

import av
import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from heimdex_core.library import Library
from tests.e2e.conftest import Shot
from tests.e2e.driver import wait_for_video
from tests.support.media import colour_clips, lying_duration, mpeg4_avi, srt, text_file_mp4

pytestmark = pytest.mark.browser

INDEXING_MS = 180_000
RENDERING_MS = 120_000
LINES = [
    (0.5, 3.5, "green hills under a quiet sky"),
    (4.5, 8.0, "the harvest begins in autumn"),
    (9.5, 13.0, "the sea at last"),
]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clip with cuts at 4.0 and 9.0 and its subtitles; an AVI that no browser plays, with a cut at 3.0; no video."""
    folder = tmp_path_factory.mktemp("media")
    size = (480, 270)
    clip = colour_clips(
        folder / "지난 가을.mp4", [("green", 4.0), ("orange", 5.0), ("blue", 5.0)], size=size, tone_hz=330, noise=8
    )
    subtitles, signs = folder / "지난 가을.en.srt", folder / "지난 가을.en.forced.srt"
    subtitles.write_text(srt(LINES), encoding="utf-8")
    signs.write_text(srt(LINES[:1]), encoding="utf-8")
    return {
        "clip": clip,
        "subtitles": subtitles,
        "signs": signs,
        "avi": mpeg4_avi(folder / "old camera.avi", [("red", 3.0), ("white", 3.0)]),
        "lying": lying_duration(folder / "holiday_final(2).mp4", claimed_s=100.0, true_s=5.0),
        "text": text_file_mp4(folder / "<img src=x onerror=alert(1)>.mp4"),
    }


@pytest.fixture(scope="module")
def videos(library: Path, address: str, media: dict[str, Path]) -> None:
    """Two videos and a tray, made here where the tests that make them in the app are left out, as `-m long` does."""
    with Library.open(library) as lib:
        if not lib.videos():
            lib.add(media["avi"])
            added = lib.add(media["clip"], subtitles=media["subtitles"])
            for scene in lib.scenes(added.video_id)[:2]:
                lib.tray_edits.add(scene.scene_id)


def open_page(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator(".st-key-hx-topbar")).to_be_visible(timeout=60_000)


def row(page: Page, name: str) -> Locator:
    return page.locator("article.video", has_text=name)


def cards(page: Page) -> Locator:
    return page.locator("article.card")


def search(page: Page, text: str) -> None:
    """Type a query and wait for its hits."""
    query = page.get_by_placeholder(re.compile("Describe a scene"))
    query.fill(text)
    query.press("Enter")
    expect(page.locator(".hx-status")).to_contain_text(re.compile(r"\d+ scenes? in"), timeout=60_000)
    expect(cards(page).first).to_be_visible()


def test_an_empty_library_says_what_to_do(page: Page, shot: Shot) -> None:
    open_page(page, "/")
    expect(page.get_by_role("button", name="Open library")).to_be_visible()
    expect(page.get_by_role("button", name="Search scenes")).to_be_disabled()
    shot(page, "home-empty")
    page.get_by_role("button", name="Open library").click()
    expect(page.get_by_text("No videos yet")).to_be_visible()
    shot(page, "library-empty")
    page.get_by_role("link", name="Search").click()
    expect(page.get_by_text("Nothing to search yet")).to_be_visible()
    shot(page, "search-empty")
    page.get_by_role("link", name="Reel").click()
    expect(page.get_by_text("The reel is empty")).to_be_visible()
    shot(page, "reel-empty")


def test_a_file_that_is_no_video_is_refused_with_the_reason(
    page: Page, media: dict[str, Path], library: Path, shot: Shot
) -> None:
    open_page(page, "/library")
    page.locator("input[type=file][multiple]").set_input_files([media["text"]])
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("is not a video file.", timeout=30_000)
    expect(problem).to_contain_text("<img src=x onerror=alert(1)>.mp4")
    expect(problem).to_contain_text("The content of the file counts, not its name.")
    shot(page, "upload-error")
    problem.get_by_role("button", name="Dismiss").click()
    expect(problem).to_have_count(0)
    expect(page.locator("article.video")).to_have_count(0)
    assert list((library / "uploads").iterdir()) == []


def test_videos_are_uploaded_and_become_indexed(page: Page, media: dict[str, Path], library: Path, shot: Shot) -> None:
    open_page(page, "/library")
    page.locator("input[type=file][multiple]").set_input_files(
        [media["clip"], media["signs"], media["subtitles"], media["avi"]]
    )
    for name in ("지난 가을", "old camera"):
        expect(row(page, name)).to_be_visible(timeout=60_000)
    # The progress is shown while a stage runs.
    expect(page.locator("article.video [role=progressbar]:visible").first).to_be_visible(timeout=60_000)
    shot(page, "library-progress")
    for name, scenes in (("지난 가을", "3 scenes"), ("old camera", "2 scenes")):
        expect(row(page, name)).to_contain_text("ready", timeout=INDEXING_MS)
        expect(row(page, name)).to_contain_text(scenes)
    expect(row(page, "지난 가을")).to_contain_text("0:14 · 480×270 · subtitles")
    expect(row(page, "지난 가을")).to_contain_text(
        "subtitles: 지난 가을.en.srt, chosen because it has the full dialogue"
    )
    expect(page.get_by_text("Videos", exact=True).locator("..")).to_contain_text("2", timeout=30_000)
    assert list((library / "uploads").iterdir()) == []
    shot(page, "library")


def test_a_failed_video_shows_the_reason_and_can_be_retried(
    page: Page, media: dict[str, Path], library: Path, shot: Shot
) -> None:
    open_page(page, "/library")
    page.locator("input[type=file][multiple]").set_input_files([media["lying"]])
    broken = row(page, "holiday_final(2)")
    message = "The header of holiday_final(2).mp4 claims 1 min 40 s, but the file contains 5 s."
    expect(broken).to_contain_text(message, timeout=INDEXING_MS)
    expect(broken).to_contain_text("Export the video again")
    shot(page, "library-failed")
    source = library / "videos" / str(broken.get_attribute("data-video")) / "source.mp4"
    colour_clips(source, [("gray", 2.0)])
    broken.get_by_role("button", name="Retry").click()
    expect(broken).to_contain_text("ready", timeout=INDEXING_MS)
    broken.get_by_role("button", name="Delete").click()
    expect(broken).to_have_count(0)


def test_a_hit_plays_at_its_moment_and_stops_at_its_end(page: Page, shot: Shot) -> None:
    open_page(page, "/search")
    search(page, "the harvest in autumn")
    best = cards(page).first
    expect(best).to_contain_text("the harvest begins in autumn")
    expect(best.locator("mark").first).to_have_text("harvest")
    expect(best.locator(".time")).to_contain_text("0:04.0")
    state = wait_for_video(page, "v.readyState === 4 && !v.seeking && Math.abs(v.currentTime - 4) < 0.3")
    assert state["paused"]
    shot(page, "search")
    page.locator(".big").click()
    wait_for_video(page, "!v.paused && v.currentTime > 4.3")
    state = wait_for_video(page, "v.paused")
    assert state["time"] == pytest.approx(9.0, abs=0.3)


@pytest.mark.long
@pytest.mark.usefixtures("videos")
def test_an_avi_plays_at_its_moment_through_its_preview(page: Page) -> None:
    open_page(page, "/search")
    search(page, "white")
    hit = page.locator("article.card", has_text="old camera").filter(has_text="0:03.0")
    hit.locator(".open").click()
    state = wait_for_video(page, "v.readyState === 4 && v.currentTime > 3.05")
    assert state["duration"] == pytest.approx(6.0, abs=0.1)
    state = wait_for_video(page, "v.paused")
    assert state["time"] == pytest.approx(6.0, abs=0.3)


@pytest.mark.long
@pytest.mark.usefixtures("videos")
def test_an_expired_link_is_renewed_at_the_current_time(page: Page) -> None:
    open_page(page, "/search")
    search(page, "the harvest in autumn")
    wait_for_video(page, "v.readyState === 4 && !v.seeking")
    refused: list[str] = []

    def refuse_once(route: Route, request: Request) -> None:
        if request.resource_type == "media" and not refused:
            refused.append(request.url)
            route.fulfill(status=410, json={"error": {"code": "LINK_EXPIRED"}})
        else:
            route.continue_()

    page.route("**/files/*", refuse_once)
    page.locator("video").evaluate("v => { v.currentTime = 6.5; }")
    wait_for_video(page, "v.readyState === 4 && !v.seeking && v.currentTime > 6.4")
    # Load the source again, as a browser does after it has dropped its buffer: this request gets the expired link.
    page.locator("video").evaluate("v => { const t = v.currentTime; v.load(); v.currentTime = t; }")
    wait_for_video(page, "v.readyState === 4 && !v.seeking && Math.abs(v.currentTime - 6.5) < 0.3")
    assert len(refused) == 1


def test_the_dial_ranks_again_without_loading(page: Page) -> None:
    """First only keywords count, then only what is seen: the order changes, and no thumbnail is loaded twice."""
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if request.resource_type == "image" else None)
    open_page(page, "/search")
    search(page, "cobalt harvest")
    slide(page, "keywords", 100)
    expect(cards(page).first).to_contain_text("the harvest begins in autumn")
    slide(page, "keywords", 0)
    slide(page, "Balance of said and seen", 100)
    expect(cards(page).first).to_contain_text("the sea at last")
    assert len(loads) == len(set(loads))
    page.get_by_role("button", name="balanced").click()
    expect(page.get_by_role("button", name="balanced")).to_have_attribute("aria-pressed", "true")
    settled(page)


LANDMARKS = {
    "": ".recent img",
    "library": "article.video[data-state=indexed] img",
    "search": "article.card img",
    "reel": "article.clip .frames img",
    "settings": ".panel",
}


def drawn(page: Page, name: str) -> None:
    """Wait until the main part of the page and its last image are there."""
    landmark = page.locator(LANDMARKS[name.partition("?")[0]])
    expect(landmark.first).to_be_visible()
    landmark.last.evaluate("e => e.tagName !== 'IMG' || e.decode()")
    settled(page)


def settled(page: Page) -> None:
    """Wait until the server has confirmed everything that was done on the page."""
    expect(page.locator(".hx[data-pending]")).to_have_count(0)


def slide(page: Page, label: str, value: int) -> None:
    """Move a slider as a hand does: values on the way, then letting go."""
    page.get_by_label(label).evaluate(
        "(i, v) => { i.value = v; i.dispatchEvent(new Event('input')); i.dispatchEvent(new Event('change')); }", value
    )


def test_three_are_picked_ordered_rendered_and_downloaded(page: Page, tmp_path: Path, shot: Shot) -> None:
    open_page(page, "/search")
    query = page.get_by_placeholder(re.compile("Describe a scene"))
    for part in (page.get_by_label("keywords"), query):
        expect(part).to_be_visible(timeout=60_000)
    page.keyboard.press("/")
    expect(query).to_be_focused()
    search(page, "the harvest in autumn")
    expect(cards(page)).to_have_count(3)
    page.keyboard.press("a")
    for _ in range(2):
        page.keyboard.press("n")
        page.keyboard.press("a")
    expect(page.get_by_text("Tray · 3 scenes")).to_be_visible()
    settled(page)
    picked = page.locator(".st-key-hx-tray .clip").evaluate_all("all => all.map(e => e.dataset.scene)")
    shot(page, "search-picked")

    # Survives a reload of the page.
    page.reload()
    expect(page.get_by_text("Tray · 3 scenes")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Create reel").click()
    rows = page.locator("article.clip")
    expect(rows).to_have_count(3)
    assert rows.evaluate_all("all => all.map(e => e.dataset.scene)") == picked

    drag_above(page, rows.nth(2), rows.nth(0))
    wanted = [picked[2], picked[0], picked[1]]
    expect(rows.first).to_have_attribute("data-scene", wanted[0])
    title = page.get_by_label("Reel title")
    title.fill("가을 & <b>sea</b>")
    title.press("Enter")
    # Trim one second off the first clip.
    rows.first.locator(".times").click()
    page.locator(f'.trimmer[data-clip="{wanted[0]}"] .handle.end').press("Shift+ArrowLeft")
    expect(page.locator(".summary")).to_contain_text("saved")
    lengths = [seconds(text) for text in rows.locator(".length").all_inner_texts()]
    shot(page, "reel")

    page.get_by_role("button", name="Render MP4").click()
    expect(page).to_have_url(re.compile("/exports"))
    item = page.locator('.export[data-state="completed"]')
    expect(item).to_contain_text("가을 & <b>sea</b>", timeout=RENDERING_MS)
    item.get_by_role("button", name="Watch").click()
    state = wait_for_video(page, f"v.readyState === 4 && Math.abs(v.duration - {sum(lengths)}) < 0.3")
    assert "/files/" in str(state["source"])
    shot(page, "reel-rendered")

    with page.expect_download() as waiting:
        item.get_by_role("link", name="Download").click()
    download = waiting.value
    assert download.suggested_filename == "가을 & bsea-b.mp4" or download.suggested_filename.startswith("가을")
    target = tmp_path / "reel.mp4"
    download.save_as(target)
    check_reel(target, sum(lengths), clips=3)


def drag_above(page: Page, row_to_move: Locator, target: Locator) -> None:
    grip, box = row_to_move.get_by_label("Drag to reorder").bounding_box(), target.bounding_box()
    assert grip is not None
    assert box is not None
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2, steps=8)
    page.mouse.move(box["x"] + 20, box["y"] - 10, steps=4)
    page.mouse.up()


def seconds(clock: str) -> float:
    minutes, rest = clock.split(":")
    return 60 * int(minutes) + float(rest)


def check_reel(path: Path, planned_s: float, *, clips: int) -> None:
    """H.264 and AAC; as long as planned, to a frame per clip; audio as long as the video."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.codec_context.width, video.codec_context.height) == (640, 360)
        frames, samples = 0, 0
        for packet in container.demux(video, audio):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    frames += 1
                elif isinstance(frame, av.AudioFrame):
                    samples += frame.samples
        rate = float(video.average_rate or 0)
        video_s, audio_s = frames / rate, samples / audio.codec_context.sample_rate
    # The page shows tenths of a second, so each clip may differ by half of one besides its frame.
    assert video_s == pytest.approx(planned_s, abs=clips * (1 / rate + 0.05))
    assert audio_s == pytest.approx(video_s, abs=0.06)


def test_a_video_is_deleted_and_restored(page: Page, shot: Shot) -> None:
    open_page(page, "/library")
    row(page, "old camera").get_by_role("button", name="Delete").click()
    expect(row(page, "old camera")).to_have_count(0)
    expect(page.get_by_text("old camera was deleted.")).to_be_visible()
    shot(page, "library-undo")
    page.locator("button.btn:not(.history)", has_text="Undo").click()  # not the one of the tray
    expect(row(page, "old camera")).to_contain_text("ready")


def test_a_videos_own_scenes_can_be_opened_and_searched(page: Page, shot: Shot) -> None:
    open_page(page, "/library")
    row(page, "지난 가을").get_by_role("button", name="Open:").click()
    expect(cards(page)).to_have_count(3)
    wait_for_video(page, "v.readyState === 4 && !v.seeking")
    shot(page, "video")
    cards(page).nth(2).locator(".open").click()
    wait_for_video(page, "!v.paused && v.currentTime > 9")
    page.get_by_role("button", name="Search in this video").click()
    expect(page.get_by_placeholder(re.compile("Describe a scene"))).to_be_visible()
    expect(page.get_by_role("checkbox", name="old camera")).not_to_be_checked()


def test_korean_is_chosen_and_remembered(page: Page, shot: Shot) -> None:
    open_page(page, "/settings")
    page.get_by_role("button", name="한국어").first.click()
    expect(page.get_by_role("link", name="라이브러리")).to_be_visible()
    shot(page, "settings-ko")
    for name in ("", "search?q=파란+바다"):
        open_page(page, f"/{name}")
        expect(page.get_by_role("link", name="라이브러리")).to_be_visible()
        drawn(page, name)
        shot(page, f"{re.split(r'[?]', name)[0] or 'home'}-ko")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Library", exact=True)).to_be_visible()


@pytest.mark.long
@pytest.mark.usefixtures("videos")
def test_every_page_fits_its_window(page: Page, shot: Shot) -> None:
    for path in ("", "library", "search?q=harvest+blue", "reel", "settings"):
        name = path.partition("?")[0]
        page.set_viewport_size({"width": 1280, "height": 844})
        open_page(page, f"/{path}")
        expect(page.get_by_role("link", name="Library", exact=True)).to_be_visible()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            drawn(page, name)
            page.wait_for_function("width => document.scrollingElement.scrollWidth <= width", arg=width)
            shot(page, f"{name or 'home'}-{width}-light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => getComputedStyle(document.querySelector('.stApp')).colorScheme == 'dark'")
    shot(page, "settings-390-dark")
    page.emulate_media(color_scheme="light")


def test_without_the_catalog_scenes_are_found_and_the_loss_is_said(page: Page, library: Path, shot: Shot) -> None:
    page.set_viewport_size({"width": 1280, "height": 844})
    catalog, aside = library / "catalog.duckdb", library / "elsewhere"
    catalog.rename(aside)
    try:
        open_page(page, "/search?q=harvest+blue")
        expect(cards(page).first).to_be_visible()
        error = page.locator(".hx-error").first
        expect(error).to_be_in_viewport()
        expect(error).to_contain_text("python -m heimdex_core repair")
        shot(page, "search-without-catalog")
    finally:
        aside.rename(catalog)


def test_the_log_has_no_errors(app_log: Path) -> None:
    """Runs last: errors that the pages caught are in the log."""
    text = app_log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "no text for the key" not in text


def test_everything_in_the_library_is_its_owners_alone(library: Path) -> None:
    # written by the app, its worker, their child processes and what these are built on
    readable = [path for path in [library, *library.rglob("*")] if path.lstat().st_mode & 0o077]
    assert readable == []
