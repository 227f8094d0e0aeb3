"""GET /files/{token}: images and videos of the library, with ranges, read directly from the disk."""

from __future__ import annotations

import logging
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from heimdex_core.errors import ExportExpired, HeimdexError, LinkInvalid
from ui.server.links import Links
from ui.server.responses import error_response

_LOG = logging.getLogger(__name__)
FILE_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class FileServer:
    """The handler of the route.

    Args:
        links: opens the tokens.
    """

    def __init__(self, links: Links) -> None:
        self._links = links

    async def serve(self, request: Request) -> Response:
        """The file of a token, or a range of it: 200 or 206; 410 for an expired link or export, 403 for an invalid one,
        404."""
        try:
            link = self._links.open_file(request.path_params["token"])
        except HeimdexError as error:
            return error_response(error, **{"Cache-Control": "no-store"})
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
