"""Uploads of browsers straight to the object storage of a library: in parts, each with a signed link.

An upload has no state but that of the storage: the name of its object tells whose it is, of which file and how large
that is, and the storage lists the parts that are there. A link is for one part: its length and the MD5 of its bytes are
signed, so that it can put nothing else there. The MD5 is also what the storage calls the part afterwards (ETag), unless
it encrypts with keys of its own; then the parts of an interrupted upload are sent again.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from heimdex_core.errors import (
    EmptyFile,
    InvalidValue,
    NotAVideo,
    ObjectStorageFailed,
    UploadConflict,
    UploadIncomplete,
)
from heimdex_core.store.layout import upload_prefix
from heimdex_core.store.object_parts import part_bytes
from heimdex_core.types import utc_now

if TYPE_CHECKING:
    from heimdex_core.store.object_storage import ObjectStorage

FOLDER = "uploads/"
ENDINGS = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mts .m2ts .ts .mpg .mpeg .flv .wmv .mxf .ogv .3gp".split()  # noqa: SIM905
)
"""What names of files have to end in: those of uploads.js. What the files are is found out from their bytes."""

ACTIVE_S = 60.0
"""So long after its last part an upload counts as being sent."""

_NAME = re.compile(r"([0-9a-f]{16})-[0-9a-f]{32}\.([0-9]{1,18})\.(.+)")
_MD5 = re.compile(r"[A-Za-z0-9+/]{22}==")
_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class StorageUpload:
    """An upload that is not complete.

    Attributes:
        name: of its object below uploads/.
        upload_id: that the storage has given it; "" once its parts have been joined.
        began_at: UTC; None where it is not known.
        etag: of the object that the parts were joined to: the hexadecimal MD5 of the MD5s of the parts, "-", how many.
    """

    name: str
    upload_id: str
    began_at: datetime | None = None
    etag: str | None = None

    @property
    def key(self) -> str:
        """Of its object."""
        return FOLDER + self.name

    @property
    def short_id(self) -> str:
        """What names it among the uploads of its user."""
        return self.name[17:49]

    @property
    def filename(self) -> str:
        """The end of the name of the file."""
        return unquote(self._parsed[3])

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return int(self._parsed[2])

    @property
    def part_bytes(self) -> int:
        """Of every part but the last."""
        return part_bytes(self.size_bytes)

    def length_of(self, number: int) -> int:
        """Bytes of a part, counted from 1. Raises InvalidValue if the file has no such part."""
        start = (number - 1) * self.part_bytes
        if number < 1 or start >= self.size_bytes:
            raise InvalidValue(name="x-number", value=str(number), reason=f"{self.filename} has no such part")
        return min(self.part_bytes, self.size_bytes - start)

    def is_of(self, user_id: str) -> bool:
        """Whether it is an upload of this user."""
        return self.name.startswith(f"{upload_prefix(user_id)}-")

    @property
    def _parsed(self) -> re.Match[str]:
        found = _NAME.fullmatch(self.name)
        if found is None:
            raise InvalidValue(name="upload", value=self.name[:80], reason="it is not the name of an upload")
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is in the storage: its length, its ETag (usually the MD5 in hexadecimal digits) and its time, UTC."""

    size_bytes: int
    etag: str
    modified_at: datetime


class StorageUploads:
    """The uploads to one storage. Raises its errors.

    Args:
        storage: of the library.
    """

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def begin(self, user_id: str, filename: str, size_bytes: int) -> StorageUpload:
        """Begin an upload. Raises NotAVideo for a file whose name has another ending than videos have."""
        if Path(filename).suffix.lower() not in ENDINGS:
            raise NotAVideo(filename=filename, reason=f"its name does not end in {' '.join(sorted(ENDINGS))}")
        if size_bytes <= 0:
            raise EmptyFile(filename=filename)
        shown = quote(filename[-_NAME_CHARS:], safe="")
        name = f"{upload_prefix(user_id)}-{uuid.uuid4().hex}.{size_bytes}.{shown}"
        answer = self._storage.call("create_multipart_upload", FOLDER + name, ContentType="application/octet-stream")
        return StorageUpload(name, str(answer["UploadId"]), utc_now())

    def of_user(self, user_id: str) -> list[StorageUpload]:
        """A user's uploads, the newest first."""
        found = [upload for upload in self._all(upload_prefix(user_id)) if upload.is_of(user_id)]
        return sorted(found, key=lambda upload: (upload.began_at or utc_now(), upload.name), reverse=True)

    def joined(self, user_id: str) -> list[StorageUpload]:
        """A user's uploads whose parts were joined, but of which no video could be made: they can be received again."""
        found = self._storage.list(f"{FOLDER}{upload_prefix(user_id)}-")
        named = ((one.key.removeprefix(FOLDER), one) for one in found)
        return [StorageUpload(name, "", one.modified_at, one.etag) for name, one in named if _NAME.fullmatch(name)]

    def find(self, user_id: str, short_id: str) -> StorageUpload | None:
        """The user's upload of that `short_id`, also one whose parts were joined."""
        begun = (one for one in self.of_user(user_id) if one.short_id == short_id)
        return next(begun, None) or next((one for one in self.joined(user_id) if one.short_id == short_id), None)

    def matching(self, user_id: str, filename: str, size_bytes: int) -> StorageUpload | None:
        """The user's newest upload of a file of this name and size."""
        wanted = (filename[-_NAME_CHARS:], size_bytes)
        return next((one for one in self.of_user(user_id) if (one.filename, one.size_bytes) == wanted), None)

    def parts(self, upload: StorageUpload) -> dict[int, Part]:
        """The parts that are there by number, from 1; none of an upload that is not there any more, or was joined."""
        found: dict[int, Part] = {}
        if not upload.upload_id:
            return found
        marker = 0
        while True:
            try:
                page = self._storage.call("list_parts", upload.key, UploadId=upload.upload_id, PartNumberMarker=marker)
            except ObjectStorageFailed as error:
                if "NoSuchUpload" in error.message:
                    return {}
                raise
            for part in page.get("Parts", ()):
                found[part["PartNumber"]] = Part(part["Size"], part["ETag"].strip('"'), part["LastModified"])
            if not page.get("IsTruncated"):
                return found
            marker = page["NextPartNumberMarker"]

    def stopped(self, user_id: str) -> list[tuple[StorageUpload, list[Part]]]:
        """A user's uploads with their parts, without those of which nothing arrived or something did a minute ago."""
        latest = utc_now() - timedelta(seconds=ACTIVE_S)
        found = [(upload, list(self.parts(upload).values())) for upload in self.of_user(user_id)]
        return [one for one in found if one[1] and all(part.modified_at < latest for part in one[1])]

    def part_link(self, upload: StorageUpload, number: int, md5: str, expires_s: int) -> tuple[str, dict[str, str]]:
        """(link, headers) with which a browser puts one part.

        Args:
            upload: to which it belongs.
            number: of the part, from 1.
            md5: of its bytes, in base64.
            expires_s: so long it is valid.

        Raises InvalidValue.
        """
        if not _MD5.fullmatch(md5):
            raise InvalidValue(name="x-md5", value=md5[:80], reason="an MD5 in base64 is needed")
        bound: dict[str, Any] = {"ContentLength": upload.length_of(number), "ContentMD5": md5}
        link = self._storage.signed(
            "upload_part", upload.key, expires_s, UploadId=upload.upload_id, PartNumber=number, **bound
        )
        return link, {"Content-MD5": md5}

    def receive(self, upload: StorageUpload, path: Path) -> None:
        """Complete an upload, and read its file to `path`; it stays in the storage until `remove`.

        While it is there the library copies it inside of the storage, once the bytes at `path` have been hashed and
        belong to a video. Raises UploadIncomplete where a part is missing or has another length, which keeps what is
        there; UploadConflict where the upload is not there any more, because another window has completed it.
        """
        if parts := self.parts(upload):
            self._complete(upload, parts)
        elif not self._storage.exists(upload.key):
            raise UploadConflict(filename=upload.filename)
        self._storage.get_file(upload.key, path, is_remembered=True)

    def remove(self, upload: StorageUpload) -> None:
        """Remove the file of a completed upload."""
        self._storage.delete([upload.key])

    def _complete(self, upload: StorageUpload, parts: dict[int, Part]) -> None:
        count = math.ceil(upload.size_bytes / upload.part_bytes)
        arrived = sum(part.size_bytes for part in parts.values())
        is_whole = list(parts) == [*range(1, count + 1)] and all(
            part.size_bytes == upload.length_of(number) for number, part in parts.items()
        )
        if not is_whole:
            raise UploadIncomplete(filename=upload.filename, found_bytes=arrived, expected_bytes=upload.size_bytes)
        named = [{"PartNumber": number, "ETag": part.etag} for number, part in parts.items()]
        self._storage.complete_parts(upload.key, upload.upload_id, named, upload.size_bytes)

    def discard(self, upload: StorageUpload) -> None:
        """Remove what has arrived of an upload."""
        if not upload.upload_id:
            self.remove(upload)
            return
        self._storage.abort_parts(upload.key, upload.upload_id)

    def remove_abandoned(self, older_than_s: float) -> int:
        """Remove the uploads of all users to which nothing was added for so long, and files that nobody has taken over.

        Returns how many were removed.
        """
        oldest = utc_now() - timedelta(seconds=older_than_s)
        stale = [upload for upload in self._all("") if upload.began_at is not None and upload.began_at < oldest]
        stale = [upload for upload in stale if all(part.modified_at < oldest for part in self.parts(upload).values())]
        for upload in stale:
            self.discard(upload)
        left = [found.key for found in self._storage.list(FOLDER) if found.modified_at < oldest]
        self._storage.delete(left)
        return len(stale) + len(left)

    def _all(self, beginning: str) -> Iterator[StorageUpload]:
        """The uploads whose names have this beginning."""
        prefix = self._storage.full_key(FOLDER)
        more: dict[str, str] = {}
        while True:
            page = self._storage.call("list_multipart_uploads", Prefix=prefix + beginning, **more)
            for found in page.get("Uploads", ()):
                name = found["Key"].removeprefix(prefix)
                if _NAME.fullmatch(name):
                    yield StorageUpload(name, found["UploadId"], found["Initiated"])
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
