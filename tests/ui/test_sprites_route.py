"""GET /sprites/{token}: sprites that are made on request, for links that are valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from heimdex_core.errors import DecoderCrashed, HeimdexError, LinkInvalid, SceneNotFound
from tests.ui.fakes import Clock
from ui.server.sprites import SpriteServer

SCENE = "v1_0_1000"
CONTENT = b"RIFF....WEBP"


class Sprites:
    """Has one file, and records what was asked for."""

    def __init__(self, path: Path) -> None:
        self.file = path
        self.asked: list[tuple[str, str]] = []
        self.error: HeimdexError | None = None

    def find(self, scene_id: str, kind: str) -> Path | None:
        return None

    def path(self, scene_id: str, kind: str) -> Path:
        self.asked.append((scene_id, kind))
        if self.error is not None:
            raise self.error
        return self.file


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def links(tmp_path: Path, clock: Clock) -> Links:
    return Links("secret of the test", tmp_path, file_ttl_s=3600, upload_ttl_s=900, now=clock)


@pytest.fixture
def sprites(tmp_path: Path) -> Sprites:
    (tmp_path / "s.webp").write_bytes(CONTENT)
    return Sprites(tmp_path / "s.webp")


@pytest.fixture
def client(links: Links, sprites: Sprites) -> TestClient:
    def library_for(user_id: str) -> Any:
        if user_id != "mina":
            raise LinkInvalid()
        return SimpleNamespace(sprites=sprites)

    return TestClient(Starlette(routes=[Route("/sprites/{token}", SpriteServer(links, library_for).serve)]))


@pytest.mark.parametrize("kind", ["sprite", "still"])
def test_the_image(client: TestClient, links: Links, sprites: Sprites, kind: str) -> None:
    answer = client.get(links.sprite_url(SCENE, 1, "mina", kind))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert sprites.asked == [(SCENE, kind)]


def test_a_scene_that_was_made_anew_has_another_url(links: Links, clock: Clock) -> None:
    url = links.sprite_url(SCENE, 1, "mina")
    clock.at = 3599.0
    assert links.sprite_url(SCENE, 1, "mina") == url
    assert links.sprite_url(SCENE, 2, "mina") != url


def changed(links: Links) -> str:
    url = links.sprite_url(SCENE, 1, "mina")
    return url[:-1] + ("A" if url[-1] != "A" else "B")


def of_another_kind(links: Links) -> str:
    """A token for a file is none for a sprite."""
    return "/sprites/" + links.file_url(Path("videos/v1/x.webp"), "mina").rpartition("/")[2]


def unknown_kind(links: Links) -> str:
    signer = URLSafeSerializer("secret of the test", salt="heimdex.sprite")
    return f"/sprites/{signer.dumps({'s': SCENE, 'k': 'source', 'u': 'mina', 'e': 9999})}"


@pytest.mark.parametrize(
    "url", [changed, of_another_kind, unknown_kind, lambda links: links.sprite_url(SCENE, 1, "somebody else")]
)
def test_an_invalid_link_gives_403(
    client: TestClient, links: Links, sprites: Sprites, url: Callable[[Links], str]
) -> None:
    answer = client.get(url(links))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "LINK_INVALID")
    assert sprites.asked == []


def test_an_expired_link_gives_410(client: TestClient, links: Links, clock: Clock) -> None:
    url = links.sprite_url(SCENE, 1, "mina")
    clock.at = 7200.0
    answer = client.get(url)
    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")


@pytest.mark.parametrize(
    ("error", "status"),
    [(SceneNotFound(scene_id=SCENE), 404), (DecoderCrashed(filename="x.mp4", reason="signal 11"), 500)],
)
def test_what_cannot_be_made_is_said(
    client: TestClient, links: Links, sprites: Sprites, error: HeimdexError, status: int
) -> None:
    sprites.error = error
    answer = client.get(links.sprite_url(SCENE, 1, "mina"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, error.code)


def test_nothing_is_made_for_a_card_that_the_pointer_has_left(links: Links, sprites: Sprites) -> None:
    """The request was closed while another sprite was being made."""
    import asyncio

    from starlette.requests import Request

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    token = links.sprite_url(SCENE, 1, "mina").rpartition("/")[2]
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/sprites/{token}",
        "headers": [],
        "path_params": {"token": token},
    }
    server = SpriteServer(links, lambda user_id: SimpleNamespace(sprites=sprites))  # type: ignore[arg-type, return-value]
    asyncio.run(server.serve(Request(scope, gone)))
    assert sprites.asked == []
