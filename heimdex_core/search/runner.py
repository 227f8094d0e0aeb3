"""Runs channels in parallel under a time limit. A channel that fails or is late is left out, and the result says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from heimdex_core.errors import HeimdexError, ViewOutdated
from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelResult

log = logging.getLogger(__name__)

LOAD_LIMIT_S = 300.0
"""The longest time to wait for a model to load from a slow disk. Only the first query with a model set waits."""

_THREADS = 24
"""Enough for several searches at once. Threads are started when none is idle."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A channel's result and how long it took."""

    result: ChannelResult
    seconds: float
    cacheable: bool
    """False where the same request may give another result the next time: after an error or a timeout."""


class ChannelRunner:
    """Runs channels in a pool of threads that lives as long as the process. Safe to share between threads."""

    def __init__(self, *, timeout_s: float) -> None:
        """`timeout_s` is the time limit of a search, in seconds, without the loading of models."""
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def run(self, request: ChannelRequest, channels: Iterable[Channel]) -> tuple[dict[str, Timed], float]:
        """({channel: result}, seconds spent loading models).

        Models are loaded before the time limit begins: it limits searching, and imports in one thread block all the
        others. Errors of a channel become its result; only ViewOutdated is raised, because then the search has to be
        started again.
        """
        by_name = {channel.name: channel for channel in channels}
        started = time.perf_counter()
        broken = self._prepare({name: one for name, one in by_name.items() if not one.is_ready}, request)
        loading_s = time.perf_counter() - started
        pool = self._threads()
        running: dict[str, Future[Timed]] = {
            name: pool.submit(_timed, channel, request) for name, channel in by_name.items() if name not in broken
        }
        wait(running.values(), timeout=self._timeout_s)
        found = dict(broken)
        for name, future in running.items():
            found[name] = self._result(name, future)
        return {name: found[name] for name in by_name}, loading_s

    def close(self) -> None:
        """End the threads, without waiting for channels that are still running."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="search")
            return self._pool

    def _prepare(self, channels: Mapping[str, Channel], request: ChannelRequest) -> dict[str, Timed]:
        """Load the models; the results of the channels whose model could not be loaded."""
        if not channels or request.scene_count == 0:
            return {}
        pool = self._threads()
        loading = {name: pool.submit(channel.prepare) for name, channel in channels.items()}
        wait(loading.values(), timeout=LOAD_LIMIT_S)
        broken: dict[str, Timed] = {}
        for name, future in loading.items():
            if not future.done():
                future.cancel()
                broken[name] = _late(LOAD_LIMIT_S)
            elif (error := future.exception()) is not None:
                broken[name] = _failed(name, error)
        return broken

    def _result(self, name: str, future: Future[Timed]) -> Timed:
        if not future.done():
            future.cancel()
            log.warning("channel %s took longer than %.1f s", name, self._timeout_s)
            return _late(self._timeout_s)
        error = future.exception()
        return future.result() if error is None else _failed(name, error)


def _timed(channel: Channel, request: ChannelRequest) -> Timed:
    started = time.perf_counter()
    result = channel.search(request)
    return Timed(result, time.perf_counter() - started, cacheable=True)


def _late(limit_s: float) -> Timed:
    return Timed(ChannelResult(reason="timeout", detail=f"{limit_s:g} s"), limit_s, cacheable=False)


def _failed(name: str, error: BaseException) -> Timed:
    if isinstance(error, ViewOutdated):
        raise error  # no failure of the channel: the search has to be started again
    # A defect in one channel must not stop the others; the log has its traceback and the result a summary.
    known = isinstance(error, HeimdexError)  # their message is complete
    log.warning("channel %s failed: %s", name, error, exc_info=None if known else error)
    if isinstance(error, HeimdexError):
        return Timed(ChannelResult(reason="failed", detail=error.message, error=error.to_dict()), 0.0, cacheable=False)
    return Timed(ChannelResult(reason="failed", detail=f"{type(error).__name__}: {error}"), 0.0, cacheable=False)
