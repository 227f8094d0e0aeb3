"""What is noted of each request: an id, a line in the log, and a count by route.

Routes are named by their pattern, as /files/{token}: neither paths nor parameters are noted, which may hold tokens and
texts of queries.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections import Counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdex_core import logs

HEADER = "X-Request-ID"
OTHER = "other"
"""The route of requests that match none."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_QUIET = ("/health/live", "/health/ready", "/metrics", OTHER)
"""Asked every few seconds, or for the pages of the app and their many files: logged only where they fail."""
_LOG = logging.getLogger(__name__)

counts: Counter[tuple[str, str, int]] = Counter()
"""The requests of this process by method, route and status, since it started."""


class RequestLog:
    """ASGI middleware around all others.

    An X-Request-ID of the request is kept if it has up to 64 letters, digits and ._- of ASCII; else one is made. It is
    a header of the response and a field of everything that is logged meanwhile.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        root_path, status, began = scope.get("root_path", ""), 500, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with logs.ids(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                method = scope["method"] if scope["method"] in _METHODS else OTHER
                route = route_of(scope, root_path)
                counts[method, route, status] += 1
                fields = {"method": method, "route": route, "status": status}
                fields["duration_ms"] = round((time.perf_counter() - began) * 1000, 1)
                if status >= 400 or route not in _QUIET:
                    _LOG.info("%s %s %d", method, route, status, extra={"fields": fields})


def route_of(scope: Scope, root_path: str = "") -> str:
    """The pattern of the route that has answered, below the prefixes that it is mounted at; OTHER for none.

    `root_path` is what comes before those: that of the scope before it was routed.
    """
    pattern = getattr(scope.get("route"), "path", None)
    if not pattern:
        return OTHER
    return f"{scope.get('root_path', '').removeprefix(root_path)}{pattern}"
