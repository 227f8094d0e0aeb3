"""HEAD, which every path has that has GET (RFC 9110, section 9.3.2), and which methods a path has."""

from __future__ import annotations

from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HeadAsGet:
    """ASGI middleware: HEAD gets the headers of GET.

    Files answer HEAD themselves, without being read. Streams of events have no HEAD: they would be followed to the end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or not _is_asked_as_get(scope["path"]):
            await self._app(scope, receive, send)
            return
        is_over = False

        async def without_body(message: Message) -> None:
            nonlocal is_over
            if message["type"] != "http.response.body":
                await send(message)
            elif not is_over:
                is_over = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, without_body)
        finally:  # for the log of requests
            scope.update({name: asked[name] for name in ("route", "root_path") if name in asked})


def methods_of(router: Router, scope: Scope) -> list[str]:
    """The methods of the path of a request, with HEAD where there is GET."""
    asked = {"type": "http", "path": scope["path"], "root_path": scope.get("root_path", ""), "headers": []}
    found = [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] == Match.FULL for route in router.routes)
    ]
    has_head = "GET" in found and _is_asked_as_get(scope["path"])
    return [*found, "HEAD"] if has_head else found


def _is_asked_as_get(path: str) -> bool:
    return "/files/" not in path and not path.endswith("/events")
