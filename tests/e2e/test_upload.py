"""The library page in a browser: its list, what can be done with several videos, and uploads that are interrupted.

The tests share one library, most of whose videos are made up, and run in the order of the file.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Locator, Page, Request, expect

from heimdex_core import Library
from heimdex_core.errors import Cancelled
from heimdex_core.store import Store
from heimdex_core.types import ReelClip
from tests.e2e.conftest import Shot
from tests.e2e.test_app import open_page, row, settled
from tests.store.making import register, stage
from tests.support.media import colour_clips

pytestmark = pytest.mark.browser

FILE = "지난 여름 🌊 바다.mp4"
TITLES = ("Autumn harvest", "Busan ferry", "Cobalt sky", "등산 일기")
BYTES_PER_S = 80_000  # a minute for the clip: nothing that has to happen meanwhile takes so long
PADDING_BYTES = 4_000_000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos that were never decoded: four that can be searched, one of them in the reel, and one that failed."""
    root = tmp_path_factory.mktemp("library")
    Library.open(root, profile="offline").close()
    store = Store.open(root)
    spaces = store.sets.active().spaces
    for title in TITLES:
        video = register(store, title)
        n = store.next_generation(video.video_id)
        staged = stage(store, video, ["one", "two"], spaces=spaces)
        store.commit_generation(video.video_id, staged, n=n, spaces=spaces.values(), transcript_source="subtitles")
    failed = register(store, "Drone test")
    store.mark_video_failed("local", failed.video_id, Cancelled())
    store.close()
    with Library.open(root, create=False) as lib:
        used = next(video for video in lib.videos() if video.title == "Busan ferry")
        lib.save_tray([ReelClip(used.video_id, 0.0, 2.0, 0.0, 2.0)])
    return root


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two seconds, and an atom "free" that makes it large."""
    path = colour_clips(tmp_path_factory.mktemp("media") / FILE, [("green", 1.0), ("blue", 1.0)], size=(160, 90))
    with path.open("ab") as file:
        file.write((PADDING_BYTES + 8).to_bytes(4) + b"free" + bytes(PADDING_BYTES))
    return path


def titles(page: Page) -> list[str]:
    return page.locator("article.video .name").all_inner_texts()


class Network:
    """The network of a page. One session sets all its limits: the limits of several would all hold."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")

    def limit_uploads(self, bytes_per_s: int) -> None:
        """Limit how fast the page uploads; -1 for no limit."""
        given = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s}
        self._session.send("Network.emulateNetworkConditions", given)


def upload_row(page: Page) -> Locator:
    return page.locator(f'.job[data-upload="{FILE}"]')


def sent_percent(text: str) -> int:
    return int(re.findall(r"(\d+) ?%", text)[-1])


def wait_for_percent(place: Locator, least: int) -> None:
    """Wait until at least so much has been sent."""
    beyond = "|".join(str(n) for n in range(least, 101))
    expect(place).to_contain_text(re.compile(rf"(?<!\d)({beyond}) ?%"), timeout=60_000)


@pytest.mark.long
def test_the_list_is_searched_sorted_and_filtered(page: Page, shot: Shot) -> None:
    open_page(page, "/library")
    expect(page.locator("article.video")).to_have_count(5)
    assert titles(page) == ["Drone test", *reversed(TITLES)]
    page.get_by_role("combobox", name="Sort").select_option(label="By title")
    expect(page.locator("article.video .name").first).to_have_text("Autumn harvest")
    assert titles(page) == ["Autumn harvest", "Busan ferry", "Cobalt sky", "Drone test", "등산 일기"]
    page.get_by_role("button", name="Failed 1").click()
    expect(page.locator("article.video")).to_have_count(1)
    expect(row(page, "Drone test")).to_contain_text("failed")
    page.get_by_role("button", name="All 5").click()
    expect(page.locator("article.video")).to_have_count(5)
    find = page.get_by_role("searchbox", name="Search the list")
    find.fill("일기 등산")
    expect(page.locator("article.video")).to_have_count(1)
    assert titles(page) == ["등산 일기"]
    # the choice is in the address: a reload keeps it
    settled(page)
    page.wait_for_url(re.compile("q=.+sort=title"))
    page.reload()
    expect(find).to_have_value("일기 등산", timeout=60_000)
    expect(page.locator("article.video")).to_have_count(1)
    find.fill("nothing like this")
    expect(page.get_by_text("No video matches.")).to_be_visible()
    shot(page, "library-no-match")
    page.get_by_role("button", name="Show all videos").click()
    expect(page.locator("article.video")).to_have_count(5)


def test_a_video_is_renamed_with_the_keyboard_and_found_by_its_new_title(page: Page) -> None:
    open_page(page, "/library")
    rename = row(page, "Cobalt sky").get_by_role("button", name="Rename")
    rename.focus()
    page.keyboard.press("Enter")
    field = page.get_by_label("New title of Cobalt sky")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(row(page, "Cobalt sky")).to_be_visible()
    expect(rename).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("서울 zeppelin <b>")
    page.keyboard.press("Enter")
    expect(row(page, "서울 zeppelin <b>")).to_be_visible()
    settled(page)
    page.reload()
    expect(row(page, "서울 zeppelin <b>")).to_be_visible(timeout=60_000)
    assert "Cobalt sky" not in titles(page)
    open_page(page, "/search?q=zeppelin")
    expect(page.locator("article.card", has_text="서울 zeppelin <b>").first).to_be_visible(timeout=60_000)


def test_several_videos_are_chosen_deleted_and_brought_back(page: Page, shot: Shot) -> None:
    open_page(page, "/library?sort=title")
    expect(page.locator("article.video")).to_have_count(5)
    page.get_by_label("Select Autumn harvest").check()
    page.get_by_label("Select Drone test").click(modifiers=["Shift"])
    expect(page.locator("article.video input:checked")).to_have_count(3)
    shot(page, "library-selected")
    # one of the three failed, and cannot be indexed again before it has been retried
    expect(page.get_by_role("button", name="Re-index (2)")).to_be_enabled()
    expect(page.get_by_role("button", name="Retry (1)")).to_be_enabled()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("article.video")).to_have_count(2)
    undo = page.locator(".undo")
    expect(undo).to_contain_text("3 videos were deleted.")
    expect(undo).to_contain_text("1 clip of the reel comes from a deleted video.")
    facts = page.get_by_text("Videos", exact=True).locator("..")
    expect(facts).to_contain_text("2")
    shot(page, "library-undo-several")
    undo.get_by_role("button", name="Undo").click()
    expect(page.locator("article.video")).to_have_count(5)
    expect(facts).to_contain_text("5")
    expect(undo).to_be_hidden()


@pytest.mark.long
def test_a_deleted_video_is_restored_after_a_reload(page: Page, shot: Shot) -> None:
    open_page(page, "/library")
    row(page, "Busan ferry").get_by_role("button", name="Delete").click()
    expect(page.locator(".undo")).to_contain_text("1 clip of the reel comes from a deleted video.")
    settled(page)
    page.reload()
    deleted = page.get_by_text("Recently deleted (1)")
    expect(deleted).to_be_visible(timeout=60_000)
    expect(row(page, "Busan ferry")).to_have_count(0)
    deleted.focus()
    page.keyboard.press("Enter")
    shot(page, "library-deleted")
    expect(page.locator(".deleted")).to_contain_text("Deleted for good in 24 h")
    page.get_by_role("button", name="Restore: Busan ferry").click()
    expect(row(page, "Busan ferry")).to_contain_text("ready")
    expect(deleted).to_be_hidden()


def test_an_upload_goes_on_across_pages_and_a_reload(page: Page, clip: Path, library: Path, shot: Shot) -> None:
    requests: list[dict[str, str]] = []
    questions: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            requests.append(sent_headers(request))

    def answer(dialog: Dialog) -> None:
        questions.append(dialog.type)
        dialog.accept()

    page.on("request", note)
    page.on("dialog", answer)
    open_page(page, "/")
    expect(page.locator(".zone")).to_be_visible()
    network = Network(page)
    network.limit_uploads(BYTES_PER_S)
    # twice at once, and again: it is one upload
    for _ in range(2):
        page.locator("input[type=file][multiple]").set_input_files([clip])
    expect(upload_row(page)).to_have_count(1)
    expect(upload_row(page)).to_contain_text("already in this list")
    wait_for_percent(upload_row(page), 5)

    # another page shows that it goes on
    page.get_by_role("link", name="Search").first.click()
    pill = page.locator(".st-key-hx-uploads .card")
    expect(pill).to_contain_text("Uploading 1 file")
    before = sent_percent(pill.inner_text())
    wait_for_percent(pill, before + 3)
    shot(page, "upload-on-another-page")
    pill.click()
    expect(upload_row(page)).to_be_visible()
    assert [one["part"] for one in requests] == ["open", "video"]

    # a reload asks first; afterwards the page lists what stopped
    page.reload()
    assert questions == ["beforeunload"]
    stopped = page.locator(f'.job[data-stopped="{FILE}"]')
    expect(stopped).to_contain_text("Choose the same file again to continue.", timeout=60_000)
    expect(page.locator("article.video")).to_have_count(5)
    shot(page, "upload-stopped")
    page.locator("input[type=file][multiple]").set_input_files([clip])
    expect(upload_row(page)).to_contain_text("uploading from where it stopped")
    expect(stopped).to_have_count(0)
    network.limit_uploads(-1)
    video = row(page, "지난 여름 🌊 바다")
    expect(video).to_have_count(1, timeout=60_000)
    expect(upload_row(page)).to_have_count(0)
    last = [one for one in requests if one["part"] == "video"][-1]
    assert int(last["offset"]) > 0.05 * PADDING_BYTES
    source = library / "videos" / str(video.get_attribute("data-video")) / "source.mp4"
    assert source.read_bytes() == clip.read_bytes()
    assert list((library / "uploads").iterdir()) == []


def sent_headers(request: Request) -> dict[str, str]:
    return {name: request.headers.get(f"x-{name}", "") for name in ("part", "offset")}


def test_a_file_that_is_in_the_library_is_not_sent_again(page: Page, clip: Path) -> None:
    parts: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            parts.append(sent_headers(request)["part"])

    page.on("request", note)
    open_page(page, "/library")
    expect(page.locator("article.video")).to_have_count(6)
    page.locator("input[type=file][multiple]").set_input_files([clip])
    known = upload_row(page)
    expect(known).to_contain_text("Already in the library: 지난 여름 🌊 바다", timeout=60_000)
    assert parts == ["open", "open"]
    expect(page.locator("article.video")).to_have_count(6)
    known.get_by_role("button", name="Dismiss").click()
    expect(known).to_have_count(0)


@pytest.mark.long
def test_an_interrupted_upload_can_be_discarded(page: Page, clip: Path, library: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes()[:-1] + b"x")
    open_page(page, "/library")
    expect(page.locator(".zone")).to_be_visible()
    Network(page).limit_uploads(BYTES_PER_S)
    page.locator("input[type=file][multiple]").set_input_files([other])
    wait_for_percent(page.locator('.job[data-upload="other.mp4"]'), 5)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    stopped = page.locator('.job[data-stopped="other.mp4"]')
    expect(stopped).to_be_visible(timeout=60_000)
    stopped.get_by_role("button", name="Discard").click()
    expect(stopped).to_have_count(0)
    assert list((library / "uploads").iterdir()) == []


@pytest.mark.long
def test_a_folder_is_chosen_with_the_folders_in_it(page: Page, clip: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "여행 2026"
    (chosen / "둘째 날").mkdir(parents=True)
    (chosen / "notes.txt").write_text("no video")
    with (chosen / "둘째 날" / "산책.mp4").open("wb") as file:
        file.write(clip.read_bytes() + b"\0\0\0\x08free")  # another file than the clip, whatever is there already
    open_page(page, "/library")
    page.locator("input[webkitdirectory]").set_input_files(chosen)
    expect(page.get_by_text("were left out: 1")).to_be_visible()
    expect(row(page, "산책")).to_have_count(1, timeout=60_000)


def test_the_log_has_no_errors(app_log: Path) -> None:
    text = app_log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "no text for the key" not in text
