"""GET /files/{token}: the files of signed links (heimdex_core/api/files.py), with errors as the app's other routes."""

from __future__ import annotations

from starlette.responses import Response

from heimdex_core.api import files
from heimdex_core.errors import HeimdexError
from ui.server.responses import error_response

FILE_HEADERS = files.FILE_HEADERS


class FileServer(files.FileServer):
    """The handler of the route."""

    def refusal(self, error: HeimdexError) -> Response:
        """The error as JSON."""
        return error_response(error, **{"Cache-Control": "no-store"})
