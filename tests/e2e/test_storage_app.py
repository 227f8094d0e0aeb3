"""The app over a library in object storage: files go from the browser to the storage and back, past the app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import driver
from tests.e2e.frozen_app import SMALL
from tests.e2e.test_app import cards, open_page, row, search, wait_for_video
from tests.support.media import colour_clips
from tests.support.object_storage import S3TestServer, environment, operation
from tests.support.postgres import TestServer

pytestmark = [pytest.mark.browser, pytest.mark.long]

NAME = "Trip to the sea.mp4"
SUBTITLES = "1\n00:00:00,500 --> 00:00:03,500\nthe harvest begins in autumn\n\n"


@pytest.fixture(scope="module")
def bucket(s3_server: S3TestServer) -> Iterator[str]:
    name = s3_server.new_bucket()
    yield name
    s3_server.remove_bucket(name)
    s3_server.reset()


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, app_log: Path, bucket: str, s3_server: S3TestServer, postgres: TestServer
) -> Iterator[str]:
    settings = {
        **SMALL,
        **environment(s3_server),
        "HEIMDEX_LIBRARY": f"s3://{bucket}/library",
        "HEIMDEX_DATABASE_URL": postgres.new_database(),
        "HEIMDEX_CACHE": str(tmp_path_factory.mktemp("cache")),
    }
    with driver.running_app(Path("unused"), app_log, **settings) as url:
        s3_server.allowed_origins.add(url)
        yield url


def test_a_video_goes_to_the_storage_and_is_played_from_there(
    page: Page, bucket: str, s3_server: S3TestServer, tmp_path: Path
) -> None:
    clip = colour_clips(tmp_path / NAME, [("green", 4.0), ("orange", 5.0)], size=(480, 270), tone_hz=330, noise=8)
    (tmp_path / "Trip to the sea.srt").write_text(SUBTITLES, encoding="utf-8")
    open_page(page, "/library")
    page.locator("input[type=file][multiple]").set_input_files([clip, tmp_path / "Trip to the sea.srt"])
    expect(row(page, "Trip to the sea")).to_contain_text("ready", timeout=180_000)
    assert "UploadPart" in {operation(method, target) for method, target in s3_server.requests}

    open_page(page, "/search")
    s3_server.requests.clear()
    search(page, "the harvest in autumn")
    wait_for_video(page, "v.readyState === 4 && !v.seeking")
    page.locator(".big").click()
    wait_for_video(page, "!v.paused && v.currentTime > 0.5")
    links = [target for method, target in s3_server.requests if "X-Amz-Signature" in target]
    assert links
    assert all("response-content-type=video%2Fmp4" in target for target in links)


def draw_box(page: Page) -> None:
    box = page.locator(".stage .region").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 140, steps=3)
    page.mouse.up()


def test_a_part_of_the_picture_is_searched_though_the_video_is_of_another_origin(
    page: Page, s3_server: S3TestServer, address: str
) -> None:
    open_page(page, "/search")
    search(page, "the harvest in autumn")
    wait_for_video(page, "v.readyState === 4 && !v.seeking")
    page.locator(".stage").hover()
    page.get_by_role("button", name="Search by a part of the picture").click()
    s3_server.allowed_origins.clear()
    draw_box(page)
    expect(page.locator(".region-hint")).to_contain_text("check the CORS rules of the bucket", timeout=60_000)
    s3_server.allowed_origins.add(address)
    draw_box(page)
    expect(page.locator(".st-key-hx-chips .chip")).to_have_text("Like a picture", timeout=60_000)
    expect(cards(page).first).to_be_visible()


def test_the_log_has_no_errors(app_log: Path) -> None:
    text = app_log.read_text(encoding="utf-8")
    assert "Traceback" not in text
