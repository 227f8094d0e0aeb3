"""GET /faces/{token}: the picture of a face, cut out of its keyframe when it is asked for. It is kept nowhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ui.server.files import FILE_HEADERS
from ui.server.on_request import MadeOnRequest

# a face that was removed must not stay in the browser's cache for long
_HEADERS = {**FILE_HEADERS, "Cache-Control": "private, max-age=60"}


class FaceServer(MadeOnRequest):
    """The handler of the route."""

    async def answer(self, request: Request, token: str) -> Response:
        """The picture, a WebP."""
        face_id, user_id = self.links.open_face(token)
        picture = await self.make(request, lambda: self.library_for(user_id).people.crop(face_id))
        return Response(picture, media_type="image/webp", headers=_HEADERS)
