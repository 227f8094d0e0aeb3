"""One running app and one browser per module, or an app for several (frozen_app.py, signing_in.py); a new page for each
test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from heimdex_core.library import Library
from tests.e2e import driver
from tests.e2e.frozen_app import SMALL, FrozenApp
from tests.e2e.signing_in import SignInApp, running_sign_in_app
from tests.support.frozen import WAITING, frozen_library

Shot = Callable[[Page, str], None]

# The script that draws a page shares the machine with the worker, so a page may take long to appear.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: HEIMDEX_SHOTS, else a temporary folder."""
    wanted = os.environ.get("HEIMDEX_SHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def shot(shots: Path) -> Shot:
    def take(page: Page, name: str) -> None:
        page.screenshot(path=shots / f"{name}.png")

    return take


@pytest.fixture(scope="module")
def app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "app.log"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def address(library: Path, app_log: Path) -> Iterator[str]:
    with driver.running_app(library, app_log, **SMALL) as url:
        yield url


@pytest.fixture(scope="session")
def frozen_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrozenApp]:
    """One per process of pytest-xdist."""
    root = frozen_library(tmp_path_factory.mktemp("frozen") / "library")
    with Library.open(root) as found:
        found.delete(WAITING)
    log = tmp_path_factory.mktemp("log") / "app.log"
    with driver.running_app(root, log, **SMALL) as url:
        yield FrozenApp(root, log, url)


@pytest.fixture(scope="session")
def sign_in_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignInApp]:
    """One per process of pytest-xdist."""
    with running_sign_in_app(tmp_path_factory.mktemp("sign-in")) as running:
        yield running


@pytest.fixture
def browsers(chromium: Browser, sign_in_app: SignInApp) -> Iterator[list[BrowserContext]]:
    """Two browsers that know nothing of each other."""
    opened = [chromium.new_context(base_url=sign_in_app.address, locale="en-US") for _ in range(2)]
    yield opened
    for context in opened:
        context.close()


@pytest.fixture(scope="module")  # its event loop must be closed before other modules use asyncio
def chromium() -> Iterator[Browser]:
    with driver.browser() as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=address, viewport={"width": 1440, "height": 900}, color_scheme="dark", accept_downloads=True
    )
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert problems == [], "scripts of the page failed"
