"""The HTTP API: create_app makes it, and mounting.py makes it part of a server.

A router of another part of the library is one file here, `router = APIRouter(prefix="/people", tags=["people"])`, and
one line in ROUTERS. Its functions take the library of the user as a parameter with the annotation `Reading`, `Writing`
or `Administering` (access.py), which also says in the OpenAPI description which scope is needed; they answer with
shapes of heimdex_core/schemas/shapes/, raise the errors of the library, and have a POST that is not repeated by
accident with `dependencies=[repeatable]` (idempotency.py). The functions are plain `def`: the library blocks, so
FastAPI runs them in threads. A new route fails tests/api/test_matrix.py until docs/security.md has it.

The API has no lifespan: what starts and stops with a server does so in ui/server/routes.py and in server.py.
"""

from __future__ import annotations

import logging
from importlib import import_module

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from heimdex_core.api.access import told
from heimdex_core.api.body_limit import MAX_BODY_BYTES, TOO_LARGE, BodyLimit
from heimdex_core.api.docs_page import docs_page
from heimdex_core.api.head import HeadAsGet, methods_of
from heimdex_core.api.mounting import PREFIX
from heimdex_core.api.problems import invalid_request, problem
from heimdex_core.api.requests import route_of
from heimdex_core.api.services import Services
from heimdex_core.errors import BodyTooLarge, HeimdexError, InvalidValue, MethodNotAllowed, RouteNotFound
from heimdex_core.settings import VERSION

_LOG = logging.getLogger(__name__)

ROUTERS = ("system", "uploads", "videos", "sharing", "scenes", "search", "exports", "evaluation", "activity", "people")
"""The modules of this package that have a router."""


def create_app(services: Services) -> FastAPI:
    """The application, to be mounted at PREFIX; without CORS, see mounting.py."""
    app = FastAPI(
        title="Heimdex Workbench",
        version=VERSION,
        description="Find scenes in videos and cut them. docs/api.md explains it with examples.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        redirect_slashes=False,
        exception_handlers={
            HeimdexError: _of_library,
            RequestValidationError: _of_request,
            HTTPException: http_problem,
            ClientDisconnect: _of_connection,
            Exception: _of_program,
        },
        responses={"default": {"description": "problem+json: what went wrong (RFC 9457)"}},
    )
    app.state.services = services
    app.add_middleware(BodyLimit)
    app.add_middleware(HeadAsGet)
    for name in ROUTERS:
        router: APIRouter = import_module(f"heimdex_core.api.{name}").router
        app.include_router(router)

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return docs_page(app)

    return app


async def _of_library(request: Request, error: Exception) -> Response:
    assert isinstance(error, HeimdexError)  # noqa: S101 - as registered
    if error.code == HeimdexError.code:
        _LOG.error("%s %s: %s", request.method, route_of(request.scope), error)
    return problem(told(request, error))


async def _of_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as registered
    return problem(invalid_request(error))


async def http_problem(request: Request, error: Exception) -> Response:
    """A path or a method that there is not, as a problem; a handler of HTTPException."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    path = request.url.path[:200]
    headers = dict(error.headers or {})
    found: HeimdexError
    if error.status_code == 404:
        found = RouteNotFound(path=path)
    elif error.status_code == 405:
        found = MethodNotAllowed(method=request.method, path=path)
        # what raised it knows the first route of this path alone
        headers = {"Allow": ", ".join(methods_of(request.app.router, request.scope))}
    elif TOO_LARGE in request.scope:
        found = BodyTooLarge(limit_bytes=MAX_BODY_BYTES)
    else:
        found = InvalidValue(name="request", value=path, reason=str(error.detail))
    return problem(found, headers)


async def _of_connection(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody receives it: the client has gone in the middle of the body


async def _of_program(request: Request, error: Exception) -> Response:
    # internals are only in the log
    _LOG.exception("%s %s failed", request.method, route_of(request.scope), exc_info=error)
    return problem(HeimdexError(reason="see the log"))
