"""GET /files/{token}: whole files, ranges, downloads and errors."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from tests.ui.fakes import Clock
from ui.server.files import FileServer

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def links(tmp_path: Path, clock: Clock) -> Links:
    source = tmp_path / "videos" / "v1" / "source.mp4"
    source.parent.mkdir(parents=True)
    source.write_bytes(CONTENT)
    return Links("secret of the test", tmp_path, file_ttl_s=3600, upload_ttl_s=900, now=clock)


@pytest.fixture
def client(links: Links) -> TestClient:
    return TestClient(Starlette(routes=[Route("/files/{token}", FileServer(links).serve)]))


@pytest.fixture
def url(links: Links) -> str:
    return links.file_url(Path("videos/v1/source.mp4"), "mina")


def test_the_whole_file(client: TestClient, url: str) -> None:
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("requested", "first", "last"), [("bytes=0-9", 0, 9), ("bytes=100-", 100, 1023), ("bytes=-24", 1000, 1023)]
)
def test_a_range(client: TestClient, url: str, requested: str, first: int, last: int) -> None:
    answer = client.get(url, headers={"Range": requested})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"


def test_a_range_beyond_the_end_is_refused(client: TestClient, url: str) -> None:
    assert client.get(url, headers={"Range": "bytes=5000-"}).status_code == 416


def test_a_download_keeps_its_korean_name(client: TestClient, links: Links) -> None:
    url = links.file_url(Path("videos/v1/source.mp4"), "mina", download_name="여름 바다.mp4")
    disposition = client.get(url).headers["content-disposition"]
    assert disposition.startswith("attachment;")
    assert "filename*=utf-8''%EC%97%AC%EB%A6%84%20%EB%B0%94%EB%8B%A4.mp4" in disposition


def test_an_expired_link_gives_410(client: TestClient, url: str, clock: Clock) -> None:
    clock.at = 7200.0
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "LINK_EXPIRED")
    assert answer.headers["cache-control"] == "no-store"


def test_an_export_gives_410_from_its_expiry_on_and_once_it_is_removed(
    client: TestClient, links: Links, tmp_path: Path, clock: Clock
) -> None:
    export = tmp_path / "exports" / "mina" / "short.mp4"
    export.parent.mkdir(parents=True)
    export.write_bytes(CONTENT)
    url = links.file_url(export, "mina", usable_until=datetime.fromtimestamp(600, UTC))
    clock.at = 599.0
    assert client.get(url).content == CONTENT
    clock.at = 600.0
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "EXPORT_EXPIRED")
    kept = links.file_url(export, "mina")
    export.unlink()
    assert client.get(kept).json()["error"]["code"] == "EXPORT_EXPIRED"


def test_an_invalid_link_gives_403(client: TestClient) -> None:
    answer = client.get("/files/not.signed")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "LINK_INVALID")


def test_a_removed_file_gives_404(client: TestClient, url: str, tmp_path: Path) -> None:
    (tmp_path / "videos" / "v1" / "source.mp4").unlink()
    assert client.get(url).status_code == 404


ODD_PATHS = [
    "videos/v1/\0.mp4",
    "videos/v1/source\0.mp4",
    "videos/v1/" + "a" * 5000 + ".mp4",
    "videos/" + "a/" * 2500 + "b.mp4",
    "videos/v1/\n.mp4",
    "videos/v1",
    "videos",
    "",
    ".mp4",
]


@pytest.mark.parametrize("path", ODD_PATHS, ids=range(len(ODD_PATHS)))
def test_a_signed_path_that_no_file_can_have_is_refused(client: TestClient, path: str) -> None:
    claim = {"p": path, "u": "mina", "e": 10**10}
    token = URLSafeSerializer("secret of the test", salt="heimdex.file").dumps(claim)
    for method in ("GET", "HEAD"):
        assert client.request(method, f"/files/{token}").status_code in (403, 404)


@pytest.mark.parametrize("token", ["%00", "a" * 5000, "%ff%fe", "..%2f..%2f.secret", "%0d%0aX: y", "%ED%A0%80", "."])
def test_a_token_that_is_no_token_is_refused(client: TestClient, token: str) -> None:
    assert client.get(f"/files/{token}").status_code in (403, 404)


@pytest.mark.parametrize("name", ["a\0b.mp4", "line\nbreak.mp4", "\ud800.mp4", '"; x="', "x" * 5000])
def test_a_download_with_an_odd_name(client: TestClient, links: Links, name: str) -> None:
    answer = client.get(links.file_url(Path("videos/v1/source.mp4"), "mina", download_name=name))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert "\n" not in answer.headers["content-disposition"]


def test_a_pipe_is_no_file(client: TestClient, links: Links, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "videos" / "v1" / "preview.mp4")
    assert client.get(links.file_url(Path("videos/v1/preview.mp4"), "mina")).status_code == 404
