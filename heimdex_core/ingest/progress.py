"""Where a video's work stands, in one small file that anybody may read at any time.

Two branches (sound and picture) report at once. What is shown is the running stage that will take
longest; the share of the whole never falls within an attempt. The time left is worked out from the
rates of this attempt alone; stages that have not begun are estimated by the shares in WEIGHTS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from heimdex_core.ingest.files import read_json, write_json
from heimdex_core.types import Json, StageProgress, utc_now

EARLY = ("probe", "audio", "subtitles")
SOUND = ("transcript",)
PICTURE = ("picture", "scenes", "keyframes", "vision_embedding", "tags", "captions", "preview")
JOINED = ("text_embedding", "extra_embedding", "commit")
STAGES = (*EARLY, *SOUND, *PICTURE, *JOINED)
"""EARLY one after the other, then SOUND beside PICTURE, then JOINED. The preview is last of its branch:
nothing waits for it, and the recogniser is often still at work."""
OPTIONAL = ("captions", "extra_embedding")
"""Only where the models say so: with a captioner, with further spaces."""

WEIGHTS = {
    "probe": 1.0,
    "audio": 2.0,
    "subtitles": 0.2,
    "transcript": 40.0,
    "picture": 20.0,
    "scenes": 0.5,
    "keyframes": 4.0,
    "vision_embedding": 4.0,
    "tags": 0.5,
    "captions": 30.0,
    "preview": 6.0,
    "text_embedding": 2.0,
    "extra_embedding": 4.0,
    "commit": 1.0,
}
"""Relative cost of the stages, measured once on a ten-minute talk; only the whole's share rests on it."""

_INTERVAL_S = 0.25
_TRUSTED_AFTER_S = 1.0
_lock = threading.Lock()


class ProgressBook:
    """progress.json: every stage's own state, and the StageProgress drawn from them.

    `stages` are those that this work has, in order: what is shown counts only them.
    """

    def __init__(self, path: Path, stages: Sequence[str] = STAGES) -> None:
        self._path = path
        self._stages = tuple(stages)
        self._last_write: dict[str, float] = {}

    def read(self) -> StageProgress | None:
        """What to show; None if nothing has begun."""
        shown = self._load().get("shown")
        try:
            return StageProgress(**shown) if shown else None
        except TypeError:  # written by another version
            return None

    def begin(self) -> None:
        """Forget an earlier attempt: the share of the whole starts again from nothing."""
        with _lock:
            self._path.unlink(missing_ok=True)

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

    def _load(self) -> Json:
        return read_json(self._path) or {}

    def _put(self, stage: str, **changes: object) -> StageProgress:
        with _lock:
            book = self._load()
            stages: dict[str, Json] = book.setdefault("stages", {})
            stages.setdefault(stage, {"state": "running", "done": 0.0, "total": 0.0, "unit": "s"}).update(changes)
            shown = summary(stages, book.get("shown"), now=time.time(), row=self._stages)
            write_json(self._path, {"stages": stages, "shown": shown}, durable=False)
        return shown


def summary(stages: dict[str, Json], before: Json | None, *, now: float, row: Sequence[str] = STAGES) -> StageProgress:
    """The one line to show for the state of all stages in `row`; `before` is the line shown last."""
    stages = {name: state for name, state in stages.items() if name in row}
    left = {name: _left_s(name, stages, now) for name in row}
    name = _most_relevant(stages, left, before)
    state = stages[name]
    finished = state["state"] != "running"
    overall = sum(WEIGHTS[s] * _fraction(stages.get(s)) for s in row) / sum(WEIGHTS[s] for s in row)
    return StageProgress(
        stage=name,
        stage_number=row.index(name) + 1,
        stage_count=len(row),
        done=float(state["total"] or 1.0) if finished else float(state["done"]),
        total=float(state["total"] or 1.0) if finished else float(state["total"]),
        eta_s=_whole_left_s(left),
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


def _pace(stages: dict[str, Json], now: float) -> float | None:
    """Seconds per unit of weight: of the picture, whose cost the later stages share, else of what runs."""
    for name in ("picture", "transcript", *STAGES):
        state = stages.get(name)
        if state is None or state["state"] == "skipped":
            continue
        running = state["state"] == "running"
        seconds = now - state["started_at"] if running else state["seconds"]
        if seconds >= _TRUSTED_AFTER_S and _fraction(state) > 0:
            return float(seconds / (WEIGHTS[name] * _fraction(state)))
    return None


def _left_s(name: str, stages: dict[str, Json], now: float) -> float | None:
    """Seconds that a stage will still take, None if nothing can be said."""
    state = stages.get(name)
    fraction = _fraction(state)
    if fraction >= 1.0:
        return 0.0
    if state is not None and fraction > 0 and now - state["started_at"] >= _TRUSTED_AFTER_S:
        return float((now - state["started_at"]) * (1 - fraction) / fraction)
    pace = _pace(stages, now)
    return None if pace is None else pace * WEIGHTS[name] * (1 - fraction)


def _whole_left_s(left: dict[str, float | None]) -> float | None:
    known = {name: seconds for name, seconds in left.items() if seconds is not None}
    if len(known) < len(left):
        return None

    def branch(names: tuple[str, ...]) -> float:
        return sum(known.get(name, 0.0) for name in names)

    return round(branch(EARLY) + max(branch(SOUND), branch(PICTURE)) + branch(JOINED), 1)


def _most_relevant(stages: dict[str, Json], left: dict[str, float | None], before: Json | None) -> str:
    """The running stage with most to do; what was shown last stays unless another is clearly slower."""
    running = [name for name in STAGES if name in stages and stages[name]["state"] == "running"]
    if not running:
        return max(stages, key=STAGES.index)

    def still_s(name: str) -> float:
        seconds = left[name]
        return WEIGHTS[name] if seconds is None else seconds

    slowest = max(running, key=still_s)
    shown = (before or {}).get("stage")
    if shown in running and still_s(slowest) <= 1.25 * still_s(str(shown)) + 2.0:
        return str(shown)
    return slowest
