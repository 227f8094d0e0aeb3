"""GET /sprites/{token}: sprites, stills and waveforms of scenes, made when they are asked for the first time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.library.sprites import SpriteKind
from ui.server.files import FILE_HEADERS
from ui.server.links import Links
from ui.server.responses import error_response

_LOG = logging.getLogger(__name__)
PEAKS_PER_S, MAX_PEAKS = 20, 600
"""How fine the waveform of a scene is."""


class SpriteServer:
    """The handler of the route. One file is made at a time, so that a page full of cards leaves the cores to others.

    Args:
        links: opens the tokens.
        library_for: the library as a user sees it.
    """

    def __init__(self, links: Links, library_for: Callable[[str], Library]) -> None:
        self._links = links
        self._library_for = library_for
        self._making = asyncio.Lock()

    async def serve(self, request: Request) -> Response:
        """The file: 200; 410 for an expired link, 403 for an invalid one, 404, 422 for a video that cannot be read."""
        try:
            scene_id, kind, user_id = self._links.open_sprite(request.path_params["token"])
            if kind == "sound":
                async with self._making:
                    peaks = await to_thread.run_sync(self._peaks, scene_id, user_id)
                return JSONResponse({"peaks": peaks}, headers=FILE_HEADERS)
            asked = (scene_id, cast(SpriteKind, kind), user_id)
            path = await to_thread.run_sync(self._find, *asked)
            if path is None:
                async with self._making:
                    if await request.is_disconnected():
                        # the pointer has left the card: nobody waits for it any more
                        return Response(status_code=499)
                    path = await to_thread.run_sync(self._make, *asked)
        except HeimdexError as error:
            _LOG.warning("no %s: %s", request.url.path[:12], error)
            return error_response(error, **{"Cache-Control": "no-store"})
        return FileResponse(path, media_type="image/webp", headers=FILE_HEADERS)

    def _find(self, scene_id: str, kind: SpriteKind, user_id: str) -> Path | None:
        return self._library_for(user_id).sprites.find(scene_id, kind)

    def _peaks(self, scene_id: str, user_id: str) -> list[float]:
        library = self._library_for(user_id)
        scene = library.scene(scene_id)
        count = min(max(2, round(scene.duration_s * PEAKS_PER_S)), MAX_PEAKS)
        return [round(peak, 3) for peak in library.waveform(scene.video_id, scene.start_s, scene.end_s, count)]

    def _make(self, scene_id: str, kind: SpriteKind, user_id: str) -> Path:
        return self._library_for(user_id).sprites.path(scene_id, kind)
