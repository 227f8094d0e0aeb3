"""Runs channels in parallel under a time limit. A channel that fails or is late is left out, and the result says so."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from heimdex_core.errors import HeimdexError, SearchFailed, ViewOutdated
from heimdex_core.search.channels.base import Channel, ChannelRequest, ChannelResult

log = logging.getLogger(__name__)

T = TypeVar("T")

BROKEN = ("failed", "timeout")
"""Reasons for which a channel has no result although it should have one."""

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
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="search")

    def run(self, request: ChannelRequest, channels: Iterable[Channel]) -> tuple[dict[str, Timed], float]:
        """({channel: result}, seconds spent loading models).

        Models are loaded before the time limit begins: it limits searching, and imports in one thread block all the
        others. Errors of a channel become its result; only ViewOutdated is raised, because then the search has to be
        started again.
        """
        by_name = {channel.name: channel for channel in channels}
        started = time.perf_counter()
        unready = [(name, channel) for name, channel in by_name.items() if not channel.is_ready(request)]
        loading = {name: partial(channel.prepare, request) for name, channel in unready}
        _, broken = self._gather(loading if request.scene_count else {}, LOAD_LIMIT_S)
        loading_s = time.perf_counter() - started
        calls = {name: partial(_timed, channel, request) for name, channel in by_name.items() if name not in broken}
        found, failed = self._gather(calls, self._timeout_s)
        results = {**broken, **found, **failed}
        return {name: results[name] for name in by_name}, loading_s

    def _gather(self, calls: Mapping[str, Callable[[], T]], limit_s: float) -> tuple[dict[str, T], dict[str, Timed]]:
        """Run `calls` in parallel: ({channel: what it returned}, {channel: why it failed or is late})."""
        running = {name: self._pool.submit(call) for name, call in calls.items()}
        if running:
            wait(running.values(), timeout=limit_s)
        found: dict[str, T] = {}
        broken: dict[str, Timed] = {}
        for name, future in running.items():
            if not future.done():
                future.cancel()
                log.warning("channel %s took longer than %.1f s", name, limit_s)
                result = ChannelResult(reason="timeout", detail=f"{limit_s:g} s")
                broken[name] = Timed(result, limit_s, cacheable=False)
            elif (error := future.exception()) is not None:
                broken[name] = _failed(name, error)
            else:
                found[name] = future.result()
        return found, broken


def _timed(channel: Channel, request: ChannelRequest) -> Timed:
    started = time.perf_counter()
    result = channel.search(request)
    return Timed(result, time.perf_counter() - started, cacheable=True)


def _failed(name: str, error: BaseException) -> Timed:
    if isinstance(error, ViewOutdated):
        raise error  # no failure of the channel: the search has to be started again
    # A defect in one channel must not stop the others; the log has its traceback and the result a summary. What the
    # error says may quote the query, which is kept in the query log alone.
    if isinstance(error, HeimdexError):
        log.warning("channel %s failed: %s", name, error.code)
        result = ChannelResult(reason="failed", detail=error.message, error=error.to_dict())
    else:
        where = "".join(traceback.format_tb(error.__traceback__))
        log.warning("channel %s failed: %s\n%s", name, type(error).__name__, where)
        result = ChannelResult(reason="failed", detail=f"{type(error).__name__}: {error}")
    return Timed(result, 0.0, cacheable=False)


def refuse_if_all_broken(results: Mapping[str, ChannelResult], weights: Mapping[str, float]) -> None:
    """Raise SearchFailed if every channel with a weight above 0 failed or was late."""
    weighted = {name: found for name, found in results.items() if weights.get(name, 0.0) > 0}
    if weighted and all(found.reason in BROKEN for found in weighted.values()):
        reasons = "; ".join(f"{name}: {found.reason} ({found.detail})" for name, found in weighted.items())
        raise SearchFailed(reasons=reasons)
