"""Signing in and out in a browser, at a provider on this machine, and users who use one library beside each other."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from heimdex_core.library import Library
from tests.e2e import driver
from tests.e2e.conftest import Shot
from tests.e2e.test_accessibility import expect_no_findings
from tests.support.frozen import SUBTITLED, WAITING, frozen_library
from tests.support.oidc_provider import Provider, running_provider

pytestmark = pytest.mark.browser

PAGES = ("/", "/library", "/search?q=yellow", "/reel", "/exports", "/evaluate", "/settings", f"/video?id={SUBTITLED}")
MINA, JUN = "Mina Park", "Jun"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    people = {
        MINA: {"email": "mina@example.com", "email_verified": True, "name": MINA},
        JUN: {"email": "jun@example.com", "email_verified": True, "name": JUN},
        "Eve": {"email": "mina@example.com", "email_verified": False, "name": "Eve"},
    }
    with running_provider(**people) as running:
        yield running


@pytest.fixture(autouse=True)
def no_fault(provider: Provider) -> None:
    provider.fault = None


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = frozen_library(tmp_path_factory.mktemp("shared") / "library")
    with Library.open(root) as found:
        found.delete(WAITING)
    return root


@pytest.fixture(scope="module")
def address(library: Path, app_log: Path, provider: Provider) -> Iterator[str]:
    secrets = app_log.with_name("secrets.toml")
    secrets.write_text(provider.secrets_toml(), encoding="utf-8")
    settings = {"STREAMLIT_SECRETS_FILES": str(secrets), "HEIMDEX_ADMINS": "mina@example.com"}
    with driver.running_app(library, app_log, **settings) as url:
        yield url


@pytest.fixture
def browsers(chromium: Browser, address: str) -> Iterator[list[BrowserContext]]:
    """Two browsers that know nothing of each other."""
    opened = [chromium.new_context(base_url=address, locale="en-US") for _ in range(2)]
    yield opened
    for context in opened:
        context.close()


@pytest.fixture
def page(browsers: list[BrowserContext]) -> Page:
    return browsers[0].new_page()


def sign_in(page: Page, name: str, *, path: str = "/library") -> None:
    """Sign in from the page that asks for it."""
    page.goto(path)
    page.get_by_role("button", name="Sign in with Test provider").click()
    page.get_by_role("link", name=name, exact=True).click()


def signed_in(page: Page, name: str, *, path: str = "/library") -> Page:
    sign_in(page, name, path=path)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def received(page: Page) -> list[str]:
    """Everything that the page receives from now on: frames of websockets, and addresses of what it loads."""
    parts: list[str] = []

    def note(frame: bytes | str) -> None:
        parts.append(frame.decode("utf-8", "replace") if isinstance(frame, bytes) else frame)

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    page.on("request", lambda request: parts.append(request.url))
    return parts


def drawn(page: Page) -> None:
    """Wait until the page has been drawn."""
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()


# --- signing in -----------------------------------------------------------------------------------


def test_users_beside_each_other_get_nothing_of_each_other(
    browsers: list[BrowserContext], library: Path, shot: Shot
) -> None:
    """From the videos of the time before, which an admin takes over, to the next user of the same tab."""
    mina, jun = (context.new_page() for context in browsers)
    of_jun = received(jun)
    signed_in(jun, JUN)
    expect(jun.get_by_text("No videos yet")).to_be_visible()
    expect(jun.get_by_text("from the time before sign-in")).to_have_count(0)
    signed_in(mina, MINA)
    expect(mina.get_by_text("2 videos from the time before sign-in belong to nobody yet.")).to_be_visible()
    shot(mina, "sign-in-unassigned")
    mina.get_by_role("button", name="Make them mine").click()
    expect(mina.locator("article.video")).to_have_count(2)
    mina.goto("/search?q=yellow")
    expect(mina.locator("article.card").first).to_be_visible(timeout=60_000)
    mina.locator("article.card").first.get_by_role("button", name="to the tray").click()
    with Library.open(library, purpose="query") as found:
        user = next(user for user in found.accounts.as_operator().users() if user.name == MINA)
        videos = found.as_user(user.user_id)
        secrets = [user.user_id, MINA, *(video.title for video in videos.videos())]
        secrets += [scene.scene_id for scene in videos.scenes(SUBTITLED)]
    for path in PAGES:
        jun.goto(path)
        expect(jun.locator(".st-key-hx-topbar")).to_contain_text(JUN)
        drawn(jun)
        assert MINA not in jun.content()
    expect(jun.get_by_text("This video does not exist.")).to_be_visible()
    everything = "".join(of_jun)
    assert JUN in everything
    assert [secret for secret in secrets if secret in everything] == []
    shot(jun, "sign-in-other-user")

    # the next user of the same tab
    sign_out(mina)
    after = received(mina)
    mina.go_back()
    expect(mina.get_by_role("heading", name="Sign in")).to_be_visible()
    signed_in(mina, JUN, path="/search")
    expect(mina.locator(".st-key-hx-query input")).to_have_value("")
    expect(mina.locator(".st-key-hx-topbar")).to_contain_text(JUN)
    drawn(mina)
    assert [secret for secret in secrets if secret in "".join(after)] == []


@pytest.mark.long
def test_what_is_shared_is_seen_marked_and_taken_away_again(
    browsers: list[BrowserContext], library: Path, shot: Shot
) -> None:
    mina, jun = (context.new_page() for context in browsers)
    signed_in(jun, JUN)
    signed_in(mina, MINA)
    with Library.open(library, purpose="query") as found:  # where the test above has not run
        found.accounts.as_operator().assign_videos("local", "mina@example.com")
    row = mina.locator("article.video", has_text="subtitled")
    row.get_by_role("button", name="Share").click()
    dialog = mina.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Share with").fill("nobody@example.com")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is no user nobody@example.com.")
    dialog.get_by_role("textbox", name="Share with").fill("jun@example.com")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(dialog.locator(".shares")).to_contain_text(JUN)
    shot(mina, "sign-in-share")
    # by itself, on a page that is open
    expect(jun.locator("article.video")).to_contain_text(f"from {MINA}")
    expect(jun.locator("article.video").get_by_role("button", name="Share")).to_have_count(0)
    expect(jun.locator('article.video [data-act="delete"], article.video [data-act="rename"]')).to_have_count(0)
    shot(jun, "sign-in-shared-with-me")
    jun.locator("article.video a").click()
    expect(jun.get_by_text("This video is shared with you for viewing only")).to_be_visible()
    expect(jun.get_by_role("button", name="Merge with next scene")).to_be_disabled()
    expect(jun.get_by_role("button", name="Re-index")).to_have_count(0)
    jun.go_back()
    picture = str(jun.locator("article.video img").get_attribute("src"))
    assert jun.request.get(picture).status == 200
    dialog.get_by_role("button", name="Stop sharing").click()
    expect(dialog.get_by_text("Not shared with anybody yet.")).to_be_visible()
    expect(jun.locator("article.video")).to_have_count(0)
    assert jun.request.get(picture).status == 404


@pytest.mark.long
def test_no_page_is_shown_without_signing_in(page: Page, library: Path, shot: Shot) -> None:
    everything = received(page)
    for path in PAGES:
        page.goto(path)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.locator(".st-key-hx-topbar, .st-key-hx-uploads, article")).to_have_count(0)
    shot(page, "sign-in")
    with Library.open(library, purpose="query") as found:
        users = found.accounts.as_operator().users()
        titles = [video.title for user in users for video in found.as_user(user.user_id).videos()]
    assert titles
    assert [title for title in titles if title in "".join(everything)] == []


@pytest.mark.long
def test_what_was_opened_is_shown_after_the_sign_in(page: Page) -> None:
    signed_in(page, JUN, path="/search?q=blue")
    expect(page.get_by_role("textbox").first).to_have_value("blue")
    assert urlsplit(page.url).path == "/search"
    cookie = next(one for one in page.context.cookies() if one["name"] == "_streamlit_user")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


@pytest.mark.long
def test_an_address_that_is_not_verified_is_refused(page: Page, library: Path, shot: Shot) -> None:
    sign_in(page, "Eve")
    expect(page.get_by_role("alert")).to_contain_text("This e-mail address is not verified.")
    shot(page, "sign-in-unverified")
    with Library.open(library, purpose="query") as found:
        assert "Eve" not in [user.name for user in found.accounts.as_operator().users()]
    page.get_by_role("button", name="Sign in again").click()
    expect(page.get_by_role("button", name="Sign in with Test provider")).to_be_visible()
    signed_in(page, JUN)


@pytest.mark.long
def test_axe_finds_nothing_serious(page: Page) -> None:
    """On the page that asks to sign in, with a problem and without, and in both languages."""
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    for path in ("/library", "/?sign_in=clock"):
        page.goto(path)
        for name, heading in (("English", "Sign in"), ("한국어", "로그인")):
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
            drawn(page)
            expect_no_findings(page)


# --- what goes wrong ------------------------------------------------------------------------------

FAULTS = {
    "down": "does not answer",
    "expired": "had expired",
    "future": "had expired",
    "nonce": "The sign-in failed.",
    "signature": "The sign-in failed.",
    "no_token": "The sign-in failed.",
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_provider_is_told_and_can_be_tried_again(page: Page, provider: Provider, fault: str) -> None:
    page.goto("/library")
    button = page.get_by_role("button", name="Sign in with Test provider")
    if fault == "down":
        provider.fault = "down"
        button.click()
    else:
        button.click()
        provider.fault = fault  # type: ignore[assignment]
        page.get_by_role("link", name=JUN, exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(FAULTS[fault])
    assert "_streamlit_user" not in [cookie["name"] for cookie in page.context.cookies()]
    provider.fault = None
    button.click()
    page.get_by_role("link", name=JUN, exact=True).click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.long
def test_a_cancelled_sign_in_is_told_in_korean(chromium: Browser, address: str, shot: Shot) -> None:
    context = chromium.new_context(base_url=address, locale="ko-KR", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/library")
    page.get_by_role("button", name="Test provider 계정으로 로그인").click()
    page.get_by_role("link", name="Refuse").click()
    expect(page.get_by_role("alert")).to_contain_text("로그인이 취소되었어요.")
    shot(page, "sign-in-korean")
    context.close()


@pytest.mark.long
def test_a_used_answer_of_the_provider_signs_nobody_in_again(browsers: list[BrowserContext]) -> None:
    page, other = (context.new_page() for context in browsers)
    answers: list[str] = []
    page.on("request", lambda request: answers.append(request.url) if "/oauth2callback" in request.url else None)
    signed_in(page, JUN)
    sign_out(page)
    callback = next(url for url in answers if "code=" in url)
    for again in (page, other):
        again.goto(callback)
        expect(again.get_by_role("alert")).to_contain_text("has been used already")
        expect(again.get_by_role("button", name="Sign out")).to_have_count(0)


@pytest.mark.long
def test_a_deleted_user_is_asked_to_sign_in_again(browsers: list[BrowserContext], library: Path) -> None:
    page, other = browsers[0].new_page(), browsers[0].new_page()
    signed_in(page, JUN)
    with Library.open(library) as found:
        accounts = found.accounts.as_operator()
        jun = next(user for user in accounts.users() if user.name == JUN)
        accounts.delete_user(jun.user_id)
    expect(page.get_by_role("alert")).to_contain_text("This session has ended.")
    other.goto("/settings")  # with the cookie of before
    expect(other.get_by_role("button", name="Sign out")).to_have_count(0)
    page.get_by_role("button", name="Sign in again").click()
    expect(page.get_by_role("button", name="Sign in with Test provider")).to_be_visible()
    signed_in(page, JUN)
    with Library.open(library, purpose="query") as found:
        users = found.accounts.as_operator().users()
    assert [user.name for user in users if user.name == JUN] == [JUN]
    assert jun.user_id not in [user.user_id for user in users]


@pytest.mark.long
def test_other_tabs_are_signed_out_too(browsers: list[BrowserContext]) -> None:
    page, tab = browsers[0].new_page(), browsers[0].new_page()
    signed_in(page, JUN)
    tab.goto("/library")
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
    sign_out(page)
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


# --- requests that want to change where it leads ---------------------------------------------------

FORGED = {
    "Host": "localhost",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-User": "mina@example.com",
    "X-Forwarded-Email": "mina@example.com",
    "Forwarded": "host=evil.example;proto=https",
    "Authorization": "Bearer mina@example.com",
    "X-Streamlit-User": "mina@example.com",
}


def get(address: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """(status, Location) of an answer."""
    host = urlsplit(address)
    connection = http.client.HTTPConnection(str(host.hostname), int(host.port or 80), timeout=10)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.headers.get("location", "")


@pytest.mark.long
def test_forged_headers_sign_nobody_in(chromium: Browser, address: str) -> None:
    headers = {name: value for name, value in FORGED.items() if name != "Host"}
    context = chromium.new_context(base_url=address, extra_http_headers=headers)
    page = context.new_page()
    page.goto("/library")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


@pytest.mark.long
def test_a_sign_in_leads_to_the_configured_address_only(page: Page, address: str, provider: Provider) -> None:
    begun: list[str] = []
    page.on("request", lambda request: begun.append(request.url) if "/auth/login" in request.url else None)
    signed_in(page, JUN)
    path = urlsplit(begun[0]).path + "?" + urlsplit(begun[0]).query
    evil = "&next=https://evil.example&redirect_uri=https://evil.example&return_to=//evil.example"
    status, location = get(address, path + evil, FORGED)
    assert status == 302
    assert location.startswith(f"{provider.address}/authorize?")
    assert parse_qs(urlsplit(location).query)["redirect_uri"] == [f"{address}/oauth2callback"]


@pytest.mark.long
@pytest.mark.parametrize(
    "path",
    [
        "/auth/login?provider=google",
        "/auth/login?provider=eyJhbGciOiJub25lIn0.eyJwcm92aWRlciI6ImRlZmF1bHQifQ.",
        "/auth/login?next=https://evil.example",
        "/oauth2callback?next=//evil.example&redirect_uri=https://evil.example",
        "/oauth2callback?code=1&state=2&iss=https://evil.example",
        "/oauth2callback?error=x&error_description=//evil.example",
        "/auth/logout?post_logout_redirect_uri=https://evil.example&next=//evil.example",
    ],
)
def test_nothing_leads_to_another_site(address: str, path: str) -> None:
    status, location = get(address, path, FORGED)
    assert status == 302
    assert location in ("/", "/?sign_in=stale", "/?sign_in=failed")
