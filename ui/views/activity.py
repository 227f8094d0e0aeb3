"""What goes on in a library, as the page Activity shows it to admins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.types import (
    ActivityReport,
    FailedVideo,
    ProcessingTimes,
    QueueDepth,
    SearchPeriod,
    UserDisk,
    VideoState,
    WorkerActivity,
)
from ui import address, state
from ui.i18n import describe_error, duration, number, t, t_or, tn

_LABELS = (
    *(
        "videos",
        "no_videos",
        "failures",
        "no_failures",
        "processing",
        "no_processing",
        "searches",
        "no_searches",
        "queues",
    ),
    *("workers", "no_workers", "disk", "no_disk", "stage", "count", "p50", "p90", "p99", "real_time"),
    *("source", "derived", "export", "queue", "waiting", "running", "oldest", "method", "median", "p95", "period"),
    *("per_day", "since"),
)


def page(report: ActivityReport, user_id: str) -> dict[str, Any]:
    """The data of the component.

    Args:
        report: of all users.
        user_id: of who looks: only their own videos can be opened.
    """
    names = {user.user_id: user.name for user in report.disk}
    return {
        "at": report.at.isoformat(),
        "tiles": _tiles(report),
        "states": [[t(f"state.{name}"), number(count)] for name, count in report.videos.items() if count],
        "failures": [[_stage(stage), number(count)] for stage, count in report.failures.items()],
        "failed": [_failed(one, names, user_id) for one in report.failed_videos],
        "processing": [_processing(one) for one in report.processing],
        "days": _days(report.searches[-1], report.at) if report.searches else [],
        "periods": [_period(one) for one in report.searches if one.total.searches],
        "queues": [_queue(one, report.at) for one in report.queues if one.waiting or one.running],
        "workers": [_worker(one) for one in report.workers],
        "jobs_problem": " ".join(describe_error(report.jobs_error, state.language())) if report.jobs_error else "",
        "queues_note": t("activity.queues_empty"),
        "disk": _disk(report),
        "disk_note": _disk_note(report),
        "labels": {name: t(f"activity.{name}") for name in _LABELS},
    }


def _tiles(report: ActivityReport) -> list[list[str]]:
    """[[label, value, details], ...]: the figures that are looked at first."""
    total = next((one for one in report.processing if one.stage == "total"), None)
    week = report.searches[0].total if report.searches else None
    waiting = sum(queue.waiting for queue in report.queues)
    running = sum(queue.running for queue in report.queues)
    tiles = [
        [
            t("activity.tile.indexed"),
            duration(report.duration_s),
            tn("activity.of_videos", report.videos[VideoState.INDEXED]),
        ],
        [t("activity.tile.failed"), number(sum(report.failures.values())), ""],
        [
            t("activity.tile.work"),
            number(running + waiting),
            t("activity.running_waiting", running=number(running), waiting=number(waiting)),
        ],
    ]
    if total is not None and total.real_time_factor is not None:
        factor = t("activity.times", n=f"{total.real_time_factor:.2f}")
        tiles.append([t("activity.tile.speed"), factor, t("activity.p90_of", time=duration(total.p90_s))])
    if week is not None:
        took = t("activity.p95_of", time=_ms(week.p95_ms)) if week.searches else ""
        tiles.append([t("activity.tile.searches"), number(week.searches), took])
    used = fmt.size(sum(user.total_bytes for user in report.disk))
    return [*tiles, [t("activity.tile.disk"), used, tn("activity.of_users", len(report.disk))]]


def _failed(video: FailedVideo, names: Mapping[str, str], user_id: str) -> dict[str, Any]:
    message, hint = describe_error(video.error, state.language())
    return {
        "title": video.title,
        "href": address.url("video", id=video.video_id) if video.user_id == user_id else None,
        "user": names.get(video.user_id, video.user_id),
        "stage": _stage(video.stage),
        "at": video.failed_at.isoformat(),
        "message": message,
        "hint": hint,
        "id": video.video_id,
    }


def _stage(name: str) -> str:
    return t_or(f"stage.{name}", name) if name else t("activity.no_stage")


def _processing(times: ProcessingTimes) -> dict[str, Any]:
    factor = times.real_time_factor
    return {
        "stage": t("activity.all_stages") if times.stage == "total" else _stage(times.stage),
        "is_total": times.stage == "total",
        "count": number(times.videos),
        "times": [duration(value) for value in (times.p50_s, times.p90_s, times.p99_s)],
        "factor": f"{factor:.2f}" if factor is not None else "",
        "value": factor or 0.0,
    }


def _days(period: SearchPeriod, now: datetime) -> list[dict[str, Any]]:
    """A bar for each day, oldest first; `day` is midnight UTC."""
    days = [now.date() - timedelta(days=ago) for ago in reversed(range(period.days))]
    found = [(day, period.by_day.get(day)) for day in days]
    return [
        {
            "day": day.isoformat(),
            "count": times.searches if times else 0,
            "text": tn("activity.of_searches", times.searches if times else 0),
            "took": f"{t('activity.median')} {_ms(times.p50_ms)}, {t('activity.p95')} {_ms(times.p95_ms)}"
            if times
            else "",
        }
        for day, times in found
    ]


def _period(period: SearchPeriod) -> dict[str, Any]:
    rows = [(t("activity.all_methods"), period.total)]
    rows += [(t_or(f"fusion.{name}", name), times) for name, times in period.by_method.items()]
    return {
        "name": tn("activity.days", period.days),
        "rows": [[name, number(one.searches), _ms(one.p50_ms), _ms(one.p95_ms)] for name, one in rows],
    }


def _ms(value: float) -> str:
    return t("unit.ms", n=number(max(round(value), 1)))


def _queue(queue: QueueDepth, now: datetime) -> list[str]:
    oldest = queue.oldest_waiting_at
    waited = duration(max((now - oldest).total_seconds(), 0.0)) if oldest is not None else ""
    return [t_or(f"queue.{queue.queue}", queue.queue), number(queue.running), number(queue.waiting), waited]


def _worker(worker: WorkerActivity) -> dict[str, Any]:
    return {
        "name": f"{worker.machine} · {worker.pid}" if worker.machine else str(worker.pid),
        "state": t_or(f"worker.{worker.state}", worker.state),
        "is_bad": worker.state == "silent",
        "at": worker.updated_at.isoformat(),
        "tasks": [
            {
                "stage": _stage(task.stage),
                "subject": task.subject,
                "since": task.since.isoformat() if task.since else "",
            }
            for task in worker.tasks
        ],
    }


def _disk(report: ActivityReport) -> list[dict[str, Any]]:
    largest = max((user.total_bytes for user in report.disk), default=0) or 1
    return [_user(user, largest) for user in report.disk]


def _user(user: UserDisk, largest: int) -> dict[str, Any]:
    parts = (user.source_bytes, user.derived_bytes, user.export_bytes)
    return {
        "user": user.name,
        "id": user.user_id,
        "videos": number(user.videos),
        "total": fmt.size(user.total_bytes),
        "sizes": [fmt.size(part) for part in parts],
        "shares": [round(part / largest, 4) for part in parts],
    }


def _disk_note(report: ActivityReport) -> str:
    unmeasured = sum(user.unmeasured_videos for user in report.disk)
    return tn("activity.unmeasured", unmeasured) if unmeasured else ""
