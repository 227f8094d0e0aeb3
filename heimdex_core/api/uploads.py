"""/uploads: begin one, send its bytes with the signed link of the answer, complete it. What has arrived is kept.

Of a library in a folder the bytes come here, in one request or several, each from the offset on that was reached. Of a
library in object storage they go there in parts, with a signed link for each.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from heimdex_core.api import partials
from heimdex_core.api.access import Reading, Writing, services_of
from heimdex_core.api.answers import Link
from heimdex_core.api.idempotency import IdempotentRoute, repeatable
from heimdex_core.api.mounting import PREFIX
from heimdex_core.api.partials import Partial
from heimdex_core.api.receiving import append, check_length, require_size, uploads_folder
from heimdex_core.errors import (
    InvalidValue,
    LinkInvalid,
    UploadConflict,
    UploadIncomplete,
    UploadNotFound,
    ValidationError,
)
from heimdex_core.files import require_free_space
from heimdex_core.library import Library
from heimdex_core.library.storage_uploads import StorageUpload, StorageUploads
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Shape

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=IdempotentRoute)

MAX_SUBTITLE_CHARS = 4 * 1024 * 1024


class UploadBody(BaseModel):
    """The file that is going to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=1000)
    size_bytes: int = Field(ge=1, le=2**60)
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="of its bytes: a file that the library has is not sent again"
    )


class Upload(Shape):
    """An upload that is not complete, or the video of a file that the library had already."""

    upload_id: str | None
    filename: str
    size_bytes: int
    received_bytes: int
    received_sha256: str | None = None
    """Of the `received_bytes`, where it was asked for; not of an upload to object storage."""
    content: Link | None = None
    """Where the bytes from `received_bytes` on are sent by PATCH with the header Upload-Offset."""
    part_bytes: int | None = None
    """In object storage: the size of each part but the last."""
    parts: dict[int, str] = {}
    """In object storage: the ETags of the parts that have arrived, by number from 1."""
    etag: str | None = None
    """In object storage: of the whole file, where its parts were joined and only `complete` is to be done again."""
    video: shapes.Video | None = None


class PartBody(BaseModel):
    """A part of an upload to object storage."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1, le=10_000)
    md5: str = Field(description="of its bytes, in base64")


class PartLink(Shape):
    """Where a part is sent by PUT, and the headers that have to come with it."""

    url: str
    headers: dict[str, str]


class SubtitlesBody(BaseModel):
    """A subtitle file; its name may tell its language."""

    filename: str = Field(min_length=1, max_length=300)
    content: str = Field(max_length=MAX_SUBTITLE_CHARS, description="its bytes, in base64")


class CompletionBody(BaseModel):
    """What is known of the video of an upload."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    description: str = ""
    language: str | None = Field(None, pattern="^([a-z]{2,3}|auto)$", description="of its speech, ISO 639-1, or auto")
    subtitles: list[SubtitlesBody] = Field([], max_length=40)


@router.post("", status_code=201, dependencies=[repeatable])
def begin_upload(request: Request, response: Response, library: Writing, body: UploadBody) -> Upload:
    """Begin an upload; 200 with the video where the library has the file (`sha256`)."""
    require_size(body.filename, body.size_bytes, library.settings.max_file_bytes)
    known = library.add_known(body.sha256) if body.sha256 is not None else None
    if known is not None:
        response.status_code = 200
        return Upload(
            upload_id=None,
            filename=body.filename,
            size_bytes=body.size_bytes,
            received_bytes=body.size_bytes,
            video=shapes.Video.of(known),
        )
    if library.storage is not None:
        begun = StorageUploads(library.storage).begin(library.user_id, body.filename, body.size_bytes)
        found = _stored(library, begun)
    else:
        folder = uploads_folder(library)
        keep_free = library.settings.min_free_bytes
        require_free_space(folder, body.size_bytes, keep_free_bytes=keep_free, what=body.filename)
        partial = partials.create(folder, library.user_id, body.filename, body.size_bytes)
        found = _received(request, library, partial)
    response.headers["Location"] = f"{PREFIX}/uploads/{found.upload_id}"
    return found


@router.get("")
def list_uploads(request: Request, library: Reading) -> list[Upload]:
    """The user's unfinished uploads, to go on with after a cut."""
    if library.storage is not None:
        uploads = StorageUploads(library.storage)
        found_there = [*uploads.of_user(library.user_id), *uploads.joined(library.user_id)]
        return [_stored(library, one) for one in found_there]
    found = partials.of_user(library.uploads_folder, library.user_id)
    return [_received(request, library, one) for one in found]


@router.get("/{upload_id}")
def get_upload(
    request: Request,
    library: Reading,
    upload_id: str,
    sha256: Annotated[bool, Query(description="also the SHA-256 of what has arrived, to compare a file with")] = False,
) -> Upload:
    """How much of an upload has arrived, with a new link for the rest."""
    if library.storage is not None:
        return _stored(library, _in_storage(library, upload_id))
    partial = _partial(library, upload_id)
    found = _received(request, library, partial)
    if sha256:
        return found.model_copy(update={"received_sha256": partial.sha256(found.received_bytes)})
    return found


@router.patch("/{upload_id}/content", status_code=204)
async def send_content(
    request: Request,
    upload_id: str,
    link: Annotated[str, Query(description="signed: part of the URL that the upload has")],
    upload_offset: Annotated[int, Header(ge=0, description="how many bytes have arrived before these")],
) -> Response:
    """Append the body to what has arrived. No token is needed: the link is signed for one upload."""
    services = services_of(request)
    named, user_id = services.links().open_content(link)
    if named != upload_id:
        raise LinkInvalid()
    library = services.library_of_link(user_id)
    partial = _partial(library, upload_id)
    with services.writers.writing(partial.path) as writer:
        if upload_offset != partial.received_bytes:
            raise UploadConflict(filename=partial.filename)
        rest = partial.size_bytes - upload_offset
        check_length(request, partial.filename, rest)
        keep_free = library.settings.min_free_bytes
        require_free_space(partial.path.parent, rest, keep_free_bytes=keep_free, what=partial.filename)
        await append(request, partial, upload_offset, writer, partial.filename)
    return Response(status_code=204, headers={"Upload-Offset": str(partial.received_bytes)})


@router.post("/{upload_id}/parts")
def get_part_link(library: Writing, upload_id: str, body: PartBody) -> PartLink:
    """A link with which one part is put into the object storage of the library."""
    if library.storage is None:
        _partial(library, upload_id)
        raise InvalidValue(name="upload_id", value=upload_id[:80], reason="this library is not in object storage")
    upload = _in_storage(library, upload_id)
    if upload.etag is not None:
        raise UploadConflict(filename=upload.filename)
    uploads = StorageUploads(library.storage)
    url, headers = uploads.part_link(upload, body.number, body.md5, library.settings.upload_token_s)
    return PartLink(url=url, headers=headers)


@router.post("/{upload_id}/complete", status_code=201, dependencies=[repeatable])
def complete_upload(
    request: Request, response: Response, library: Writing, upload_id: str, body: CompletionBody
) -> shapes.Video:
    """Make a video of the file, once all of it has arrived; the worker indexes it."""
    subtitles = [(one.filename, _decoded(one)) for one in body.subtitles]
    if library.storage is not None:
        upload = _in_storage(library, upload_id)
        arrived = _stored(library, upload).received_bytes
        if arrived < upload.size_bytes:
            raise UploadIncomplete(filename=upload.filename, found_bytes=arrived, expected_bytes=upload.size_bytes)
        folder = uploads_folder(library)
        keep_free = library.settings.min_free_bytes
        require_free_space(folder, upload.size_bytes, keep_free_bytes=keep_free, what=upload.filename)
        path = folder / f"{uuid.uuid4()}.part"
        try:
            uploads = StorageUploads(library.storage)
            uploads.receive(upload, path)
            try:
                video = _added(library, path, upload.filename, body, subtitles)
            except ValidationError:  # after another error it can be completed again
                uploads.remove(upload)
                raise
            uploads.remove(upload)
        finally:
            path.unlink(missing_ok=True)
    else:
        partial = _partial(library, upload_id)
        with services_of(request).writers.writing(partial.path) as writer:
            found = partial.received_bytes
            if found < partial.size_bytes:
                raise UploadIncomplete(filename=partial.filename, found_bytes=found, expected_bytes=partial.size_bytes)
            writer.finish()
            video = _added(library, partial.path, partial.filename, body, subtitles)
    response.headers["Location"] = f"{PREFIX}/videos/{video.video_id}"
    return video


@router.delete("/{upload_id}", status_code=204)
def abort_upload(library: Writing, upload_id: str) -> None:
    """Remove what has arrived of an upload."""
    if library.storage is not None:
        StorageUploads(library.storage).discard(_in_storage(library, upload_id))
    else:
        _partial(library, upload_id).path.unlink(missing_ok=True)


def _added(
    library: Library, path: Path, filename: str, body: CompletionBody, subtitles: list[tuple[str, bytes]]
) -> shapes.Video:
    written: dict[str, Path] = {}
    parts: list[Path] = []
    try:
        for name, content in subtitles:
            ending = Path(partials.part_name(name)).suffix.lower()[:10]
            parts.append(uploads_folder(library) / f"{uuid.uuid4()}.part{ending}")
            parts[-1].write_bytes(content)
            written[partials.part_name(name)] = parts[-1]
        video = library.add_upload(
            path,
            filename,
            title=body.title,
            description=body.description,
            subtitles=written or None,
            language=body.language,
            queue=True,
        )
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return shapes.Video.of(video)


def _decoded(subtitles: SubtitlesBody) -> bytes:
    try:
        return base64.b64decode(subtitles.content, validate=True)
    except (binascii.Error, ValueError):
        value = subtitles.content[:40]
        raise InvalidValue(name="subtitles.content", value=value, reason="it is not base64") from None


def _partial(library: Library, upload_id: str) -> Partial:
    for one in partials.of_user(library.uploads_folder, library.user_id):
        if one.upload_id == upload_id:
            return one
    raise UploadNotFound(upload_id=upload_id[:80])


def _in_storage(library: Library, upload_id: str) -> StorageUpload:
    assert library.storage is not None  # noqa: S101 - asked before
    found = StorageUploads(library.storage).find(library.user_id, upload_id)
    if found is None:
        raise UploadNotFound(upload_id=upload_id[:80])
    return found


def _received(request: Request, library: Library, partial: Partial) -> Upload:
    token, expires = services_of(request).links().content_token(partial.upload_id, library.user_id)
    url = f"{PREFIX}/uploads/{partial.upload_id}/content?link={token}"
    return Upload(
        upload_id=partial.upload_id,
        filename=partial.filename,
        size_bytes=partial.size_bytes,
        received_bytes=partial.received_bytes,
        content=Link(url=url, expires_at=datetime.fromtimestamp(expires, UTC)),
    )


def _stored(library: Library, upload: StorageUpload) -> Upload:
    assert library.storage is not None  # noqa: S101 - asked before
    parts = StorageUploads(library.storage).parts(upload)
    is_joined = upload.etag is not None
    return Upload(
        upload_id=upload.short_id,
        filename=upload.filename,
        size_bytes=upload.size_bytes,
        received_bytes=upload.size_bytes if is_joined else sum(part.size_bytes for part in parts.values()),
        part_bytes=upload.part_bytes,
        parts={number: part.etag for number, part in parts.items()},
        etag=upload.etag,
    )
