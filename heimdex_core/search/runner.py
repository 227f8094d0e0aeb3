"""Channels side by side, each with its time limit; one that fails or is late is left out and said."""

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
"""Longest wait for a model to load from a slow disk; only the first query of a set of models ever meets it."""

_THREADS = 24
"""Enough for several searches at once; one is begun only when none is free."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A channel's result and how long it took; `lasting` is False where another try may go better."""

    result: ChannelResult
    seconds: float
    lasting: bool


class ChannelRunner:
    """Asks channels in a pool of threads that lives as long as the process."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def run(self, request: ChannelRequest, channels: Iterable[Channel]) -> tuple[dict[str, Timed], float]:
        """({channel: result}, seconds spent loading models). ViewOutdated.

        Models are loaded before the clock starts: a time limit is for searching, and imports on
        one thread hold up all the others.
        """
        by_name = {channel.name: channel for channel in channels}
        started = time.perf_counter()
        broken = self._prepare({name: one for name, one in by_name.items() if not one.is_ready}, request)
        loading_s = time.perf_counter() - started
        pool = self._threads()
        asked: dict[str, Future[Timed]] = {
            name: pool.submit(_timed, channel, request) for name, channel in by_name.items() if name not in broken
        }
        wait(asked.values(), timeout=self._timeout_s)
        found = dict(broken)
        for name, future in asked.items():
            found[name] = self._result(name, future)
        return {name: found[name] for name in by_name}, loading_s

    def close(self) -> None:
        """Let the threads go. Work that is stuck is not waited for."""
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
        """Load what is not loaded; the channels for which that went wrong."""
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
            log.warning("channel %s did not answer within %.1f s", name, self._timeout_s)
            return _late(self._timeout_s)
        error = future.exception()
        return future.result() if error is None else _failed(name, error)


def _timed(channel: Channel, request: ChannelRequest) -> Timed:
    started = time.perf_counter()
    result = channel.search(request)
    return Timed(result, time.perf_counter() - started, lasting=True)


def _late(limit_s: float) -> Timed:
    return Timed(ChannelResult(reason="timeout", detail=f"{limit_s:g} s"), limit_s, lasting=False)


def _failed(name: str, error: BaseException) -> Timed:
    if isinstance(error, ViewOutdated):
        raise error  # not the channel's fault: the search is to be begun again
    # A defect in one channel must not take the others with it; it is logged whole and told in short.
    known = isinstance(error, HeimdexError)  # those say all there is to say
    log.warning("channel %s failed: %s", name, error, exc_info=None if known else error)
    if isinstance(error, HeimdexError):
        return Timed(ChannelResult(reason="failed", detail=error.message, error=error.to_dict()), 0.0, lasting=False)
    return Timed(ChannelResult(reason="failed", detail=f"{type(error).__name__}: {error}"), 0.0, lasting=False)
