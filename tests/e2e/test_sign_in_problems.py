"""What can go wrong when somebody signs in, and requests that want to sign somebody in or lead to another site."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from heimdex_core.library import Library
from tests.e2e.conftest import Shot
from tests.e2e.signing_in import JUN, SignInApp, drawn, sign_in, sign_out, signed_in
from tests.e2e.test_accessibility import expect_no_findings
from tests.support.oidc_provider import Fault, Provider

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture
def address(sign_in_app: SignInApp) -> str:
    return sign_in_app.address


@pytest.fixture
def provider(sign_in_app: SignInApp) -> Provider:
    return sign_in_app.provider


@pytest.fixture(autouse=True)
def no_fault(provider: Provider) -> None:
    provider.fault = None


@pytest.fixture
def library(sign_in_app: SignInApp) -> Path:
    return sign_in_app.library


@pytest.fixture
def page(browsers: list[BrowserContext]) -> Page:
    return browsers[0].new_page()


def test_an_address_that_is_not_verified_is_refused(page: Page, library: Path, shot: Shot) -> None:
    sign_in(page, "Eve")
    expect(page.get_by_role("alert")).to_contain_text("This e-mail address is not verified.")
    shot(page, "sign-in-unverified")
    with Library.open(library, purpose="query") as found:
        assert "Eve" not in [user.name for user in found.accounts.as_operator().users()]
    sign_out(page, button="Sign in again")
    expect(page.get_by_role("button", name="Sign in with Test provider")).to_be_visible()
    signed_in(page, JUN)


def test_an_address_that_is_not_on_the_list_is_refused(page: Page, library: Path, shot: Shot) -> None:
    sign_in(page, "Max")
    expect(page.get_by_role("alert")).to_contain_text("This account may not use this library.")
    expect(page.get_by_text("max@elsewhere.example")).to_be_visible()
    shot(page, "sign-in-not-on-the-list")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="한국어", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("이 계정으로는 이 라이브러리를 쓸 수 없어요.")
    shot(page, "sign-in-not-on-the-list-korean")
    with Library.open(library, purpose="query") as found:
        assert "Max" not in [user.name for user in found.accounts.as_operator().users()]
    page.get_by_role("button", name="다시 로그인").click()
    expect(page.get_by_role("button", name="Sign in with Test provider")).to_be_visible()  # in the browser's language


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

FAULTS: dict[Fault, str] = {
    "down": "does not answer",
    "expired": "had expired",
    "future": "had expired",
    "nonce": "The sign-in failed.",
    "signature": "The sign-in failed.",
    "no_token": "The sign-in failed.",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_provider_is_told_and_can_be_tried_again(page: Page, provider: Provider, fault: Fault) -> None:
    page.goto("/library")
    button = page.get_by_role("button", name="Sign in with Test provider")
    if fault == "down":
        provider.fault = "down"
        button.click()
    else:
        button.click()
        provider.fault = fault
        page.get_by_role("link", name=JUN, exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(FAULTS[fault])
    assert "_streamlit_user" not in [cookie["name"] for cookie in page.context.cookies()]
    provider.fault = None
    button.click()
    page.get_by_role("link", name=JUN, exact=True).click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_cancelled_sign_in_is_told_in_korean(chromium: Browser, address: str, shot: Shot) -> None:
    context = chromium.new_context(base_url=address, locale="ko-KR", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/library")
    page.get_by_role("button", name="Test provider 계정으로 로그인").click()
    page.get_by_role("link", name="Refuse").click()
    expect(page.get_by_role("alert")).to_contain_text("로그인이 취소되었어요.")
    shot(page, "sign-in-korean")
    context.close()


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


def test_forged_headers_sign_nobody_in(chromium: Browser, address: str) -> None:
    headers = {name: value for name, value in FORGED.items() if name != "Host"}
    context = chromium.new_context(base_url=address, extra_http_headers=headers)
    page = context.new_page()
    page.goto("/library")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


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
