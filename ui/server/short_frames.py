"""GET /short-frames/{token}: one picture of a short, as a strategy would put it into its frame."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from heimdex_core.api.links import ShortFrame
from heimdex_core.types import CropKeyframe, CropPath
from ui.server.files import FILE_HEADERS
from ui.server.on_request import MadeOnRequest


class ShortFrameServer(MadeOnRequest):
    """The handler of the route."""

    async def answer(self, request: Request, token: str) -> Response:
        """The picture, a JPEG."""
        frame = self.links.open_short_frame(token)
        picture = await self.make(request, lambda: self._picture(frame))
        return Response(picture, media_type="image/jpeg", headers=FILE_HEADERS)

    def _picture(self, frame: ShortFrame) -> bytes:
        path = CropPath((CropKeyframe(0.0, *frame.place),)) if frame.place else None
        return self.library_for(frame.user_id).shorts.preview(frame.scene_id, frame.strategy, frame.at_s, path)
