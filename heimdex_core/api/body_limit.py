"""The largest body of a request; that of a part of an upload has a limit of its own (uploads.py)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdex_core.api.problems import problem
from heimdex_core.errors import BodyTooLarge

MAX_BODY_BYTES = 8 * 1024 * 1024
TOO_LARGE = "heimdex.body_too_large"
"""Set in the scope of a request whose body became too large while it was read."""


class BodyLimit:
    """ASGI middleware: refuses by the announced length, and ends a body that is longer than it may be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "PATCH" and scope["path"].endswith("/content")):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced[:18]) > MAX_BODY_BYTES:
            await problem(BodyTooLarge(limit_bytes=MAX_BODY_BYTES), {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                scope[TOO_LARGE] = True
                raise BodyTooLarge(limit_bytes=MAX_BODY_BYTES)
            return message

        await self._app(scope, counted, send)
