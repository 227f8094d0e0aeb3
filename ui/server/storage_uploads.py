"""Uploads to a library in object storage: the browser puts the parts there itself, the app signs a link for each.

POST /upload describes the requests. "open" answers with "upload", a signed token, "part_bytes", and "parts": the ETags,
which are MD5 sums, of those that are there by number. "part" has the token in X-Upload, X-Number and the MD5 in X-Md5
(base64), and is answered with "url" and "headers". "video" completes the file, which is then read from the storage and
added as any other upload.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from heimdex_core.api.links import Links
from heimdex_core.errors import InvalidValue, ValidationError
from heimdex_core.files import require_free_space
from heimdex_core.library.storage_uploads import StorageUpload, StorageUploads

if TYPE_CHECKING:
    from heimdex_core.library import Library


class StorageUploadServer:
    """Answers those requests of the route that are about the object storage.

    Args:
        links: signs and opens the tokens.
    """

    def __init__(self, links: Links) -> None:
        self._links = links

    def opened(self, library: Library, name: str, size: int) -> dict[str, Any]:
        """The answer to "open" for a file that the library does not have."""
        uploads = uploads_in_storage(library)
        upload = uploads.matching(library.user_id, name, size)
        parts = uploads.parts(upload) if upload else {}
        upload = upload or uploads.begin(library.user_id, name, size)
        return {
            "upload": self._links.storage_upload_token(upload.name, upload.upload_id, library.user_id),
            "part_bytes": upload.part_bytes,
            "parts": {number: part.etag for number, part in parts.items()},
        }

    async def part(self, request: Request, library: Library) -> Response:
        """A link for one part, valid as long as a token for an upload."""
        upload, number = self._upload(request, library), request.headers.get("x-number", "")
        if not (number.isascii() and number.isdecimal() and len(number) <= 5):
            raise InvalidValue(name="x-number", value=number[:80], reason="a whole number is needed")
        url, headers = await to_thread.run_sync(
            uploads_in_storage(library).part_link,
            upload,
            int(number),
            request.headers.get("x-md5", ""),
            library.settings.upload_token_s,
        )
        return JSONResponse({"url": url, "headers": headers})

    @contextlib.asynccontextmanager
    async def received(self, request: Request, library: Library, folder: Path) -> AsyncIterator[Path]:
        """The file of an upload, in `folder`, once all parts are there; removed afterwards if it is still there.

        It leaves the storage when it was added or refused. After another error it can be asked for again.
        """
        uploads = uploads_in_storage(library)
        upload = self._upload(request, library)
        keep_free = library.settings.min_free_bytes
        require_free_space(folder, upload.size_bytes, keep_free_bytes=keep_free, what=upload.filename)
        path = folder / f"{uuid.uuid4()}.part"
        try:
            await to_thread.run_sync(uploads.receive, upload, path)
            try:
                yield path
            except ValidationError:
                await to_thread.run_sync(uploads.remove, upload)
                raise
            await to_thread.run_sync(uploads.remove, upload)
        finally:
            path.unlink(missing_ok=True)

    def discard(self, request: Request, library: Library) -> None:
        """Remove what has arrived of an upload."""
        uploads_in_storage(library).discard(self._upload(request, library))

    def _upload(self, request: Request, library: Library) -> StorageUpload:
        """The upload of a request's token. Raises LinkInvalid, LinkExpired."""
        return StorageUpload(*self._links.open_storage_upload(request.headers.get("x-upload", ""), library.user_id))


def uploads_in_storage(library: Library) -> StorageUploads:
    """The uploads of a library in object storage."""
    assert library.storage is not None, "only a library in object storage has such uploads"  # noqa: S101
    return StorageUploads(library.storage)
