"""Every page for people who use a keyboard or a screen reader: axe-core, headings, visible focus, less motion."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from heimdex_core.library import Library
from heimdex_core.types import ReelClip
from tests.e2e import driver
from tests.support.frozen import SPOKEN, SUBTITLED, frozen_library

pytestmark = [pytest.mark.browser, pytest.mark.long]

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
SEVERE = ("serious", "critical")
SETTLE_S = 5.0
PAGES = {
    "": ".recent img",
    "library": "article.video[data-state=indexed] img",
    "search?q=red": "article.card img",
    f"video?id={SUBTITLED}": "article.card img",
    f"scene?id={SUBTITLED}_0_1000": ".item.current img",
    "searches": ".st-key-hx-searches h2",
    "reel": "article.clip",
    "exports": "li.export",
    "people": ".st-key-hx-people h2",
    f"short?scene={SUBTITLED}_0_1000&captions=karaoke&strategy=smart_crop": ".shot img",
    "evaluate": "tr[data-query]",
    "evaluate?view=judge": ".judging .grade",
    "evaluate?view=runs": "tr[data-run]",
    "evaluate?view=sweeps": ".start",
    "settings": ".panel",
}
"""The pages, and what is there when they are drawn."""

ALL = """
function* all(root = document) {
    for (const element of root.querySelectorAll("*")) {
        yield element;
        if (element.shadowRoot) yield* all(element.shadowRoot);
    }
}
"""
FOCUSED = """() => {
    let element = document.activeElement;
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    const drawn = (one) => {
        const style = getComputedStyle(one);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    };
    // a hidden input is drawn by what follows it, Streamlit's fields by what is around them
    const around = [element, element.nextElementSibling, element.parentElement, element.parentElement?.parentElement];
    return {
        name: `${element.tagName} ${element.getAttribute("aria-label") || element.textContent.trim().slice(0, 40)}`,
        isPage: element === document.body,
        isVisible: around.some((one) => one && drawn(one)),
        place: (element.getRootNode().host ? "shadow " : "") + element.outerHTML.slice(0, 160),
    };
}"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two indexed clips, one in the tray twice; one that waits."""
    root = frozen_library(tmp_path_factory.mktemp("library") / "library")
    with Library.open(root) as opened:
        clips = [ReelClip(SUBTITLED, 0.0, 1.0, 0.0, 1.0), ReelClip(SPOKEN, 0.0, 1.0, 0.0, 1.0)]
        opened.save_tray(clips, title="Autumn")
        opened.judge("red", opened.scenes(SPOKEN)[0].scene_id, 3)
        opened.evaluate("default", name="first")
    return root


@pytest.fixture
def still(page: Page) -> Page:
    """A page without transitions, whose colours would be measured on their way."""
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return page


def open_page(page: Page, path: str, landmark: str) -> None:
    page.goto(f"/{path}")
    expect(page.locator(landmark).first).to_be_visible(timeout=60_000)
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()


def axe(page: Page) -> list[str]:
    """The serious and critical findings on the page: the rule, and where it is broken."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['impact']} {one['id']}: {json.dumps(node['target'], ensure_ascii=False)} {node['html'][:200]}"
        for one in found
        if one["impact"] in SEVERE
        for node in one["nodes"]
    ]


def expect_no_findings(page: Page) -> None:
    """Fail with the findings if they stay: colours are measured while the page is drawn in another theme."""
    until = time.monotonic() + SETTLE_S
    while found := axe(page):
        assert time.monotonic() < until, found
        page.wait_for_timeout(200)


def check_appearance(page: Page, language: str, scheme: str) -> None:
    """Run axe in one language and theme."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.locator(f".st-key-hx-topbar button[lang={language}]").evaluate("button => button.click()")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator(".stApp")).to_have_css("color-scheme", scheme)
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
    expect_no_findings(page)


APPEARANCES = [("ko", "light"), ("en", "dark")]
OTHER_APPEARANCES = [("ko", "dark"), ("en", "light")]


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(still: Page, path: str) -> None:
    open_page(still, path, PAGES[path])
    for language, scheme in APPEARANCES:
        check_appearance(still, language, scheme)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_in_other_appearances_and_on_a_phone(still: Page, path: str) -> None:
    open_page(still, path, PAGES[path])
    for width in (1440, 390):
        still.set_viewport_size({"width": width, "height": 844})
        for language, scheme in OTHER_APPEARANCES:
            check_appearance(still, language, scheme)


def test_axe_finds_nothing_serious_where_the_library_fails(still: Page, library: Path) -> None:
    catalog, aside = library / "catalog.duckdb", library / "elsewhere"
    open_page(still, "library", PAGES["library"])
    catalog.rename(aside)
    try:
        for path in ("library", "search?q=red", "settings"):
            open_page(still, path, ".hx-error")
            expect_no_findings(still)
    finally:
        aside.rename(catalog)
    # the page is drawn again by itself
    expect(still.locator(".hx-error")).to_have_count(0)
    expect(still.locator(PAGES["settings"]).first).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_headings_focus_and_motion(still: Page, path: str) -> None:
    open_page(still, path, PAGES[path])
    levels = still.locator("h1, h2, h3, h4, h5, h6").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).map(e => Number(e.tagName[1]))"
    )
    assert levels.count(1) == 1, levels
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False)), levels
    durations = still.evaluate(
        f"() => {{ {ALL} return [...all()].map(e => getComputedStyle(e)).map(s => Math.max("
        "...(s.transitionDuration + ',' + s.animationDuration).split(',').map(parseFloat))); }"
    )
    assert max(durations) < 0.05
    hidden, names = [], []
    for _ in range(60):
        still.keyboard.press("Tab")
        focused = still.evaluate(FOCUSED)
        if focused["isPage"]:
            break
        names.append(focused["name"])
        if not focused["isVisible"]:
            hidden.append(focused["place"])
    assert hidden == []
    assert len(names) > 8, names


@pytest.fixture(scope="module")
def empty_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("empty")
    with driver.running_app(folder / "library", folder / "app.log") as url:
        yield url


def test_axe_finds_nothing_serious_in_an_empty_library(still: Page, empty_address: str) -> None:
    for path in (
        "",
        "library",
        "search",
        "reel",
        "exports",
        "short",
        "evaluate",
        "activity",
        "settings",
        "video?id=none",
    ):
        still.goto(f"{empty_address}/{path}")
        expect(still.get_by_role("heading", level=1).first).to_be_attached(timeout=60_000)
        expect(still.locator('[data-test-script-state="notRunning"]')).to_be_attached()
        for language, scheme in (*APPEARANCES, *OTHER_APPEARANCES):
            check_appearance(still, language, scheme)
