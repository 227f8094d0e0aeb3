"""The Python client goes on with an upload whose connection was lost, to a server and to an object storage."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from heimdex_core.client import Client, uploading
from heimdex_core.errors import NotResponding
from tests.api.conftest import Api, serving
from tests.support.frozen import SUBTITLED

MORE = bytes(range(256)) * 4096
"""Behind the end of a video, so that there is something to be cut."""


class Cutting(httpx2.HTTPTransport):
    """Sends half of the body of some requests, and closes the connection."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts
        self.sent: list[int] = []
        """From which byte on each PATCH was sent."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "PATCH":
            return super().handle_request(request)
        self.sent.append(int(request.headers["upload-offset"]))
        if not self.cuts:
            return super().handle_request(request)
        self.cuts -= 1
        body = request.read()
        lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        host = (str(request.url.host), int(request.url.port or 80))
        with socket.create_connection(host) as raw:
            raw.sendall("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])
        raise httpx2.WriteError("the connection was lost")


@pytest.fixture(scope="module")
def address(api: Api) -> Iterator[str]:
    with serving(api.app) as found:
        yield found


@pytest.fixture
def movie(api: Api, tmp_path: Path) -> Path:
    """A video that the library does not have."""
    source = api.library.playable_path(api.library.video(SUBTITLED))
    assert source is not None
    path = tmp_path / "새 영상.mp4"
    path.write_bytes(Path(source).read_bytes() + str(tmp_path).encode() + MORE)
    return path


def client_of(api: Api, address: str, transport: Cutting, who: str = "owner") -> Client:
    made = Client(address, api.tokens[who], httpx2.Client(transport=transport))
    made._connection.pause = lambda _: None
    return made


def test_an_upload_goes_on_where_the_connection_was_lost(api: Api, address: str, movie: Path) -> None:
    transport = Cutting(cuts=2)
    with client_of(api, address, transport) as client:
        video = client.add(movie, title="배")
    assert (video.title, video.filename) == ("배", movie.name)
    assert transport.sent[0] == 0
    assert transport.sent[-1] > 0
    assert api.library.video(str(video.video_id)).sha256 == uploading._sha256(movie)


def test_the_next_upload_of_the_file_goes_on(
    api: Api, address: str, movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "TRIES", 1)
    with client_of(api, address, Cutting(cuts=1)) as client, pytest.raises(NotResponding):
        client.add(movie)
    (left,) = api.get("/uploads").json()
    # another file of this name and size
    other = movie.read_bytes()
    movie.write_bytes(b"x" + other[1:])
    transport = Cutting(cuts=1)
    with client_of(api, address, transport) as client, pytest.raises(NotResponding):
        client.add(movie)
    assert transport.sent == [0]
    movie.write_bytes(other)
    monkeypatch.undo()
    transport = Cutting(cuts=0)
    with client_of(api, address, transport) as client:
        video = client.add(movie)
    assert api.library.video(str(video.video_id)).sha256 == uploading._sha256(movie)
    assert transport.sent[-1] >= left["received_bytes"]
    for one in api.get("/uploads").json():
        api.ask("DELETE", f"/uploads/{one['upload_id']}")


def test_a_token_that_may_only_write_uploads(api: Api, address: str, movie: Path) -> None:
    api.tokens["writer"] = api.library.accounts.make_token("test", ("write",))[1]
    with client_of(api, address, Cutting(cuts=0), "writer") as client:
        assert client.add(movie).state in ("uploading", "validating")
