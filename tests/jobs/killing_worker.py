"""A real worker on real stages that kills itself where a test says.

    python -m tests.jobs.killing_worker LIBRARY

In LIBRARY/toy, for a stage, each used once:
    kill-at-<stage>     when it has just begun
    kill-in-<stage>     when its work is done and before anything of it is noted: all of it is lost
    kill-after-<stage>  when it is noted in the work folder and before DBOS knows
    stop-before-commit  it stops itself (SIGSTOP) with a generation that is complete and not yet committed
Every stage that is really begun (not skipped) appends "<pid> <video_id> <stage>" to LIBRARY/toy/log.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.progress import ProgressBook
from heimdex_core.ingest.work_folder import StageRecord, WorkFolder
from heimdex_core.jobs import worker
from heimdex_core.store import Store
from heimdex_core.store.commit import Outcome, StagedGeneration
from heimdex_core.types import StageProgress


def kill_if_ordered(order: Path, number: int = signal.SIGKILL) -> None:
    """Die the hardest way there is, the first time, or get another signal."""
    if order.exists():
        order.unlink()
        # to this thread: one that stops may go on for a moment where another thread gets the signal
        signal.pthread_kill(threading.get_ident(), number)


def install(folder: Path) -> None:
    write_record, run_stage, start = WorkFolder.write_record, IngestRun.run_stage, ProgressBook.start
    commit = Store.commit_generations

    def killing_write(self: WorkFolder, record: StageRecord) -> None:
        kill_if_ordered(folder / f"kill-in-{record.stage}")
        write_record(self, record)

    def killing_run(self: IngestRun, name: str) -> StageOutcome:
        outcome = run_stage(self, name)
        kill_if_ordered(folder / f"kill-after-{name}")
        return outcome

    def logged_start(self: ProgressBook, stage: str, unit: str) -> StageProgress:
        with (folder / "log").open("a") as log:
            log.write(f"{os.getpid()} {self._record.name} {stage}\n")
        kill_if_ordered(folder / f"kill-at-{stage}")
        return start(self, stage, unit)

    def stopping_commit(self: Store, batch: Sequence[StagedGeneration]) -> list[Outcome]:
        kill_if_ordered(folder / "stop-before-commit", signal.SIGSTOP)
        return commit(self, batch)

    mock.patch.object(Store, "commit_generations", stopping_commit).start()
    mock.patch.object(WorkFolder, "write_record", killing_write).start()
    mock.patch.object(IngestRun, "run_stage", killing_run).start()
    mock.patch.object(ProgressBook, "start", logged_start).start()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    install(Path(sys.argv[1]) / "toy")
    sys.exit(worker.main())
