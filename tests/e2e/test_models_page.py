"""Models in a real browser: download, switch the library to them, search, undo, remove the old index.

The tests share one library and run in the order of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e import driver
from tests.e2e.conftest import Shot
from tests.support.drawn_video import make_drawn_video
from tests.support.fake_hub import FakeHub, Repo, fake_hub

# one long story, of which each test needs the one before; tests/library/test_migration.py has its parts
pytestmark = [pytest.mark.browser, pytest.mark.long]

SMALL = Path(__file__).resolve().parents[1] / "models_small"
WORKING_MS = 180_000


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with fake_hub(made__sentences=Repo.of(SMALL / "sentences")) as running:
        yield running


@pytest.fixture(scope="module")
def address(library: Path, app_log: Path, hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folders = {
        "HEIMDEX_MODELS_DIR": str(tmp_path_factory.mktemp("models")),
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
    }
    with driver.running_app(library, app_log, HF_ENDPOINT=hub.endpoint, **folders) as url:
        yield url


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawings, four seconds each."""
    path = tmp_path_factory.mktemp("media") / "drawn.mp4"
    make_drawn_video(path, [("green triangle above a red circle", None, 4.0), ("blue star", None, 4.0)])
    return path


def open_page(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator(".st-key-hx-topbar")).to_be_visible(timeout=60_000)


def open_names(page: Page) -> Locator:
    """Open the form for single models on the settings page; its card."""
    open_page(page, "/settings")
    page.get_by_text("Choose individual models").click()
    # a button that is pressed while the page is drawn may be replaced before the press arrives
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
    return page.locator("[class*=st-key-hx_named_target-card]")


def name_model(page: Page, kind: str, spec: str) -> None:
    field = page.get_by_label(kind, exact=True)
    field.fill(spec)
    field.press("Enter")


def press(card: Locator, name: str) -> None:
    card.get_by_role("button", name=name, exact=True).click()


def test_an_upload_has_a_title_and_a_language(page: Page, video: Path, shot: Shot) -> None:
    open_page(page, "/library")
    page.get_by_text("Title, description, language").click()
    page.get_by_label("Title", exact=True).fill("Shapes & <b>colours</b>")
    page.get_by_label("Spoken language").select_option(label="Korean")
    shot(page, "upload-details")
    page.locator("input[type=file][multiple]").set_input_files([video])
    row = page.locator("article.video", has_text="Shapes & <b>colours</b>")
    expect(row).to_contain_text("ready", timeout=WORKING_MS)
    expect(row).to_contain_text("2 scenes")
    expect(page.get_by_label("Title", exact=True)).to_have_value("")


def test_the_hub_gets_no_request_before_a_click(page: Page, hub: FakeHub, shot: Shot) -> None:
    open_page(page, "/settings")
    expect(page.get_by_text("This library uses the Basic models.")).to_be_visible()
    expect(page.locator("[class*=st-key-hx_profile_target-card]")).to_contain_text("2.5 GB to download")
    shot(page, "settings-models")
    assert hub.requests == []


def test_an_unknown_model_is_refused_with_similar_names(page: Page) -> None:
    card = open_names(page)
    name_model(page, "speech", "smal")
    expect(card.get_by_role("alert")).to_contain_text("There is no speech model called smal.")
    expect(card.get_by_role("alert")).to_contain_text("small, small.en")


def test_a_download_is_cancelled_and_continued(page: Page, hub: FakeHub, shot: Shot) -> None:
    hub.mood.slow_s = 2.0
    card = open_names(page)
    name_model(page, "text", "made/sentences")
    press(card, "Download")
    expect(card.get_by_role("progressbar")).to_be_visible()
    # It continues while another page is open.
    open_page(page, "/library")
    card = open_names(page)
    name_model(page, "text", "made/sentences")
    expect(card).to_contain_text(re.compile(r"\d K?B of \d+ KB"))
    shot(page, "models-download")
    press(card, "Cancel")
    expect(card).to_contain_text("What has been downloaded is kept.")
    hub.mood.slow_s = 0.0
    press(card, "Resume download")
    expect(card).to_contain_text("These models are on this machine.")


def test_the_library_switches_to_the_new_models(page: Page, shot: Shot) -> None:
    card = open_names(page)
    name_model(page, "text", "made/sentences")
    name_model(page, "picture", str(SMALL / "open_clip"))
    page.get_by_text("Keep the current models as additional spaces").click()
    press(card, "Switch the library to these models")
    expect(page.get_by_text("Switching to custom models").first).to_be_visible()
    shot(page, "models-switching")
    done = page.get_by_text("The library has switched to custom models and 3 more.")
    expect(done).to_be_visible(timeout=WORKING_MS)
    expect(page.locator(".st-key-hx-topbar")).to_contain_text("custom models")
    shot(page, "models-switched")
    open_page(page, "/search")
    query = page.get_by_placeholder(re.compile("Describe a scene"))
    query.fill("green triangle above a red circle")
    query.press("Enter")
    expect(page.locator("article.card").first.locator(".time")).to_contain_text("0:00.0", timeout=60_000)


def test_the_switch_is_undone_twice(page: Page) -> None:
    open_page(page, "/settings")
    card = page.locator("[class*=st-key-hx_migration-card]")
    press(card, "Undo")
    expect(page.get_by_text("This library uses the Basic models.")).to_be_visible(timeout=WORKING_MS)
    press(card, "Undo")
    both = page.get_by_text("This library uses custom models and 3 more.")
    expect(both).to_be_visible(timeout=WORKING_MS)


def test_an_additional_space_can_be_removed(page: Page, shot: Shot) -> None:
    card = open_names(page)
    page.get_by_role("button", name="Remove vision/palette").click()
    press(card, "Switch the library to these models")
    left = page.get_by_text("This library uses custom models and 2 more.")
    expect(left).to_be_visible(timeout=WORKING_MS)
    shot(page, "models-additional")


def test_the_index_of_the_old_models_is_removed(page: Page, library: Path, shot: Shot) -> None:
    open_page(page, "/settings")
    card = page.locator("[class*=st-key-hx_migration-card]")
    press(card, "Remove old index")
    expect(card).to_contain_text("To use these models again")
    shot(page, "models-remove")
    card.get_by_role("button", name=re.compile("Remove and free")).click()
    expect(card).to_be_hidden()
    assert not (library / "index" / "vision" / "palette").exists()
    assert (library / "index" / "vision" / "open_clip").exists()


def test_a_video_is_re_indexed_with_longer_scenes(page: Page, shot: Shot) -> None:
    open_page(page, "/library")
    page.locator("article.video").get_by_role("button", name="Open:").click()
    expect(page.locator("article.card")).to_have_count(2)
    page.get_by_role("button", name="Re-index…").click()
    expect(page.get_by_role("combobox", name="Spoken language")).to_have_value("Korean")
    shortest = page.get_by_label("Minimum scene length (s)")
    shortest.fill("5")
    shortest.press("Enter")
    page.get_by_role("button", name="Re-index", exact=True).click()
    shot(page, "video-reindex")
    expect(page.locator("article.card")).to_have_count(1, timeout=WORKING_MS)


def test_the_log_has_no_errors(app_log: Path) -> None:
    """Runs last: errors that the pages caught are in the log."""
    text = app_log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "no text for the key" not in text
