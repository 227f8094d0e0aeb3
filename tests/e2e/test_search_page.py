"""The search page in a real browser: the player and its keys, the cards, the dial, and what they cost in requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Shot
from tests.e2e.driver import video_state, wait_for_video
from tests.e2e.walk import EVERYWHERE, FAR, card, cards, library, open_search, settled, slowly, time_of

__all__ = ["library"]

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(chromium: Browser, address: str) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=address,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        color_scheme="light",
        reduced_motion="reduce",  # nothing is still moving when it is looked at
    )
    yield context.new_page()
    context.close()


# --- the player and its keys ----------------------------------------------------------------------


CLICKED: dict[str, Callable[[Page], Locator]] = {
    "a card": lambda page: card(page, 24).locator(".open"),
    "a preset": lambda page: page.get_by_role("button", name="dialogue"),
    "a line": lambda page: page.locator(".line", has_text="number 9"),
    "a box": lambda page: page.locator("label.check", has_text="fade in"),
    "the view": lambda page: page.get_by_role("button", name="List view"),
}


@pytest.mark.parametrize(
    "clicked", [pytest.param(name, marks=[] if name in ("a card",) else [pytest.mark.long]) for name in CLICKED]
)
def test_space_pauses_whatever_was_clicked_before(page: Page, clicked: str) -> None:
    open_search(page, EVERYWHERE)
    card(page, 24).locator(".open").click()
    wait_for_video(page, "!v.paused && v.currentTime > 24.2")
    slowly(page)
    CLICKED[clicked](page).click()
    settled(page)
    reached = wait_for_video(page, "!v.paused")["time"]
    page.keyboard.press(" ")
    state = wait_for_video(page, "v.paused")
    assert float(state["time"]) >= float(reached)  # it has not begun again
    page.keyboard.press(" ")
    wait_for_video(page, f"!v.paused && v.currentTime > {state['time']}")


def test_the_keys_of_the_player(page: Page) -> None:
    open_search(page, "harvest")  # the scene from 12 to 18
    page.keyboard.press("l")
    wait_for_video(page, "!v.paused && v.playbackRate === 1 && v.currentTime > 12.1")
    page.keyboard.press("L")
    wait_for_video(page, "!v.paused && v.playbackRate === 2")
    page.keyboard.press("k")
    there = float(wait_for_video(page, "v.paused && v.playbackRate === 1")["time"])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for_video(page, f"Math.abs(v.currentTime - {there + 2}) < 0.01")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    before = max(there + 2 - 6, 0)
    wait_for_video(page, f"Math.abs(v.currentTime - {before}) < 0.01 && !v.seeking")
    frame = int(time_of(page) * 25 + 0.01)
    page.keyboard.press(".")
    wait_for_video(page, f"Math.floor(v.currentTime * 25) === {frame + 1} && !v.seeking")
    page.keyboard.press(",")
    page.keyboard.press(",")
    wait_for_video(page, f"Math.floor(v.currentTime * 25) === {frame - 1} && !v.seeking")
    page.keyboard.press("j")  # backwards, to the start of the scene or the file
    wait_for_video(page, f"v.paused && v.currentTime < {(frame - 1) / 25 - 0.2}")
    page.keyboard.press("m")
    wait_for_video(page, "v.muted")


@pytest.mark.long
def test_keys_are_those_of_the_latin_letters_while_a_korean_layout_is_on(page: Page) -> None:
    open_search(page, "harvest")
    page.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ㅏ', code: 'KeyK', bubbles: true}))")
    wait_for_video(page, "!v.paused")


@pytest.mark.long
def test_the_question_mark_lists_all_keys(page: Page, shot: Shot) -> None:
    open_search(page, "harvest")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for text in ("Play or pause", "1 frame back or forward", "Next or previous", "Undo", "This list"):
        expect(dialog).to_contain_text(text)
    page.keyboard.press("k")  # is meant for the dialog
    assert video_state(page)["paused"]
    shot(page, "keys")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("k")
    wait_for_video(page, "!v.paused")


@pytest.mark.long
def test_what_plays_goes_on_while_the_results_change(page: Page) -> None:
    """The best hit, which nobody has selected: presets, fusion and boxes put others in its place."""
    open_search(page, "lighthouse red&w=45-35-20")
    source = video_state(page)["source"]
    page.keyboard.press(" ")
    wait_for_video(page, "!v.paused")
    slowly(page)
    page.locator("video").evaluate("v => v.addEventListener('pause', () => { window.paused = true; })")
    best = str(card(page, 6).get_attribute("data-scene"))
    for name, first in (("visual", 24), ("dialogue", 6), ("keywords", 24), ("balanced", 6)):
        page.get_by_role("button", name=name, exact=True).click()
        expect(cards(page).first).to_have_attribute("data-scene", re.compile(f"_{1000 * first}_"))
    settled(page)
    assert page.evaluate("window.paused") is None
    page.locator("details.advanced summary").click()
    page.get_by_role("button", name="rank", exact=True).click()
    page.locator("label.check", has_text="fade in").click()
    settled(page)
    assert page.evaluate("window.paused") is None
    assert (video_state(page)["paused"], video_state(page)["source"]) == (False, source)
    assert page.locator("article.card.selected").get_attribute("data-scene") == best


# --- the cards ------------------------------------------------------------------------------------


def test_the_pointer_scrubs_through_a_scene_with_one_request(page: Page) -> None:
    sprites: list[str] = []
    page.on("request", lambda request: sprites.append(request.url) if "/sprites/" in request.url else None)
    open_search(page, "lighthouse")
    hit = card(page, 6)
    box = hit.locator(".thumbnail").bounding_box()
    assert box is not None
    settled(page)
    before = len(sprites)  # the still of the scene that fades in

    def point(share: float) -> None:
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)

    point(0.1)
    scrub = hit.locator(".scrub")
    expect(scrub).to_have_attribute("data-frame", "1")
    expect(hit.locator(".time")).to_have_text("0:06.6")  # a tenth of six seconds
    for step in range(1, 12):
        point((step + 0.5) / 12)
        expect(scrub).to_have_attribute("data-frame", str(step))
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] + 400)
    expect(scrub).to_be_hidden()
    expect(hit.locator(".time")).to_have_text(re.compile("^0:06.0 · "))
    point(0.6)
    expect(scrub).to_be_visible()
    assert len(sprites) == before + 1


@pytest.mark.long
def test_several_cards_are_chosen_and_added_at_once(page: Page, shot: Shot) -> None:
    open_search(page, EVERYWHERE)
    settled(page)
    first = cards(page).first.bounding_box()
    cards(page).nth(0).locator(".open").click(modifiers=["ControlOrMeta"])
    cards(page).nth(2).locator(".open").click(modifiers=["Shift"])
    expect(page.locator("article.card.chosen")).to_have_count(3)
    expect(page.get_by_text("3 selected")).to_be_visible()
    assert cards(page).first.bounding_box() == first  # nothing is pushed aside
    assert video_state(page)["paused"]
    shot(page, "search-chosen")
    page.keyboard.press("a")
    expect(page.locator("article.card.picked")).to_have_count(3)
    settled(page)
    expect(page.get_by_text("Tray · 3 scenes")).to_be_visible()
    page.keyboard.press("a")  # takes them out again
    expect(page.locator("article.card.picked")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("article.card.chosen")).to_have_count(0)
    page.keyboard.press("n")
    page.keyboard.press("Shift+N")
    expect(page.locator("article.card.chosen")).to_have_count(2)
    settled(page)


@pytest.mark.long
def test_the_list_is_remembered(page: Page, shot: Shot) -> None:
    open_search(page, "lighthouse")
    page.get_by_role("button", name="List view").click()
    tops = cards(page).evaluate_all("all => all.map(e => e.getBoundingClientRect().left)")
    assert len(set(tops)) == 1
    shot(page, "search-list")
    page.reload()
    expect(page.get_by_role("button", name="List view")).to_have_attribute("aria-pressed", "true", timeout=60_000)


def test_what_matches_can_be_seen(page: Page) -> None:
    """At the end of a long transcript, in the tags, and in the transcript beside the player."""
    open_search(page, "lighthouse")
    text = card(page, 6).locator(".text")
    assert text.locator("mark", has_text="lighthouse").evaluate(
        """(mark) => {
            const outer = mark.parentElement.getBoundingClientRect(), inner = mark.getBoundingClientRect();
            return inner.top >= outer.top && inner.bottom <= outer.bottom + 1;
        }"""
    )
    line = page.locator(".line", has_text="lighthouse")
    expect(line).to_be_in_viewport()
    box = page.locator(".box:visible")
    assert line.evaluate(
        "(e) => e.offsetTop >= e.parentElement.scrollTop"
        " && e.offsetTop + e.offsetHeight <= e.parentElement.scrollTop + e.parentElement.clientHeight"
    )
    expect(page.locator(".line", has_text="number 18")).to_have_count(1)  # to the end of the video
    # and it follows the player to the last line
    page.locator("video").evaluate("v => { v.currentTime = 35.5; }")
    expect(page.locator(".line.current")).to_contain_text("number 18")
    assert box.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 2")
    open_search(page, "red")
    tagged = card(page, 24)
    expect(tagged.locator(".also")).to_contain_text("Tags")
    expect(tagged.locator(".also mark")).to_have_text("red")
    tagged.locator(".open").click()
    expect(page.locator(".explanation .field mark", has_text="red")).to_be_visible()


@pytest.mark.long
def test_the_status_counts_videos_with_hits_and_keeps_its_height(page: Page) -> None:
    open_search(page, "lighthouse")
    expect(page.locator(".hx-status")).to_have_text("2 scenes in 1 video")
    with_notes = page.locator(".grid").bounding_box()
    assert page.locator(".notes").inner_text() != ""
    open_search(page, "lighthouse blue")
    without = page.locator(".grid").bounding_box()
    assert with_notes is not None
    assert without is not None
    assert without["y"] == with_notes["y"]


def test_a_query_of_common_words_says_why_it_finds_nothing(page: Page) -> None:
    page.goto("/search?q=the")
    expect(page.get_by_role("heading", name="No scenes found")).to_be_visible(timeout=60_000)
    expect(page.locator(".st-key-hx-middle .empty")).to_contain_text("Only very common words")


def test_the_thumbnail_of_a_scene_that_fades_in_is_not_black(page: Page) -> None:
    open_search(page, "fade")
    image = page.locator("article.card", has_text="fade in").locator(".thumbnail img").first
    expect(image).to_be_visible()
    brightness = image.evaluate(
        """async (image) => {
            await image.decode();
            const canvas = new OffscreenCanvas(8, 8), draw = canvas.getContext("2d");
            draw.drawImage(image, 0, 0, 8, 8);
            const data = draw.getImageData(0, 0, 8, 8).data;
            return data.reduce((sum, value, n) => sum + (n % 4 < 3 ? value : 0), 0) / (8 * 8 * 3);
        }"""
    )
    assert brightness > 100


# --- filters, judgements, examples ----------------------------------------------------------------


def test_a_filtered_search_opens_in_another_browser(page: Page, chromium: Browser, address: str, shot: Shot) -> None:
    open_search(page, EVERYWHERE)
    assert cards(page).count() > 2
    page.get_by_label("At most (s)").fill("8")
    page.keyboard.press("Enter")
    expect(card(page, 24)).to_have_count(0)  # of twelve seconds
    page.get_by_role("button", name="in order of time").click()
    expect(page.locator(".st-key-hx-chips .chip")).to_have_text("At most (s): 8")
    settled(page)
    expect(page).to_have_url(re.compile(r"max=8(&|$).*sort=time|sort=time.*max=8"))
    order = cards(page).evaluate_all("all => all.map(card => card.dataset.scene)")
    starts = [int(scene.split("_")[1]) for scene in order if scene.split("_")[0] == order[0].split("_")[0]]
    assert starts == sorted(starts)
    shot(page, "search-filtered")
    other = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 800}).new_page()
    other.goto(page.url)
    expect(cards(other)).to_have_count(len(order), timeout=60_000)
    assert cards(other).evaluate_all("all => all.map(card => card.dataset.scene)") == order
    expect(other.get_by_role("spinbutton", name="At most (s)")).to_have_value("8")
    expect(other.get_by_role("button", name="in order of time")).to_have_attribute("aria-pressed", "true")
    other.context.close()
    page.get_by_role("button", name="Remove: At most (s): 8").click()
    expect(card(page, 24)).to_have_count(1)
    expect(page).not_to_have_url(re.compile("max=8"))


def test_hits_are_judged_with_the_keys(page: Page) -> None:
    open_search(page, "lighthouse")
    page.keyboard.press("n")
    judged = page.locator("article.card.selected")
    scene = judged.get_attribute("data-scene")
    page.keyboard.press("3")
    grade = page.locator(f'article.card[data-scene="{scene}"] .small[data-act="grade 3"]')
    expect(grade).to_have_attribute("aria-pressed", "true")
    settled(page)
    page.reload()
    expect(grade).to_have_attribute("aria-pressed", "true", timeout=60_000)
    # in the field of the query it is a digit, and once more on the card it takes the judgement back
    page.get_by_placeholder(re.compile("Describe a scene")).press("2")
    expect(grade).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    grade.click()
    expect(grade).to_have_attribute("aria-pressed", "false")


def test_where_nothing_is_close_it_says_so_and_shows_the_nearest(page: Page, shot: Shot) -> None:
    page.goto(f"/search?q={FAR}")
    expect(page.get_by_text(f"Nothing here is close to “{FAR}”.")).to_be_visible(timeout=60_000)
    assert cards(page).count() == page.locator("article.card.dim").count() > 0
    expect(cards(page).first.locator(".strength")).to_have_text("weak")
    shot(page, "search-far")
    open_search(page, "lighthouse")
    expect(cards(page).first.locator(".strength")).to_have_text("strong")
    expect(page.locator("article.card:not(.dim)").first).to_be_visible()
    expect(page.get_by_text("Nothing here is close")).to_have_count(0)


# --- the page -------------------------------------------------------------------------------------


def test_an_empty_page_begins_in_the_query_and_has_examples(page: Page, shot: Shot) -> None:
    page.goto("/search")
    query = page.get_by_placeholder(re.compile("Describe a scene"))
    expect(query).to_be_focused(timeout=60_000)
    expect(page.get_by_role("link", name="Open library")).to_have_attribute("href", "/library")
    shot(page, "search-start")
    # the dial comes next, its sliders move with the arrows, and its boxes are boxes
    page.keyboard.press("Tab")
    expect(page.get_by_label("Balance of said and seen")).to_be_focused()
    value = page.get_by_label("Balance of said and seen").input_value()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Balance of said and seen")).to_have_value(str(int(value) + 1))
    expect(page.get_by_role("checkbox", name="a walk", exact=True)).to_be_checked()
    example = page.locator(".examples a").first
    text = example.inner_text()
    example.click()
    expect(cards(page).first).to_be_visible()
    expect(query).to_have_value(text)


def test_buttons_are_named_with_their_scene(page: Page) -> None:
    open_search(page, "lighthouse blue")
    buttons = page.locator("article.card button:not([hidden])")
    names = buttons.evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    # play, add, four grades, more and less of this kind, more like this
    assert len(names) == len(set(names)) == 9 * cards(page).count()
    expect(page.get_by_role("button", name="Add a walk from 0:06.0 to the tray")).to_be_visible()


def test_on_a_phone_what_is_tapped_is_in_view(phone: Page, shot: Shot) -> None:
    phone.goto(f"/search?q={EVERYWHERE}")
    expect(cards(phone).first).to_be_visible(timeout=60_000)
    stage = phone.locator(".stage")
    expect(stage).not_to_be_in_viewport()
    assert phone.locator(".key").filter(visible=True).count() == 0
    card(phone, 6).locator(".open").tap()
    wait_for_video(phone, "!v.paused && v.currentTime > 6")
    expect(stage).to_be_in_viewport(ratio=1)
    tapped, player = card(phone, 6).bounding_box(), stage.bounding_box()
    assert tapped is not None
    assert player is not None
    assert tapped["y"] + tapped["height"] <= player["y"] + 1  # it does not cover the card
    shot(phone, "search-phone")
    phone.get_by_role("button", name="Close the player").tap()
    wait_for_video(phone, "v.paused")
    expect(phone.locator(".stage.docked")).to_have_count(0)
    # scrolled to, the panel has the player itself
    card(phone, 12).locator(".open").tap()
    phone.locator(".slot").evaluate("slot => slot.scrollIntoView({block: 'center'})")
    expect(phone.locator(".stage.docked")).to_have_count(0)


def test_the_log_has_no_errors(app_log: Path) -> None:
    """Runs last: errors that the pages caught are in the log."""
    text = app_log.read_text(encoding="utf-8")
    assert re.search(r"(drawing|the operation) \w+ failed|no text for the key", text) is None
