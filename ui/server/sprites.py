"""GET /sprites/{token}: sprites, stills and waveforms of scenes, made when they are asked for the first time."""

from __future__ import annotations

from typing import cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from heimdex_core.library.sprites import SpriteKind
from ui.server.files import FILE_HEADERS
from ui.server.on_request import MadeOnRequest

PEAKS_PER_S, MAX_PEAKS = 20, 600
"""How fine the waveform of a scene is."""


class SpriteServer(MadeOnRequest):
    """The handler of the route."""

    async def answer(self, request: Request, token: str) -> Response:
        """The picture, a WebP, or the waveform as JSON."""
        scene_id, name, user_id = self.links.open_sprite(token)
        if name == "sound":
            peaks = await self.make(request, lambda: self._peaks(scene_id, user_id))
            return JSONResponse({"peaks": peaks}, headers=FILE_HEADERS)
        kind = cast(SpriteKind, name)
        path = await to_thread.run_sync(lambda: self.library_for(user_id).sprites.find(scene_id, kind))
        if path is None:
            path = await self.make(request, lambda: self.library_for(user_id).sprites.path(scene_id, kind))
        return FileResponse(path, media_type="image/webp", headers=FILE_HEADERS)

    def _peaks(self, scene_id: str, user_id: str) -> list[float]:
        library = self.library_for(user_id)
        scene = library.scene(scene_id)
        count = min(max(2, round(scene.duration_s * PEAKS_PER_S)), MAX_PEAKS)
        return [round(peak, 3) for peak in library.waveform(scene.video_id, scene.start_s, scene.end_s, count)]
