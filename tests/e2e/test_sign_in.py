"""Signing in and out in a browser, and users who use one library beside each other."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from heimdex_core.library import Library
from tests.e2e.conftest import Shot
from tests.e2e.driver import ROOT
from tests.e2e.signing_in import JUN, MINA, SignInApp, drawn, received, sign_out, signed_in
from tests.support.frozen import SUBTITLED

pytestmark = pytest.mark.browser

MEMBER_PAGES = ["Home", "Library", "Search", "Reel", "Exports", "People", "Evaluate", "Settings"]
PAGES = ("/", "/library", "/search?q=yellow", "/reel", "/exports", "/evaluate", "/settings", f"/video?id={SUBTITLED}")


@pytest.fixture
def library(sign_in_app: SignInApp) -> Path:
    return sign_in_app.library


@pytest.fixture
def page(browsers: list[BrowserContext]) -> Page:
    return browsers[0].new_page()


def user_of(found: Library, name: str) -> str:
    """The id of a user by name."""
    return next(user.user_id for user in found.accounts.as_operator().users() if user.name == name)


def assign_to_mina(library: Path) -> None:
    """Give Mina, who has signed in, the videos of the time before, where the first test has not."""
    with Library.open(library, purpose="query") as found:
        found.accounts.as_operator().assign_videos("local", "mina@example.com")


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
        user_id = user_of(found, MINA)
        videos = found.as_user(user_id)
        secrets = [user_id, MINA, *(video.title for video in videos.videos())]
        secrets += [scene.scene_id for scene in videos.scenes(SUBTITLED)]
    pages = jun.get_by_role("navigation", name="Pages").get_by_role("link")
    assert pages.all_inner_texts() == MEMBER_PAGES
    for name in MEMBER_PAGES:
        link = pages.filter(has_text=name)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")
        drawn(jun)
        assert MINA not in jun.content()
    jun.goto("/search?q=yellow")
    expect(jun.get_by_text("Nothing to search yet")).to_be_visible()
    jun.goto(f"/video?id={SUBTITLED}")
    expect(jun.get_by_text("This video does not exist.")).to_be_visible()
    jun.goto("/activity")
    expect(jun.get_by_text("Only admins see the activity")).to_be_visible()
    expect(jun.locator(".st-key-hx-activity")).not_to_contain_text("Ready to search")
    drawn(jun)
    everything = "".join(of_jun)
    assert JUN in everything
    assert [secret for secret in secrets if secret in everything] == []
    shot(jun, "sign-in-other-user")

    # an admin's figures
    mina.get_by_role("link", name="Activity").click()
    expect(mina.locator(".st-key-hx-activity")).to_contain_text("Ready to search")

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


def test_a_shared_collection_is_found_as_long_as_it_is_shared(
    browsers: list[BrowserContext], sign_in_app: SignInApp, library: Path, shot: Shot
) -> None:
    mina, jun = sign_in_app.open_as(browsers[0], MINA), sign_in_app.open_as(browsers[1], JUN)
    assign_to_mina(library)
    with Library.open(library, purpose="query") as found:
        of_mina = found.as_user(user_of(found, MINA))
        trip = of_mina.sharing.make_collection("Trip")
        of_mina.sharing.put(trip.collection_id, [SUBTITLED])
    mina.goto("/library")
    mina.get_by_text("Collections").click()
    mina.get_by_role("button", name="Open: Trip").click()
    dialog = mina.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Share with").fill("jun@example.com")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(dialog.locator(".shares")).to_contain_text(JUN)
    jun.goto("/search?q=yellow&owner=shared&in=Trip")
    cards = jun.locator("article.card")
    expect(cards.first).to_contain_text(f"from {MINA}")
    expect(jun.get_by_role("checkbox", name="Trip")).to_be_checked()
    expect(jun.get_by_role("checkbox", name="shared with me")).to_be_checked()
    shot(jun, "sign-in-shared-search")
    links = [str(cards.first.locator("img").get_attribute("src")), str(jun.locator("video").get_attribute("poster"))]
    assert [jun.request.get(link).status for link in links] == [200, 200]
    dialog.get_by_role("button", name="Stop sharing").click()
    expect(dialog.get_by_text("Not shared with anybody yet.")).to_be_visible()
    assert [jun.request.get(link).status for link in links] == [404, 404]
    expect(cards).to_have_count(0)  # by itself, on a page that is open
    jun.get_by_role("button", name="Clear all").click()
    expect(jun.get_by_text("Nothing to search yet")).to_be_visible()
    expect(jun.get_by_role("checkbox", name="Trip")).to_have_count(0)


def test_the_script_of_a_page_follows_a_job_with_a_token(
    browsers: list[BrowserContext], sign_in_app: SignInApp, library: Path
) -> None:
    """As docs/api.md describes it: the browser's EventSource has no way to send one."""
    page = sign_in_app.open_as(browsers[0], MINA)
    assign_to_mina(library)
    with Library.open(library, purpose="query") as found:
        _, secret = found.as_user(user_of(found, MINA)).accounts.make_token("page", ["read"])
    [script] = re.findall(r"```js\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.DOTALL)
    url = f"/api/v1/videos/{SUBTITLED}/events"
    page.goto("/health/ready")
    heard = page.evaluate(
        f"""async ([url, token]) => {{
            {script}
            const heard = [];
            for await (const [name, data] of events(url, token)) heard.push([name, data.state]);
            return heard;
        }}""",
        [url, secret],
    )
    assert heard == [["done", "indexed"]]
    state = "url => new Promise((end) => { const s = new EventSource(url); s.onerror = () => end(s.readyState); })"
    assert page.evaluate(state, url) == 2, "closed: it is not tried again"


@pytest.mark.long
def test_what_is_shared_is_seen_marked_and_taken_away_again(
    browsers: list[BrowserContext], sign_in_app: SignInApp, library: Path, shot: Shot
) -> None:
    mina, jun = sign_in_app.open_as(browsers[0], MINA), sign_in_app.open_as(browsers[1], JUN)
    assign_to_mina(library)
    for opened in (mina, jun):
        opened.goto("/library")
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
    # or given back
    dialog.get_by_role("textbox", name="Share with").fill("jun@example.com")
    dialog.get_by_role("button", name="Share", exact=True).click()
    jun.get_by_role("button", name="Remove my access…").click()
    received_by_jun = jun.get_by_role("dialog")
    expect(received_by_jun).to_contain_text(f"from {MINA}")
    received_by_jun.get_by_role("button", name="Remove my access").click()
    shot(jun, "sign-in-give-back")
    received_by_jun.get_by_role("button", name="Yes, remove it").click()
    expect(received_by_jun).to_be_hidden()
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
    sign_out(page, button="Sign in again")
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
