"""`activity`: what goes on in the library, for who owns its folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer
from heimdex_core.formatting import clock, size
from heimdex_core.types import ActivityReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `activity`."""
    parser.add_argument("--csv", action="store_true", help="print a table with a row for each figure")


def run_activity(args: argparse.Namespace, out: Printer) -> int:
    """Print the figures of all users."""
    from heimdex_core.library.activity_table import csv_text

    with opened(args, queue=True) as lib:
        report = lib.activity.report()
    out.document(
        schemas.activity(report), text=csv_text(report).rstrip("\n") if args.csv else "\n".join(_lines(report))
    )
    return 0


def _lines(report: ActivityReport) -> Iterator[str]:
    states = ", ".join(f"{count} {state}" for state, count in report.videos.items() if count)
    yield f"videos: {states or 'none'}; {clock(report.duration_s)} indexed"
    for stage, count in report.failures.items():
        yield f"failed in {stage or 'no stage'}: {count}"
    for times in report.processing:
        factor = f", {times.real_time_factor:.2f} x real time" if times.real_time_factor is not None else ""
        yield (
            f"{times.stage}: p50 {times.p50_s:.1f} s, p90 {times.p90_s:.1f} s, p99 {times.p99_s:.1f} s"
            f" over {_videos(times.videos)}{factor}"
        )
    for period in report.searches:
        total = period.total
        latency = f", p50 {total.p50_ms:.0f} ms, p95 {total.p95_ms:.0f} ms" if total.searches else ""
        yield f"searches in {period.days} days: {total.searches}{latency}"
    for user in report.disk:
        yield f"disk of {user.user_id}: {size(user.total_bytes)} in {_videos(user.videos)}, exports included"
    for queue in report.queues:
        if queue.waiting or queue.running:
            oldest = queue.oldest_waiting_at
            since = f", the oldest for {clock((report.at - oldest).total_seconds())}" if oldest is not None else ""
            yield f"queue {queue.queue}: {queue.running} running, {queue.waiting} waiting{since}"
    for worker in report.workers:
        tasks = ", ".join(f"{task.stage} of {task.subject}" for task in worker.tasks)
        yield f"worker {worker.machine}/{worker.pid}: {worker.state}{f', {tasks}' if tasks else ''}"
    if report.jobs_error is not None:
        yield f"queues and workers: {report.jobs_error['message']} {report.jobs_error['hint']}"


def _videos(count: int) -> str:
    return f"{count} video" if count == 1 else f"{count} videos"
