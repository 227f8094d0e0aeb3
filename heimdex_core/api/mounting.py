"""The API as a part of a server: made when its first request comes, because importing FastAPI takes half a second."""

from __future__ import annotations

import threading
from collections.abc import Callable

from anyio import to_thread
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/api/v1"
_EXPOSED = ["ETag", "Location", "Retry-After", "Upload-Offset", "Idempotency-Replayed", "X-Request-ID"]
_ALLOWED = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Upload-Offset", "Range"]


class LazyApi:
    """ASGI application.

    Args:
        make: makes it, with `create_app`; called once.
        origins: of other pages that may use the API; "*" for all, None for no others.
    """

    def __init__(self, make: Callable[[], ASGIApp], origins: tuple[str, ...] | None) -> None:
        self._make_app = make
        self._origins = origins
        self._lock = threading.Lock()
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        made = self._made if self._made is not None else await to_thread.run_sync(self._make)
        await made(scope, receive, send)

    def _make(self) -> ASGIApp:
        with self._lock:
            if self._made is None:
                self._made = with_cors(self._make_app(), self._origins)
            return self._made


def with_cors(app: ASGIApp, origins: tuple[str, ...] | None) -> ASGIApp:
    """The application for pages of these origins, too; outside of it, so that every error has the headers."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=_ALLOWED,
        expose_headers=_EXPOSED,
        max_age=600,
    )


def api_routes(app: ASGIApp) -> list[BaseRoute]:
    """The routes of a server that lead to the API; its bare prefix leads to the page that describes it."""
    return [Route(PREFIX, _to_docs), Route(f"{PREFIX}/", _to_docs), Mount(PREFIX, app)]


async def _to_docs(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{PREFIX}/docs")
