"""How long the stages of a video took, from the log of its work folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from heimdex_core.types import Json

TOTAL = "total"
"""The name of all of the work, beside the names of the stages."""


def stage_times(log: Sequence[Json]) -> dict[str, float]:
    """Seconds of work by stage, and TOTAL: the time in which at least one stage ran.

    Stages beside each other count once in TOTAL, and pauses between two attempts not at all. Skipped stages are left
    out; TOTAL is there only if every stage ran, in this attempt or an earlier one, so that a video of which little had
    to be made again does not count as one that was indexed quickly.

    Args:
        log: WorkFolder.log_entries.
    """
    ran: dict[str, list[tuple[datetime, datetime]]] = {}
    for entry in log:
        if not entry["skipped"]:
            span = datetime.fromisoformat(entry["started_at"]), datetime.fromisoformat(entry["finished_at"])
            ran.setdefault(entry["stage"], []).append(span)
    times = {stage: _covered_s(spans) for stage, spans in ran.items()}
    if ran and all(entry["stage"] in ran for entry in log):
        times[TOTAL] = _covered_s(span for spans in ran.values() for span in spans)
    return times


def _covered_s(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Seconds that lie in at least one span; one that ends before it starts (the clock was set) counts as nothing."""
    covered, until = 0.0, None
    for start, end in sorted(spans):
        begin = start if until is None or start > until else until
        if end > begin:
            covered += (end - begin).total_seconds()
            until = end
    return covered
