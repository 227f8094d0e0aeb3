"""GET /health/live and /health/ready: is the process there, and can it do its work."""

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
    """Both routes. `library` and `worker_state` are asked anew each time."""

    def __init__(self, library: Callable[[], Library], worker_state: Callable[[], dict[str, Any]]) -> None:
        self._library = library
        self._worker_state = worker_state

    async def live(self, request: Request) -> JSONResponse:
        """200 while the process answers at all."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> JSONResponse:
        """200 when catalog, jobs, models and disk all answer, else 503; each with its latency."""
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
            now = state.get("state", "not there")
            raise JobsUnavailable(reason="the worker is starting" if now == "running" else f"the worker is {now}")
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
        found: dict[str, Any] = {"ok": True, "detail": check()}
    except HeimdexError as error:
        found = {"ok": False, "error": {"code": error.code, "message": error.message}}
    except Exception:
        # A health check must answer whatever breaks; the log has the reason, the caller no internals.
        _LOG.exception("health check %s failed", name)
        found = {"ok": False, "error": {"code": "INTERNAL", "message": "see the log"}}
    found["latency_ms"] = round((time.perf_counter() - started) * 1000, 1)
    return found
