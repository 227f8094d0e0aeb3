"""POST /upload: files as bodies of requests, streamed to the disk and added to the library.

Header X-Part says what a request is about:

"open": a file of X-File-Name and X-File-Size is going to be uploaded. The answer has either "upload", a signed token,
    and "offset", how many of its bytes are there already; or "compare", lengths of its beginning. The request is then
    repeated with their SHA-256 in X-Sha256 ("length:digest", separated by commas), so that an upload is continued, or
    the library's video is found, only with the same bytes. "busy" means that another request is sending this file.
"video": the bytes of a file from X-Offset on, for the token in X-Upload; without a token, a whole file. What has
    arrived is kept if the connection is lost. The answer to the request that completes the file has "video", others
    have "offset".
"subtitles": subtitles of a video whose request follows, with their tokens in X-Subtitles, separated by commas. Of
    several subtitle files the library takes one.
"discard": what has arrived for the token in X-Upload is not needed any more.
"part": a link with which one part of a file is put into the object storage of the library, where it has one
    (ui/server/storage_uploads.py). Then "open" answers with "part_bytes" and "parts" instead of "offset", and the
    request "video" has no body.

All have X-Upload-Token. X-File-Name is percent-encoded, and so are X-Title and X-Description, which a video can have
besides X-Language.
"""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from anyio import open_file, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from heimdex_core.api import partials
from heimdex_core.api.links import Links
from heimdex_core.api.partials import WRITERS, Partial, Writers
from heimdex_core.api.receiving import append, check_length, require_size, uploads_folder
from heimdex_core.errors import (
    HeimdexError,
    InvalidValue,
    LinkInvalid,
    OriginRefused,
    SubtitlesUnreadable,
    UnknownName,
    UploadConflict,
)
from heimdex_core.files import disk_errors, require_free_space
from heimdex_core.types import Video, utc_now
from ui.i18n import SPEECH_LANGUAGES
from ui.server.responses import error_response
from ui.server.storage_uploads import StorageUploadServer

if TYPE_CHECKING:
    from heimdex_core.library import Library

_LOG = logging.getLogger(__name__)
_MAX_SUBTITLE_BYTES = 20 * 1024 * 1024
_MAX_SUBTITLE_FILES = 40
_SUBTITLE_ENDINGS = (".srt", ".vtt", ".ass", ".ssa", ".smi", ".sami", ".ttml", ".dfxp", ".itt", ".sub")
_PART = ".part."
_DIGEST = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class UploadServer:
    """The handler of the route.

    Args:
        links: opens the tokens.
        library_for: returns the library as a user sees it.
        writers: which requests write to which files.
    """

    def __init__(self, links: Links, library_for: Callable[[str], Library], writers: Writers = WRITERS) -> None:
        self._links = links
        self._library_for = library_for
        self._writers = writers
        self._in_storage = StorageUploadServer(links)

    async def receive(self, request: Request) -> Response:
        """200 or 201 with what the module describes, else the error as JSON."""
        language = "en"
        kinds = {
            "subtitles": self._receive_subtitles,
            "open": self._open,
            "discard": self._discard,
            "part": self._in_storage.part,
        }
        try:
            check_origin(request)
            user_id, language = self._links.open_upload(request.headers.get("x-upload-token", ""))
            library = await to_thread.run_sync(self._library_for, user_id)
            return await kinds.get(request.headers.get("x-part", ""), self._receive_video)(request, library)
        except HeimdexError as error:
            # the body may be unread, so the connection cannot be used again
            return error_response(error, language, Connection="close")
        except ClientDisconnect:
            _LOG.info("the client closed the connection during an upload")
            return Response(status_code=499)
        except Exception:
            _LOG.exception("an upload failed")
            return error_response(HeimdexError(reason="see the log"), language, Connection="close")

    # --- beginning or continuing ------------------------------------------------------------------

    async def _open(self, request: Request, library: Library) -> Response:
        name, size = _header_text(request, "x-file-name") or "video", _whole_number(request, "x-file-size")
        require_size(name, size, library.settings.max_file_bytes)
        digests = _digests(request)
        opened = self._opened if library.storage is None else self._opened_in_storage
        return JSONResponse(await to_thread.run_sync(lambda: opened(library, name, size, digests)))

    def _opened(self, library: Library, name: str, size: int, digests: dict[int, str] | None) -> dict[str, Any]:
        uploads = uploads_folder(library)
        found = partials.matching(uploads, library.user_id, name, size)
        if any(self._writers.is_busy(one.path) for one in found):
            return {"busy": True, "offset": found[0].received_bytes}
        if digests is None:
            lengths = {one.received_bytes for one in found} - {0}
            if library.may_have_file(name, size):
                lengths.add(size)
            if lengths:
                return {"compare": sorted(lengths)}
        elif (known := _known(library, size, digests)) is not None:
            return {"video": known}
        same = (one for one in found if _has_same_bytes(one, digests or {}))
        partial = next(same, None) or partials.create(uploads, library.user_id, name, size)
        require_free_space(
            uploads, size - partial.received_bytes, keep_free_bytes=library.settings.min_free_bytes, what=name
        )
        token = self._links.part_token(partial.path.name, library.user_id)
        return {"upload": token, "offset": partial.received_bytes}

    def _opened_in_storage(
        self, library: Library, name: str, size: int, digests: dict[int, str] | None
    ) -> dict[str, Any]:
        if digests is None and library.may_have_file(name, size):
            return {"compare": [size]}
        if (known := _known(library, size, digests or {})) is not None:
            return {"video": known}
        return self._in_storage.opened(library, name, size)

    def _partial(self, request: Request, library: Library) -> Partial:
        """The unfinished upload of a request's token. Raises LinkInvalid, LinkExpired."""
        name = self._links.open_part(request.headers.get("x-upload", ""), library.user_id)
        return partials.named(library.uploads_folder, library.user_id, name)

    async def _discard(self, request: Request, library: Library) -> Response:
        if library.storage is not None:
            await to_thread.run_sync(self._in_storage.discard, request, library)
        else:
            self._partial(request, library).path.unlink(missing_ok=True)
        return JSONResponse({})

    # --- receiving --------------------------------------------------------------------------------

    async def _receive_video(self, request: Request, library: Library) -> Response:
        name = _header_text(request, "x-file-name") or "video"
        speech = _header_text(request, "x-language") or None
        known = (*SPEECH_LANGUAGES, library.settings.language)
        if speech is not None and speech not in known:
            raise UnknownName(kind="spoken language", name=speech, known=", ".join(known))
        subtitles = self._subtitles(request, library)
        received: AbstractAsyncContextManager[Path | None]
        if "x-upload" not in request.headers:
            received = _streamed(request, library, name, library.settings.max_file_bytes, ".part")
        elif library.storage is not None:
            received = self._in_storage.received(request, library, uploads_folder(library))
        else:
            received = self._rest_of_file(request, library, name)
        try:
            async with received as part:
                if part is None:
                    return JSONResponse({"offset": self._partial(request, library).received_bytes})
                began = utc_now()
                video = await self._added(request, library, part, name, subtitles, speech)
        finally:
            for part in subtitles.values():
                part.unlink(missing_ok=True)
        return JSONResponse({"video": describe(video, is_known=video.created_at < began)}, status_code=201)

    @staticmethod
    async def _added(
        request: Request, library: Library, part: Path, name: str, subtitles: dict[str, Path], speech: str | None
    ) -> Video:
        return await to_thread.run_sync(
            lambda: library.add_upload(
                part,
                name,
                title=_header_text(request, "x-title") or None,
                description=_header_text(request, "x-description"),
                subtitles=subtitles or None,
                language=speech,
                queue=True,
            )
        )

    @contextlib.asynccontextmanager
    async def _rest_of_file(self, request: Request, library: Library, name: str) -> AsyncIterator[Path | None]:
        """The file, after the body was appended to what had arrived of it; None if it is still not complete."""
        partial = self._partial(request, library)
        require_size(name, partial.size_bytes, library.settings.max_file_bytes)
        offset = _whole_number(request, "x-offset")
        with self._writers.writing(partial.path) as writer:
            if offset != partial.received_bytes:
                raise UploadConflict(filename=name)
            check_length(request, name, partial.size_bytes - offset)
            require_free_space(
                library.uploads_folder,
                partial.size_bytes - offset,
                keep_free_bytes=library.settings.min_free_bytes,
                what=name,
            )
            await append(request, partial, offset, writer, name)
            if partial.received_bytes < partial.size_bytes:
                yield None
            else:
                writer.finish()
                yield partial.path

    def _subtitles(self, request: Request, library: Library) -> dict[str, Path]:
        """The subtitle files that were received for this video, by their names. Raises LinkInvalid, LinkExpired."""
        tokens = [token for token in request.headers.get("x-subtitles", "").split(",") if token.strip()]
        found = {}
        for token in tokens[:_MAX_SUBTITLE_FILES]:
            part = library.uploads_folder / self._links.open_part(token.strip(), library.user_id)
            if not part.is_file():
                raise LinkInvalid()
            if (name := part.name.partition(_PART)[2]) in found:
                part.unlink(missing_ok=True)
            else:
                found[name] = part
        return found

    async def _receive_subtitles(self, request: Request, library: Library) -> Response:
        name = _header_text(request, "x-file-name")
        ending = Path(name).suffix.lower()
        if ending not in _SUBTITLE_ENDINGS:
            raise SubtitlesUnreadable(filename=name, reason=f"its name does not end in {' '.join(_SUBTITLE_ENDINGS)}")
        async with _streamed(request, library, name, _MAX_SUBTITLE_BYTES, f".part{ending}") as part:
            # the name is kept: it tells the language
            received = part.with_name(f"{uuid.uuid4()}{_PART}{partials.part_name(name)}")
            part.replace(received)
        return JSONResponse({"subtitles": self._links.part_token(received.name, library.user_id)}, status_code=201)


@contextlib.asynccontextmanager
async def _streamed(
    request: Request, library: Library, name: str, limit_bytes: int, ending: str
) -> AsyncIterator[Path]:
    """The body as a file with a temporary name in uploads/, removed afterwards if it is still there."""
    uploads = uploads_folder(library)
    expected = check_length(request, name, limit_bytes)
    require_free_space(uploads, expected, keep_free_bytes=library.settings.min_free_bytes, what=name)
    part = uploads / f"{uuid.uuid4()}{ending}"
    try:
        received = 0
        with disk_errors(name, uploads, expected):
            async with await open_file(part, "xb") as writer:
                async for chunk in request.stream():
                    received += len(chunk)
                    require_size(name, received, limit_bytes)
                    await writer.write(chunk)
        yield part
    finally:
        part.unlink(missing_ok=True)


def _has_same_bytes(partial: Partial, digests: dict[int, str]) -> bool:
    """Whether a client that sent these digests of its file's beginning (by length) has the bytes that arrived."""
    length = partial.received_bytes
    return length == 0 or (length in digests and partial.sha256(length) == digests[length])


def _known(library: Library, size: int, digests: dict[int, str]) -> dict[str, Any] | None:
    """The library's video of a file with this size and these digests, for an answer; None if it has none."""
    known = library.add_known(digests[size]) if size in digests else None
    return describe(known, is_known=True) if known is not None else None


def describe(video: Video, *, is_known: bool) -> dict[str, Any]:
    """A video in an answer; `is_known` if it was in the library before."""
    return {"video_id": video.video_id, "title": video.title, "state": str(video.state), "known": is_known}


def check_origin(request: Request) -> None:
    """Raise OriginRefused if the request has an Origin that is not this host."""
    origin = request.headers.get("origin")
    if origin is None:
        # browsers send the origin of every POST; other clients need a valid token all the same
        return
    if urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise OriginRefused(origin=origin)


def _header_text(request: Request, name: str) -> str:
    return unquote(request.headers.get(name, "")).strip()


def _whole_number(request: Request, name: str) -> int:
    """The value of a header. Raises InvalidValue unless it is a number of at most 18 digits."""
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidValue(name=name, value=text[:80], reason="a whole number is needed")
    return int(text)


def _digests(request: Request) -> dict[int, str] | None:
    """The digests in X-Sha256 by length; None if there are none. Raises InvalidValue."""
    text = request.headers.get("x-sha256")
    if text is None:
        return None
    pairs = [_DIGEST.fullmatch(pair.strip()) for pair in text.split(",")]
    if not all(pairs):
        raise InvalidValue(name="x-sha256", value=text[:80], reason="length:digest is needed")
    return {int(pair[1]): pair[2] for pair in pairs if pair}
