"""Uploads through the API to a library in object storage: the parts go there, with a signed link for each.

Also how the Python client goes on with one that was interrupted.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from heimdex_core.api.app import create_app
from heimdex_core.api.links import Links
from heimdex_core.api.mounting import api_routes
from heimdex_core.api.rate_limit import RateLimiter
from heimdex_core.api.services import Services
from heimdex_core.client import Client, uploading
from heimdex_core.errors import NotResponding, ObjectStorageFailed
from heimdex_core.library import Library
from heimdex_core.settings import get_settings
from heimdex_core.store import object_parts
from tests.api.conftest import Api, Queue, serving
from tests.support.frozen import SPOKEN, frozen_library
from tests.support.object_storage import TestBucket
from tests.ui.fakes import Clock


@pytest.fixture
def api(tmp_path: Path, s3: TestBucket, database: str) -> Iterator[Api]:
    settings = get_settings().model_copy(update={"cache": tmp_path / "copy", "min_free_bytes": 0})
    library = Library.open(s3.url, profile="offline", settings=settings)
    queue, clock = Queue(), Clock(0.0)
    library.queue = queue
    links = Links("secret of the test", library.path, file_ttl_s=3600, upload_ttl_s=900)
    services = Services(lambda: library, lambda: links, limiter=RateLimiter(0, clock))
    app = Starlette(routes=api_routes(create_app(services)))
    made = Api(library, services, links, app, TestClient(app), clock, queue=queue)
    made.tokens["owner"] = library.accounts.make_token("test", ("read", "write"))[1]
    yield made
    library.close()


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = tmp_path_factory.mktemp("frozen") / "library"
    (source,) = (frozen_library(root) / "videos" / SPOKEN).glob("source.*")
    return source.read_bytes()


def put_whole(api: Api, content: bytes) -> str:
    """The path of an upload whose one part has arrived."""
    upload = api.post("/uploads", {"filename": "바다.mp4", "size_bytes": len(content)}).json()
    path = f"/uploads/{upload['upload_id']}"
    md5 = base64.b64encode(hashlib.md5(content).digest()).decode()  # noqa: S324 - what S3 compares with
    link = api.post(f"{path}/parts", {"number": 1, "md5": md5}).json()
    assert httpx2.put(link["url"], content=content, headers=link["headers"]).status_code == 200
    return path


def test_an_upload_is_completed_again_whose_file_could_not_be_read_after_it_was_joined(
    api: Api, s3: TestBucket, movie: bytes
) -> None:
    path = put_whole(api, movie)
    s3.server.fail(
        "503", method="GET", path="/uploads/", operation="GetObject", times=api.library.settings.storage_attempts
    )
    failed = api.post(f"{path}/complete", {"title": "배"})
    assert (failed.status_code, s3.server.faults_left()) == (503, 0), failed.text
    there = api.get(path).json()
    assert (there["received_bytes"], there["parts"], there["content"]) == (len(movie), {}, None)
    part_md5 = hashlib.md5(movie).digest()  # noqa: S324
    assert there["etag"] == f"{hashlib.md5(part_md5).hexdigest()}-1"  # noqa: S324
    assert api.get("/uploads").json() == [there]
    assert api.post(f"{path}/parts", {"number": 1, "md5": base64.b64encode(part_md5).decode()}).status_code == 409
    done = api.post(f"{path}/complete", {"title": "배"})
    assert (done.status_code, done.json()["title"]) == (201, "배")
    assert api.get("/uploads").json() == []


def test_an_upload_is_given_up_after_it_was_joined(api: Api, s3: TestBucket, movie: bytes) -> None:
    path = put_whole(api, movie)
    s3.server.fail(
        "503", method="GET", path="/uploads/", operation="GetObject", times=api.library.settings.storage_attempts
    )
    assert api.post(f"{path}/complete").status_code == 503
    assert api.ask("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404
    assert [one.key for one in s3.open().list("uploads/")] == []


def test_parts_go_to_the_storage_and_become_a_video(api: Api, movie: bytes) -> None:
    content = movie
    upload = api.post("/uploads", {"filename": "바다.mp4", "size_bytes": len(content)}).json()
    assert (upload["content"], upload["parts"], upload["received_bytes"]) == (None, {}, 0)
    path = f"/uploads/{upload['upload_id']}"
    assert upload["part_bytes"] >= len(content)
    assert api.post(f"{path}/complete").json()["code"] == "UPLOAD_INCOMPLETE"
    md5 = hashlib.md5(content).digest()  # noqa: S324 - what S3 compares with
    assert api.post(f"{path}/parts", {"number": 2, "md5": base64.b64encode(md5).decode()}).status_code == 422
    link = api.post(f"{path}/parts", {"number": 1, "md5": base64.b64encode(md5).decode()}).json()
    assert httpx2.put(link["url"], content=content, headers=link["headers"]).status_code == 200
    arrived = api.get(path).json()
    assert (arrived["received_bytes"], arrived["parts"]) == (len(content), {"1": md5.hex()})
    assert [one["upload_id"] for one in api.get("/uploads").json()] == [upload["upload_id"]]
    done = api.post(f"{path}/complete", {"title": "배"})
    assert (done.status_code, done.json()["title"], done.json()["filename"]) == (201, "배", "바다.mp4")
    assert api.queue.jobs == [("ingest", done.json()["video_id"])]
    assert api.get("/uploads").json() == []
    given_up = api.post("/uploads", {"filename": "a.mp4", "size_bytes": 9}).json()["upload_id"]
    assert api.ask("DELETE", f"/uploads/{given_up}").status_code == 204
    assert api.get(f"/uploads/{given_up}").json()["code"] == "UPLOAD_NOT_FOUND"


# --- the Python client ----------------------------------------------------------------------------

PART = 5 * 1024**2
"""The smallest that S3 takes."""


@pytest.fixture
def address(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(object_parts, "PART_BYTES", PART)
    with serving(api.app) as found:
        yield found


@pytest.fixture
def file(tmp_path: Path, movie: bytes) -> Path:
    """A video of three parts: behind it is an empty box of MP4."""
    length = 2 * PART + 1000 - len(movie)
    path = tmp_path / "바다.mp4"
    path.write_bytes(movie + length.to_bytes(4, "big") + b"free" + bytes(length - 8))
    return path


def client_of(api: Api, address: str) -> Client:
    made = Client(address, api.tokens["owner"])
    made._connection.pause = lambda _: None
    return made


def sent_parts(s3: TestBucket) -> list[int]:
    """The numbers of the parts that the client has sent, in that order."""
    found = (re.search(r"/uploads/.*partNumber=(\d+)", target) for _, target in s3.server.requests)
    return [int(one[1]) for one in found if one]


def test_the_client_sends_a_part_again_whose_connection_was_lost(
    api: Api, address: str, s3: TestBucket, file: Path
) -> None:
    s3.server.fail("cut-request", path="/uploads/", operation="UploadPart")
    s3.server.fail("cut-answer", path="/uploads/", operation="UploadPart", skip=1)
    s3.server.fail("500", path="/uploads/", operation="UploadPart", skip=2)
    s3.server.fail("503", path="/uploads/", operation="UploadPart", skip=2)
    # and the storage is away for a moment while the server is asked for a link
    s3.server.fail("503", operation="ListMultipartUploads", skip=2, times=api.library.settings.storage_attempts)
    with client_of(api, address) as client:
        video = client.add(file, title="배")
    assert (video.title, video.filename, s3.server.faults_left()) == ("배", file.name, 0)
    assert api.library.video(str(video.video_id)).sha256 == uploading._sha256(file)
    assert sorted(set(sent_parts(s3))) == [1, 2, 3]
    assert len(sent_parts(s3)) == 3 + 4
    assert api.get("/uploads").json() == []


def test_the_next_upload_of_the_file_sends_the_parts_that_are_missing(
    api: Api, address: str, s3: TestBucket, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = file.read_bytes()

    def interrupted(skip: int) -> list[int]:
        before = len(sent_parts(s3))
        s3.server.fail("cut-request", path="/uploads/", operation="UploadPart", skip=skip)
        with client_of(api, address) as client, pytest.raises(NotResponding):
            client.add(file)
        return sent_parts(s3)[before:]

    with monkeypatch.context() as patched:
        patched.setattr(uploading, "TRIES", 1)
        assert interrupted(skip=2) == [1, 2, 3]
        file.write_bytes(b"x" + whole[1:])
        assert interrupted(skip=0) == [1], "another file of this name and size begins anew"
    assert sorted(one["received_bytes"] for one in api.get("/uploads").json()) == [0, 2 * PART]
    file.write_bytes(whole)
    before = len(sent_parts(s3))
    with client_of(api, address) as client:
        video = client.add(file)
    assert sent_parts(s3)[before:] == [3]
    assert api.library.video(str(video.video_id)).sha256 == uploading._sha256(file)


def test_the_next_upload_of_a_file_whose_parts_were_joined_sends_none(
    api: Api, address: str, s3: TestBucket, file: Path
) -> None:
    s3.server.fail("503", method="GET", path="/uploads/", operation="GetObject", times=1000)
    with client_of(api, address) as client:
        with pytest.raises(ObjectStorageFailed):
            client.add(file, title="배")
        s3.server.reset()
        (left,) = api.get("/uploads").json()
        assert left["etag"].endswith("-3")
        assert client.add(file, title="배").title == "배"
    assert sent_parts(s3) == []
    assert api.get("/uploads").json() == []
