"""GET /files/{token}: pictures and videos of the library, with ranges, straight from the disk."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from heimdex_core.errors import HeimdexError, LinkInvalid
from ui.server.answers import error_answer
from ui.server.links import Links

_LOG = logging.getLogger(__name__)
_PRIVATE = "private, max-age=3600"


class FileServer:
    """The route's handler; knows the library only through its links."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def serve(self, request: Request) -> Response:
        """The file of a token: 200, 206 for a range, 410 when the link has expired, else 403 or 404."""
        try:
            link = self._links.open_file(request.path_params["token"])
        except HeimdexError as error:
            return error_answer(error, **{"Cache-Control": "no-store"})
        if not link.path.is_file():
            _LOG.info("a link leads to a file that is gone: %s", link.path.name)
            answer = error_answer(LinkInvalid(), **{"Cache-Control": "no-store"})
            answer.status_code = 404
            return answer
        return FileResponse(
            link.path,
            media_type=link.content_type,
            filename=link.download_name,
            content_disposition_type="attachment" if link.download_name else "inline",
            headers={
                "Cache-Control": _PRIVATE,
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cross-Origin-Resource-Policy": "same-origin",
            },
        )
