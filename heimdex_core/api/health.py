"""GET /health/live and /health/ready: whether the process runs, and whether it is ready for work."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse

from heimdex_core.errors import DiskFull, HeimdexError, JobsUnavailable, NotResponding

if TYPE_CHECKING:
    from heimdex_core.library import Library

_LOG = logging.getLogger(__name__)
Check = Callable[[], dict[str, Any]]

LIMIT_S = 1.5
"""How long a response waits for the checks. One that takes longer goes on, and no second one is begun meanwhile."""
_WAIT_S = 1.0
"""How long a check waits for another process, so that it can still say which one it waits for."""
_MAX_REQUESTS = 16


class HealthServer:
    """The handlers of both routes. One for the life of the server.

    Args:
        library: returns the library; called for each check.
        worker_state: returns the state of the worker, as WorkerSupervisor.state does.
    """

    def __init__(self, library: Callable[[], Library], worker_state: Callable[[], dict[str, Any]]) -> None:
        self._library = library
        self._worker_state = worker_state
        self._lock = threading.Lock()
        self._running: dict[str, Future[dict[str, Any]]] = {}
        self._errors: dict[str, dict[str, Any]] = {}
        """The last error of each check that failed when it was last completed."""
        self._limiter: CapacityLimiter | None = None

    async def live(self, request: Request) -> JSONResponse:
        """200 as long as the process responds."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> JSONResponse:
        """200 if catalog, jobs, models and disk are fine, else 503, within 2 s. Each check has its latency."""
        if self._limiter is None:
            # its own: the threads of other requests may all wait for the same as the checks
            self._limiter = CapacityLimiter(_MAX_REQUESTS)
        checks = await to_thread.run_sync(self._run_checks, limiter=self._limiter)
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
        running = {name: self._start(name, check) for name, check in checks.items()}
        wait(running.values(), timeout=LIMIT_S)
        return {name: future.result() if future.done() else self._late(name) for name, future in running.items()}

    def _start(self, name: str, check: Check) -> Future[dict[str, Any]]:
        """The check under way, or a new one in a thread that nobody has to wait for."""
        with self._lock:
            found = self._running.get(name)
            if found is None or found.done():
                found = self._running[name] = Future()
                threading.Thread(
                    target=self._run, args=(name, check, found), name=f"health-{name}", daemon=True
                ).start()
            return found

    def _run(self, name: str, check: Check, future: Future[dict[str, Any]]) -> None:
        result = self._timed(name, check)
        with self._lock:
            if result["ok"]:
                self._errors.pop(name, None)
            else:
                self._errors[name] = result["error"]
        future.set_result(result)

    def _late(self, name: str) -> dict[str, Any]:
        """The result of a check that goes on: what it ended with the last time says more than that it takes long."""
        with self._lock:
            error = self._errors.get(name) or _described(
                NotResponding(what=f"The check of the {name}", limit_s=LIMIT_S)
            )
        return {"ok": False, "error": error, "latency_ms": round(LIMIT_S * 1000, 1)}

    def _catalog(self) -> dict[str, Any]:
        library = self._library()
        count = library.work.count_videos(timeout_s=_WAIT_S)
        # the route answers everybody, and how much users have is for them and admins
        return {} if library.accounts.is_shared() else {"videos": count}

    def _jobs(self) -> dict[str, Any]:
        # the queue first: where it cannot be used, that is why the worker does not run
        queue = self._library().queue
        if queue is not None:
            queue.check(timeout_s=_WAIT_S)
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
        library.require()
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

    def _timed(self, name: str, check: Check) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            result: dict[str, Any] = {"ok": True, "detail": check()}
        except HeimdexError as error:
            # the route answers everybody, and users of a shared library are not told of its processes
            result = {"ok": False, "error": _described(error.for_members() if self._is_shared() else error)}
        except Exception:
            # the route has to respond whatever fails; internals are only in the log
            _LOG.exception("health check %s failed", name)
            result = {"ok": False, "error": {"code": "INTERNAL", "message": "see the log"}}
        result["latency_ms"] = round((time.perf_counter() - started) * 1000, 1)
        return result

    def _is_shared(self) -> bool:
        try:
            return self._library().accounts.is_shared()
        except HeimdexError:  # it cannot be opened, so nobody knows
            return True


def _described(error: HeimdexError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint}
