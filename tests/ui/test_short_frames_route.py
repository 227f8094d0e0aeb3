"""GET /short-frames/{token}: pictures of shorts that are made on request, for links that are valid."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links, ShortFrame
from heimdex_core.errors import HeimdexError, LinkInvalid, RenderFailed, SceneNotFound, SourceMissing, UnknownName
from heimdex_core.types import CropKeyframe, CropPath
from tests.ui.fakes import Clock
from ui.server.short_frames import ShortFrameServer

FRAME = ShortFrame("v1_0_1000", "smart_crop", 0.5, (0.25, 0.5), "mina")
CONTENT = b"\xff\xd8 a picture"
KEY = "secret of the test"


class Shorts:
    """Makes one picture, and records what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, float, CropPath | None]] = []
        self.error: HeimdexError | None = None
        self.meeting: threading.Barrier | None = None
        self.has_met = False

    def preview(self, scene_id: str, strategy: str, at_s: float, crop_path: CropPath | None) -> bytes:
        self.asked.append((scene_id, strategy, at_s, crop_path))
        if self.meeting is not None:
            with suppress(threading.BrokenBarrierError):
                self.meeting.wait(0.2)
                self.has_met = True
        if self.error is not None:
            raise self.error
        return CONTENT


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def links(tmp_path: Path, clock: Clock) -> Links:
    return Links(KEY, tmp_path, file_ttl_s=3600, upload_ttl_s=900, now=clock)


@pytest.fixture
def shorts() -> Shorts:
    return Shorts()


@pytest.fixture
def server(links: Links, shorts: Shorts) -> ShortFrameServer:
    def library_for(user_id: str) -> Any:
        if user_id != "mina":
            raise LinkInvalid()
        return SimpleNamespace(shorts=shorts)

    return ShortFrameServer(links, library_for)


@pytest.fixture
def client(server: ShortFrameServer) -> TestClient:
    return TestClient(Starlette(routes=[Route("/short-frames/{token}", server.serve)]))


def test_the_picture_of_a_crop(client: TestClient, links: Links, shorts: Shorts) -> None:
    answer = client.get(links.short_frame_url(FRAME))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert shorts.asked == [("v1_0_1000", "smart_crop", 0.5, CropPath((CropKeyframe(0.0, 0.25, 0.5),)))]


def test_a_strategy_without_a_place_has_no_path(client: TestClient, links: Links, shorts: Shorts) -> None:
    assert client.get(links.short_frame_url(replace(FRAME, strategy="letterbox", place=None))).status_code == 200
    assert shorts.asked == [("v1_0_1000", "letterbox", 0.5, None)]


def changed(links: Links) -> str:
    url = links.short_frame_url(FRAME)
    return url[:-1] + ("A" if url[-1] != "A" else "B")


def of_another_kind(links: Links) -> str:
    """A token for a sprite is none for a picture of a short."""
    return "/short-frames/" + links.sprite_url(FRAME.scene_id, 1, "mina").rpartition("/")[2]


def signed(**claim: object) -> Callable[[Links], str]:
    """A token that has our signature and something else in it."""
    whole = {"s": FRAME.scene_id, "k": "letterbox", "t": 0.5, "p": None, "u": "mina", "e": 9999, **claim}
    return lambda _: f"/short-frames/{URLSafeSerializer(KEY, salt='heimdex.short_frame').dumps(whole)}"


@pytest.mark.parametrize(
    "url",
    [
        changed,
        of_another_kind,
        lambda links: links.short_frame_url(replace(FRAME, user_id="somebody else")),
        signed(t="noon"),
        signed(p=[0.5]),
        signed(p=["left", "top"]),
    ],
)
def test_an_invalid_link_gives_403(
    client: TestClient, links: Links, shorts: Shorts, url: Callable[[Links], str]
) -> None:
    answer = client.get(url(links))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "LINK_INVALID")
    assert shorts.asked == []


def test_an_expired_link_gives_410(client: TestClient, links: Links, clock: Clock, shorts: Shorts) -> None:
    url = links.short_frame_url(FRAME)
    clock.at = 7200.0
    answer = client.get(url)
    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
    assert shorts.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SceneNotFound(scene_id=FRAME.scene_id), 404),
        (UnknownName(kind="strategy", name="zoom", known="letterbox"), 422),
        (SourceMissing(title="T", video_id="v1"), 409),
        (RenderFailed(reason="no such filter"), 500),
    ],
)
def test_what_cannot_be_made_is_said(
    client: TestClient, links: Links, shorts: Shorts, error: HeimdexError, status: int
) -> None:
    shorts.error = error
    answer = client.get(links.short_frame_url(FRAME))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, error.code)
    assert answer.headers["cache-control"] == "no-store"


def request(links: Links, message: str) -> Request:
    """A request of which the client says `message` when it is asked whether it is there."""

    async def receive() -> Any:
        return {"type": message}

    token = links.short_frame_url(FRAME).rpartition("/")[2]
    scope = {"type": "http", "method": "GET", "path": f"/short-frames/{token}", "headers": []}
    return Request({**scope, "path_params": {"token": token}}, receive)


def test_nothing_is_made_for_a_page_that_was_left(links: Links, server: ShortFrameServer, shorts: Shorts) -> None:
    assert asyncio.run(server.serve(request(links, "http.disconnect"))).status_code == 499
    assert shorts.asked == []


def test_pictures_are_made_one_at_a_time(links: Links, server: ShortFrameServer, shorts: Shorts) -> None:
    shorts.meeting = threading.Barrier(2)  # broken by the first, which nobody meets

    async def ask() -> list[int]:
        answers = await asyncio.gather(*(server.serve(request(links, "http.request")) for _ in range(4)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(ask()) == [200] * 4
    assert (len(shorts.asked), shorts.has_met) == (4, False)
