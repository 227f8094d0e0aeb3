"""An upload through the API to a library in object storage: the parts go there, with a signed link for each."""

from __future__ import annotations

import base64
import hashlib
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
from heimdex_core.library import Library
from heimdex_core.settings import get_settings
from tests.api.conftest import Api, Queue
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
