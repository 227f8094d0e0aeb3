"""GET /metrics: figures of the server and of its library for Prometheus, if HEIMDEX_METRICS_TOKEN is set.

What other processes do (the worker, the command line, another server) is read from the library's own records when it
is asked for. Labels are of fixed sets: no ids, no paths, no texts.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from heimdex_core.api import requests
from heimdex_core.errors import HeimdexError

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.registry import Collector

    from heimdex_core.library import Library
    from heimdex_core.settings import Settings
    from heimdex_core.types import ActivityReport

Figures = Mapping[Any, float]
"""By the values of the labels, a tuple of strings."""

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper ends of the buckets of search latency."""

_WAIT_S = 2.0
"""How long the catalog is awaited; without it the library is reported as not available."""
_KEEP_S = 5.0
"""Figures are not worked out again before so long."""
_MAX_PARTS = 40
_LOG = logging.getLogger(__name__)


def metrics_routes(library: Callable[[], Library], settings: Settings) -> list[BaseRoute]:
    """The route, for a server's list; none without HEIMDEX_METRICS_TOKEN.

    `library` returns the library with its queue; it is called for each request.
    """
    if settings.metrics_token is None:
        return []
    return [Route("/metrics", MetricsServer(library, settings.metrics_token.get_secret_value()).get, methods=["GET"])]


class MetricsServer:
    """The handler of the route."""

    def __init__(self, library: Callable[[], Library], token: str) -> None:
        from prometheus_client import CollectorRegistry

        self._expected = f"Bearer {token}".encode()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_collector(LibraryFigures(library)))

    async def get(self, request: Request) -> Response:
        """The figures in the format that is asked for (text or OpenMetrics); 401 without the right token."""
        from prometheus_client.exposition import choose_encoder

        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._expected):
            return PlainTextResponse("a bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await to_thread.run_sync(encode, self._registry)
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


class LibraryFigures:
    """What is read of the library, and kept for a moment. Safe to share between threads."""

    def __init__(self, library: Callable[[], Library]) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._report: ActivityReport | None = None
        self._free_bytes = 0
        self._read_at = -_KEEP_S
        self._position: int | None = None
        self._searches: dict[str, tuple[list[int], float]] = {}

    def read(self) -> tuple[ActivityReport | None, int, Mapping[str, tuple[list[int], float]]]:
        """(figures, None where the library does not answer; free bytes; latency of searches by part).

        A latency is (searches by bucket, the last one for longer ones; sum in seconds), counted since the first
        request.
        """
        with self._lock:
            if time.monotonic() - self._read_at >= _KEEP_S:
                self._report = None
                try:
                    self._read()
                except HeimdexError as error:
                    _LOG.warning("no figures for /metrics: %s", error)
                self._read_at = time.monotonic()
            return (
                self._report,
                self._free_bytes,
                {part: (list(n), total) for part, (n, total) in self._searches.items()},
            )

    def _read(self) -> None:
        library = self._library()
        activity = library.activity.as_operator()
        timings, self._position = activity.search_timings_after(self._position)
        for timing in timings:
            for part, ms in timing.items():
                self._count(part, ms / 1000)
        self._free_bytes = activity.free_bytes()
        self._report = activity.present(timeout_s=_WAIT_S)

    def _count(self, part: str, seconds: float) -> None:
        if part not in self._searches and len(self._searches) >= _MAX_PARTS:
            return
        numbers, total = self._searches.get(part) or ([0] * (len(BUCKETS_S) + 1), 0.0)
        numbers[bisect_left(BUCKETS_S, seconds)] += 1
        self._searches[part] = (numbers, total + seconds)


def _collector(figures: LibraryFigures) -> Collector:
    from prometheus_client.registry import Collector

    class LibraryCollector(Collector):
        def collect(self) -> Iterator[Metric]:
            yield _requests()
            report, free_bytes, searches = figures.read()
            yield _gauge("library_up", "1 if the library answers", {(): report is not None})
            yield _searches(searches)
            if report is not None:
                yield _gauge("disk_free_bytes", "Free on the disk of the library", {(): free_bytes})
                yield from _of_library(report)

    return LibraryCollector()


def _requests() -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(
        "heimdex_http_requests", "Requests to this process", labels=("method", "route", "status")
    )
    for (method, route, status), count in sorted(requests.counts.items()):
        family.add_metric((method, route, str(status)), count)
    return family


def _searches(searches: Mapping[str, tuple[list[int], float]]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily("heimdex_search_duration_seconds", "Latency of searches by part", labels=("part",))
    for part, (numbers, total) in sorted(searches.items()):
        below, buckets = 0, []
        for end, count in zip((*(str(end) for end in BUCKETS_S), "+Inf"), numbers, strict=True):
            below += count
            buckets.append((end, float(below)))
        family.add_metric((part,), buckets, total)
    return family


def _of_library(report: ActivityReport) -> Iterator[Metric]:
    yield _gauge("videos", "Videos by state", {(str(s),): n for s, n in report.videos.items()}, ("state",))
    yield _gauge("indexed_video_seconds", "Length of the indexed videos", {(): report.duration_s})
    kinds = ("source", "derived", "export")
    used = {(kind,): sum(getattr(user, f"{kind}_bytes") for user in report.disk) for kind in kinds}
    yield _gauge("disk_used_bytes", "Bytes of files by kind", used, ("kind",))
    if report.jobs_error is not None:
        return
    jobs = {(one.queue, state): getattr(one, state) for one in report.queues for state in ("waiting", "running")}
    yield _gauge("jobs", "Unfinished jobs by queue and state", jobs, ("queue", "state"))
    waited = {
        (one.queue,): (report.at - one.oldest_waiting_at).total_seconds() if one.oldest_waiting_at else 0.0
        for one in report.queues
    }
    yield _gauge("jobs_oldest_waiting_seconds", "How long a queue's first job has waited", waited, ("queue",))
    states = [worker.state for worker in report.workers]
    yield _gauge("workers", "Workers by state", {(state,): states.count(state) for state in states}, ("state",))


def _gauge(name: str, text: str, values: Figures, labels: tuple[str, ...] = ()) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"heimdex_{name}", text, labels=labels)
    for names, value in values.items():
        family.add_metric(names, float(value))
    return family
