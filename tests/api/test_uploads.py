"""Uploads through the API: begun, continued after a cut, completed, given up; and what is refused on the way."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.settings import Settings
from tests.api.conftest import Api, make_api
from tests.support.frozen import SUBTITLED

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = Settings(profile="offline", min_free_bytes=0, api_requests_per_minute=0, max_file_bytes=LIMIT)
    made = make_api(tmp_path_factory.mktemp("api") / "library", settings)
    made.user("other")
    yield made
    made.library.close()


@pytest.fixture(scope="module")
def movie(api: Api) -> bytes:
    """A video that the library does not have: one of its own with a byte more."""
    path = api.library.playable_path(api.library.video(SUBTITLED))
    assert path is not None
    return Path(path).read_bytes() + b"\0"


def begin(api: Api, content: bytes, name: str = "바다.mp4", **more: Any) -> Any:
    answer = api.post("/uploads", {"filename": name, "size_bytes": len(content), **more})
    assert answer.status_code in (200, 201), answer.json()
    return answer.json()


def send(api: Api, upload: Any, offset: int, content: Any) -> Any:
    return api.client.patch(upload["content"]["url"], content=content, headers={"Upload-Offset": str(offset)})


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def left_behind(api: Api) -> int:
    folder = api.library.uploads_folder
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_an_upload_is_continued_after_a_cut_and_completed(api: Api, movie: bytes) -> None:
    upload = begin(api, movie)
    assert (upload["received_bytes"], upload["size_bytes"]) == (0, len(movie))
    half = len(movie) // 2
    assert send(api, upload, 0, movie[:half]).headers["upload-offset"] == str(half)
    assert code(api.post(f"/uploads/{upload['upload_id']}/complete")) == (409, "UPLOAD_INCOMPLETE")
    # the client has lost everything but its token
    (again,) = [one for one in api.get("/uploads").json() if one["upload_id"] == upload["upload_id"]]
    assert (again["received_bytes"], again["filename"]) == (half, "바다.mp4")
    assert code(send(api, again, 0, movie)) == (409, "UPLOAD_CONFLICT")
    assert send(api, again, half, movie[half:]).status_code == 204
    subtitles = {
        "filename": "바다.ko.srt",
        "content": base64.b64encode(b"1\n00:00:00,000 --> 00:00:01,000\n\xeb\xb0\xb0\n").decode(),
    }
    # the same one twice, and a name that no file can have
    given = [subtitles, subtitles, {**subtitles, "filename": "a.\0rt"}]
    body = {"title": "배", "language": "ko", "subtitles": given}
    done = api.post(f"/uploads/{upload['upload_id']}/complete", body)
    assert (done.status_code, done.json()["title"], done.json()["filename"]) == (201, "배", "바다.mp4")
    assert done.headers["location"] == f"/api/v1/videos/{done.json()['video_id']}"
    assert api.queue.jobs[-1] == ("ingest", done.json()["video_id"])
    assert code(api.post(f"/uploads/{upload['upload_id']}/complete", body)) == (404, "UPLOAD_NOT_FOUND")
    assert left_behind(api) == 0


def test_a_file_that_the_library_has_is_not_sent_again(api: Api, movie: bytes) -> None:
    known = begin(api, movie[:-1], sha256=hashlib.sha256(movie[:-1]).hexdigest())
    assert (known["upload_id"], known["video"]["video_id"]) == (None, SUBTITLED)
    assert code(api.post("/uploads", {"filename": "a.mp4", "size_bytes": 1, "sha256": "x"})) == (422, "INVALID_VALUE")


def test_more_bytes_than_were_said_are_refused_while_they_arrive(api: Api) -> None:
    upload = begin(api, b"x" * 300)
    pieces: Iterator[bytes] = (b"x" * 100 for _ in range(20))  # chunked, without a content length
    assert code(send(api, upload, 0, pieces)) == (413, "FILE_TOO_LARGE")
    kept = api.get(f"/uploads/{upload['upload_id']}").json()["received_bytes"]
    assert kept <= 300
    assert code(send(api, upload, kept, b"x" * 301)) == (413, "FILE_TOO_LARGE")
    assert api.ask("DELETE", f"/uploads/{upload['upload_id']}").status_code == 204
    assert code(api.get(f"/uploads/{upload['upload_id']}")) == (404, "UPLOAD_NOT_FOUND")
    assert left_behind(api) == 0


def test_a_file_over_the_limit_is_refused_before_it_is_sent(api: Api) -> None:
    assert code(api.post("/uploads", {"filename": "a.mp4", "size_bytes": LIMIT + 1})) == (413, "FILE_TOO_LARGE")
    for size in (0, -1, 2**63):
        assert code(api.post("/uploads", {"filename": "a.mp4", "size_bytes": size})) == (422, "INVALID_VALUE")
    assert left_behind(api) == 0


def test_what_is_no_video_is_refused_and_leaves_nothing(api: Api) -> None:
    upload = begin(api, b"text", "../../notes.mp4")
    assert send(api, upload, 0, b"text").status_code == 204
    assert code(api.post(f"/uploads/{upload['upload_id']}/complete")) == (422, "NOT_A_VIDEO")
    assert left_behind(api) == 0


def test_a_link_is_for_one_upload_and_one_user(api: Api) -> None:
    first, second = begin(api, b"x" * 10), begin(api, b"y" * 10)
    token = first["content"]["url"].partition("?link=")[2]
    other = f"/api/v1/uploads/{second['upload_id']}/content"
    headers = {"Upload-Offset": "0"}
    assert code(api.client.patch(f"{other}?link={token}", content=b"x", headers=headers)) == (403, "LINK_INVALID")
    assert code(api.client.patch(f"{other}?link=x", content=b"x", headers=headers)) == (403, "LINK_INVALID")
    assert code(api.client.patch(other, content=b"x", headers=headers)) == (422, "INVALID_VALUE")
    assert code(api.client.patch(second["content"]["url"], content=b"x")) == (422, "INVALID_VALUE")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/complete"), ("POST", "/parts")):
        body = {"json": {"number": 1, "md5": "x"} if path == "/parts" else {}} if method == "POST" else {}
        refused = api.ask(method, f"/uploads/{first['upload_id']}{path}", "other", **body)
        assert code(refused) == (404, "UPLOAD_NOT_FOUND")
    for one in (first, second):
        api.ask("DELETE", f"/uploads/{one['upload_id']}")


def test_a_large_part_passes_the_limit_of_other_bodies(tmp_path: Path) -> None:
    api = make_api(tmp_path / "library")
    try:
        content = b"x" * (9 * 1024 * 1024)
        upload = begin(api, content)
        assert send(api, upload, 0, content).headers["upload-offset"] == str(len(content))
    finally:
        api.library.close()
