"""GET /health/live and /health/ready: whether the process runs, and whether it is ready for work."""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse

from heimdex_core.errors import DiskFull, HeimdexError, JobsUnavailable

if TYPE_CHECKING:
    from heimdex_core.library import Library

_LOG = logging.getLogger(__name__)
Check = Callable[[], dict[str, Any]]


class HealthServer:
    """The handlers of both routes.

    Args:
        library: returns the library; called for each check.
        worker_state: returns the state of the worker, as WorkerSupervisor.state does.
    """

    def __init__(self, library: Callable[[], Library], worker_state: Callable[[], dict[str, Any]]) -> None:
        self._library = library
        self._worker_state = worker_state

    async def live(self, request: Request) -> JSONResponse:
        """200 as long as the process responds."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> JSONResponse:
        """200 if catalog, jobs, models and disk are fine, else 503. Each check is listed with its latency."""
        checks = await to_thread.run_sync(self._run_checks)
        ready = all(check["ok"] for check in checks.values())
        body = {"status": "ready" if ready else "not ready", "checks": checks}
        return JSONResponse(body, status_code=200 if ready else 503, headers={"Cache-Control": "no-store"})

    def _run_checks(self) -> dict[str, dict[str, Any]]:
        checks: dict[str, Check] = {
            "catalog": self._catalog,
            "jobs": self._jobs,
            "models": self._models,
            "disk": self._disk,
        }
        return {name: _timed(name, check) for name, check in checks.items()}

    def _catalog(self) -> dict[str, Any]:
        return {"videos": len(self._library().videos(limit=1))}

    def _jobs(self) -> dict[str, Any]:
        state = self._worker_state()
        if not state.get("ok"):
            name = state.get("state", "missing")
            raise JobsUnavailable(reason="the worker is starting" if name == "running" else f"the worker is {name}")
        return state

    def _models(self) -> dict[str, Any]:
        library = self._library()
        return {"profile": library.models.choice.name, "models": library.models.describe()}

    def _disk(self) -> dict[str, Any]:
        library = self._library()
        free = shutil.disk_usage(library.path).free
        if free < library.settings.min_free_bytes:
            raise DiskFull(what="the library", needed_bytes=library.settings.min_free_bytes, free_bytes=free)
        probe = library.path / f".health-{uuid.uuid4()}"
        try:
            with probe.open("wb") as writer:
                writer.write(b"ok")
                writer.flush()
                os.fsync(writer.fileno())
        finally:
            probe.unlink(missing_ok=True)
        return {"free_bytes": free}


def _timed(name: str, check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        result: dict[str, Any] = {"ok": True, "detail": check()}
    except HeimdexError as error:
        result = {"ok": False, "error": {"code": error.code, "message": error.message}}
    except Exception:
        # the route has to respond whatever fails; internals are only in the log
        _LOG.exception("health check %s failed", name)
        result = {"ok": False, "error": {"code": "INTERNAL", "message": "see the log"}}
    result["latency_ms"] = round((time.perf_counter() - started) * 1000, 1)
    return result
