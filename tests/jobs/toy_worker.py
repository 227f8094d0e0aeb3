"""A worker whose stages do nothing but what a test tells them; everything around them is real.

    python -m tests.jobs.toy_worker LIBRARY [--parent-fd N]

In LIBRARY/toy a test may put, for a stage:
    kill-<stage>   a number: so many times the process kills itself (SIGKILL) in it
    fail-<stage>   a number: so many times it raises
    hold-<stage>   it goes on until the file is removed or it is asked to stop
    deaf-<stage>   it goes on until the file is removed, whoever asks it to stop
    refuse-<stage> it raises InvalidValue, a final answer
    late           the worker, about to sleep, waits until the file is removed; late-now says that it does
Every stage appends "<pid> <video_id> <stage>" to LIBRARY/toy/log when it begins.

TOY_SLEEP_AFTER_S and TOY_LOOK_ANYWAY_S in the environment replace the worker's own.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from heimdex_core.errors import InvalidValue
from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.jobs import worker
from heimdex_core.library.exports import Exports
from heimdex_core.library.running import EvaluationSearch
from heimdex_core.types import Export, ExportState, Ranking, RunSettings, VideoState, WorkContext


def toy_run_stage(self: IngestRun, name: str) -> StageOutcome:
    """Stands in for IngestRun.run_stage."""
    if name == "probe":
        self.store.set_state(self.video_id, VideoState.PROCESSING)
    act(self.store.paths.root / "toy", self.video_id, name, self._work_context())
    if name == "commit":
        self.store.set_state(self.video_id, VideoState.INDEXED)
    return StageOutcome(name, "toy", skipped=False, seconds=0.0)


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
    while (folder / f"deaf-{stage}").exists():
        time.sleep(0.02)


def counted(order: Path) -> bool:
    """Whether the number in the file is above 0; it is one less afterwards."""
    if not order.exists():
        return False
    left = int(order.read_text())
    order.write_text(str(max(left - 1, 0)))
    return left > 0


def toy_render(self: Exports, export_id: str, *, is_cancelled: Callable[[], bool] | None = None) -> Export:
    """Stands in for Exports.render."""
    store = self._context.store
    store.exports.update(export_id, state=ExportState.PROCESSING)
    act(store.paths.root / "toy", export_id, "render", WorkContext(is_cancelled=is_cancelled or (lambda: False)))
    return store.exports.update(export_id, state=ExportState.COMPLETED)


def toy_ranking(self: EvaluationSearch, text: str, settings: RunSettings, depth: int | None = None) -> Ranking:
    """Stands in for EvaluationSearch.ranking: with temperature n scene n of three comes first."""
    act(self._context.store.paths.root / "toy", "sweep", text.replace(" ", "-"), WorkContext())
    first = int(settings.temperature or 0)
    return tuple((f"scene-{number}", -float(number)) for number in (first, *({0, 1, 2} - {first})))


def late_watch(self: worker._Worker) -> None:
    """Stands in for _Worker._watch: what happens after its last look at the queue can be arranged."""
    watch(self)
    folder = self._library.path / "toy"
    while (folder / "late").exists() and not self._stop.is_set():
        (folder / "late-now").touch()
        time.sleep(0.02)


watch = worker._Worker._watch


def main() -> int:
    mock.patch.object(worker._Worker, "_watch", late_watch).start()
    mock.patch.object(IngestRun, "run_stage", toy_run_stage).start()
    mock.patch.object(Exports, "render", toy_render).start()
    mock.patch.object(EvaluationSearch, "ranking", toy_ranking).start()
    worker.SLEEP_AFTER_S = float(os.environ.get("TOY_SLEEP_AFTER_S", worker.SLEEP_AFTER_S))
    worker.LOOK_ANYWAY_S = float(os.environ.get("TOY_LOOK_ANYWAY_S", worker.LOOK_ANYWAY_S))
    logging.basicConfig(level=logging.WARNING)
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
