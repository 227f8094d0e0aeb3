"""Where a video's work stands, in one small record that anybody may read at any time.

Two branches (speech and picture) report at once. What is shown is the running stage that will take longest; the
share of the whole never falls within an attempt. The time left is worked out from the rates of this attempt
alone; stages that have not begun are estimated by the weights of their SPECs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from heimdex_core.ingest.context import StageSpec
from heimdex_core.store.progress_records import ProgressRecord
from heimdex_core.types import Json, StageProgress, utc_now

Specs = Sequence[StageSpec[Any]]

_INTERVAL_S = 0.25
_TRUSTED_AFTER_S = 1.0
_PACE_FROM = {"picture": 0, "speech": 1}
_lock = threading.Lock()


class ProgressBook:
    """The record of a video's work: every stage's own state, and the StageProgress drawn from them.

    `specs` are the stages that this work has, in order: what is shown counts only them.
    """

    def __init__(self, record: ProgressRecord, specs: Specs) -> None:
        self._record = record
        self._specs = tuple(specs)
        self._last_write: dict[str, float] = {}

    def begin(self) -> None:
        """Forget an earlier attempt: the share of the whole starts again from nothing."""
        with _lock:
            self._record.remove()

    def start(self, stage: str, unit: str) -> StageProgress:
        """A stage begins."""
        return self._put(stage, state="running", done=0.0, total=0.0, unit=unit, started_at=time.time(), seconds=0.0)

    def report(self, stage: str, done: float, total: float) -> StageProgress | None:
        """A stage got somewhere; at most four times a second this is written, else None is returned."""
        now = time.monotonic()
        if now - self._last_write.get(stage, -1.0) < _INTERVAL_S:
            return None
        self._last_write[stage] = now
        return self._put(stage, done=done, total=total)

    def finish(self, stage: str, *, skipped: bool, seconds: float) -> StageProgress:
        """A stage ended well; it counts as a whole from here on."""
        return self._put(stage, state="skipped" if skipped else "done", seconds=seconds)

    def _put(self, stage: str, **changes: object) -> StageProgress:
        with _lock:
            book = self._record.read() or {}
            stages: dict[str, Json] = book.setdefault("stages", {})
            stages.setdefault(stage, {"state": "running", "done": 0.0, "total": 0.0, "unit": "s"}).update(changes)
            shown = summary(stages, book.get("shown"), now=time.time(), specs=self._specs)
            self._record.write({"stages": stages, "shown": shown})
        return shown


def read_progress(record: ProgressRecord) -> StageProgress | None:
    """What to show of the work whose record this is; None when nothing has begun or everything is over."""
    shown = (record.read() or {}).get("shown")
    try:
        return StageProgress(**shown) if shown else None
    except TypeError:  # written by another version
        return None


def summary(stages: dict[str, Json], before: Json | None, *, now: float, specs: Specs) -> StageProgress:
    """The one line to show for the state of the stages in `specs`; `before` is the line shown last."""
    names = [spec.name for spec in specs]
    stages = {name: state for name, state in stages.items() if name in names}
    left = {spec.name: _left_s(spec, stages, specs, now) for spec in specs}
    name = _most_relevant(stages, left, before, specs)
    state = stages[name]
    finished = state["state"] != "running"
    overall = sum(spec.weight * _fraction(stages.get(spec.name)) for spec in specs) / sum(s.weight for s in specs)
    return StageProgress(
        stage=name,
        stage_number=names.index(name) + 1,
        stage_count=len(names),
        done=float(state["total"] or 1.0) if finished else float(state["done"]),
        total=float(state["total"] or 1.0) if finished else float(state["total"]),
        eta_s=_whole_left_s(left, specs),
        updated_at=utc_now().isoformat(),
        overall=max(min(overall, 1.0), float((before or {}).get("overall", 0.0))),
        unit=str(state["unit"]),
    )


def _fraction(state: Json | None) -> float:
    if state is None:
        return 0.0
    if state["state"] != "running":
        return 1.0
    return min(max(state["done"] / state["total"], 0.0), 1.0) if state["total"] > 0 else 0.0


def _pace(stages: dict[str, Json], specs: Specs, now: float) -> float | None:
    """Seconds per unit of weight, from the first stage that tells enough."""
    # The picture goes first: how fast it is decoded tells most about the machine and the video.
    for spec in sorted(specs, key=lambda spec: _PACE_FROM.get(spec.branch, len(_PACE_FROM))):
        state = stages.get(spec.name)
        if state is None or state["state"] == "skipped":
            continue
        seconds = now - state["started_at"] if state["state"] == "running" else state["seconds"]
        if seconds >= _TRUSTED_AFTER_S and _fraction(state) > 0:
            return float(seconds / (spec.weight * _fraction(state)))
    return None


def _left_s(spec: StageSpec[Any], stages: dict[str, Json], specs: Specs, now: float) -> float | None:
    """Seconds that a stage will still take, None if nothing can be said."""
    state = stages.get(spec.name)
    fraction = _fraction(state)
    if fraction >= 1.0:
        return 0.0
    if state is not None and fraction > 0 and now - state["started_at"] >= _TRUSTED_AFTER_S:
        return float((now - state["started_at"]) * (1 - fraction) / fraction)
    pace = _pace(stages, specs, now)
    return None if pace is None else pace * spec.weight * (1 - fraction)


def _whole_left_s(left: dict[str, float | None], specs: Specs) -> float | None:
    branches: dict[str, float] = {}
    for spec in specs:
        seconds = left[spec.name]
        if seconds is None:
            return None
        branches[spec.branch] = branches.get(spec.branch, 0.0) + seconds
    beside = max(branches.get("speech", 0.0), branches.get("picture", 0.0))
    return round(branches.get("start", 0.0) + beside + branches.get("end", 0.0), 1)


def _most_relevant(stages: dict[str, Json], left: dict[str, float | None], before: Json | None, specs: Specs) -> str:
    """The running stage with most to do; what was shown last stays unless another is clearly slower."""
    weights = {spec.name: spec.weight for spec in specs}
    running = [name for name in weights if name in stages and stages[name]["state"] == "running"]
    if not running:
        return max(stages, key=list(weights).index)

    def still_s(name: str) -> float:
        seconds = left[name]
        return weights[name] if seconds is None else seconds

    slowest = max(running, key=still_s)
    shown = (before or {}).get("stage")
    if shown in running and still_s(slowest) <= 1.25 * still_s(str(shown)) + 2.0:
        return str(shown)
    return slowest
