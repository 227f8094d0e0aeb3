"""Which bodies requests may have: JSON, of a limited size. Parts of uploads are read elsewhere (uploads.py)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdex_core.api.problems import problem
from heimdex_core.errors import BodyTooLarge, BodyUnsupported, HeimdexError

MAX_BODY_BYTES = 8 * 1024 * 1024
_READ_AWAY_BYTES = 8 * MAX_BODY_BYTES
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
            await _refuse(BodyTooLarge(limit_bytes=MAX_BODY_BYTES), scope, receive, send)
            return
        if (found := _unsupported(scope["method"], headers)) is not None:
            await _refuse(BodyUnsupported(found=found), scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                scope[TOO_LARGE] = True
                if message.get("more_body"):
                    await _read_away(receive)
                raise BodyTooLarge(limit_bytes=MAX_BODY_BYTES)
            return message

        await self._app(scope, counted, send)


async def _refuse(error: HeimdexError, scope: Scope, receive: Receive, send: Send) -> None:
    if "expect" not in Headers(scope=scope):  # a client that asks first has not sent it, and need not
        await _read_away(receive)
    await problem(error, {"Connection": "close"})(scope, receive, send)


async def _read_away(receive: Receive) -> None:
    """Read what a client is about to send: where a connection is closed before, it may never see the answer."""
    left = _READ_AWAY_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


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
