"""URLs, Back and Forward, the navigation, the theme, and what is told on every page, in a real browser."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.e2e.conftest import Shot
from tests.e2e.frozen_app import FrozenApp, address, app_log
from tests.support.frozen import SUBTITLED

__all__ = ["address", "app_log"]
pytestmark = pytest.mark.browser

PAGES = {
    "": "Home",
    "library": "Library",
    "search": "Search",
    "reel": "Reel",
    "people": "People",
    "evaluate": "Evaluate",
    "settings": "Settings",
    f"video?id={SUBTITLED}": "subtitled",
}
"""The pages and their titles."""
RENDERING_MS = 120_000


@pytest.fixture(scope="module")
def library(frozen_app: FrozenApp) -> Path:
    """Two indexed clips of two scenes each: blue and green; red and yellow. Nothing is waiting to be indexed."""
    return frozen_app.begin([(SUBTITLED, 0.0)], title="가을")


def cards(page: Page) -> Locator:
    return page.locator("article.card")


def query(page: Page) -> Locator:
    return page.locator(".st-key-hx-query input")


def search(page: Page, text: str) -> None:
    """Type a query and wait for its hits and its URL."""
    query(page).fill(text)
    query(page).press("Enter")
    expect(page).to_have_url(re.compile(rf"[?&]q={text}(&|$)"))
    settled(page)
    expect(cards(page).first).to_be_visible()


def settled(page: Page) -> None:
    """Wait until the page has been drawn."""
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()


def scenes(page: Page) -> list[str]:
    found: list[str] = cards(page).evaluate_all("all => all.map(e => e.dataset.scene)")
    return found


def params(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def entries(page: Page) -> int:
    count: int = page.evaluate("history.length")
    return count


def open_page(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator(".st-key-hx-topbar nav")).to_be_attached(timeout=60_000)


# --- Back and Forward ----------------------------------------------------------------------------


def test_back_and_forward_bring_back_query_hits_weights_and_selection(page: Page) -> None:
    open_page(page, "/search")
    search(page, "red")
    before = entries(page)
    page.get_by_role("button", name="visual", exact=True).click()
    expect(page).to_have_url(re.compile("w=20-65-15"))
    assert entries(page) == before, "moving the dial is no entry of its own"
    settled(page)
    weighted = scenes(page)
    cards(page).nth(2).locator(".open").click()
    expect(page).to_have_url(re.compile("scene="))
    chosen = params(page)["scene"]
    assert chosen == [weighted[2]]
    search(page, "blue")
    blues = scenes(page)
    assert blues != weighted
    assert "scene" not in params(page)

    page.go_back()
    expect(query(page)).to_have_value("red")
    expect(cards(page).first).to_have_attribute("data-scene", weighted[0])
    assert params(page)["scene"] == chosen
    assert params(page)["w"] == ["20-65-15"]
    assert scenes(page) == weighted
    page.go_back()
    expect(page).not_to_have_url(re.compile("scene="))
    expect(query(page)).to_have_value("red")
    page.go_forward()
    expect(page).to_have_url(re.compile("scene="))
    settled(page)
    page.go_forward()
    expect(query(page)).to_have_value("blue")
    expect(cards(page).first).to_have_attribute("data-scene", blues[0])
    assert scenes(page) == blues


@pytest.mark.long
def test_each_page_is_one_entry_and_the_search_link_keeps_the_last_search(page: Page) -> None:
    open_page(page, "/search")
    search(page, "yellow")
    yellows, url, before = scenes(page), page.url, entries(page)
    for name, path in (("Library", "/library"), ("Reel", "/reel"), ("Settings", "/settings")):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page).to_have_url(re.compile(rf"{path}(\?.*)?$"))
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page).to_have_url(url)
    expect(query(page)).to_have_value("yellow")
    expect(cards(page)).to_have_count(len(yellows))
    assert scenes(page) == yellows
    assert entries(page) == before + 4
    for path in ("settings", "reel", "library"):
        page.go_back()
        expect(page).to_have_url(re.compile(rf"/{path}(\?.*)?$"))
        expect(page.locator(f"nav [data-page={path}]")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page).to_have_url(url)
    expect(query(page)).to_have_value("yellow")


@pytest.mark.long
def test_the_video_of_a_hit_is_one_entry_and_back_leads_to_the_hits(page: Page) -> None:
    open_page(page, "/search")
    search(page, "red")
    cards(page).first.locator(".open").click()
    expect(page).to_have_url(re.compile("scene="))
    url, scene, before = page.url, params(page)["scene"], entries(page)
    page.get_by_role("button", name="Whole video").click()
    expect(page).to_have_url(re.compile(r"/video\?id="))
    expect(cards(page)).to_have_count(2)
    assert params(page)["scene"] == scene
    assert entries(page) == before + 1
    page.go_back()
    expect(page).to_have_url(url)
    expect(query(page)).to_have_value("red")
    expect(cards(page).first).to_be_visible()


@pytest.mark.long
def test_a_look_for_changes_while_its_page_is_left_does_not_bring_it_back(page: Page) -> None:
    looks: list[bytes] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        is_leaving = False

        def send(message: str | bytes) -> None:
            nonlocal is_leaving
            assert isinstance(message, bytes)
            server.send(message)
            request = BackMsg.FromString(message).rerun_script
            if request.is_auto_rerun:
                looks.append(message)
            is_leaving |= any(widget.id.endswith("hx_search_here") for widget in request.widget_states.widgets)

        def receive(message: str | bytes) -> None:
            nonlocal is_leaving
            assert isinstance(message, bytes)
            socket.send(message)
            if is_leaving:  # looks at every moment until the next page has been drawn
                server.send(looks[-1])
                told = ForwardMsg.FromString(message)
                is_leaving = not told.HasField("script_finished") or told.script_finished != told.FINISHED_SUCCESSFULLY

        socket.on_message(send)
        server.on_message(receive)

    def wait_for_looks(count: int) -> None:
        deadline = time.monotonic() + 30
        while len(looks) < count:
            assert time.monotonic() < deadline, f"only {len(looks)} looks"
            page.wait_for_timeout(50)

    page.route_web_socket(re.compile("_stcore/stream"), between)
    open_page(page, f"/video?id={SUBTITLED}")
    wait_for_looks(1)
    page.get_by_role("button", name="Search in this video").click()
    expect(query(page)).to_be_visible()
    wait_for_looks(len(looks) + 2)  # of the page of the search: the first of them has been answered
    settled(page)
    expect(query(page)).to_be_visible()


# --- links ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_link_opens_what_it_names_in_another_browser(page: Page, chromium: Browser, address: str) -> None:
    open_page(page, "/search")
    search(page, "green")
    page.get_by_role("button", name="dialogue", exact=True).click()
    expect(page).not_to_have_url(re.compile("w=(45-35-20|20-65-15)"))
    cards(page).nth(1).locator(".open").click()
    expect(page).to_have_url(re.compile("scene="))
    hits = scenes(page)
    context = chromium.new_context(base_url=address, locale="ko-KR")
    other = context.new_page()
    try:
        open_page(other, page.url)
        expect(query(other)).to_have_value("green")
        expect(cards(other)).to_have_count(len(hits))
        assert scenes(other) == hits
        assert other.url == page.url
        open_page(other, f"/video?id={SUBTITLED}")
        cards(other).nth(1).locator(".open").click()
        expect(other).to_have_url(re.compile("scene="))
        link, scene = other.url, params(other)["scene"][0]
        open_page(page, link)
        expect(page.locator(f'article.card.selected[data-scene="{scene}"]')).to_be_visible()
        assert page.url == link
    finally:
        context.close()


@pytest.mark.long
@pytest.mark.parametrize("path", ["/video?id=nothing", "/video", "/search?q=red&scene=x&w=a-b&page=9&hide=%00&by=%F0"])
def test_a_link_that_names_nothing_is_answered(page: Page, path: str, app_log: Path) -> None:
    open_page(page, path)
    expect(page.locator(".hx-error, .hx-empty, article.card, .hx-title").first).to_be_visible()
    assert "Traceback" not in app_log.read_text(encoding="utf-8")


def test_a_path_that_is_no_page_says_so(page: Page) -> None:
    answer = page.goto("/libary")
    assert answer is not None
    assert answer.status == 404
    page.get_by_role("link", name="Open the home page").click()
    expect(page).to_have_url(re.compile("/$"))
    expect(page.locator(".st-key-hx-topbar nav")).to_be_attached()


@pytest.mark.long
def test_no_page_asks_for_what_is_not_there_and_each_has_its_language_and_title(page: Page) -> None:
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
    for path, title in PAGES.items():
        open_page(page, f"/{path}")
        expect(page).to_have_title(f"{title} · Heimdex")
        expect(page.locator("html")).to_have_attribute("lang", "en")
    assert failed == []
    open_page(page, "/library")
    page.get_by_role("button", name="한국어").click()
    expect(page).to_have_title("라이브러리 · Heimdex")
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.get_by_role("button", name="English").click()
    expect(page).to_have_title("Library · Heimdex")
    expect(page.locator("html")).to_have_attribute("lang", "en")


# --- the navigation ------------------------------------------------------------------------------


def test_on_a_phone_the_navigation_is_a_menu(page: Page, shot: Shot) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, "/library")
    menu = page.get_by_role("button", name="Menu: Library")
    link = page.get_by_role("link", name="Settings", exact=True)
    expect(menu).to_have_attribute("aria-expanded", "false")
    expect(link).to_be_hidden()
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("link", name="Home", exact=True)).to_be_focused()
    shot(page, "menu-390")
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    link.click()
    expect(page).to_have_url(re.compile("/settings$"))
    expect(page.get_by_role("button", name="Menu: Settings")).to_have_attribute("aria-expanded", "false")
    expect(link).to_be_hidden()


def test_the_keyboard_reaches_the_navigation_visibly_and_can_skip_it(page: Page) -> None:
    open_page(page, "/library")
    expect(page.locator("article.video").first).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    for name in ("Heimdex", "Home", "Library", "Search"):
        page.keyboard.press("Tab")
        link = page.get_by_role("link", name=name, exact=True)
        expect(link).to_be_focused()
        expect(link).to_have_css("outline-style", "solid")
        expect(link).to_have_css("outline-width", "2px")
    skip.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.st-key-hx-topbar, body') === document.body")
    assert not page.evaluate("document.activeElement === document.body")
    page.get_by_role("link", name="Search", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/search"))


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_theme_is_chosen_and_kept(page: Page, shot: Shot) -> None:
    """The system is dark."""
    app = page.locator(".stApp")
    open_page(page, "/settings")
    expect(app).to_have_css("color-scheme", "dark")
    expect(page.get_by_role("radio", name="System")).to_be_checked()
    page.get_by_role("radio", name="Light").click()
    expect(app).to_have_css("color-scheme", "light")
    expect(page.get_by_role("radio", name="Light")).to_be_checked()
    for path in ("/library", "/"):
        open_page(page, path)
        expect(app).to_have_css("color-scheme", "light")
    open_page(page, "/settings")
    shot(page, "settings-light")
    page.get_by_role("radio", name="System").click()
    expect(app).to_have_css("color-scheme", "dark")


def test_technical_facts_are_folded(page: Page) -> None:
    open_page(page, "/settings")
    for fact in ("Revision", "Threads", "Restarts"):
        expect(page.get_by_text(re.compile(rf"^{fact}")).first).to_be_hidden()
    folded = page.locator("details:not([open]) > summary", has_text="Details")
    expect(folded).to_have_count(3)  # the models in use, those of a profile, and the settings
    for _ in range(3):
        folded.first.click()
    expect(folded).to_have_count(0)
    for fact in ("Revision", "Threads", "Restarts"):
        expect(page.get_by_text(re.compile(rf"^{fact}")).first).to_be_visible()


# --- what is told on every page ------------------------------------------------------------------


@pytest.mark.long
def test_a_finished_render_is_told_on_another_page(page: Page, shot: Shot) -> None:
    open_page(page, "/reel")
    page.get_by_role("button", name="Render MP4").click()
    expect(page).to_have_url(re.compile("/exports"))
    page.get_by_role("link", name="Settings", exact=True).click()
    notice = page.get_by_role("status").filter(has_text="“가을” has been rendered.")
    expect(notice).to_be_visible(timeout=RENDERING_MS)
    shot(page, "rendered-elsewhere")
    notice.get_by_role("link", name="Watch").click()
    expect(page).to_have_url(re.compile(r"/exports\?.*export="))
    expect(notice).to_be_hidden()
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.locator("article.video").first).to_be_visible()
    expect(notice).to_be_hidden()
