"""Long work: how it reports, how it is stopped, where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heimdex_core.errors import Cancelled

ReportProgress = Callable[[float, float], None]
"""Called with (done, total) in the stage's own unit; total 0 means not known yet."""


@dataclass(frozen=True)
class WorkContext:
    """What a long piece of work gets to report with and to look for cancellation."""

    report: ReportProgress = lambda done, total: None
    is_cancelled: Callable[[], bool] = lambda: False

    def check(self) -> None:
        """Raise Cancelled if somebody asked for it."""
        if self.is_cancelled():
            raise Cancelled()


@dataclass(frozen=True, slots=True)
class StageProgress:
    """Where a video's (or an export's) work stands; `eta_s` is None while nothing is known."""

    stage: str
    stage_number: int
    stage_count: int
    done: float
    total: float
    eta_s: float | None
    updated_at: str
    overall: float = 0.0
    """Share of the whole work that is done, 0 to 1; never falls within one attempt."""
    unit: str = "s"
    """What done and total count: "s" for seconds of the video, "items", "bytes"."""

    @property
    def fraction(self) -> float:
        return min(self.done / self.total, 1.0) if self.total > 0 else 0.0
