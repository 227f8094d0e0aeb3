"""The bucket of a library at s3://bucket/prefix: the only code that speaks to an object storage.

Everything is an S3 request of botocore, repeated here when it fails for a moment: botocore's own attempts end where the
answer begins, so they do not cover a download that is cut. See docs/decisions/store-object-storage.md.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar
from urllib.parse import quote, urlsplit

from heimdex_core.errors import ObjectMissing, ObjectStorageFailed, ObjectTruncated
from heimdex_core.files import atomic_path, file_signature
from heimdex_core.settings import Settings
from heimdex_core.store.object_parts import part_bytes
from heimdex_core.store.object_storage_client import new_client, secrets, split_url, storage_options
from heimdex_core.store.object_storage_errors import FAILURES, code_of, is_transient, translated
from heimdex_core.store.object_transfers import THREADS, Done, Progress, side_by_side

log = logging.getLogger(__name__)

MAX_BACKOFF_S = 5.0

Result = TypeVar("Result")

_CHUNK_BYTES = 1024**2
_COPY_BYTES = 512 * 1024**2
"""What is larger is copied in parts, which S3 does side by side; it copies no more than 5 GB at once."""
_AT_ONCE = 1000
"""Keys of one request to list or delete, a limit of S3."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing says of an object.

    Attributes:
        key: name below the prefix of the library.
        size_bytes: its length.
        etag: changes with its content; of an object in parts it is no hash of the whole.
        modified_at: when it was written, UTC.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime


class ObjectStorage:
    """Objects below one prefix of a bucket. Safe to share between threads.

    Keys are relative to the prefix. Each method raises the errors of `heimdex_core.errors.object_storage`: requests
    that fail for a moment (500, 503, a cut connection) are repeated `storage_attempts` times.

    Args:
        url: s3://bucket/prefix.
        settings: numbers of attempts and pauses, and the address for browsers.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.bucket, self.prefix = split_url(url)
        self._settings = settings
        self.client = new_client(4 * THREADS)
        self._is_there = False  # not known
        self._origins: dict[tuple[int, int, int], ObjectInfo] = {}
        """By the signature of a file: the object that it is a copy of."""
        public = settings.storage_public_url
        self._signer = new_client(1, public) if public else self.client

    @classmethod
    def open(cls, url: str, settings: Settings) -> ObjectStorage:
        """Open s3://bucket/prefix. Sends nothing yet; `check` does.

        Region, address and credentials are those of AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or of the machine's role. Raises InvalidValue for another URL.
        """
        return cls(url, settings)

    @property
    def url(self) -> str:
        """s3://bucket/prefix."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def host(self) -> str:
        """The address of the storage, for messages."""
        return urlsplit(self.client.meta.endpoint_url).netloc.rpartition("@")[2]

    def check(self) -> None:
        """Raise the error in words if the bucket cannot be read: not there, wrong credentials, a wrong clock."""
        self.call("list_objects_v2", Prefix=self.full_key(""), MaxKeys=1)

    # --- writing ----------------------------------------------------------------------------------

    def put_bytes(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Write an object; one of the same key is replaced when it is complete."""
        self.call("put_object", key, Body=data, ContentType=content_type)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        content_type: str = "application/octet-stream",
        progress: Progress | None = None,
    ) -> None:
        """Write a file as an object, in parts if it is large; one of the same key is replaced when it is complete.

        What `get_file` has remembered is copied inside of the storage, without its bytes travelling again. The file may
        not change meanwhile. Raises OSError if it cannot be read.
        """
        size = path.stat().st_size
        if (origin := self._origins.get(file_signature(path) or (0, 0, 0))) and self._copied(origin, key, content_type):
            return
        part = part_bytes(size)
        if size <= part:
            self.put_bytes(key, path.read_bytes(), content_type=content_type)
            if progress:
                progress(size, size)
            return
        done = Done(size, progress)

        def send(upload: str, number: int, start: int) -> str:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(part)
            etag = self.call("upload_part", key, UploadId=upload, PartNumber=number, Body=data)["ETag"]
            done.add(len(data))
            return str(etag)

        self._put_parts(key, size, part, send, content_type)

    def _copied(self, origin: ObjectInfo, key: str, content_type: str) -> bool:
        """Copy an object inside of the storage; False if it is not there any more, or cannot be copied."""
        source = {
            "CopySource": {"Bucket": self.bucket, "Key": self.full_key(origin.key)},
            "CopySourceIfMatch": f'"{origin.etag}"',
        }
        size, part = origin.size_bytes, max(_COPY_BYTES, part_bytes(origin.size_bytes))

        def send(upload: str, number: int, start: int) -> str:
            given = {"CopySourceRange": f"bytes={start}-{min(start + part, size) - 1}", **source}
            answer = self.call("upload_part_copy", key, UploadId=upload, PartNumber=number, **given)
            return str(answer["CopyPartResult"]["ETag"])

        try:
            if size <= part:
                self.call("copy_object", key, ContentType=content_type, MetadataDirective="REPLACE", **source)
            else:
                self._put_parts(key, size, part, send, content_type)
        except (ObjectMissing, ObjectStorageFailed) as error:
            log.warning("%s is sent, since it cannot be copied: %s", key, error)
            return False
        return True

    def _put_parts(
        self, key: str, size: int, part: int, send: Callable[[str, int, int], str], content_type: str
    ) -> None:
        """Make an object of parts: `send` is given the upload, the number of a part and its first byte, and returns
        the part's ETag."""
        upload = self.call("create_multipart_upload", key, ContentType=content_type)["UploadId"]
        try:
            numbered = list(enumerate(range(0, size, part), start=1))
            etags = side_by_side(lambda item: send(upload, *item), numbered)
            parts = [{"PartNumber": number, "ETag": etag} for (number, _), etag in zip(numbered, etags, strict=True)]
            self.complete_parts(key, upload, parts, size)
        except BaseException:
            self.abort_parts(key, upload)
            raise

    def put_many(self, items: Iterable[tuple[str, Path]]) -> None:
        """Write files as objects, several at a time: pairs of key and path. Stops at the first error."""
        side_by_side(lambda item: self.put_file(*item), items)

    # --- reading ----------------------------------------------------------------------------------

    def head(self, key: str) -> ObjectInfo | None:
        """Size and date of an object; None if there is none."""
        try:
            found = self.call("head_object", key)
        except ObjectMissing:
            return None
        return ObjectInfo(key, found["ContentLength"], found["ETag"].strip('"'), found["LastModified"].astimezone(UTC))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return self.head(key) is not None

    def get_bytes(self, key: str) -> bytes:
        """The content of an object, which has to fit into memory. Raises ObjectMissing."""

        def read() -> bytes:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.full_key(key))
            with closing(answer["Body"]) as body:
                return bytes(body.read())

        return self.repeated(read, key)

    def get_file(self, key: str, path: Path, *, progress: Progress | None = None, is_remembered: bool = False) -> int:
        """Read an object into a file, which is there as a whole or not at all; large ones in parts.

        Args:
            key: the object.
            path: file to write or replace; its folder is created if it is missing, but not the one above.
            progress: told about each part that has arrived.
            is_remembered: whether `put_file` of this file, also under another name, copies the object until `delete`
                removes that.

        Returns: the size in bytes.
        Raises ObjectMissing, ObjectTruncated, DiskFull.
        """
        found = self.head(key)
        if found is None:
            raise ObjectMissing(key=key, bucket=self.bucket)
        size, done = found.size_bytes, Done(found.size_bytes, progress)
        part = part_bytes(size)
        with atomic_path(path, needed_bytes=size) as temporary:
            with temporary.open("xb") as file:

                def fetch(start: int) -> None:
                    end = min(start + part, size)
                    self.repeated(lambda: self._read_part(found, start, end, file), key)
                    done.add(end - start)

                side_by_side(fetch, range(0, size, part))
            if (written := temporary.stat().st_size) != size:
                raise ObjectTruncated(key=key, expected=size, found=written)
        if is_remembered and (signature := file_signature(path)) is not None:
            self._origins[signature] = found
        return size

    def get_many(self, items: Iterable[tuple[str, Path]]) -> None:
        """Read objects into files, several at a time: pairs of key and path. Stops at the first error."""
        side_by_side(lambda item: self.get_file(*item), items)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects whose keys begin with `prefix`, in the order of their keys."""
        more: dict[str, str] = {}
        while True:
            page = self.call("list_objects_v2", Prefix=self.full_key(prefix), MaxKeys=_AT_ONCE, **more)
            for found in page.get("Contents", ()):
                yield ObjectInfo(
                    found["Key"].removeprefix(self.full_key("")),
                    found["Size"],
                    found["ETag"].strip('"'),
                    found["LastModified"].astimezone(UTC),
                )
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    # --- removing ---------------------------------------------------------------------------------

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there count as deleted."""
        keys = set(keys)
        for signature in [one for one, origin in self._origins.items() if origin.key in keys]:
            self._origins.pop(signature, None)
        left = [{"Key": self.full_key(key)} for key in sorted(keys)]
        for start in range(0, len(left), _AT_ONCE):
            some = left[start : start + _AT_ONCE]
            answer = self.call("delete_objects", Delete={"Objects": some, "Quiet": True})
            if errors := answer.get("Errors"):
                reason = f"{errors[0].get('Code')}: {errors[0].get('Message', '')}"[:300]
                raise ObjectStorageFailed(host=self.host, attempts=1, reason=f"{len(errors)} not deleted, {reason}")

    # --- links ------------------------------------------------------------------------------------

    def signed_get(
        self,
        key: str,
        *,
        expires_s: int,
        filename: str | None = None,
        content_type: str | None = None,
        disposition: Literal["inline", "attachment"] = "attachment",
    ) -> str:
        """A link with which a browser reads the object from the storage, in ranges too.

        Args:
            key: the object; it is not looked whether it is there.
            expires_s: so long it is valid, at most a week, and no longer than temporary credentials are.
            filename: under which name it is saved; the key's when None.
            content_type: what the storage says it is.
            disposition: whether the browser shows or saves it.
        """
        given: dict[str, str] = {}
        if content_type:
            given["ResponseContentType"] = content_type
        if filename is not None or disposition == "inline":
            name = f"; filename*=UTF-8''{quote(filename, safe='')}" if filename is not None else ""
            given["ResponseContentDisposition"] = f"{disposition}{name}"
        return self.signed("get_object", key, expires_s, **given)

    def signed(self, operation: str, key: str, expires_s: int, **given: Any) -> str:
        """A link for one request of a browser to an object; raises if there are no credentials."""
        parameters = {"Bucket": self.bucket, "Key": self.full_key(key), **given}
        return self.repeated(
            lambda: str(self._signer.generate_presigned_url(operation, Params=parameters, ExpiresIn=expires_s)), key
        )

    def storage_options(self) -> dict[str, str]:
        """What LanceDB needs to use the same storage, in the names of its object store. They are secret.

        Credentials of a role are not among them: they expire, and LanceDB finds and renews them by itself.
        """
        return storage_options(str(self.client.meta.region_name))

    # --- parts of an upload -----------------------------------------------------------------------

    def complete_parts(self, key: str, upload: str, parts: Sequence[dict[str, Any]], size_bytes: int) -> None:
        """Make an object of parts, in their order.

        An answer may be lost after the storage has done it: then the upload is gone, and the object is there.
        """
        try:
            self.call("complete_multipart_upload", key, UploadId=upload, MultipartUpload={"Parts": [*parts]})
        except ObjectStorageFailed:
            found = self.head(key)
            if found is None or found.size_bytes != size_bytes:
                raise

    def abort_parts(self, key: str, upload: str) -> None:
        """Remove the parts of an upload; what is not there, or not reached, is left to the clean-up."""
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=self.full_key(key), UploadId=upload)
        except FAILURES:
            return

    # --- requests ---------------------------------------------------------------------------------

    def full_key(self, key: str) -> str:
        """The name of an object in the bucket."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def call(self, operation: str, key: str = "", **given: Any) -> dict[str, Any]:
        """Send a request of boto3's client, about the object `key` if one is named, and repeat it when it fails."""
        if key:
            given["Key"] = self.full_key(key)
        return self.repeated(lambda: getattr(self.client, operation)(Bucket=self.bucket, **given), key)

    def repeated(self, request: Callable[[], Result], key: str) -> Result:
        """Do a request until it succeeds, fails for good, or has failed `storage_attempts` times."""
        attempts = self._settings.storage_attempts
        for attempt in range(1, attempts + 1):
            try:
                return request()
            except FAILURES as error:
                if attempt == attempts or not is_transient(error):
                    raise self._error(error, key, attempt) from error
            # full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
            pause = min(MAX_BACKOFF_S, self._settings.storage_backoff_s * 2 ** (attempt - 1))
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads requests
        raise AssertionError("storage_attempts is at least 1")

    def _error(self, error: Exception, key: str, attempts: int) -> Exception:
        if code_of(error) in ("400", "403") or (code_of(error) == "404" and not self._is_there):
            # HEAD has no body, and so no words: another request says what is wrong, or that the bucket is missing.
            try:
                self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.full_key(key), MaxKeys=1)
                self._is_there = True
            except FAILURES as said:
                error = said
        return translated(error, host=self.host, bucket=self.bucket, key=key, attempts=attempts, secrets=secrets())

    def _read_part(self, found: ObjectInfo, start: int, end: int, file: BinaryIO) -> None:
        """Write the bytes [start, end) of an object to the same place of a file."""
        answer = self.client.get_object(
            Bucket=self.bucket,
            Key=self.full_key(found.key),
            Range=f"bytes={start}-{end - 1}",
            IfMatch=f'"{found.etag}"',
        )
        with closing(answer["Body"]) as body:
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                os.pwrite(file.fileno(), chunk, start)
                start += len(chunk)
        if start != end:
            raise ObjectTruncated(key=found.key, expected=end, found=start)
