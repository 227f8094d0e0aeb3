"""The Python client and servers that are gone, busy, or something else: what is sent again, and what is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from heimdex_core.api.problems import problem
from heimdex_core.client import Client
from heimdex_core.errors import (
    AnswerUnusable,
    ExportLimitExceeded,
    FileUnreadable,
    HeimdexError,
    InvalidValue,
    RateLimited,
    SearchFailed,
    ServerUnreachable,
    TokenInvalid,
    VideoNotFound,
)
from heimdex_core.types import Example

Answer = Callable[[], httpx2.Response]
LINES = {"format": "csv", "text": "x"}


class Server:
    """Gives answers in turn, the last one from then on; keeps the requests, and how long the client has paused."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.pauses: list[float] = []
        self.http = httpx2.Client(transport=httpx2.MockTransport(self.answer))
        self.client = Client("http://server", "t", self.http)
        self.client._connection.pause = self.pauses.append

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()


def ok(found: object = LINES) -> Answer:
    return lambda: httpx2.Response(200, json=found)


def text(status: int, body: str = "<html>", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: httpx2.Response(status, text=body, headers={"content-type": "text/html", **named})


def says(error: HeimdexError) -> Answer:
    made = problem(error)
    return lambda: httpx2.Response(made.status_code, content=bytes(made.body), headers=dict(made.headers))


def lost() -> httpx2.Response:
    raise httpx2.ConnectError("nobody is there")


class _Cut(httpx2.SyncByteStream):
    def __init__(self, begin: bytes) -> None:
        self.begin = begin

    def __iter__(self) -> Iterator[bytes]:
        yield self.begin
        raise httpx2.RemoteProtocolError("the body ends early")


def cut(begin: bytes, content_type: str = "application/json") -> Answer:
    return lambda: httpx2.Response(200, stream=_Cut(begin), headers={"content-type": content_type})


# --- what is sent again ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([says(RateLimited(retry_after_s=7))], [7.0]),
        ([says(RateLimited(retry_after_s=30))] * 2, [30.0, 30.0]),
        ([text(429, retry_after="3")], [3.0]),
        ([text(429)], [1.0]),
        ([lost, lost], [1.0, 2.0]),
        ([text(502), text(504)], [1.0, 2.0]),
        ([cut(b'{"text": "x')], [1.0]),
        ([lost, says(RateLimited(retry_after_s=7)), lost], [1.0, 7.0, 2.0]),
    ],
)
def test_a_request_is_sent_again_under_its_key(answers: list[Answer], pauses: list[float]) -> None:
    server = Server(*answers, ok())
    assert server.client.timeline(["s"], "csv") == "x"
    assert server.pauses == pauses
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("answer", "error", "pauses"),
    [
        (lost, ServerUnreachable, [1.0, 2.0]),
        (text(503), ServerUnreachable, [1.0, 2.0]),
        (says(RateLimited(retry_after_s=40)), RateLimited, [40.0]),
        (says(RateLimited(retry_after_s=61)), RateLimited, []),
        (says(SearchFailed(reasons="x")), SearchFailed, []),
        (says(HeimdexError(reason="x")), HeimdexError, []),
    ],
)
def test_it_is_not_sent_again_for_ever(answer: Answer, error: type[HeimdexError], pauses: list[float]) -> None:
    server = Server(answer)
    with pytest.raises(error) as caught:
        server.client.videos()
    assert type(caught.value) is error
    assert server.pauses == pauses


def test_a_limit_of_a_day_says_for_how_long(tmp_path: Path) -> None:
    limit = ExportLimitExceeded(current_count=20, limit=20, asked=1, allowed=0, hours_until_reset=2.5)
    assert problem(limit).headers["Retry-After"] == "9000"
    server = Server(says(limit))
    with pytest.raises(ExportLimitExceeded):
        server.client.short("s")
    assert server.pauses == []


# --- answers of something else --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (text(200), "it is no JSON"),
        (text(403), "status 403"),
        (text(301, location="https://server/api/v1/videos"), "it leads to https://server/api/v1/videos"),
        (ok({"ok": True}), "it has no items"),
        (ok([]), "it has no items"),
        (ok({"items": [{"title": 1}], "next_cursor": None}), "it is no Video, see video_id"),
    ],
)
def test_an_answer_of_something_else(answer: Answer, reason: str) -> None:
    with pytest.raises(AnswerUnusable) as caught:
        Server(answer).client.videos()
    assert caught.value.details == {"what": "http://server", "reason": reason}
    assert "http://localhost:8600" in caught.value.hint


@pytest.mark.parametrize("url", ["", "localhost:8600", "ftp://server", "http://", "http://[::1"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidValue):
        Client(url, "t")


def test_the_address_may_be_that_of_the_api() -> None:
    server = Server(ok({"items": [], "next_cursor": None}))
    client = Client(" http://server:1/heimdex/api/v1/ ", " t\n", server.http)
    assert client.videos() == []
    (request,) = server.requests
    assert str(request.url).startswith("http://server:1/heimdex/api/v1/videos?")
    assert request.headers["authorization"] == "Bearer t"
    client.close()
    assert not server.http.is_closed, "whoever made it closes it"
    with pytest.raises(TokenInvalid):
        Client("http://server", "hdx_ö", server.http)


# --- files and events -----------------------------------------------------------------------------


def test_a_download_that_is_cut_begins_again(tmp_path: Path) -> None:
    out = tmp_path / "reel.mp4"
    out.write_bytes(b"before")
    link = ok({"url": "/files/x"})
    server = Server(link, cut(b"MP4", "video/mp4"), lambda: httpx2.Response(200, content=b"MP4 whole"))
    assert server.client.exports.file("e", out) == out
    assert (out.read_bytes(), server.pauses) == (b"MP4 whole", [1.0])
    with pytest.raises(ServerUnreachable):
        Server(link, cut(b"MP4", "video/mp4")).client.exports.file("e", out)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("reel.mp4", b"MP4 whole")]


def stream(*events: str) -> Answer:
    body = "".join(f'event: {name}\ndata: {{"n": 1}}\n\n' for name in events)
    return lambda: httpx2.Response(200, text=body, headers={"content-type": "text/event-stream"})


def test_a_stream_of_events_is_opened_again() -> None:
    begin = b'event: progress\ndata: {"n": 1}\n\n: ping\n\n'
    server = Server(stream("progress"), cut(begin, "text/event-stream"), text(502), stream("done"))
    assert [name for name, _ in server.client.events("v")] == ["progress", "progress", "done"]
    assert server.pauses == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (stream(), ServerUnreachable),
        (lost, ServerUnreachable),
        (says(VideoNotFound(video_id="v")), VideoNotFound),
        (lambda: httpx2.Response(200, text="data: <html>\n\n"), AnswerUnusable),
    ],
)
def test_a_stream_that_tells_nothing_is_given_up(answer: Answer, error: type[HeimdexError]) -> None:
    with pytest.raises(error):
        list(Server(answer).client.events("v"))


def test_files_on_this_machine_that_cannot_be_read(tmp_path: Path) -> None:
    client, missing = Server(ok()).client, tmp_path / "none.png"
    (tmp_path / "film.mp4").write_bytes(b"x")
    for ask in (
        lambda: client.search(example=Example(image=missing)),
        lambda: client.people.enrol("Anna", [missing]),
        lambda: client.add(tmp_path / "film.mp4", subtitles=missing),
    ):
        with pytest.raises(FileUnreadable) as caught:
            ask()
        assert caught.value.details["filename"] == "none.png"
