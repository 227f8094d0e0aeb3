"""The server as it runs: the hosts that it answers to, a library that is moved meanwhile, and a restart."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from heimdex_core.api.links import load_secret
from tests.e2e import driver
from tests.support.frozen import frozen_library

pytestmark = pytest.mark.browser

# --- hosts: a page of another site whose name resolves to this machine (DNS rebinding) reads nothing ----------------

EVIL = "evil.example"
ALLOWED = "videos.example"

REQUESTS = """async () => {
    const statuses = {};
    for (const [method, path] of [["GET", "/"], ["GET", "/library"], ["GET", "/health/ready"], ["GET", "/files/token"],
                                  ["POST", "/upload"], ["GET", "/_stcore/health"], ["GET", "/_stcore/host-config"]])
        statuses[`${method} ${path}`] = (await fetch(path, {method})).status;
    return statuses;
}"""
STREAM = """() => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/_stcore/stream`, ["streamlit"]);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


@pytest.fixture(scope="module")
def address(library: Path, app_log: Path) -> Iterator[str]:
    with driver.running_app(library, app_log, HEIMDEX_ALLOWED_HOSTS=ALLOWED) as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    names = ", ".join(f"MAP {name} 127.0.0.1" for name in (EVIL, ALLOWED))
    with driver.browser(f"--host-resolver-rules={names}") as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    # A site's own page would not have the policy of ours, which forbids its scripts every request.
    context = chromium.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


def attack(page: Page, address: str, host: str) -> tuple[dict[str, int], Any]:
    """What a script of a page at `host` gets: the status of each request, and whether the websocket opens."""
    page.goto(address.replace("localhost", host))
    return page.evaluate(REQUESTS), page.evaluate(STREAM)


def test_a_script_of_another_site_reaches_nothing(page: Page, address: str, app_log: Path) -> None:
    statuses, stream = attack(page, address, EVIL)
    assert set(statuses.values()) == {403}, statuses
    assert stream == "refused"
    log = app_log.read_text(encoding="utf-8")
    assert log.count(EVIL) == 1
    assert "HEIMDEX_ALLOWED_HOSTS" in log
    assert "ERROR" not in log
    assert "Traceback" not in log


def test_a_person_who_opens_it_there_is_told_the_setting(page: Page, address: str) -> None:
    page.goto(address.replace("localhost", EVIL))
    expect(page.get_by_text("HEIMDEX_ALLOWED_HOSTS")).to_be_visible()
    expect(page.locator(".st-key-hx-topbar")).to_have_count(0)


def test_the_app_works_under_a_name_of_the_setting(page: Page, address: str) -> None:
    statuses, stream = attack(page, address, ALLOWED)
    assert statuses == {
        "GET /": 200,
        "GET /library": 200,
        "GET /health/ready": 200,
        "GET /files/token": 403,  # not signed
        "POST /upload": 403,  # without a token
        "GET /_stcore/health": 200,
        "GET /_stcore/host-config": 200,
    }
    assert stream == "open"
    expect(page.locator(".st-key-hx-topbar")).to_be_visible()


# --- a library that is moved while the app runs ---------------------------------------------------


def health(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{address}/health/ready", timeout=10) as answer:  # noqa: S310 - our own server
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))


def wait_for(address: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first answer of /health/ready that fulfils the condition."""
    until = time.monotonic() + driver.START_TIMEOUT_S
    while not condition(found := health(address)):
        assert time.monotonic() < until, found
        time.sleep(0.2)
    return found


@pytest.mark.long  # tests/library/test_moved_library.py asks the parts one by one
def test_a_moved_library_is_not_made_anew_and_goes_on_when_it_is_back(
    page: Page, address: str, library: Path, app_log: Path
) -> None:
    before = health(address)["checks"]["jobs"]["detail"]["pid"]
    secret = load_secret(None, library)
    elsewhere = library.with_name("elsewhere")
    library.rename(elsewhere)
    wait_for(address, lambda found: found["checks"]["catalog"].get("error", {}).get("code") == "LIBRARY_NOT_FOUND")
    for name in ("", "library", "search?q=sea", "reel", "settings"):
        page.goto(f"{address}/{name}")
        expect(page.get_by_text("LIBRARY_NOT_FOUND").first).to_be_visible()
    # the worker, which made it anew when it was started again, ends
    with contextlib.suppress(ProcessLookupError):
        os.kill(before, signal.SIGKILL)
    driver.wait_for_text(app_log, "not there any more")
    assert not library.exists()
    elsewhere.rename(library)
    after = wait_for(address, lambda found: found["status"] == "ready")
    assert after["checks"]["jobs"]["detail"]["pid"] != before
    assert load_secret(None, library) == secret
    assert "Traceback" not in app_log.read_text(encoding="utf-8")


# --- a server that is stopped and started again ---------------------------------------------------


NOTICES = {"en-US": "The server is not responding", "ko-KR": "서버가 응답하지 않아요"}


@pytest.mark.long
def test_a_restarted_server_is_waited_for_and_the_page_goes_on(
    chromium: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The notice is in the user's language and names no command; the page, its URL and clicks meanwhile are kept."""
    root, log = frozen_library(tmp_path_factory.mktemp("restarted") / "library"), tmp_path / "app.log"
    port = driver.free_port()
    process = driver.start_app(root, log, port)
    pages: dict[str, Page] = {}
    try:
        for locale in NOTICES:
            pages[locale] = chromium.new_context(base_url=f"http://localhost:{port}", locale=locale).new_page()
            pages[locale].goto("/search?q=yellow")
            expect(pages[locale].locator("article.card").first).to_be_visible(timeout=60_000)
        page = pages["en-US"]
        first, second = page.locator("article.card").nth(0), page.locator("article.card").nth(1)
        scenes = [first.get_attribute("data-scene"), second.get_attribute("data-scene")]
        process.kill()
        process.wait()
        for locale, text in NOTICES.items():
            expect(pages[locale].get_by_role("status").filter(has_text=text)).to_be_visible()
            expect(pages[locale].get_by_text("streamlit")).to_have_count(0)
            expect(pages[locale].get_by_role("dialog")).to_have_count(0)
        # clicks while there is nobody to hear them
        second.get_by_role("button", name="to the tray").click()
        first.get_by_role("button", name="from the tray").click()

        process = driver.start_app(root, log, port)
        for locale, text in NOTICES.items():
            expect(pages[locale].get_by_text(text)).to_have_count(0)
            expect(pages[locale].locator(".st-key-hx-query input")).to_have_value("yellow")
            expect(pages[locale].locator("article.card").first).to_have_attribute("data-scene", str(scenes[0]))
        expect(page.locator(f'.st-key-hx-tray [data-scene="{scenes[1]}"]')).to_be_visible()
        expect(page.locator(f'.st-key-hx-tray [data-scene="{scenes[0]}"]')).to_have_count(0)
        expect(page.locator(".hx[data-pending]")).to_have_count(0)
    finally:
        for opened in pages.values():
            opened.context.close()
        driver.stop_app(process)
