"""GET /files/{token}: images and videos of the library, with ranges, read directly from the disk.

Videos of a library in object storage are read from there: the answer is a redirection to a signed link. Images are
small, so they are served from the copy on this machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from heimdex_core.errors import ExportExpired, HeimdexError, LinkInvalid
from ui.server.links import FileLink, Links
from ui.server.responses import error_response

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
        storage_link: finds the link to a file's object in the storage, None for a file that is on this machine only;
            None for a library that is a folder.
    """

    def __init__(self, links: Links, storage_link: Callable[[FileLink], str | None] | None = None) -> None:
        self._links = links
        self._storage_link = storage_link

    async def serve(self, request: Request) -> Response:
        """The file of a token, or a range of it: 200 or 206, or 302 to the storage; 410 for an expired link or export,
        403 for an invalid one, 404."""
        try:
            link = self._links.open_file(request.path_params["token"])
            url = await to_thread.run_sync(self._storage_link, link) if self._storage_link is not None else None
        except HeimdexError as error:
            return error_response(error, **{"Cache-Control": "no-store"})
        if url is not None:
            return RedirectResponse(url, 302, headers={"Cache-Control": f"private, max-age={_REDIRECTION_S}"})
        if not _is_file(link.path):
            _LOG.info("the file of a link does not exist any more: %s", link.path.name)
            if self._links.is_export(link.path):
                return error_response(ExportExpired(), **{"Cache-Control": "no-store"})
            response = error_response(LinkInvalid(), **{"Cache-Control": "no-store"})
            response.status_code = 404
            return response
        return FileResponse(
            link.path,
            media_type=link.content_type,
            filename=link.download_name,
            content_disposition_type="attachment" if link.download_name else "inline",
            headers=FILE_HEADERS,
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that cannot be read
        return False
