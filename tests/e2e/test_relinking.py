"""A file that was moved away is found again from the page of its video."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

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
        where.fill(str(place))
        where.press("Enter")
        expect(panel).to_have_count(0)
    assert source.is_file()
