"""Files of a library in object storage, as browsers get them from a machine that has no copy."""

from __future__ import annotations

import hashlib
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from heimdex_core.api.links import Links
from heimdex_core.errors import InvalidValue, ObjectStorageCredentials
from heimdex_core.jobs.client import JobQueue
from heimdex_core.library import Library
from heimdex_core.library.storage_uploads import StorageUploads
from heimdex_core.settings import get_settings
from heimdex_core.store.mirror_upload import object_key
from heimdex_core.types import Video
from tests.store.making import PICTURE, content_of, register, stage
from tests.support import media
from tests.support.object_storage import TestBucket
from ui.server.files import FileServer

CONTENT = content_of("Busan")


class Machine:
    """A machine with its own working folder, and the route for files of the app that runs there."""

    def __init__(self, folder: Path, s3: TestBucket, *, create: bool = False) -> None:
        settings = get_settings().model_copy(update={"cache": folder, "min_free_bytes": 0, "abandoned_after_s": 3600})
        self.library = Library.open(s3.url, profile="offline" if create else None, settings=settings, create=create)
        self.links = Links("secret of the test", self.library.path, file_ttl_s=3600, upload_ttl_s=900)
        server = FileServer(self.links, self.library)
        app = Starlette(routes=[Route("/files/{token}", server.serve, methods=["GET", "HEAD"])])
        self.client = TestClient(app, follow_redirects=False)

    def link(self, path: Path, name: str | None = None) -> str:
        return self.links.file_url(path, self.library.user_id, download_name=name)


@pytest.fixture
def first(tmp_path: Path, s3: TestBucket, database: str) -> Iterator[Machine]:
    machine = Machine(tmp_path / "first", s3, create=True)
    yield machine
    machine.library.close()


@pytest.fixture
def video(first: Machine) -> Video:
    """A video with one scene, added on the first machine."""
    store = first.library._store
    made = register(store, "Busan")
    spaces = store.sets.active().spaces
    n = store.next_generation(made.video_id)
    staged = stage(store, made, ["one"], spaces=spaces)
    store.commit_generation(made.video_id, staged, n=n, spaces=spaces.values(), transcript_source="subtitles")
    return first.library.video(made.video_id)


@pytest.fixture
def second(tmp_path: Path, s3: TestBucket, first: Machine, video: Video) -> Iterator[Machine]:
    """A machine that joins later."""
    machine = Machine(tmp_path / "second", s3)
    yield machine
    machine.library.close()


def test_a_video_is_read_from_the_storage_by_a_browser(second: Machine, video: Video) -> None:
    path = second.library.playable_path(video, fetch=False)
    assert path is not None
    answer = second.client.get(second.link(path, "부산.mp4"))
    assert answer.status_code == 302
    assert "private" in answer.headers["cache-control"]
    request = urllib.request.Request(answer.headers["location"], headers={"Range": "bytes=10-19"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310 - of our own server
        assert (got.status, got.read(), got.headers["content-type"]) == (206, CONTENT[10:20], "video/mp4")
        assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''%EB%B6%80%EC%82%B0.mp4"
    assert not path.exists()  # no byte of it has come to this machine
    shown = [second.client.get(second.link(path) + query).headers["location"] for query in ("", "?cors")]
    assert [urllib.parse.unquote(link).partition("disposition=")[2].partition(";")[0] for link in shown] == [
        "inline",
        "attachment",
    ]


def test_a_picture_is_served_from_the_copy_of_this_machine(second: Machine, video: Video) -> None:
    (scene,) = second.library.scenes(video.video_id)
    path = second.library.frame_path(scene)
    assert path is not None
    answer = second.client.get(second.link(path))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PICTURE, "image/webp")


def test_what_is_on_this_machine_only_or_while_the_storage_denies_is_served_from_here(
    first: Machine, video: Video, s3: TestBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = first.library
    path = library.playable_path(video)
    assert path is not None
    beside = path.with_name("preview.mp4")
    beside.write_bytes(b"not stored yet")
    assert first.client.get(first.link(beside)).content == b"not stored yet"

    def fail(*args: object, **more: object) -> str:
        raise ObjectStorageCredentials(host="s3", reason="none")

    monkeypatch.setattr(library.storage, "signed_get", fail)
    assert first.client.get(first.link(path)).content == CONTENT
    path.unlink()
    answer = first.client.get(first.link(path))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "OBJECT_STORAGE_CREDENTIALS")


def test_links_are_to_files_of_the_library(first: Machine, tmp_path: Path) -> None:
    for outside in ("/etc/passwd", "../second/videos/a.mp4", ""):
        with pytest.raises(InvalidValue):
            first.library.link(outside, filename="a.mp4", content_type="video/mp4")
    with Library.open(tmp_path / "folder", profile="offline") as local:
        assert local.storage is None
        assert local.link("videos/a.mp4", filename="a.mp4", content_type="video/mp4") is None


def test_clean_up_removes_uploads_that_nothing_arrived_of(first: Machine) -> None:
    storage = first.library.storage
    assert storage is not None
    uploads = StorageUploads(storage)
    kept = uploads.begin("local", "kept.mp4", 10)
    storage.call("upload_part", kept.key, UploadId=kept.upload_id, PartNumber=1, Body=b"0123456789")
    uploads.begin("local", "abandoned.mp4", 10)  # begun in 2010, as moto says of every upload
    assert first.library.clean_up()["uploads"] == 1
    assert [upload.filename for upload in uploads.of_user("local")] == ["kept.mp4"]


def test_an_upload_to_the_storage_is_copied_there_and_not_sent_again(
    first: Machine, second: Machine, s3: TestBucket, tmp_path: Path
) -> None:
    clip = media.colour_clips(tmp_path / "clip.avi", [("red", 1.0), ("blue", 1.0)], size=(160, 90), tone_hz=440)
    library, content = first.library, clip.read_bytes()
    storage = library.storage
    assert storage is not None
    uploads = StorageUploads(storage)
    upload = uploads.begin(library.user_id, "clip.avi", len(content))
    storage.call("upload_part", upload.key, UploadId=upload.upload_id, PartNumber=1, Body=content)
    part = library.uploads_folder / "clip.part"
    uploads.receive(upload, part)
    s3.server.sent_bytes.clear()
    library.queue = JobQueue(library)
    video = library.add_upload(part, "clip.avi")
    library.queue.close()
    uploads.remove(upload)
    stored = storage.full_key(object_key(hashlib.sha256(content).hexdigest()))
    assert s3.server.sent_bytes[f"/{s3.name}/{stored}"] == 0
    assert sum(s3.server.sent_bytes.values()) < len(content)
    path = second.library.playable_path(second.library.video(video.video_id))
    assert path is not None
    assert path.read_bytes() == content
    assert list(storage.list("uploads/")) == []
