"""`python -m heimdex_core serve`: the API by itself, with health checks and a worker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from heimdex_core import logs
from heimdex_core.api.app import create_app, http_problem
from heimdex_core.api.health import HealthServer
from heimdex_core.api.hosts import HostCheck
from heimdex_core.api.links import links_of
from heimdex_core.api.metrics import metrics_routes
from heimdex_core.api.mounting import PREFIX, api_routes, with_cors
from heimdex_core.api.requests import RequestLog
from heimdex_core.api.services import Services
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.statuses import statuses_of
from heimdex_core.jobs.supervisor import WorkerSupervisor
from heimdex_core.library import Library


def server_app(library: Library, *, has_worker: bool) -> Starlette:
    """The application.

    Args:
        library: gets a queue if it has none.
        has_worker: keep a worker running as long as the server; otherwise jobs wait for one elsewhere.
    """
    if library.queue is None:
        library.queue = JobQueue(library)
    supervisor = WorkerSupervisor(library.path, library.work.worker_folder, statuses=statuses_of(library.work))
    worker_state: Callable[[], dict[str, Any]] = supervisor.state if has_worker else _worker_elsewhere
    health = HealthServer(lambda: library, worker_state)
    services = Services(lambda: library, cache(lambda: links_of(library)))
    api = with_cors(create_app(services), library.settings.api_cors_origins)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if has_worker:
            await to_thread.run_sync(supervisor.start)
        library.warm()
        try:
            yield
        finally:
            await to_thread.run_sync(supervisor.stop)
            if isinstance(library.queue, JobQueue):
                library.queue.close()

    return Starlette(
        routes=[
            Route("/", _to_docs),
            Route("/health/live", health.live),
            Route("/health/ready", health.ready),
            *metrics_routes(lambda: library, library.settings),
            *api_routes(api),
        ],
        middleware=[Middleware(RequestLog), Middleware(HostCheck, library.settings.allowed_hosts or ())],
        exception_handlers={HTTPException: http_problem},
        lifespan=lifespan,
    )


def serve(library: Library, *, host: str, port: int, has_worker: bool) -> None:
    """Serve until the process is asked to end.

    What proxies say about the client (X-Forwarded-*) is not believed: nothing depends on it.
    """
    import uvicorn

    logs.configure("serve", library.settings)
    app = server_app(library, has_worker=has_worker)
    # log_config None: what uvicorn logs goes where everything else goes; RequestLog notes requests
    uvicorn.run(app, host=host, port=port, proxy_headers=False, server_header=False, log_config=None, access_log=False)


def _worker_elsewhere() -> dict[str, Any]:
    return {"ok": True, "state": "elsewhere"}


async def _to_docs(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{PREFIX}/docs")
