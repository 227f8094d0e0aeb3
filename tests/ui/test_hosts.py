"""The host check: which hosts a request may name, and what the others are told."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from heimdex_core.settings import Settings
from ui.server.hosts import HostCheck

NAMES = ("videos.example.com", ".lan")
HTML = {"Accept": "text/html,*/*;q=0.8"}


async def answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("the library")


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("the library")
    await socket.close()


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/", answer, methods=["GET", "POST"]), WebSocketRoute("/stream", talk)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(HostCheck, NAMES)]))


ALLOWED = [
    "localhost",
    "LocalHost:8501",
    "localhost.",
    "localhost:",
    "127.0.0.1",
    "10.1.2.3:8501",
    "[::1]",
    "[::1]:8501",
    "[2001:DB8::1]:443",
    "[::ffff:127.0.0.1]",
    "videos.example.com",
    "Videos.Example.COM.:443",
    "lan",
    "nas.lan",
    "a.b.lan:8501",
]
REFUSED = [
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example",
    "evil.localhost",
    "127.0.0.1.evil.example",
    "videos.example.com.evil.example",
    "xvideos.example.com",
    "a.videos.example.com",
    "evillan",
    "127.1",
    "2130706433",
    "127.0.0.1..",
]
MALFORMED = [
    "",
    ":8501",
    ".",
    "::1",
    "[::1",
    "[]",
    "[fe80::1%eth0]",
    "localhost:80:80",
    "localhost@evil.example",
    "localhost/..",
    "localhost, evil.example",
    "local host",
    "localhost:8a",
]


@pytest.mark.parametrize("host", ALLOWED)
def test_an_allowed_host(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).text == "the library"
    with client.websocket_connect("/stream", headers={"Host": host}) as socket:
        assert socket.receive_text() == "the library"


@pytest.mark.parametrize(("host", "status"), [*((h, 403) for h in REFUSED), *((h, 400) for h in MALFORMED)])
def test_a_refused_host(client: TestClient, host: str, status: int) -> None:
    for method in ("GET", "POST"):
        refusal = client.request(method, "/", headers={"Host": host})
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (status, "HOST_REFUSED")
        assert refusal.headers["cache-control"] == "no-store"
    assert client.get("/not-there", headers={"Host": host}).status_code == status
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream", headers={"Host": host}):
        pass


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_one_host_header_is_needed(hosts: list[str]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never(*_: Any) -> Any:
        raise AssertionError("the request was let through")

    headers = [(b"host", host.encode()) for host in hosts]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    anyio.run(lambda: HostCheck(never)(scope, never, send))
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Host",
        "X-Host",
        "X-Original-Host",
        "Forwarded",
        "X-Forwarded-Server",
        "X-Forwarded-For",
        "X-Real-IP",
    ],
)
def test_headers_of_proxies_are_not_believed(client: TestClient, header: str) -> None:
    value = "host=localhost" if header == "Forwarded" else "localhost"
    assert client.get("/", headers={"Host": "evil.example", header: value}).status_code == 403
    assert client.get("/", headers={"Host": "localhost", header: value.replace("localhost", "evil")}).status_code == 200


def test_a_token_opens_no_other_host(client: TestClient) -> None:
    headers = {"Authorization": "Bearer hdx_0_0", "X-Forwarded-User": "local", "X-Forwarded-Email": "a@example.com"}
    assert client.get("/", headers={"Host": "evil.example", **headers}).status_code == 403


def test_the_page_names_the_setting_in_the_language_of_the_browser(client: TestClient) -> None:
    page = client.get("/", headers={"Host": "evil.example:8501", **HTML, "Accept-Language": "fr-FR, en;q=0.5"})
    assert page.headers["content-type"].startswith("text/html")
    assert 'lang="en"' in page.text
    assert "If evil.example is a name of this server, add it to HEIMDEX_ALLOWED_HOSTS" in page.text
    page = client.get("/", headers={"Host": "evil.example", **HTML, "Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"})
    assert 'lang="ko"' in page.text
    assert "허용되지 않은 호스트 이름이에요" in page.text
    assert "HEIMDEX_ALLOWED_HOSTS" in page.text


def test_the_page_shows_a_host_as_text(client: TestClient) -> None:
    page = client.get("/", headers={"Host": "<script>alert(1)</script>" + "x" * 5000, **HTML})
    assert page.status_code == 400
    assert "<script" not in page.text
    assert len(page.text) < 2500


def test_each_host_is_logged_once_and_only_some(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="ui"):
        for number in (1, 1, *range(100)):
            client.get("/", headers={"Host": f"evil{number}.example"})
    hosts = [record.getMessage().split("'")[1] for record in caplog.records]
    assert len(hosts) == len(set(hosts)) == 20
    assert hosts[:3] == ["evil1.example", "evil0.example", "evil2.example"]


# --- the setting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("videos.example.com, .Lan", ("videos.example.com", ".lan")),
        ("my_nas  *", ("my_nas", "*")),
        ("한국.example", ("xn--3e0b707e.example",)),
        ("", ()),
    ],
)
def test_the_setting_is_a_list_of_names(monkeypatch: pytest.MonkeyPatch, value: str, names: tuple[str, ...]) -> None:
    monkeypatch.setenv("HEIMDEX_ALLOWED_HOSTS", value)
    assert Settings().allowed_hosts == names


@pytest.mark.parametrize("value", ["http://a.example", "a.example:8501", "*.a.example", "a..example", "a/b"])
def test_what_is_no_name_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HEIMDEX_ALLOWED_HOSTS", value)
    with pytest.raises(ValueError, match=r"is no host name; write videos\.example\.com"):
        Settings()


def test_any_name_can_be_allowed() -> None:
    assert HostCheck(lambda *_: None, ("*",)).is_allowed("evil.example")  # type: ignore[arg-type]
