"""ObjectStorage against an S3 server that checks signatures, fails and cuts connections."""

from __future__ import annotations

import os
import runpy
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from heimdex_core import errors
from heimdex_core.errors import HeimdexError
from heimdex_core.settings import get_settings
from heimdex_core.store import object_parts, object_storage, object_storage_client
from heimdex_core.store.object_storage import ObjectStorage
from heimdex_core.store.object_storage_client import split_url
from tests.support.object_storage import ACCESS_KEY, SECRET_KEY, Fault, TestBucket, operation

PART = 5 * 1024**2
"""The smallest part that S3 allows."""
LARGE = bytes(range(256)) * (2 * PART // 256) + b"the rest of it"
"""Three parts."""


@pytest.fixture
def storage(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    monkeypatch.setattr(object_parts, "PART_BYTES", PART)
    return s3.open()


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


# --- objects --------------------------------------------------------------------------------------


def test_bytes_come_back(storage: ObjectStorage) -> None:
    storage.put_bytes("a/b", b"one")
    storage.put_bytes("a/b", b"three")
    assert storage.get_bytes("a/b") == b"three"
    assert storage.exists("a/b")
    assert not storage.exists("a")
    found = storage.head("a/b")
    assert found is not None
    assert (found.key, found.size_bytes) == ("a/b", 5)
    assert found.modified_at.utcoffset() is not None


def test_a_large_file_travels_in_parts(storage: ObjectStorage, large_file: Path, tmp_path: Path) -> None:
    sent: list[tuple[int, int]] = []
    fetched: list[tuple[int, int]] = []
    storage.put_file("large", large_file, progress=lambda done, total: sent.append((done, total)))
    size = storage.get_file("large", tmp_path / "new" / "copy", progress=lambda *done: fetched.append(done))
    assert size == len(LARGE)
    assert (tmp_path / "new" / "copy").read_bytes() == LARGE
    for steps in (sent, fetched):
        assert len(steps) == 3
        assert steps == sorted(steps)
        assert steps[-1] == (len(LARGE), len(LARGE))


@pytest.mark.parametrize("part", [512 * 1024**2, PART], ids=["at-once", "in-parts"])
def test_what_came_from_the_storage_is_copied_there(
    storage: ObjectStorage,
    large_file: Path,
    tmp_path: Path,
    s3: TestBucket,
    monkeypatch: pytest.MonkeyPatch,
    part: int,
) -> None:
    monkeypatch.setattr(object_storage, "_COPY_BYTES", part)
    storage.put_file("uploads/부산.mp4", large_file)
    storage.get_file("uploads/부산.mp4", tmp_path / "new" / "part", is_remembered=True)
    place = (tmp_path / "new" / "part").rename(tmp_path / "source.mp4")
    s3.server.sent_bytes.clear()
    storage.put_file("objects/1", place)
    assert sum(s3.server.sent_bytes.values()) < 10_000  # the list of the parts
    assert storage.get_bytes("objects/1") == LARGE
    # not what is another file by now, or another object, or has been removed
    other = tmp_path / "other.mp4"
    other.write_bytes(LARGE)
    storage.put_file("objects/2", other)
    storage.put_bytes("uploads/부산.mp4", b"something else")
    storage.put_file("objects/3", place)
    storage.delete(["uploads/부산.mp4"])
    storage.put_file("objects/4", place)
    for key in ("objects/2", "objects/3", "objects/4"):
        assert s3.server.sent_bytes[f"/{s3.name}/{storage.full_key(key)}"] >= len(LARGE)
        assert storage.get_bytes(key) == LARGE


def test_an_empty_file_comes_back(storage: ObjectStorage, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    storage.put_file("empty", tmp_path / "empty")
    assert storage.get_file("empty", tmp_path / "copy") == 0
    assert (tmp_path / "copy").read_bytes() == b""


def test_many_files_come_back(storage: ObjectStorage, tmp_path: Path) -> None:
    files = {f"gen/{number}": f"file {number}".encode() for number in range(20)}
    for key, data in files.items():
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).write_bytes(data)
    storage.put_many((key, tmp_path / key) for key in files)
    (tmp_path / "copies").mkdir()
    storage.get_many((key, tmp_path / "copies" / key) for key in files)
    assert {key: (tmp_path / "copies" / key).read_bytes() for key in files} == files


def test_a_listing_has_pages_and_only_what_is_below_the_prefix(
    s3: TestBucket, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_storage, "_AT_ONCE", 2)
    for key in ("b/1", "b/2", "b/3", "b/가", "c"):
        storage.put_bytes(key, key.encode())
    ObjectStorage.open(f"{s3.url}-other", get_settings()).put_bytes("b/4", b"of another library")
    assert [found.key for found in storage.list("b/")] == ["b/1", "b/2", "b/3", "b/가"]
    assert [found.size_bytes for found in storage.list()] == [3, 3, 3, 5, 1]
    storage.delete(["b/1", "b/2", "b/3", "never was there"])
    assert [found.key for found in storage.list()] == ["b/가", "c"]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://my.bucket-1/a/b c/", ("my.bucket-1", "a/b c")),
        ("s3://Bucket/a", None),
        ("s3:///a", None),
        ("s3://key:secret@bucket/a", None),
        ("s3://bucket/a//b", None),
        ("s3://bucket/a?versionId=1", None),
        ("https://bucket/a", None),
    ],
)
def test_an_address_is_taken_apart(url: str, parts: tuple[str, str] | None) -> None:
    if parts is None:
        with pytest.raises(errors.InvalidValue):
            split_url(url)
    else:
        assert split_url(url) == parts


# --- links ----------------------------------------------------------------------------------------


def fetched(link: str, **headers: str) -> tuple[int, Message, bytes]:
    """What a browser gets."""
    try:
        request = urllib.request.Request(link, headers=headers)  # noqa: S310 - of our own server
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_a_link_has_name_type_and_ranges(storage: ObjectStorage) -> None:
    storage.put_bytes("clip", b"0123456789")
    link = storage.signed_get("clip", expires_s=60, filename='a "b" 가.mp4', content_type="video/mp4")
    status, headers, content = fetched(link, Range="bytes=2-5")
    assert (status, content, headers["Content-Type"]) == (206, b"2345", "video/mp4")
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%20%22b%22%20%EA%B0%80.mp4"
    shown = storage.signed_get("clip", expires_s=60, disposition="inline", content_type="video/mp4")
    assert fetched(shown)[1]["Content-Disposition"] == "inline"


def test_a_link_ends_and_cannot_be_changed(s3: TestBucket, storage: ObjectStorage) -> None:
    storage.put_bytes("clip", b"0123456789")
    link = storage.signed_get("clip", expires_s=60)
    assert fetched(link)[0] == 200
    assert b"SignatureDoesNotMatch" in fetched(link.replace("Expires=60", "Expires=600"))[2]
    assert b"SignatureDoesNotMatch" in fetched(link.replace("/clip?", "/other?"))[2]
    s3.server.clock_offset_s = 62
    status, _, content = fetched(link)
    assert status == 403
    assert b"Request has expired" in content


def test_browsers_get_links_to_the_public_address(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_STORAGE_PUBLIC_URL", "https://media.example.com")
    get_settings.cache_clear()
    link = s3.open().signed_get("clip", expires_s=60)
    assert link.startswith(f"https://media.example.com/{s3.name}/libraries/one/clip?")


def test_lancedb_gets_the_same_storage(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {
        "aws_region": "us-east-1",
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
        "aws_endpoint": os.environ["AWS_ENDPOINT_URL"],
        "allow_http": "true",
    }
    assert storage.storage_options() == expected
    monkeypatch.setenv("AWS_SESSION_TOKEN", "temporary")
    assert storage.storage_options() == expected | {"aws_session_token": "temporary"}


# --- errors ---------------------------------------------------------------------------------------


def unreachable(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")


def unknown_key(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_ACCESS_KEY_ID", "unknown-access-key")


def wrong_secret(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-key")


def no_credentials(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("AWS_ACCESS_KEY_ID")
    patch.delenv("AWS_SECRET_ACCESS_KEY")
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    patch.setenv("AWS_CONFIG_FILE", os.devnull)


def expired_token(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_SESSION_TOKEN", "of-yesterday")
    s3.server.expired_tokens.add("of-yesterday")


def wrong_clock(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    s3.server.clock_offset_s = 3600


def denied(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    s3.server.denied.append(s3.name)


def no_bucket(s3: TestBucket, patch: pytest.MonkeyPatch) -> None:
    s3.server.remove_bucket(s3.name)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (unreachable, errors.ObjectStorageUnavailable),
        (unknown_key, errors.ObjectStorageCredentials),
        (wrong_secret, errors.ObjectStorageCredentials),
        (no_credentials, errors.ObjectStorageCredentials),
        (expired_token, errors.ObjectStorageCredentialsExpired),
        (wrong_clock, errors.ClockSkewed),
        (denied, errors.ObjectStorageDenied),
        (no_bucket, errors.BucketNotFound),
    ],
)
def test_what_is_wrong_is_said_in_words(
    s3: TestBucket,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[TestBucket, pytest.MonkeyPatch], None],
    expected: type[HeimdexError],
    tmp_path: Path,
) -> None:
    change(s3, monkeypatch)
    storage = s3.open()
    requests: list[Callable[[], object]] = [
        storage.check,
        lambda: storage.put_bytes("a", b"1"),
        lambda: storage.get_bytes("a"),
        lambda: list(storage.list()),
        lambda: storage.delete(["a"]),
        lambda: storage.head("a"),
        lambda: storage.get_file("a", tmp_path / "a"),
    ]
    for request in requests:
        with pytest.raises(HeimdexError) as raised:
            request()
        assert type(raised.value) is expected
        text = str(raised.value.to_dict())
        for secret in (SECRET_KEY, ACCESS_KEY, "of-yesterday", "wrong-secret-key", "unknown-access-key"):
            assert secret not in text
    assert list(tmp_path.iterdir()) == []


def test_a_missing_object_is_named(storage: ObjectStorage, tmp_path: Path) -> None:
    for request in (lambda: storage.get_bytes("sources/1"), lambda: storage.get_file("sources/1", tmp_path / "a")):
        with pytest.raises(errors.ObjectMissing) as raised:
            request()
        assert raised.value.details["key"] == "sources/1"
    assert storage.head("sources/1") is None


def test_after_so_many_failures_it_gives_up(s3: TestBucket, storage: ObjectStorage) -> None:
    s3.server.fail("503", method="PUT", times=100)
    with pytest.raises(errors.ObjectStorageFailed) as raised:
        storage.put_bytes("a", b"1")
    assert raised.value.details["attempts"] == 8 == len(s3.server.requests)
    assert "SlowDown" in raised.value.message


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(errors.ObjectStorageNotInstalled) as raised:
        runpy.run_path(object_storage_client.__file__)
    assert "requirements-cluster.txt" in raised.value.hint


# --- faults that pass -----------------------------------------------------------------------------


def work_with_bytes(storage: ObjectStorage, large_file: Path) -> None:
    storage.put_bytes("small", b"12345678")
    assert storage.get_bytes("small") == b"12345678"
    assert storage.exists("small")
    assert [found.key for found in storage.list("small")] == ["small"]
    storage.delete(["small"])
    assert not storage.exists("small")


def work_with_parts(storage: ObjectStorage, large_file: Path) -> None:
    storage.put_file("large", large_file)
    copy = large_file.with_name("copy")
    storage.get_file("large", copy)
    assert copy.read_bytes() == LARGE


ALL_FAULTS = ("500", "503", "cut-request", "cut-answer", "cut-body")


@pytest.mark.parametrize(
    ("work", "fault"),
    [(work_with_parts, fault) for fault in ("503", "cut-answer")]
    + [pytest.param(work_with_parts, fault, marks=pytest.mark.long) for fault in ("500", "cut-request", "cut-body")]
    + [(work_with_bytes, fault) for fault in ALL_FAULTS],
)
def test_every_request_survives_two_faults(
    s3: TestBucket, storage: ObjectStorage, large_file: Path, work: Callable[[ObjectStorage, Path], None], fault: Fault
) -> None:
    work(storage, large_file)
    kinds = {(method, operation(method, target)) for method, target in s3.server.requests}
    storage.delete(["large"])
    for method, name in kinds:
        if fault != "cut-body" or method == "GET":  # the others have no body to cut
            s3.server.fail(fault, method=method, operation=name, times=2)
    work(storage, large_file)
    assert s3.server.faults_left() == 0


def test_a_download_that_fails_leaves_no_file(s3: TestBucket, storage: ObjectStorage, tmp_path: Path) -> None:
    storage.put_bytes("clip", b"new content")
    (tmp_path / "clip").write_bytes(b"old content")
    s3.server.fail("cut-body", method="GET", times=100)
    with pytest.raises(errors.ObjectStorageFailed):
        storage.get_file("clip", tmp_path / "clip")
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]
    assert (tmp_path / "clip").read_bytes() == b"old content"


@pytest.mark.parametrize("step", ["UploadPart", "CompleteMultipartUpload"])
def test_an_upload_that_fails_leaves_no_object(
    s3: TestBucket, storage: ObjectStorage, large_file: Path, step: str
) -> None:
    s3.server.fail("500", operation=step, times=100)
    with pytest.raises(errors.ObjectStorageFailed):
        storage.put_file("large", large_file)
    assert not storage.exists("large")
    assert "Uploads" not in storage.client.list_multipart_uploads(Bucket=s3.name)
