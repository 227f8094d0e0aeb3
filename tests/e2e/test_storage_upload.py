"""The scripts of uploads in a real browser, against the route of the app and an object storage with its own origin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from heimdex_core.api.links import Links
from heimdex_core.settings import Settings
from heimdex_core.store import object_parts
from tests.e2e import driver
from tests.support.object_storage import TestBucket, operation
from tests.ui.fakes import FakeLibrary
from ui.server.upload import UploadServer

pytestmark = [pytest.mark.browser, pytest.mark.long]

COMPONENTS = Path(__file__).parents[2] / "ui" / "components"
PART = 5 * 1024**2
CONTENT = bytes(range(256)) * (2 * PART // 256) + b"the third part"
LABELS = {name: name for name in ("lost", "lost_hint", "blocked", "blocked_hint", "too_large", "limit", "unreadable")}


class App:
    """The route for uploads and a page with the scripts, over a library in object storage."""

    def __init__(self, folder: Path, s3: TestBucket) -> None:
        settings = Settings(min_free_bytes=0, max_file_bytes=10 * PART)
        self.library = FakeLibrary(folder, settings=settings, storage=s3.open())
        self.links = Links("secret of the test", folder, file_ttl_s=3600, upload_ttl_s=900)
        uploads = UploadServer(self.links, lambda user_id: self.library)  # type: ignore[arg-type, return-value]
        self.received_bytes = 0

        async def receive(request: Request) -> Response:
            self.received_bytes += int(request.headers.get("content-length", 0))
            return await uploads.receive(request)

        routes = [Route("/", lambda request: HTMLResponse(self.page())), Route("/upload", receive, methods=["POST"])]
        port = driver.free_port()
        self.address = f"http://localhost:{port}"
        config = uvicorn.Config(Starlette(routes=routes), port=port, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def page(self) -> str:
        scripts = "".join(
            (COMPONENTS / name).read_text(encoding="utf-8") for name in ("common.js", "digests.js", "uploads.js")
        ).replace("LONGEST_PAUSE_MS = 15000", "LONGEST_PAUSE_MS = 20")
        settings = {"url": "/upload", "token": self.links.upload_token("local", "en"), "max_bytes": 10 * PART}
        view = "{ showsList: true, askForToken() {}, paintUploads() {}, paintShares() { shares.push(sent()); } }"
        start = "const shares = [], sent = () => uploads().progress.sent;"
        start += f"uploads().attach({view}, {{ ...{settings!r}, labels: {LABELS!r} }});"
        choose = "<input type=file onchange='uploads().add([...this.files], {})'>"
        return f"<!doctype html><meta charset=utf-8>{choose}<script>{scripts}\n{start}</script>"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture
def app(tmp_path: Path, s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setattr(object_parts, "PART_BYTES", PART)
    (tmp_path / "library").mkdir()
    running = App(tmp_path / "library", s3)
    s3.server.allowed_origins.add(running.address)
    yield running
    running.close()


@pytest.fixture
def page(chromium: Browser, app: App) -> Iterator[Page]:
    opened = chromium.new_page(base_url=app.address)
    opened.goto("/")
    yield opened
    opened.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "여름 🌊.mp4"
    path.write_bytes(CONTENT)
    return path


def job_in(page: Page, state: str) -> dict[str, Any]:
    """The only upload, once it is in this state."""
    page.wait_for_function("state => uploads().jobs.some((job) => job.state === state)", arg=state)
    found: dict[str, Any] = page.evaluate(
        "uploads().jobs.map(({ error, resumedAt, sent }) => ({ error, resumedAt, sent }))[0]"
    )
    return found


def parts_sent(s3: TestBucket) -> list[str]:
    """The numbers of the parts that were sent to the storage, in order."""
    sent = [target for method, target in s3.server.requests if operation(method, target) == "UploadPart"]
    return [target.partition("partNumber=")[2].partition("&")[0] for target in sent]


def test_a_file_goes_past_the_app(app: App, page: Page, s3: TestBucket, clip: Path) -> None:
    s3.server.fail("cut-request", operation="UploadPart", skip=1)
    page.locator("input").set_input_files(clip)
    assert job_in(page, "done")["sent"] == len(CONTENT)
    (given,) = app.library.added
    assert (given["content"], given["filename"]) == (CONTENT, clip.name)
    assert app.received_bytes == 0
    # the part that was cut is sent again, and only that
    assert parts_sent(s3) == ["1", "2", "2", "3"]
    shares = page.evaluate("shares")
    assert shares[-1] == len(CONTENT)
    assert len(set(shares)) >= 3


def test_after_a_reload_only_the_missing_parts_are_sent(app: App, page: Page, s3: TestBucket, clip: Path) -> None:
    s3.server.fail("500", operation="UploadPart", skip=2, times=3)
    page.locator("input").set_input_files(clip)
    assert job_in(page, "failed")["error"]["message"] == "blocked"
    assert parts_sent(s3) == ["1", "2", "3", "3", "3"]
    page.reload()
    page.locator("input").set_input_files(clip)
    assert job_in(page, "done")["resumedAt"] == 2 * PART
    assert parts_sent(s3) == ["1", "2", "3", "3", "3", "3"]
    assert app.library.added[0]["content"] == CONTENT


def test_a_bucket_without_cors_rules_is_named_as_the_cause(app: App, page: Page, s3: TestBucket, clip: Path) -> None:
    s3.server.allowed_origins.clear()
    page.locator("input").set_input_files(clip)
    error = job_in(page, "failed")["error"]
    assert (error["message"], error["category"]) == ("blocked", "storage")
    s3.server.allowed_origins.add(app.address)
    page.evaluate("uploads().retry(uploads().jobs[0])")
    job_in(page, "done")
    assert app.library.added[0]["content"] == CONTENT
