"""What goes on in a library, for its admins: figures of all users, and no texts of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from heimdex_core.errors import HeimdexError
from heimdex_core.files import free_bytes
from heimdex_core.library.accounts import Accounts
from heimdex_core.library.context import LibraryContext
from heimdex_core.store.search_log import TimesRow
from heimdex_core.types import ActivityReport, SearchPeriod, SearchTimes, utc_now

PERIODS_DAYS = (7, 30)
_NONE = SearchTimes(0, 0.0, 0.0)


class Activity:
    """The work of all users of a library. Every call raises NotAllowed for those who are not its admin."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._store = context.store

    def as_operator(self) -> Activity:
        """The same with the rights of an admin, as Library.as_operator."""
        return Activity(replace(self._context, is_operator=True))

    def report(self) -> ActivityReport:
        """All of it. Raises LibraryBusy, DatabaseUnavailable.

        Queues and workers are known only where the library has a queue (`Library.queue`); where that cannot be
        reached, `jobs_error` says why.
        """
        report, records = self.present(), self._store.activity
        failures, failed = records.failures()
        return replace(
            report,
            failures=failures,
            failed_videos=tuple(failed),
            processing=tuple(records.processing()),
            searches=tuple(self._searches(days, report.at) for days in PERIODS_DAYS),
        )

    def present(self, *, timeout_s: float | None = None) -> ActivityReport:
        """The same without what is about the past: failures, processing times and searches are empty.

        `timeout_s` is how long the catalog is awaited; None is HEIMDEX_LOCK_TIMEOUT_S.
        """
        self.require_admin()
        videos, duration_s = self._store.activity.states(timeout_s)
        report = ActivityReport(
            at=utc_now(), videos=videos, duration_s=duration_s, disk=tuple(self._store.activity.disk(timeout_s))
        )
        queue = self._context.queue
        if queue is None:
            return report
        try:
            return replace(report, queues=tuple(queue.depths()), workers=tuple(queue.workers()))
        except HeimdexError as error:
            return replace(report, jobs_error=error.to_dict())

    def search_timings_after(self, position: int | None) -> tuple[list[Mapping[str, float]], int]:
        """(how long the parts of searches took that were made after a position in the query log, in ms; the position
        now). None is its end."""
        self.require_admin()
        return self._store.search_log.timings_after(position)

    def free_bytes(self) -> int:
        """What is free on the disk of the library."""
        return free_bytes(self._store.paths.root)

    def require_admin(self) -> None:
        """Raise NotAllowed for those who are not an admin."""
        Accounts(self._context).require_admin()

    def _searches(self, days: int, now: datetime) -> SearchPeriod:
        """Today and the days before it, in UTC."""
        rows = self._store.search_log.times((now.date() - timedelta(days=days - 1)).isoformat())
        return SearchPeriod(
            days=days,
            total=next((_times(row) for row in rows if row.day is None and row.method is None), _NONE),
            by_method={row.method: _times(row) for row in rows if row.method is not None},
            by_day={date.fromisoformat(row.day): _times(row) for row in rows if row.day is not None},
        )


def _times(row: TimesRow) -> SearchTimes:
    return SearchTimes(row.searches, row.p50_ms, row.p95_ms)
