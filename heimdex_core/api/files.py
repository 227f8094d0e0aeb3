"""Signed links to files: images and videos of the library, with ranges, read directly from the disk.

Videos of a library in object storage are read from there: the answer is a redirection to a signed link. Images are
small, so they are served from the copy on this machine. A request with ?cors gets another link than one without: a
browser may have kept the answer to that, and would refuse it to scripts, since it names no origin.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from heimdex_core.api.links import FileLink, Links
from heimdex_core.api.problems import problem
from heimdex_core.errors import ExportExpired, HeimdexError, LinkInvalid, StorageError

if TYPE_CHECKING:
    from heimdex_core.library import Library

_LOG = logging.getLogger(__name__)
FILE_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_REDIRECTION_S = 600
"""So long a browser need not ask again where a file is."""


class FileServer:
    """The handler of the route.

    Args:
        links: opens the tokens.
        library: one in object storage, to which it redirects; None for one that is a folder.
        library_for: the library as a user sees it, to ask whether the user of a link may still have its file; raises an
            error where there is no such user. None: every link that is valid gives its file.
    """

    def __init__(
        self, links: Links, library: Library | None = None, library_for: Callable[[str], Library] | None = None
    ) -> None:
        self._links = links
        self._library = library
        self._library_for = library_for

    async def serve(self, request: Request) -> Response:
        """The file of a token, or a range of it: 200 or 206, or 302 to the storage; 410 for an expired link or export,
        403 for an invalid one, 404."""
        try:
            link = self._links.open_file(request.path_params["token"])
            if self._library_for is not None:
                await to_thread.run_sync(self._require_access, link, self._library_for)
            url = None
            if self._library is not None:
                is_shown = link.download_name is None and "cors" not in request.query_params
                url = await to_thread.run_sync(self._storage_url, link, self._library, is_shown)
        except HeimdexError as error:
            return self.refusal(error)
        if url is not None:
            return RedirectResponse(url, 302, headers={"Cache-Control": f"private, max-age={_REDIRECTION_S}"})
        if not _is_file(link.path):
            _LOG.info("the file of a link does not exist any more: %s", link.path.name)
            if self._links.is_export(link.path):
                return self.refusal(ExportExpired())
            response = self.refusal(LinkInvalid())
            response.status_code = 404
            return response
        return FileResponse(
            link.path,
            media_type=link.content_type,
            filename=link.download_name,
            content_disposition_type="attachment" if link.download_name else "inline",
            headers=FILE_HEADERS,
        )

    @staticmethod
    def _require_access(link: FileLink, library_for: Callable[[str], Library]) -> None:
        """Raise LinkInvalid or VideoNotFound where the user of a link may not have its file any more."""
        library = library_for(link.user_id)
        if not library.accounts.is_shared():
            return
        parts = link.path.relative_to(library.path.resolve()).parts
        if parts[0] == "exports":
            if parts[1] != link.user_id:
                raise LinkInvalid()
        else:  # videos/<video_id>/..., or cache/frames/<video_id>/... of a library in object storage
            library.require_video(parts[1] if parts[0] == "videos" else parts[2])

    def refusal(self, error: HeimdexError) -> Response:
        """What is answered where there is no file."""
        return problem(error.for_members())

    @staticmethod
    def _storage_url(link: FileLink, library: Library, is_shown: bool) -> str | None:
        """Where the storage has a video; None for images, and for what is on this machine only."""
        if not link.content_type.startswith("video/"):
            return None
        try:
            return library.link(
                link.path,
                filename=link.download_name or link.path.name,
                content_type=link.content_type,
                inline=is_shown,
            )
        except StorageError:
            if _is_file(link.path):
                return None
            raise


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that cannot be read
        return False
