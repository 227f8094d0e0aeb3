"""A watched folder and a reel with a clip that fails, in a real browser and in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from heimdex_core.library import Library
from heimdex_core.types import ReelClip
from tests.e2e import driver
from tests.e2e.conftest import Shot
from tests.support import media
from tests.support.frozen import SPOKEN, SUBTITLED, frozen_library

pytestmark = [pytest.mark.browser, pytest.mark.long]

WORKING_MS = 120_000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips lie in the tray; the file of the second one is gone."""
    root = frozen_library(tmp_path_factory.mktemp("library") / "library")
    first, last = ReelClip(SUBTITLED, 0.0, 1.0, 0.0, 1.0), ReelClip(SUBTITLED, 1.0, 2.0, 1.0, 2.0)
    with Library.open(root) as opened:
        opened.save_tray([first, ReelClip(SPOKEN, 0.2, 1.0, 0.0, 1.0), last], title="Mixed")
    next((root / "videos" / SPOKEN).glob("source.*")).unlink()
    return root


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video and a file that is none."""
    folder = tmp_path_factory.mktemp("roots") / "Camera"
    folder.mkdir()
    media.colour_clips(folder / "red.mp4", [("red", 1.0)])
    (folder / "prose.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def address(library: Path, camera: Path, app_log: Path) -> Iterator[str]:
    options = {"WATCH_ROOTS": str(camera.parent), "WATCH_SETTLE_S": "0.5", "WATCH_INTERVAL_S": "0.5"}
    options |= {"REEL_HEIGHT_PX": "360", "RENDER_PRESET": "ultrafast"}
    with driver.running_app(library, app_log, **{f"HEIMDEX_{k}": v for k, v in options.items()}) as url:
        yield url


def test_a_folder_from_watching_to_stopping(page: Page, camera: Path, shot: Shot) -> None:
    page.goto("/library")
    page.get_by_role("button", name="Watch a folder").click()
    page.locator(".st-key-hx_watch_folder input").click()
    page.get_by_role("option", name=str(camera)).click()
    page.get_by_role("button", name="Watch", exact=True).click()
    card = page.locator("section.work", has_text=str(camera))
    expect(card).to_contain_text("1 video added · 1 file cannot be used", timeout=WORKING_MS)
    expect(card).to_contain_text("prose.mp4 is not a video file.")
    expect(page.locator("article.video", has_text="red")).to_contain_text("ready", timeout=WORKING_MS)
    shot(page, "watched-folder")

    away = camera.rename(camera.with_name("away"))
    expect(card).to_contain_text("not there · 1 video added", timeout=WORKING_MS)
    expect(card).to_contain_text("Nothing has been removed from the library.")
    shot(page, "watched-folder-missing")
    away.rename(camera)
    expect(card).to_contain_text("watching · 1 video added", timeout=WORKING_MS)

    page.get_by_role("button", name="한국어").click()
    expect(card).to_contain_text("감시 중 · 추가한 영상 1개 · 쓸 수 없는 파일 1개")
    page.get_by_role("button", name="감시 폴더 추가").click()
    box = page.locator(".st-key-hx_watch_folder input")
    box.fill("/etc")
    box.press("Enter")
    page.get_by_role("button", name="감시 시작").click()
    expect(page.get_by_role("alert").first).to_contain_text("지정한 폴더와 그 하위 폴더만 감시할 수 있어요.")
    shot(page, "watched-folder-refused")
    page.get_by_role("button", name="English").click()
    card.get_by_role("button", name="Stop watching").click()
    expect(card).to_have_count(0)
    expect(page.locator("article.video", has_text="red")).to_be_visible()


def test_a_reel_names_the_clip_that_fails_and_goes_on_without_it(page: Page, shot: Shot) -> None:
    page.goto("/reel")
    page.get_by_role("button", name="Render MP4").click()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("Clip 2 (“spoken”, 0:00.2 to 0:01.0)", timeout=WORKING_MS)
    expect(problem).to_contain_text("the file of its video is missing")
    shot(page, "reel-failed")
    page.get_by_role("button", name="Render without this clip").click()
    expect(page.get_by_text("Left out: Clip 2 (“spoken”")).to_be_visible(timeout=WORKING_MS)
    expect(page.locator("[data-state=completed]").first).to_contain_text("0:02.0 · 640×360")
    shot(page, "reel-without-the-clip")
