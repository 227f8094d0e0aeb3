"""The routes beside Streamlit, the HTTP API among them, and what starts and stops with the server.

The handlers open the library when they are called, not when this module is imported. A library that cannot be opened
is reported by /health/ready and by the pages; the server starts all the same.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from heimdex_core import logs
from heimdex_core.api.health import HealthServer
from heimdex_core.api.links import Links
from heimdex_core.api.metrics import metrics_routes
from heimdex_core.api.mounting import LazyApi, api_routes
from heimdex_core.errors import HeimdexError
from heimdex_core.settings import get_settings
from ui import resources
from ui.server.faces import FaceServer
from ui.server.files import FileServer
from ui.server.responses import error_response
from ui.server.short_frames import ShortFrameServer
from ui.server.sprites import SpriteServer
from ui.server.upload import UploadServer

_LOG = logging.getLogger(__name__)


async def serve_file(request: Request) -> Response:
    try:
        links = await to_thread.run_sync(resources.links)
    except HeimdexError as error:
        return error_response(error)
    return await _files(links).serve(request)


@lru_cache(maxsize=1)
def _files(links: Links) -> FileServer:
    library = resources.process_library()
    return FileServer(links, library if library.storage is not None else None, resources.library_for)


async def serve_sprite(request: Request) -> Response:
    try:
        links = await to_thread.run_sync(resources.links)
    except HeimdexError as error:
        return error_response(error)
    return await _sprites(links).serve(request)


@lru_cache(maxsize=1)
def _sprites(links: Links) -> SpriteServer:
    return SpriteServer(links, resources.library_for)


async def serve_face(request: Request) -> Response:
    try:
        links = await to_thread.run_sync(resources.links)
    except HeimdexError as error:
        return error_response(error)
    return await _face_server(links).serve(request)


@lru_cache(maxsize=1)
def _face_server(links: Links) -> FaceServer:
    return FaceServer(links, resources.library_for)


async def serve_short_frame(request: Request) -> Response:
    try:
        links = await to_thread.run_sync(resources.links)
    except HeimdexError as error:
        return error_response(error)
    return await _short_frames(links).serve(request)


@lru_cache(maxsize=1)
def _short_frames(links: Links) -> ShortFrameServer:
    return ShortFrameServer(links, resources.library_for)


async def receive_upload(request: Request) -> Response:
    try:
        links = await to_thread.run_sync(resources.links)
    except HeimdexError as error:
        return error_response(error, "en", Connection="close")
    return await UploadServer(links, resources.library_for).receive(request)


async def live(request: Request) -> JSONResponse:
    return await _health().live(request)


async def ready(request: Request) -> JSONResponse:
    return await _health().ready(request)


@lru_cache(maxsize=1)
def _health() -> HealthServer:
    return HealthServer(resources.process_library, resources.worker_state)


def routes() -> list[BaseRoute]:
    return [
        Route("/files/{token}", serve_file, methods=["GET", "HEAD"]),
        Route("/sprites/{token}", serve_sprite, methods=["GET", "HEAD"]),
        Route("/faces/{token}", serve_face, methods=["GET", "HEAD"]),
        Route("/short-frames/{token}", serve_short_frame, methods=["GET", "HEAD"]),
        Route("/upload", receive_upload, methods=["POST"]),
        Route("/health/live", live),
        Route("/health/ready", ready),
        *metrics_routes(resources.process_library, get_settings()),
        *api_routes(LazyApi(resources.api, get_settings().api_cors_origins)),
    ]


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start and stop the worker with the server. It also ends when the server is killed, because its pipe closes."""
    logs.configure("app")  # again, for the loggers of the server
    try:
        await to_thread.run_sync(resources.start)
    except HeimdexError as error:
        _LOG.error("the library cannot be opened: %s %s", error.message, error.hint)
    try:
        yield
    finally:
        with contextlib.suppress(HeimdexError):
            await to_thread.run_sync(resources.stop)
