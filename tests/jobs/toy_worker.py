"""A worker whose stages do nothing but what a test tells them; everything around them is real.

    python -m tests.jobs.toy_worker LIBRARY [--parent-fd N]

In LIBRARY/toy a test may put, for a stage:
    kill-<stage>   a number: so many times the process kills itself (SIGKILL) in it
    fail-<stage>   a number: so many times it raises
    hold-<stage>   it goes on until the file is removed or it is asked to stop
    refuse-<stage> it raises InvalidValue, a final answer
Every stage appends "<pid> <video_id> <stage>" to LIBRARY/toy/log when it begins.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heimdex_core.ingest.work import WorkFolder

from heimdex_core.errors import InvalidValue
from heimdex_core.jobs import tasks, worker
from heimdex_core.types import Export, ExportState, VideoState, WorkContext


@dataclass(frozen=True)
class ToyOutcome:
    stage: str
    fingerprint: str = "toy"
    skipped: bool = False
    seconds: float = 0.0


class ToyRun:
    """What IngestRun is to the jobs: a video and its stages."""

    def __init__(self, library: Any, video_id: str, is_cancelled: Callable[[], bool]) -> None:
        self.library = library
        self.video_id = video_id
        self.context = WorkContext(is_cancelled=is_cancelled)
        self.work = WorkFolder(library.store.paths.work(video_id))

    def run_stage(self, stage: str) -> ToyOutcome:
        if stage == "probe":
            self.library.store.set_state(self.video_id, VideoState.PROCESSING)
        act(self.library.path / "toy", self.video_id, stage, self.context)
        if stage == "commit":
            self.library.store.set_state(self.video_id, VideoState.INDEXED)
        return ToyOutcome(stage)


def act(folder: Path, subject: str, stage: str, context: WorkContext) -> None:
    """Do what the test ordered for this stage."""
    with (folder / "log").open("a") as log:
        log.write(f"{os.getpid()} {subject} {stage}\n")
    if counted(folder / f"kill-{stage}"):
        os.kill(os.getpid(), signal.SIGKILL)
    if counted(folder / f"fail-{stage}"):
        raise RuntimeError(f"ordered to fail in {stage}")
    if (folder / f"refuse-{stage}").exists():
        raise InvalidValue(name="toy", value=stage, reason="ordered to refuse")
    while (folder / f"hold-{stage}").exists():
        context.check()
        time.sleep(0.02)


def counted(order: Path) -> bool:
    """Whether the number in the file is above 0; it is one less afterwards."""
    if not order.exists():
        return False
    left = int(order.read_text())
    order.write_text(str(max(left - 1, 0)))
    return left > 0


def toy_render(library: Any, export_id: str, *, is_cancelled: Callable[[], bool] | None = None) -> Export:
    """Stands in for Library.render_export."""
    store = library.store
    store.update_export(export_id, state=ExportState.PROCESSING)
    act(library.path / "toy", export_id, "render", WorkContext(is_cancelled=is_cancelled or (lambda: False)))
    export: Export = store.update_export(export_id, state=ExportState.COMPLETED)
    return export


def main() -> int:
    from heimdex_core.library import Library

    def make_run(self: tasks.Tasks, job_id: str, user_id: str, video_id: str) -> Any:
        return ToyRun(self.library, video_id, self.stop_asked(job_id, video_id))

    tasks.Tasks.make_run = make_run  # type: ignore[method-assign,assignment]
    Library.render_export = toy_render  # type: ignore[method-assign,assignment]
    logging.basicConfig(level=logging.WARNING)
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
