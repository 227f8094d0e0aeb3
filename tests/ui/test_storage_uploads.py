"""Uploads past the app into the object storage: what a browser may put there, and what becomes of it."""

from __future__ import annotations

import base64
import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from heimdex_core.errors import DatabaseUnavailable, LinkInvalid, NotAVideo, UploadConflict
from heimdex_core.library import Library, storage_uploads
from heimdex_core.library.storage_uploads import StorageUploads
from heimdex_core.settings import Settings
from heimdex_core.store import object_parts
from tests.support.object_storage import TestBucket
from tests.ui.fakes import Clock, FakeLibrary
from ui.server.upload import UploadServer

NAME = "지난 여름 🌊.mp4"
PART = 5 * 1024**2
CONTENT = bytes(range(256)) * (PART // 256) + b"the second part"


class Browser:
    """A client of the route and of the storage, for one of two users of a library."""

    def __init__(self, folder: Path, s3: TestBucket) -> None:
        self.clock = Clock(0.0)
        settings = Settings(min_free_bytes=0, max_file_bytes=3 * PART)
        self.storage = s3.open()
        self.library = FakeLibrary(folder, settings=settings, storage=self.storage)
        self.other = FakeLibrary(folder, user_id="other", settings=settings, storage=self.storage)
        self.links = Links("secret of the test", folder, file_ttl_s=3600, upload_ttl_s=900, now=self.clock)
        server = UploadServer(self.links, self._library_for)
        self.client = TestClient(Starlette(routes=[Route("/upload", server.receive, methods=["POST"])]))

    def _library_for(self, user_id: str) -> Library:
        known = {"local": self.library, "other": self.other}
        if user_id not in known:
            raise LinkInvalid()
        return known[user_id]  # type: ignore[return-value]

    def post(self, part: str, *, name: str = NAME, user: str = "local", **more: Any) -> Any:
        headers = {"X-Upload-Token": self.links.upload_token(user, "en"), "X-Part": part, "X-File-Name": quote(name)}
        headers |= {f"X-{key.replace('_', '-').title()}": str(value) for key, value in more.items()}
        return self.client.post("/upload", headers=headers)

    def open(self, size: int = len(CONTENT), **more: Any) -> dict[str, Any]:
        answer = self.post("open", file_size=size, **more)
        assert answer.status_code == 200, answer.json()
        found: dict[str, Any] = answer.json()
        return found

    def link(self, token: str, number: int, content: bytes) -> dict[str, Any]:
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()  # noqa: S324 - what S3 checks parts by
        answer = self.post("part", upload=token, number=number, md5=md5)
        assert answer.status_code == 200, answer.json()
        found: dict[str, Any] = answer.json()
        return found

    def send(self, token: str, number: int, content: bytes) -> None:
        link = self.link(token, number, content)
        assert put(link["url"], content, link["headers"]) == (200, "")

    def left_in_storage(self) -> list[str]:
        found = self.storage.client.list_multipart_uploads(Bucket=self.storage.bucket).get("Uploads", ())
        return [one["Key"] for one in found] + [one.key for one in self.storage.list()]


def put(url: str, content: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """(status, code of the error) of what a browser sends."""
    headers = {"Content-Type": "application/octet-stream", **headers}  # urllib would call it a form
    request = urllib.request.Request(url, content, headers, method="PUT")  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().partition("<Message>")[2].partition("</Message>")[0]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def browser(tmp_path: Path, s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr(object_parts, "PART_BYTES", PART)
    return Browser(tmp_path, s3)


def test_a_file_goes_to_the_storage_in_parts_and_on_to_the_library(browser: Browser) -> None:
    opened = browser.open()
    assert (opened["part_bytes"], opened["parts"]) == (PART, {})
    browser.send(opened["upload"], 1, CONTENT[:PART])
    browser.send(opened["upload"], 2, CONTENT[PART:])
    answer = browser.post("video", upload=opened["upload"], title=quote("부산"))
    assert (answer.status_code, answer.json()["video"]["title"]) == (201, "부산")
    (given,) = browser.library.added
    assert (given["content"], given["filename"]) == (CONTENT, NAME)
    assert browser.library.left_behind() == []
    assert browser.left_in_storage() == []


def test_an_interrupted_upload_is_continued_with_the_parts_that_are_missing(browser: Browser) -> None:
    browser.send(browser.open()["upload"], 2, CONTENT[PART:])
    browser.clock.at = 5000.0  # as after a reload: only name and size are known, and a new link
    opened = browser.open()
    assert opened["parts"] == {"2": hashlib.md5(CONTENT[PART:]).hexdigest()}  # noqa: S324
    assert code(browser.post("video", upload=opened["upload"])) == (409, "UPLOAD_INCOMPLETE")
    browser.send(opened["upload"], 1, CONTENT[:PART])
    assert browser.post("video", upload=opened["upload"]).status_code == 201
    assert browser.library.added[0]["content"] == CONTENT
    # other sizes and other users begin anew
    assert browser.open(len(CONTENT) + 1)["parts"] == {}
    assert browser.open(user="other")["parts"] == {}


def test_a_link_takes_one_part_of_one_length_and_content_for_15_minutes(browser: Browser, s3: TestBucket) -> None:
    token = browser.open()["upload"]
    first, second = CONTENT[:PART], CONTENT[PART:]
    link = browser.link(token, 2, second)
    url, headers = link["url"], link["headers"]
    assert put(url, second + b"!", headers)[0] == 403  # another length
    assert put(url, second[::-1], headers) == (400, "The Content-MD5 you specified did not match what we received.")
    for changed in (url.replace("partNumber=2", "partNumber=1"), url.replace("Expires=900", "Expires=9000")):
        assert changed != url
        assert put(changed, second, headers)[0] == 403
    s3.server.clock_offset_s = 905
    assert put(url, second, headers) == (403, "Request has expired")
    s3.server.clock_offset_s = 0
    # sent again, it puts the same bytes there; once the upload is complete, nothing
    assert put(url, second, headers)[0] == put(url, second, headers)[0] == 200
    browser.send(token, 1, first)
    assert browser.post("video", upload=token).status_code == 201
    assert put(url, second, headers)[0] == 404
    assert code(browser.post("video", upload=token)) == (409, "UPLOAD_CONFLICT")
    assert len(browser.library.added) == 1
    assert browser.left_in_storage() == []


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("notes.pdf", 100, (422, "NOT_A_VIDEO")),
        ("clip", 100, (422, "NOT_A_VIDEO")),
        ("clip.mp4", 3 * PART + 1, (413, "FILE_TOO_LARGE")),
        ("clip.mp4", 0, (422, "EMPTY_FILE")),
    ],
)
def test_files_of_other_types_and_sizes_are_refused(
    browser: Browser, name: str, size: int, expected: tuple[int, str]
) -> None:
    assert code(browser.post("open", name=name, file_size=size)) == expected
    assert browser.left_in_storage() == []


def test_links_for_other_parts_and_users_are_refused(browser: Browser) -> None:
    token = browser.open()["upload"]
    md5 = base64.b64encode(bytes(16)).decode()
    for number in ("0", "3", "-1", "x", "", "9" * 30):
        assert code(browser.post("part", upload=token, number=number, md5=md5)) == (422, "INVALID_VALUE")
    for wrong in ("", "x", md5 + "\t", md5[:-1]):
        assert code(browser.post("part", upload=token, number=1, md5=quote(wrong))) == (422, "INVALID_VALUE")
    for request in ("part", "video", "discard"):
        assert code(browser.post(request, upload=token, user="other", number=1, md5=md5)) == (403, "LINK_INVALID")
        assert code(browser.post(request, upload="x", number=1, md5=md5)) == (403, "LINK_INVALID")


def test_the_storage_keeps_no_file_that_the_library_refuses(browser: Browser) -> None:
    browser.library.refuses = NotAVideo(filename=NAME, reason="no container")
    token = browser.open(15)["upload"]
    browser.send(token, 1, CONTENT[PART:])
    assert code(browser.post("video", upload=token)) == (422, "NOT_A_VIDEO")
    assert (browser.left_in_storage(), browser.library.left_behind()) == ([], [])


def test_what_cannot_be_read_from_the_storage_is_kept_there(browser: Browser, tmp_path: Path) -> None:
    uploads, token = StorageUploads(browser.storage), browser.open(15)["upload"]
    browser.send(token, 1, CONTENT[PART:])
    (upload,) = uploads.of_user("local")
    with pytest.raises(FileNotFoundError):
        uploads.receive(upload, tmp_path / "no" / "folder" / "file")
    uploads.receive(upload, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT[PART:]
    uploads.remove(upload)
    with pytest.raises(UploadConflict):
        uploads.receive(upload, tmp_path / "file")
    assert browser.left_in_storage() == []


def test_what_could_not_be_added_can_be_asked_for_again(browser: Browser) -> None:
    token = browser.open(15)["upload"]
    browser.send(token, 1, CONTENT[PART:])
    browser.library.refuses = DatabaseUnavailable(reason="it restarts")
    assert code(browser.post("video", upload=token))[1] == "DATABASE_UNAVAILABLE"
    browser.library.refuses = None
    assert browser.post("video", upload=token).status_code == 201
    assert browser.library.added[-1]["content"] == CONTENT[PART:]
    assert (browser.left_in_storage(), browser.library.left_behind()) == ([], [])


def test_a_file_that_the_library_has_is_not_sent(browser: Browser) -> None:
    browser.library.known[NAME] = CONTENT
    assert browser.open() == {"compare": [len(CONTENT)]}
    digest = f"{len(CONTENT)}:{hashlib.sha256(CONTENT).hexdigest()}"
    assert browser.open(sha256=digest)["video"]["known"]
    assert browser.left_in_storage() == []


def test_what_is_discarded_or_never_completed_is_removed(browser: Browser) -> None:
    token = browser.open()["upload"]
    browser.send(token, 1, CONTENT[:PART])
    assert browser.post("discard", upload=token).status_code == 200
    assert browser.left_in_storage() == []
    browser.send(browser.open()["upload"], 1, CONTENT[:PART])
    browser.send(browser.open(20)["upload"], 1, CONTENT[:20])
    browser.storage.put_bytes("uploads/completed-but-not-taken-over", b"1")
    browser.storage.put_bytes("objects/1", b"1")
    uploads = StorageUploads(browser.storage)
    assert uploads.remove_abandoned(3600) == 0
    assert uploads.remove_abandoned(-1) == 3
    assert browser.left_in_storage() == ["objects/1"]


def test_only_uploads_that_are_not_being_sent_are_shown_as_interrupted(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = StorageUploads(browser.storage)
    browser.send(browser.open()["upload"], 2, CONTENT[PART:])
    browser.open(20)
    assert uploads.stopped("local") == []
    monkeypatch.setattr(storage_uploads, "ACTIVE_S", -60.0)
    ((upload, parts),) = uploads.stopped("local")
    assert (upload.filename, upload.size_bytes, [part.size_bytes for part in parts]) == (NAME, len(CONTENT), [15])
    assert uploads.stopped("other") == []
