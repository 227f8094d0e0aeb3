"""Uploads in several requests: where they are continued, by whom, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api import partials
from heimdex_core.api.links import Links
from heimdex_core.api.partials import STALLED_AFTER_S, Writers
from heimdex_core.errors import LinkInvalid
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.ui.fakes import Clock, FakeLibrary
from ui.server.upload import UploadServer

NAME = "지난 여름 🌊.mp4"
CONTENT = bytes(range(250)) * 4  # 1000 bytes, the limit of the library of these tests


class Uploading:
    """A client of the route, for one of two users of a library."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.seconds = Clock(0.0), Clock(0.0)
        self.library = FakeLibrary(folder)
        self.other = FakeLibrary(folder, user_id="other")
        self.links = Links("secret of the test", folder, file_ttl_s=3600, upload_ttl_s=900, now=self.clock)
        self.writers = Writers(now=self.seconds)
        server = UploadServer(self.links, self._library_for, self.writers)
        self.app = Starlette(routes=[Route("/upload", server.receive, methods=["POST"])])
        self.client = TestClient(self.app)

    def _library_for(self, user_id: str) -> Library:
        known = {"local": self.library, "other": self.other}
        if user_id not in known:
            raise LinkInvalid()
        return known[user_id]  # type: ignore[return-value]

    def headers(self, part: str, *, name: str = NAME, user: str = "local", **more: Any) -> dict[str, str]:
        sent = {"X-Upload-Token": self.links.upload_token(user, "en"), "X-Part": part, "X-File-Name": quote(name)}
        return sent | {f"X-{key.replace('_', '-').title()}": str(value) for key, value in more.items()}

    def post(self, part: str, content: Any = b"", **more: Any) -> Any:
        return self.client.post("/upload", content=content, headers=self.headers(part, **more))

    def open(self, size: int = len(CONTENT), **more: Any) -> dict[str, Any]:
        answer = self.post("open", file_size=size, **more)
        assert answer.status_code == 200, answer.json()
        found: dict[str, Any] = answer.json()
        return found

    def send(self, token: str, offset: int, content: Any, **more: Any) -> Any:
        return self.post("video", content, upload=token, offset=offset, **more)

    def interrupted(self, content: bytes = CONTENT[:400]) -> str:
        """The token of an upload of which only the beginning arrived."""
        token: str = self.open()["upload"]
        assert self.send(token, 0, content).json() == {"offset": len(content)}
        return token


@pytest.fixture
def uploading(tmp_path: Path) -> Uploading:
    return Uploading(tmp_path)


def digest(length: int, content: bytes = CONTENT) -> str:
    return f"{length}:{hashlib.sha256(content[:length]).hexdigest()}"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_upload_is_continued_where_it_stopped_by_who_has_the_same_bytes(uploading: Uploading) -> None:
    uploading.interrupted()
    # as after a reload: only name and size are known, and a new link
    uploading.clock.at = 5000.0
    assert uploading.open() == {"compare": [400]}
    opened = uploading.open(sha256=digest(400))
    assert opened["offset"] == 400
    answer = uploading.send(opened["upload"], 400, CONTENT[400:], title=quote("부산"))
    assert (answer.status_code, answer.json()["video"]["title"]) == (201, "부산")
    (given,) = uploading.library.added
    assert (given["content"], given["filename"]) == (CONTENT, NAME)
    assert uploading.library.left_behind() == []


def test_another_file_of_the_same_name_and_size_begins_anew(uploading: Uploading) -> None:
    uploading.interrupted()
    other = CONTENT[::-1]
    opened = uploading.open(sha256=digest(400, other))
    assert opened["offset"] == 0
    assert uploading.send(opened["upload"], 0, other).status_code == 201
    assert uploading.library.added[0]["content"] == other
    # the first one can still be continued
    assert uploading.open(sha256=digest(400))["offset"] == 400


@pytest.mark.parametrize("offset", [0, 399, 401, 1000])
def test_bytes_for_another_position_are_refused(uploading: Uploading, offset: int) -> None:
    token = uploading.interrupted()
    assert code(uploading.send(token, offset, CONTENT[offset:])) == (409, "UPLOAD_CONFLICT")
    assert uploading.open(sha256=digest(400))["offset"] == 400


@pytest.mark.parametrize("offset", ["-1", "x", "", "1e3", "9" * 30, "٣"])
def test_malformed_numbers_and_digests_are_refused(uploading: Uploading, offset: str) -> None:
    token = uploading.interrupted()
    headers = {**uploading.headers("video", upload=token), "X-Offset": quote(offset)}
    assert code(uploading.client.post("/upload", content=b"x", headers=headers)) == (422, "INVALID_VALUE")
    headers = {**uploading.headers("open"), "X-File-Size": quote(offset)}
    assert code(uploading.client.post("/upload", headers=headers)) == (422, "INVALID_VALUE")
    answer = uploading.post("open", file_size=1000, sha256=f"{quote(offset)}:abc")
    assert code(answer) == (422, "INVALID_VALUE")


def test_the_upload_of_another_user_cannot_be_continued_or_discarded(uploading: Uploading) -> None:
    token = uploading.interrupted()
    assert uploading.open(user="other", sha256=digest(400))["offset"] == 0
    assert code(uploading.send(token, 400, CONTENT[400:], user="other")) == (403, "LINK_INVALID")
    assert code(uploading.post("discard", user="other", upload=token)) == (403, "LINK_INVALID")
    # not even with a signature for its name
    name = partials.of_user(uploading.library.uploads_folder, "local")[0].path.name
    forged = uploading.links.part_token(name, "other")
    assert code(uploading.send(forged, 400, CONTENT[400:], user="other")) == (403, "LINK_INVALID")
    assert uploading.other.added == []
    assert uploading.open(sha256=digest(400))["offset"] == 400


def test_no_other_file_of_the_folder_can_be_written_to(uploading: Uploading) -> None:
    uploading.interrupted()
    (uploading.library.uploads_folder / "catalog.duckdb").write_bytes(b"kept")
    for name in ("catalog.duckdb", "..", "x.part", "0" * 16 + "-" + "0" * 16 + ".part.1000.x"):
        token = uploading.links.part_token(name, "local")
        assert code(uploading.send(token, 4, b"x")) == (403, "LINK_INVALID")
        assert code(uploading.post("discard", upload=token)) == (403, "LINK_INVALID")
    assert (uploading.library.uploads_folder / "catalog.duckdb").read_bytes() == b"kept"


@pytest.mark.parametrize("part", ["open", "video", "discard"])
def test_every_request_needs_a_link_that_is_valid_and_the_right_origin(uploading: Uploading, part: str) -> None:
    token = uploading.interrupted()
    sent = uploading.headers(part, upload=token, offset=400, file_size=1000, sha256=digest(400))
    strange = uploading.client.post("/upload", content=b"x", headers={**sent, "Origin": "https://elsewhere.example"})
    assert code(strange) == (403, "ORIGIN_REFUSED")
    without = {name: value for name, value in sent.items() if name != "X-Upload-Token"}
    assert code(uploading.client.post("/upload", content=b"x", headers=without)) == (403, "LINK_INVALID")
    uploading.clock.at = 900.0
    assert code(uploading.client.post("/upload", content=b"x", headers=sent)) == (410, "LINK_EXPIRED")
    assert uploading.library.added == []
    assert uploading.open(sha256=digest(400))["offset"] == 400


def test_a_token_of_an_upload_expires_like_the_link(uploading: Uploading) -> None:
    token = uploading.interrupted()
    uploading.clock.at = 900.0
    assert code(uploading.send(token, 400, CONTENT[400:])) == (410, "LINK_EXPIRED")
    renewed = uploading.open(sha256=digest(400))
    assert uploading.send(renewed["upload"], 400, CONTENT[400:]).status_code == 201


def test_the_limit_holds_for_a_file_in_parts(uploading: Uploading) -> None:
    assert code(uploading.post("open", file_size=1001)) == (413, "FILE_TOO_LARGE")
    token = uploading.interrupted()
    # more than the file was said to have: announced, and not announced
    assert code(uploading.send(token, 400, b"x" * 601)) == (413, "FILE_TOO_LARGE")

    def body() -> Iterator[bytes]:
        for _ in range(7):
            yield b"x" * 100

    assert code(uploading.send(token, 400, body())) == (413, "FILE_TOO_LARGE")
    (partial,) = partials.of_user(uploading.library.uploads_folder, "local")
    assert partial.received_bytes <= 1000
    # a limit that was lowered meanwhile
    uploading.library.settings = Settings(min_free_bytes=0, max_file_bytes=999)
    assert code(uploading.send(token, partial.received_bytes, b"")) == (413, "FILE_TOO_LARGE")
    assert uploading.library.added == []


def test_a_full_disk_keeps_what_has_arrived(uploading: Uploading) -> None:
    token = uploading.interrupted()
    uploading.library.settings = Settings(min_free_bytes=2**62, max_file_bytes=1000)
    assert code(uploading.send(token, 400, CONTENT[400:])) == (507, "DISK_FULL")
    assert code(uploading.post("open", file_size=1000, sha256=digest(400))) == (507, "DISK_FULL")
    uploading.library.settings = Settings(min_free_bytes=0, max_file_bytes=1000)
    opened = uploading.open(sha256=digest(400))
    assert opened["offset"] == 400
    assert uploading.send(opened["upload"], 400, CONTENT[400:]).status_code == 201


def test_a_second_window_waits_while_the_first_one_uploads(uploading: Uploading) -> None:
    token = uploading.interrupted()
    answers: list[Any] = []

    def body() -> Iterator[bytes]:
        yield CONTENT[400:600]
        answers.append(uploading.open())
        answers.append(code(uploading.send(token, 400, CONTENT[400:])))
        yield CONTENT[600:]

    assert uploading.send(token, 400, body()).status_code == 201
    assert answers[0]["busy"] is True
    assert answers[1] == (409, "UPLOAD_CONFLICT")
    assert [given["content"] for given in uploading.library.added] == [CONTENT]


def test_a_request_that_stalls_gives_way(uploading: Uploading) -> None:
    token = uploading.interrupted()
    (partial,) = partials.of_user(uploading.library.uploads_folder, "local")
    with uploading.writers.writing(partial.path) as stalled:
        uploading.seconds.at = STALLED_AFTER_S
        assert uploading.send(token, 400, CONTENT[400:600]).json() == {"offset": 600}
        with uploading.writers.writing(partial.path), pytest.raises(Exception, match="already being uploaded"):
            stalled.note_activity()


def test_nobody_takes_over_while_the_library_checks_the_file(uploading: Uploading) -> None:
    uploading.interrupted()
    (partial,) = partials.of_user(uploading.library.uploads_folder, "local")
    with uploading.writers.writing(partial.path) as writer:
        writer.finish()
        uploading.seconds.at = 1000.0
        assert uploading.open()["busy"] is True
    assert uploading.open() == {"compare": [400]}


def test_a_lost_connection_keeps_what_has_arrived(uploading: Uploading) -> None:
    token: str = uploading.open()["upload"]
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": CONTENT[:300], "more_body": True},
            {"type": "http.request", "body": CONTENT[300:450], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    given = {**uploading.headers("video", upload=token, offset=0), "host": "testserver"}
    scope = {
        "type": "http", "method": "POST", "path": "/upload", "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    anyio.run(uploading.app, scope, receive, send)
    assert uploading.open(sha256=digest(450))["offset"] == 450
    assert not uploading.writers.is_busy(partials.of_user(uploading.library.uploads_folder, "local")[0].path)


def test_a_file_that_the_library_has_is_not_sent_again(uploading: Uploading) -> None:
    uploading.library.known = {NAME: CONTENT}
    assert uploading.open() == {"compare": [1000]}
    assert uploading.open(sha256=digest(1000))["video"]["known"] is True
    # the same name and size, but other bytes
    assert uploading.open(sha256=digest(1000, CONTENT[::-1]))["offset"] == 0


def test_what_has_arrived_is_discarded_on_request(uploading: Uploading) -> None:
    token = uploading.interrupted()
    assert uploading.post("discard", upload=token).status_code == 200
    assert uploading.library.left_behind() == []
    assert code(uploading.send(token, 400, CONTENT[400:])) == (403, "LINK_INVALID")


def test_names_keep_their_end_and_what_identifies_them(uploading: Uploading) -> None:
    long = "가" * 200 + ".mp4"
    for name in (long, "../../etc/passwd", "a\nb:c.mp4", NAME):
        token = uploading.open(name=name)["upload"]
        assert uploading.send(token, 0, CONTENT[:5], name=name).json() == {"offset": 5}
        assert uploading.open(name=name) == {"compare": [5]}
    assert {path.parent for path in uploading.library.path.rglob("*.part.*")} == {uploading.library.uploads_folder}
