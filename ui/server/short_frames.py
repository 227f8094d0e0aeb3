"""GET /short-frames/{token}: one picture of a short, as a strategy would put it into its frame."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import CropKeyframe, CropPath
from ui.server.files import FILE_HEADERS
from ui.server.links import Links, ShortFrame
from ui.server.responses import error_response

_LOG = logging.getLogger(__name__)


class ShortFrameServer:
    """The handler of the route. One picture is made at a time.

    Args:
        links: opens the tokens.
        library_for: the library as a user sees it.
    """

    def __init__(self, links: Links, library_for: Callable[[str], Library]) -> None:
        self._links = links
        self._library_for = library_for
        self._making = asyncio.Lock()

    async def serve(self, request: Request) -> Response:
        """The picture: 200; 410 for an expired link, 403 for an invalid one, 404, 422 for a video that fails."""
        try:
            frame = self._links.open_short_frame(request.path_params["token"])
            async with self._making:
                if await request.is_disconnected():
                    return Response(status_code=499)
                picture = await to_thread.run_sync(self._make, frame)
        except HeimdexError as error:
            _LOG.warning("no picture of a short: %s", error)
            return error_response(error, **{"Cache-Control": "no-store"})
        return Response(picture, media_type="image/jpeg", headers=FILE_HEADERS)

    def _make(self, frame: ShortFrame) -> bytes:
        path = CropPath((CropKeyframe(0.0, *frame.place),)) if frame.place else None
        return self._library_for(frame.user_id).shorts.preview(frame.scene_id, frame.strategy, frame.at_s, path)
