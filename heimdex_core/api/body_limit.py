"""Which bodies requests may have: JSON, of a limited size. Parts of uploads are read elsewhere (uploads.py)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdex_core.api.problems import problem
from heimdex_core.errors import BodyTooLarge, BodyUnsupported

MAX_BODY_BYTES = 8 * 1024 * 1024
TOO_LARGE = "heimdex.body_too_large"
"""Set in the scope of a request whose body became too large while it was read."""


class BodyLimit:
    """ASGI middleware: refuses by the announced length and type, and ends a body that is longer than it may be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "PATCH" and scope["path"].endswith("/content")):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:18]) > MAX_BODY_BYTES:
            await problem(BodyTooLarge(limit_bytes=MAX_BODY_BYTES), {"Connection": "close"})(scope, receive, send)
            return
        if (found := _unsupported(scope["method"], headers)) is not None:
            await problem(BodyUnsupported(found=found), {"Connection": "close"})(scope, receive, send)
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


def _unsupported(method: str, headers: Headers) -> str | None:
    """The type of a body that is no JSON; None without a body."""
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if method not in ("POST", "PUT", "PATCH") or not has_body:
        return None
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        return encoding[:80]
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return None
    return media_type[:80] or "(none)"
