"""People in a real browser: who was found is named, searched for, seen on the page of a scene, and removed.

The tests share one library and run in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.e2e import driver
from tests.e2e.conftest import Shot
from tests.support.drawn_faces import ANNA, BEN, LEFT, RIGHT, add_video, photo, picture, put_small_models
from tests.support.small_yunet import BOX_PX

# one long story, of which each test needs the one before; tests/library/test_people.py has its parts
pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture(scope="module")
def people_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Anna, then Anna with Ben; both were found and Anna is known. The app itself has no models."""
    folder = tmp_path_factory.mktemp("people")
    with pytest.MonkeyPatch.context() as patched:
        put_small_models(folder / "models", patched)
        settings = Settings(models_dir=folder / "models")
        with Library.open(folder / "library", profile="offline", settings=settings) as made:
            pictures = [picture((ANNA, *LEFT)), picture((ANNA, *LEFT), (BEN, *RIGHT), noise=1)]
            add_video(made, "harbour", pictures, ["good morning", "the red boat"])
            made.people.find_faces()
            made.people.enrol("Anna", [photo(folder / "anna.png", ANNA)])
    return folder / "library"


def place_in(image: Locator, box: Locator) -> tuple[float, ...]:
    """Where a box is in a picture: left edge, upper edge, width and height as shares of the picture's."""
    whole, part = image.bounding_box(), box.bounding_box()
    assert whole is not None
    assert part is not None
    width, height = whole["width"], whole["height"]
    left, top = (part["x"] - whole["x"]) / width, (part["y"] - whole["y"]) / height
    return left, top, part["width"] / width, part["height"] / height


@pytest.fixture(scope="module")
def address(people_library: Path, app_log: Path) -> Iterator[str]:
    with driver.running_app(people_library, app_log) as url:
        yield url


def test_a_group_is_named(address: str, page: Page, shot: Shot) -> None:
    page.goto(f"{address}/people")
    expect(page.locator(".person")).to_have_count(1)
    expect(page.get_by_text("The models that find and compare faces are missing")).to_be_visible()
    group = page.locator(".clusters li")
    expect(group).to_have_count(1)
    expect(group.locator("img")).to_have_js_property("complete", True)
    group.get_by_role("button", name="Name this person").click()
    page.get_by_label("Name", exact=True).fill("Ben Kim")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".person b")).to_have_text(["Anna", "Ben Kim"])
    expect(page.get_by_text("There are no unnamed faces.")).to_be_visible()
    shot(page, "people")


def test_a_person_is_found_and_seen_on_the_page_of_a_scene(address: str, page: Page, people_library: Path) -> None:
    page.goto(f"{address}/people")
    page.locator(".person", has_text="Ben Kim").get_by_role("link", name="Find scenes").click()
    expect(page.locator("article.card", has_text="the red boat")).to_be_visible()
    expect(page.locator("article.card")).to_have_count(1)
    with Library.open(people_library) as library:
        (hit,) = library.search('person:"Ben Kim"').hits
    page.goto(f"{address}/scene?id={hit.scene_id}")
    faces = page.locator("section.faces")
    expect(faces.locator("figcaption div")).to_have_text(["Anna", "Ben Kim"])
    expect(faces.locator(".box").first).to_be_visible()
    found = [place_in(faces.locator("img"), box) for box in faces.locator(".box").all()]
    drawn = [(x / 320, y / 180, BOX_PX / 320, BOX_PX / 180) for x, y in (LEFT, RIGHT)]
    assert np.array(sorted(found)) == pytest.approx(np.array(drawn), abs=0.01), (
        "around the faces, at any size of picture"
    )
    faces.get_by_role("button", name="Show boxes and names").click()
    expect(faces.locator(".box").first).to_be_hidden()


def test_a_person_is_removed_after_a_question(address: str, page: Page, people_library: Path) -> None:
    page.goto(f"{address}/people")
    card = page.locator(".person", has_text="Anna")
    card.get_by_role("button", name="Remove").click()
    card.get_by_role("button", name="Cancel").click()
    expect(page.locator(".person b")).to_have_text(["Anna", "Ben Kim"])
    card.get_by_role("button", name="Remove").click()
    card.locator(".btn", has_text="Remove").click()
    expect(page.locator(".person b")).to_have_text(["Ben Kim"])
    with Library.open(people_library) as library:
        assert [person.name for person in library.people.all()] == ["Ben Kim"]
        assert library.people.state().faces == 1
    # turned off, nothing of it is shown
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("People are not searched for in this library")).to_be_visible()
    expect(page.locator(".person")).to_have_count(0)
