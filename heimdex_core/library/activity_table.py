"""The figures of activity as a table for spreadsheets and scripts: a row for each figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from heimdex_core.formatting import inert_cell
from heimdex_core.types import ActivityReport, SearchTimes

HEADER = ("section", "item", "figure", "value")
Cell = str | int | float


def csv_text(report: ActivityReport) -> str:
    """CSV with the columns of HEADER and no texts that users have written.

    Sections: library, videos (by state), failures (by stage), failed_video (stage and code by id), processing (by
    stage), searches_<days>d (all, by method as method:<name>, by day as 2026-11-27), disk (by user_id), queue, worker
    (as machine/pid).
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([[inert_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows(report)])
    return out.getvalue()


def rows(report: ActivityReport) -> Iterator[tuple[str, str, str, Cell]]:
    """The rows of `csv_text`."""
    yield "library", "", "at", report.at.isoformat()
    yield "library", "", "indexed_duration_s", round(report.duration_s, 3)
    for state, count in report.videos.items():
        yield "videos", str(state), "videos", count
    for stage, count in report.failures.items():
        yield "failures", stage, "videos", count
    for video in report.failed_videos:
        yield "failed_video", video.video_id, "stage", video.stage
        yield "failed_video", video.video_id, "code", str(video.error.get("code"))
    for times in report.processing:
        figures = {"videos": times.videos, "p50_s": times.p50_s, "p90_s": times.p90_s, "p99_s": times.p99_s}
        if times.real_time_factor is not None:
            figures["real_time_factor"] = times.real_time_factor
        yield from (("processing", times.stage, name, round(value, 3)) for name, value in figures.items())
    for period in report.searches:
        section = f"searches_{period.days}d"
        yield from _search_rows(section, "all", period.total)
        for method, found in period.by_method.items():
            yield from _search_rows(section, f"method:{method}", found)
        for day, found in period.by_day.items():
            yield from _search_rows(section, day.isoformat(), found)
    for user in report.disk:
        for name in ("videos", "source_bytes", "derived_bytes", "export_bytes", "unmeasured_videos"):
            yield "disk", user.user_id, name, getattr(user, name)
    for queue in report.queues:
        oldest = queue.oldest_waiting_at
        yield "queue", queue.queue, "waiting", queue.waiting
        yield "queue", queue.queue, "running", queue.running
        if oldest is not None:
            yield "queue", queue.queue, "oldest_waiting_s", round((report.at - oldest).total_seconds(), 1)
    for worker in report.workers:
        name = f"{worker.machine}/{worker.pid}"
        yield "worker", name, "state", worker.state
        yield from (("worker", name, "stage", task.stage) for task in worker.tasks)


def _search_rows(section: str, item: str, times: SearchTimes) -> Iterator[tuple[str, str, str, Cell]]:
    yield section, item, "searches", times.searches
    yield section, item, "p50_ms", round(times.p50_ms, 1)
    yield section, item, "p95_ms", round(times.p95_ms, 1)
