"""POST /upload: what is accepted, what is refused and when, and that a refusal leaves no file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from heimdex_core.errors import LinkInvalid, NotAVideo
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.ui.fakes import Clock, FakeLibrary
from ui.server.upload import UploadServer


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def links(tmp_path: Path, clock: Clock) -> Links:
    return Links("secret of the test", tmp_path, file_ttl_s=3600, upload_ttl_s=900, now=clock)


@pytest.fixture
def client(links: Links, library: FakeLibrary) -> TestClient:
    def library_for(user_id: str) -> Library:
        if user_id != library.user_id:
            raise LinkInvalid()
        return library  # type: ignore[return-value]

    return TestClient(Starlette(routes=[Route("/upload", UploadServer(links, library_for).receive, methods=["POST"])]))


def headers(links: Links, name: str = "clip.mp4", *, language: str = "en", **more: str) -> dict[str, str]:
    return {"X-Upload-Token": links.upload_token("local", language), "X-File-Name": quote(name), **more}


def test_a_video_is_written_to_the_disk_of_the_library(
    client: TestClient, links: Links, library: FakeLibrary, tmp_path: Path
) -> None:
    sent = headers(links, "지난 여름 🌊.mp4", **{"X-Title": quote("부산"), "X-Description": quote("a walk")})
    answer = client.post("/upload", content=b"x" * 900, headers=sent)
    assert answer.status_code == 201
    assert answer.json() == {"video": {"video_id": "v1", "title": "부산", "state": "validating", "known": False}}
    (given,) = library.added
    assert given["content"] == b"x" * 900
    assert (given["filename"], given["title"], given["description"]) == ("지난 여름 🌊.mp4", "부산", "a walk")
    assert given["folder"] == tmp_path / "uploads"
    assert (given["queue"], given["language"]) == (True, None)
    assert library.left_behind() == []


def test_the_language_of_the_speech_is_checked(client: TestClient, links: Links, library: FakeLibrary) -> None:
    answer = client.post("/upload", content=b"x", headers=headers(links, **{"X-Language": "ko"}))
    assert (answer.status_code, library.added[0]["language"]) == (201, "ko")
    answer = client.post("/upload", content=b"x", headers=headers(links, **{"X-Language": "klingon"}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "UNKNOWN_NAME")
    assert (len(library.added), library.left_behind()) == (1, [])


def test_subtitles_are_uploaded_before_their_video(client: TestClient, links: Links, library: FakeLibrary) -> None:
    first = client.post("/upload", content=b"1\n", headers=headers(links, "clip.ko.SRT", **{"X-Part": "subtitles"}))
    assert first.status_code == 201
    signed = first.json()["subtitles"]
    assert len(library.left_behind()) == 1
    second = client.post("/upload", content=b"x", headers=headers(links, **{"X-Subtitles": signed}))
    assert second.status_code == 201
    assert library.added[0]["subtitles"] == {"clip.ko.SRT": b"1\n"}
    assert library.left_behind() == []


def test_several_subtitles_go_to_the_library_under_their_names(
    client: TestClient, links: Links, library: FakeLibrary
) -> None:
    names = ["여행.ko.smi", "여행.en.forced.srt", "a" * 300 + ".ko.srt", "..\\x/여행:2.vtt"]
    tokens = []
    for name in names:
        answer = client.post("/upload", content=name.encode(), headers=headers(links, name, **{"X-Part": "subtitles"}))
        assert answer.status_code == 201
        tokens.append(answer.json()["subtitles"])
    answer = client.post("/upload", content=b"x", headers=headers(links, **{"X-Subtitles": ",".join(tokens)}))
    assert answer.status_code == 201
    # a long name keeps its end, which has the language; separators are replaced
    kept = ["여행.ko.smi", "여행.en.forced.srt", "a" * 153 + ".ko.srt", "..-x-여행-2.vtt"]
    assert library.added[0]["subtitles"] == dict(zip(kept, map(str.encode, names), strict=True))
    assert library.left_behind() == []


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".ass", ".ssa", ".smi", ".sub", ".ttml", ".dfxp", ".SMI"])
def test_subtitles_of_every_format_are_taken(client: TestClient, links: Links, ending: str) -> None:
    answer = client.post("/upload", content=b"x", headers=headers(links, f"a{ending}", **{"X-Part": "subtitles"}))
    assert answer.status_code == 201


def test_subtitles_of_another_type_are_refused(client: TestClient, links: Links, library: FakeLibrary) -> None:
    answer = client.post("/upload", content=b"x", headers=headers(links, "notes.html", **{"X-Part": "subtitles"}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "SUBTITLES_UNREADABLE")
    assert library.left_behind() == []


def test_subtitles_need_a_signed_name(client: TestClient, links: Links, library: FakeLibrary) -> None:
    answer = client.post("/upload", content=b"x", headers=headers(links, **{"X-Subtitles": "../../etc/passwd"}))
    assert (answer.status_code, library.added) == (403, [])


def test_a_request_of_another_site_is_refused(client: TestClient, links: Links, library: FakeLibrary) -> None:
    for origin in ("https://elsewhere.example", "http://testserver:81", "null"):
        answer = client.post("/upload", content=b"x", headers=headers(links, Origin=origin))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ORIGIN_REFUSED")
    assert library.added == []
    assert client.post("/upload", content=b"x", headers=headers(links, Origin="http://testserver")).status_code == 201


def test_without_a_valid_token_nothing_is_accepted(
    client: TestClient, links: Links, library: FakeLibrary, clock: Clock
) -> None:
    assert client.post("/upload", content=b"x").status_code == 403
    old = headers(links)
    clock.at = 900.0
    answer = client.post("/upload", content=b"x", headers=old)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "LINK_EXPIRED")
    other = {**headers(links), "X-Upload-Token": links.upload_token("another-user", "en")}
    assert client.post("/upload", content=b"x", headers=other).status_code == 403
    assert (library.added, library.left_behind()) == ([], [])


def test_a_content_length_over_the_limit_is_refused_before_the_body(
    client: TestClient, links: Links, library: FakeLibrary
) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    given = {**headers(links), "content-length": "1001", "host": "testserver"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/upload",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
    }
    anyio.run(client.app, scope, receive, send)
    assert sent[0]["status"] == 413
    error = json.loads(sent[1]["body"])["error"]
    assert (error["code"], error["details"]["size_bytes"]) == ("FILE_TOO_LARGE", 1001)
    assert error["message"] == "clip.mp4 is too large (1 KB); the limit is 1 KB."
    assert library.left_behind() == []


def test_a_body_over_the_limit_is_cut_off(client: TestClient, links: Links, library: FakeLibrary) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    answer = client.post("/upload", content=body(), headers=headers(links))  # chunked, without a content length
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "FILE_TOO_LARGE")
    assert (library.added, library.left_behind()) == ([], [])


def test_a_refused_file_is_explained_in_the_language_of_the_user(
    client: TestClient, links: Links, library: FakeLibrary
) -> None:
    library.refuses = NotAVideo(filename="글.mp4", reason="text")
    answer = client.post("/upload", content=b"hello", headers=headers(links, "글.mp4", language="ko"))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["category"]) == (422, "NOT_A_VIDEO", "validation")
    assert error["message"] == "글.mp4 파일은 영상이 아니에요."
    assert error["hint"].endswith("판단해요.")
    assert library.left_behind() == []


def test_a_full_disk_is_reported_before_the_body(client: TestClient, links: Links, library: FakeLibrary) -> None:
    library.settings = Settings(min_free_bytes=2**62, max_file_bytes=1000)
    answer = client.post("/upload", content=b"x", headers=headers(links))
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "DISK_FULL")
    assert library.left_behind() == []
