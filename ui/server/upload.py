"""POST /upload: one file as the body of the request, streamed to the disk and added to the library.

A video and its subtitles are requests with the same upload token. The subtitles come first; each response has a
signed token for them, which the request of the video contains. Of several subtitle files the library takes one.

Headers: X-Upload-Token, X-File-Name (percent-encoded), X-Part ("video" or "subtitles"), and for a video optionally
X-Subtitles (the signed tokens, separated by commas), X-Language, X-Title and X-Description (percent-encoded).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from anyio import open_file, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from heimdex_core.errors import (
    DiskFull,
    FileTooLarge,
    HeimdexError,
    LinkInvalid,
    OriginRefused,
    SubtitlesUnreadable,
    UnknownName,
)
from ui.i18n import SPEECH_LANGUAGES
from ui.server.links import Links
from ui.server.responses import error_response

if TYPE_CHECKING:
    from heimdex_core.library import Library

_LOG = logging.getLogger(__name__)
_MAX_SUBTITLE_BYTES = 20 * 1024 * 1024
_MAX_SUBTITLE_FILES = 40
_SUBTITLE_ENDINGS = (".srt", ".vtt", ".ass", ".ssa", ".smi", ".sami", ".ttml", ".dfxp", ".itt", ".sub")
_PART = ".part."


class UploadServer:
    """The handler of the route.

    Args:
        links: opens the tokens.
        library_for: returns the library as a user sees it.
    """

    def __init__(self, links: Links, library_for: Callable[[str], Library]) -> None:
        self._links = links
        self._library_for = library_for

    async def receive(self, request: Request) -> Response:
        """201 with the video or the token of the subtitles, else the error as JSON. A failed upload leaves no file."""
        language = "en"
        try:
            check_origin(request)
            user_id, language = self._links.open_upload(request.headers.get("x-upload-token", ""))
            library = await to_thread.run_sync(self._library_for, user_id)
            if request.headers.get("x-part") == "subtitles":
                return await self._receive_subtitles(request, library)
            return await self._receive_video(request, library)
        except HeimdexError as error:
            # the body may be unread, so the connection cannot be used again
            return error_response(error, language, Connection="close")
        except ClientDisconnect:
            _LOG.info("the client closed the connection during an upload")
            return Response(status_code=499)
        except Exception:
            _LOG.exception("an upload failed")
            return error_response(HeimdexError(reason="see the log"), language, Connection="close")

    async def _receive_video(self, request: Request, library: Library) -> Response:
        name = _header_text(request, "x-file-name") or "video"
        speech = _header_text(request, "x-language") or None
        known = (*SPEECH_LANGUAGES, library.settings.language)
        if speech is not None and speech not in known:
            raise UnknownName(kind="spoken language", name=speech, known=", ".join(known))
        subtitles = self._subtitles(request, library)
        try:
            async with self._streamed(request, library, name, library.settings.max_file_bytes, ".part") as part:
                video = await to_thread.run_sync(
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
        finally:
            for part in subtitles.values():
                part.unlink(missing_ok=True)
        body = {"video": {"video_id": video.video_id, "title": video.title, "state": str(video.state)}}
        return JSONResponse(body, status_code=201)

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
        async with self._streamed(request, library, name, _MAX_SUBTITLE_BYTES, f".part{ending}") as part:
            # the name is kept: it tells the language
            received = part.with_name(f"{uuid.uuid4()}{_PART}{_part_name(name)}")
            part.replace(received)
        return JSONResponse({"subtitles": self._links.part_token(received.name, library.user_id)}, status_code=201)

    @contextlib.asynccontextmanager
    async def _streamed(
        self, request: Request, library: Library, name: str, limit_bytes: int, ending: str
    ) -> AsyncIterator[Path]:
        """The body as a file with a temporary name in uploads/, removed afterwards if it is still there."""
        uploads = library.uploads_folder
        uploads.mkdir(exist_ok=True)
        expected = check_length(request, name, limit_bytes)
        free = shutil.disk_usage(uploads).free
        if free < expected + library.settings.min_free_bytes:
            needed = expected + library.settings.min_free_bytes
            raise DiskFull(what=name, needed_bytes=needed, free_bytes=free)
        part = uploads / f"{uuid.uuid4()}{ending}"
        try:
            received = 0
            try:
                async with await open_file(part, "xb") as writer:
                    async for chunk in request.stream():
                        received += len(chunk)
                        if received > limit_bytes:
                            raise FileTooLarge(filename=name, size_bytes=received, limit_bytes=limit_bytes)
                        await writer.write(chunk)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    free = shutil.disk_usage(uploads).free
                    raise DiskFull(what=name, needed_bytes=expected, free_bytes=free) from error
                raise
            yield part
        finally:
            part.unlink(missing_ok=True)


def _part_name(name: str) -> str:
    """A file's name as part of a temporary name: without separators and control characters, at most 160 bytes."""
    plain = re.sub(r"[\x00-\x1f\x7f/\\:]", "-", name)
    return plain.encode()[-160:].decode(errors="ignore")


def check_origin(request: Request) -> None:
    """Raise OriginRefused if the request has an Origin that is not this host."""
    origin = request.headers.get("origin")
    if origin is None:
        # browsers send the origin of every POST; other clients need a valid token all the same
        return
    if urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise OriginRefused(origin=origin)


def check_length(request: Request, name: str, limit_bytes: int) -> int:
    """The announced size in bytes, 0 if there is none. Raises FileTooLarge before any of the body is read."""
    try:
        announced = int(request.headers.get("content-length", "0"))
    except ValueError:
        announced = 0
    if announced > limit_bytes:
        raise FileTooLarge(filename=name, size_bytes=announced, limit_bytes=limit_bytes)
    return max(announced, 0)


def _header_text(request: Request, name: str) -> str:
    return unquote(request.headers.get(name, "")).strip()
