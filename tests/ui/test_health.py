"""The health routes: live at once; ready only if catalog, jobs, models and disk are fine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.errors import LibraryDamaged
from heimdex_core.settings import Settings
from ui.server.health import HealthServer

RUNNING = {"state": "running", "ok": True, "pid": 4}


class FakeLibrary:
    """A library in which one thing at a time can be broken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = Settings(min_free_bytes=0)
        self.catalog_error: Exception | None = None
        self.models = SimpleNamespace(choice=SimpleNamespace(name="offline"), describe=lambda: [])

    def videos(self, *, limit: int) -> list[Any]:
        if self.catalog_error is not None:
            raise self.catalog_error
        return []


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


def ask(library: FakeLibrary, path: str, worker: dict[str, Any]) -> Any:
    server = HealthServer(lambda: library, lambda: worker)  # type: ignore[arg-type,return-value]
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


def failing(answer: Any) -> dict[str, str]:
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    return {name: check["error"]["code"] for name, check in answer.json()["checks"].items() if not check["ok"]}


def test_a_worker_that_does_not_run(library: FakeLibrary) -> None:
    assert failing(ask(library, "/health/ready", {"state": "waiting", "ok": False})) == {"jobs": "JOBS_UNAVAILABLE"}


def test_a_catalog_that_cannot_be_read(library: FakeLibrary) -> None:
    library.catalog_error = LibraryDamaged(what="catalog.duckdb", reason="broken")
    assert failing(ask(library, "/health/ready", RUNNING)) == {"catalog": "LIBRARY_DAMAGED"}


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
