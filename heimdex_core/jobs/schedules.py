"""What happens by the clock."""

from __future__ import annotations

from dbos import DBOS, ScheduleInput

from heimdex_core.jobs.config import UPKEEP_QUEUE

CLEAN_UP = "clean-up"
CLEAN_UP_CRON = "17 * * * *"
"""Hourly; what it removes is a day old, so the minute does not matter."""


def apply_schedules() -> None:
    """Tell DBOS the schedules; called by the worker after launch.

    Clean-up also runs once now: on a laptop the app is rarely open at the scheduled minute.
    """
    from heimdex_core.jobs.workflows import clean_up

    schedule: ScheduleInput = {
        "schedule_name": CLEAN_UP,
        "workflow_fn": clean_up,
        "schedule": CLEAN_UP_CRON,
        "context": None,
        "queue_name": UPKEEP_QUEUE,
    }
    DBOS.apply_schedules([schedule])
    DBOS.trigger_schedule(CLEAN_UP)
