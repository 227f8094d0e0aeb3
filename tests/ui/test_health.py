"""The health routes: live at once; ready only if catalog, jobs, models and disk are fine."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api import health
from heimdex_core.api.health import HealthServer
from heimdex_core.errors import JobsFileUnusable, LibraryBusy, LibraryDamaged, LibraryNotFound
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.support.stopped import stopped_holder

RUNNING = {"state": "running", "ok": True, "pid": 4}


class FakeLibrary:
    """A library in which one thing at a time can be broken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = Settings(min_free_bytes=0)
        self.catalog_error: Exception | None = None
        self.queue_error: Exception | None = None
        self.held: threading.Event | None = None
        self.asked = 0
        self.work = SimpleNamespace(count_videos=self.count_videos)
        self.is_shared = False
        self.accounts = SimpleNamespace(is_shared=lambda: self.is_shared)
        self.queue = SimpleNamespace(check=self.check_queue)
        self.models = SimpleNamespace(choice=SimpleNamespace(name="offline"), describe=lambda: [])

    def require(self) -> None:
        if not self.path.exists():
            raise LibraryNotFound(path=str(self.path))

    def count_videos(self, *, timeout_s: float) -> int:
        self.asked += 1
        if self.held is not None:
            self.held.wait(60)
        if self.catalog_error is not None:
            raise self.catalog_error
        return 0

    def check_queue(self, *, timeout_s: float) -> None:
        if self.queue_error is not None:
            raise self.queue_error


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


def ask(library: Any, path: str, worker: dict[str, Any], server: HealthServer | None = None) -> Any:
    server = server or HealthServer(lambda: library, lambda: worker)
    routes = [Route("/health/live", server.live), Route("/health/ready", server.ready)]
    return TestClient(Starlette(routes=routes)).get(path)


def test_everything_is_fine(library: FakeLibrary, tmp_path: Path) -> None:
    assert ask(library, "/health/live", {}).json() == {"status": "live"}
    answer = ask(library, "/health/ready", RUNNING)
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert set(checks) == {"catalog", "jobs", "models", "disk"}
    assert all(check["ok"] and check["latency_ms"] >= 0 for check in checks.values())
    assert list(tmp_path.iterdir()) == []  # the disk check has removed its file


def test_nobody_is_told_how_many_videos_others_have(library: FakeLibrary) -> None:
    assert ask(library, "/health/ready", RUNNING).json()["checks"]["catalog"]["detail"] == {"videos": 0}
    library.is_shared = True
    assert ask(library, "/health/ready", RUNNING).json()["checks"]["catalog"]["detail"] == {}


def failing(answer: Any) -> dict[str, str]:
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    return {name: check["error"]["code"] for name, check in answer.json()["checks"].items() if not check["ok"]}


def test_a_worker_that_does_not_run(library: FakeLibrary) -> None:
    assert failing(ask(library, "/health/ready", {"state": "waiting", "ok": False})) == {"jobs": "JOBS_UNAVAILABLE"}


def test_a_queue_that_cannot_be_used(library: FakeLibrary) -> None:
    library.queue_error = JobsFileUnusable(path="jobs.sqlite", reason="it is a folder")
    assert failing(ask(library, "/health/ready", RUNNING)) == {"jobs": "JOBS_FILE_UNUSABLE"}


def test_a_check_that_hangs_does_not_hang_the_response(library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LIMIT_S", 0.2)
    library.held, server = threading.Event(), HealthServer(lambda: library, lambda: RUNNING)  # type: ignore[arg-type,return-value]
    for _ in range(3):
        assert failing(ask(library, "/health/ready", RUNNING, server)) == {"catalog": "NOT_RESPONDING"}
    assert library.asked == 1, "no second check is begun while the first goes on"
    library.catalog_error = LibraryDamaged(what="catalog.duckdb", reason="broken")
    library.held.set()
    server._running["catalog"].result(60)
    library.held = threading.Event()
    assert failing(ask(library, "/health/ready", RUNNING, server)) == {"catalog": "LIBRARY_DAMAGED"}, "the last known"
    library.held.set()


def test_a_stopped_process_that_has_the_catalog_is_named_within_two_seconds(tmp_path: Path) -> None:
    opened = Library.open(tmp_path / "library", settings=Settings(profile="offline"), purpose="query")
    with stopped_holder(opened.path) as pid:
        server = HealthServer(lambda: opened, lambda: RUNNING)
        began = time.monotonic()
        answer = ask(opened, "/health/ready", RUNNING, server)
        seconds = time.monotonic() - began
    assert failing(answer) == {"catalog": "LIBRARY_BUSY"}
    error = answer.json()["checks"]["catalog"]["error"]
    assert f"process {pid} " in error["message"]
    assert f"kill -CONT {pid}" in error["hint"]
    assert seconds < 2
    assert ask(opened, "/health/ready", RUNNING, server).status_code == 200


def test_a_catalog_that_cannot_be_read(library: FakeLibrary) -> None:
    library.catalog_error = LibraryDamaged(what="catalog.duckdb", reason="broken")
    assert failing(ask(library, "/health/ready", RUNNING)) == {"catalog": "LIBRARY_DAMAGED"}


def test_a_library_that_was_moved(library: FakeLibrary, tmp_path: Path) -> None:
    library.path = tmp_path / "gone"
    assert failing(ask(library, "/health/ready", RUNNING)) == {"disk": "LIBRARY_NOT_FOUND"}
    assert not library.path.exists()


def test_a_disk_that_is_full(library: FakeLibrary) -> None:
    library.settings = Settings(min_free_bytes=2**62)
    assert failing(ask(library, "/health/ready", RUNNING)) == {"disk": "DISK_FULL"}


@pytest.mark.expect_errors
def test_an_unexpected_error_is_reported_without_its_text(
    library: FakeLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    library.catalog_error = RuntimeError("password=hunter2")
    answer = ask(library, "/health/ready", RUNNING)
    assert failing(answer) == {"catalog": "INTERNAL"}
    assert "hunter2" not in answer.text
    assert "health check catalog failed" in caplog.text


def test_users_of_a_shared_library_are_told_of_no_process(tmp_path: Path) -> None:
    library = FakeLibrary(tmp_path)
    library.catalog_error = LibraryBusy(what="The search index", pid=4711, program="python", seconds=9)
    assert "4711" in ask(library, "/health/ready", RUNNING).text
    library.is_shared = True
    answer = ask(library, "/health/ready", RUNNING)
    assert failing(answer) == {"catalog": "LIBRARY_IN_USE"}
    assert "4711" not in answer.text
