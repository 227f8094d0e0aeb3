"""A file that was moved away is found again from the page of its video."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from heimdex_core.errors import ClipsFailed
from heimdex_core.library import Library
from tests.e2e import driver
from tests.support.frozen import SUBTITLED, WAITING, frozen_library

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_a_moved_file_is_found_in_a_folder(chromium: Browser, tmp_path: Path, app_log: Path) -> None:
    root = frozen_library(tmp_path / "library")
    place = tmp_path / "원본 🎬"
    place.mkdir()
    with Library.open(root) as library:
        library.delete(WAITING)
        library.set_preference("language", "en")
        source = library.playable_path(library.video(SUBTITLED))
    assert source is not None
    shutil.move(source, place / "영상.mp4")
    with driver.running_app(root, app_log, HEIMDEX_WATCH_ROOTS=str(tmp_path)) as address:
        page = chromium.new_context(base_url=address).new_page()
        page.goto(f"/video?id={SUBTITLED}")
        panel = page.get_by_role("region", name="Find the file again")
        expect(panel).to_contain_text("The file of subtitled is missing.", timeout=60_000)
        panel.get_by_role("button").click()
        expect(panel).to_contain_text("Not found where it was.")
        where = panel.get_by_label("File or folder")
        where.fill("/etc")
        where.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("HEIMDEX_WATCH_ROOTS")
        expect(where).to_have_value("/etc")
        where.fill(str(place))
        where.press("Enter")
        expect(panel).to_have_count(0)
    assert source.is_file()


def test_the_exports_keep_the_error_and_the_path_while_they_are_drawn_again(
    chromium: Browser, tmp_path: Path, app_log: Path
) -> None:
    root = frozen_library(tmp_path / "library")

    def fail_an_export() -> None:
        with Library.open(root) as library, pytest.raises(ClipsFailed):
            library.reel([f"{SUBTITLED}_0_1000"])

    with Library.open(root) as library:
        library.delete(WAITING)
        library.set_preference("language", "en")
        source = library.playable_path(library.video(SUBTITLED))
    assert source is not None
    moved = shutil.move(source, tmp_path / "away.mp4")
    fail_an_export()
    with driver.running_app(root, app_log, HEIMDEX_WATCH_ROOTS=str(tmp_path)) as address:
        page = chromium.new_context(base_url=address).new_page()
        page.goto("/exports")
        failed = page.locator('.export[data-state="failed"]')
        expect(failed).to_have_count(1, timeout=60_000)
        where = page.get_by_role("region", name="Find the file again").get_by_label("File or folder")
        where.fill("/etc")
        where.press("Enter")
        refused = page.get_by_role("alert").filter(has_text="HEIMDEX_WATCH_ROOTS")
        expect(refused).to_be_visible()
        fail_an_export()
        expect(failed).to_have_count(2)  # so the list has been drawn again
        expect(refused).to_be_visible()
        expect(where).to_have_value("/etc")
        where.fill(str(moved))
        where.press("Enter")
        expect(where).to_have_count(0)
        expect(refused).to_have_count(0)
