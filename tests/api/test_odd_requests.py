"""Requests out of the ordinary: HEAD, methods and paths that there are not, bodies that are no JSON."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import httpx2
import pytest

from heimdex_core.api.server import server_app
from tests.api.conftest import Api, make_api, serving
from tests.support.frozen import SUBTITLED

JSON = {"Content-Type": "application/json"}


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "hint"} <= answer.json().keys()
    return answer.status_code, answer.json()["code"]


def test_head_has_the_headers_of_get(api: Api) -> None:
    for path in (f"/videos/{SUBTITLED}", "/videos", "/health", "/docs", "/videos/none"):
        got, asked = api.get(path), api.ask("HEAD", path)
        assert (asked.status_code, asked.content) == (got.status_code, b"")
        for name in ("content-type", "content-length", "etag"):
            assert asked.headers.get(name) == got.headers.get(name)


def test_head_on_a_connection_that_is_used_again(api: Api) -> None:
    with serving(server_app(api.library, has_worker=False)) as address:
        headers = {"Authorization": f"Bearer {api.tokens['owner']}"}
        with httpx2.Client(base_url=f"{address}/api/v1", headers=headers, timeout=60) as client:
            asked = [client.head("/videos"), client.get("/videos"), client.head("/videos/none")]
            assert [one.status_code for one in asked] == [200, 200, 404]
            assert asked[0].headers["etag"] == asked[1].headers["etag"]


@pytest.mark.parametrize("path", ["/", "/nope", "/videos/", "//videos", "/videos/a%2Fb", f"/videos/{SUBTITLED}/nope"])
def test_a_path_that_there_is_not(api: Api, path: str) -> None:
    answer = api.client.get(f"/api/v1{path}", follow_redirects=False)
    if path == "/":
        assert (answer.status_code, answer.headers["location"]) == (307, "/api/v1/docs")
    else:
        assert problem(answer) == (404, "ROUTE_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", f"/videos/{SUBTITLED}", "GET, PATCH, DELETE, HEAD"),
        ("DELETE", "/videos", "GET, HEAD"),
        ("GET", "/search", "POST"),
        ("HEAD", f"/videos/{SUBTITLED}/events", "GET"),
        ("POST", "/people-status", "GET, PUT, HEAD"),
    ],
)
def test_a_method_that_a_path_has_not(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.ask(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert method == "HEAD" or problem(answer) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Content-Type": "text/plain"}, "text/plain"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "application/x-www-form-urlencoded"),
        ({}, "(none)"),
        ({**JSON, "Content-Encoding": "gzip"}, "gzip"),
    ],
)
def test_a_body_that_is_no_json(api: Api, headers: dict[str, str], found: str) -> None:
    body = b'{"text": "sea"}'
    answer = api.ask("POST", "/search", headers=headers, content=gzip.compress(body) if found == "gzip" else body)
    assert problem(answer) == (415, "BODY_UNSUPPORTED")
    assert answer.json()["details"] == {"found": found}


def test_a_client_sees_that_its_body_is_too_large(api: Api) -> None:
    body = b'{"text": "' + b"x" * (24 * 1024 * 1024) + b'"}'
    headers = {"Authorization": f"Bearer {api.tokens['owner']}", **JSON}
    with (
        serving(server_app(api.library, has_worker=False)) as address,
        httpx2.Client(base_url=f"{address}/api/v1", headers=headers, timeout=60) as client,
    ):
        assert problem(client.post("/search", content=body)) == (413, "BODY_TOO_LARGE")
        pieces = (body[n : n + 65536] for n in range(0, len(body), 65536))
        assert problem(client.post("/search", content=pieces)) == (413, "BODY_TOO_LARGE")
        assert problem(client.post("/search", content=body, headers={"Content-Type": "text/plain"}))[0] == 413


def test_json_by_other_names(api: Api) -> None:
    for media_type in ("Application/JSON; charset=utf-8", "application/vnd.api+json"):
        headers = {"Content-Type": media_type, "Content-Encoding": "identity"}
        assert api.ask("POST", "/search", headers=headers, content=b'{"text": "sea"}').status_code == 200


def test_what_is_wrong_is_named_as_the_client_named_it(api: Api) -> None:
    def details(answer: Any) -> Any:
        assert problem(answer) == (422, "INVALID_VALUE")
        return answer.json()["details"]

    assert details(api.get("/videos?limit=1000"))["name"] == "limit"
    assert details(api.get("/videos?stat=indexed")) == {
        "name": "stat",
        "value": "indexed",
        "reason": "there is no such parameter here; /api/v1/docs lists them",
    }
    missing = details(api.post("/uploads", {"filename": "a.mp4"}))
    assert missing == {"name": "size_bytes", "value": "(none)", "reason": "it is required"}
    image = api.post("/search", {"example": {"image": "aGFsbG8="}}).json()
    assert (image["code"], image["details"]["filename"]) == ("NOT_AN_IMAGE", "example.image")


def test_pages_of_other_origins_may_use_every_method(tmp_path: Path) -> None:
    api = make_api(tmp_path / "library", origins=("https://page.example",))
    try:
        asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "PUT"}
        answer = api.ask("OPTIONS", "/people-status", None, headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://page.example")
        refused = api.ask("PUT", "/videos", headers={"Origin": "https://page.example"})
        assert problem(refused) == (405, "METHOD_NOT_ALLOWED")
        assert refused.headers["access-control-allow-origin"] == "https://page.example"
    finally:
        api.library.close()
