"""What is noted of requests: their ids, lines in the log, and counts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from heimdex_core import logs
from heimdex_core.api import requests
from heimdex_core.api.requests import HEADER, RequestLog

_LOG = logging.getLogger("heimdex_core.test")


async def answer(request: Any) -> PlainTextResponse:
    _LOG.warning("at work")
    return PlainTextResponse("ok")


async def fail(request: Any) -> PlainTextResponse:
    raise RuntimeError("defect")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(requests, "counts", type(requests.counts)())
    routes = [
        Route("/files/{token}", answer),
        Route("/fail", fail),
        Route("/health/live", answer),
        Mount("/api/v1", Starlette(routes=[Route("/videos/{video_id}", answer)])),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(RequestLog)])
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


def noted(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.fields for record in caplog.records if hasattr(record, "fields")]


def test_a_request_is_named_by_its_route(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.get("/files/a-secret-token?q=red+car")
    client.get("/api/v1/videos/1234")
    client.get("/no/such/page?q=red+car")
    client.get("/fail")
    assert requests.counts == {
        ("GET", "/files/{token}", 200): 1,
        ("GET", "/api/v1/videos/{video_id}", 200): 1,
        ("GET", "other", 404): 1,
        ("GET", "/fail", 500): 1,
    }
    assert [(line["route"], line["status"]) for line in noted(caplog)] == [
        ("/files/{token}", 200),
        ("/api/v1/videos/{video_id}", 200),
        ("other", 404),
        ("/fail", 500),
    ]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("heimdex_core")]
    assert not any(text in line for line in ours for text in ("secret", "red", "1234", "no/such"))


def test_methods_that_nobody_knows_are_one(client: TestClient) -> None:
    client.request("X" * 50, "/health/live")
    client.request("YELL", "/health/live")
    assert requests.counts == {("other", "/health/live", 405): 2}


def test_what_is_asked_every_few_seconds_is_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.get("/health/live")
    assert noted(caplog) == []
    assert requests.counts == {("GET", "/health/live", 200): 1}


@pytest.mark.parametrize("given", ["abc-123_X.9", "x" * 64])
def test_an_id_that_is_given_is_kept(client: TestClient, given: str) -> None:
    assert client.get("/health/live", headers={HEADER: given}).headers[HEADER] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "a\tb", '"x"', "é", "١٢"])
def test_other_ids_are_replaced(client: TestClient, given: str) -> None:
    made = client.get("/health/live", headers=[(HEADER.encode(), given.encode())]).headers[HEADER]
    assert len(made) == 32
    assert made.isascii()


def test_what_is_logged_meanwhile_has_the_id(client: TestClient) -> None:
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(logs.JsonFormatter("serve").format(record))

    handler = Keep()
    _LOG.addHandler(handler)
    try:
        client.get("/health/live", headers={HEADER: "mine"})
    finally:
        _LOG.removeHandler(handler)
    assert len(found) == 1
    assert '"request_id": "mine"' in found[0]
