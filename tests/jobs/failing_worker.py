"""A real worker on real stages in which one thing goes wrong, the same as a test lets go wrong in its own process.

    python -m tests.jobs.failing_worker LIBRARY

LIBRARY/toy/fault names one of FAULTS. Each waits for the stages of the other branch, so that what has been finished
when it happens is always the same.
"""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faster_whisper import BatchedInferencePipeline

from heimdex_core.ingest.context import StageContext, StageOutput
from heimdex_core.ingest.stages import preview, transcript
from heimdex_core.jobs import worker
from heimdex_core.media import child_server
from heimdex_core.types import WorkContext
from tests.ingest.running import replace_stage
from tests.jobs.waiting import until


def full_disk(patch: pytest.MonkeyPatch) -> None:
    """Every picture that `picture` writes is met with ENOSPC; it runs in this process, where that can be arranged."""
    patch.setattr(child_server, "_in_child", True)

    def no_room(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def run(context: StageContext, work: WorkContext) -> StageOutput:
        wait_for(context, transcript.SPEC.name)
        patch.setattr(Path, "write_bytes", no_room)
        return before(context, work)

    before = replace_stage(patch, "picture", run)


def broken_recogniser(patch: pytest.MonkeyPatch) -> None:
    """The recogniser's library gives up in the middle of the sound: the first words are recognised, no more."""

    def run(context: StageContext, work: WorkContext) -> StageOutput:
        wait_for(context, preview.SPEC.name)
        return before(context, work)

    def forward(pipeline: BatchedInferencePipeline, *args: Any) -> Any:
        forward_before(pipeline, *args)
        raise RuntimeError("mkl_malloc: failed to allocate memory")

    before, forward_before = replace_stage(patch, "transcript", run), BatchedInferencePipeline.forward
    patch.setattr(BatchedInferencePipeline, "forward", forward)


def cancelled(patch: pytest.MonkeyPatch) -> None:
    """`keyframes` goes on until a person cancels; LIBRARY/toy/holding says that it has begun."""

    def run(context: StageContext, work: WorkContext) -> StageOutput:
        wait_for(context, transcript.SPEC.name)
        (context.work.path.parents[1] / "toy" / "holding").touch()
        until(work.check, "the cancellation")
        raise AssertionError("unreachable: `until` does not return without a value")

    replace_stage(patch, "keyframes", run)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "full disk": full_disk,
    "broken recogniser": broken_recogniser,
    "cancelled": cancelled,
}


def wait_for(context: StageContext, stage: str) -> None:
    until(lambda: context.work.record(stage), f"the record of {stage}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    FAULTS[(Path(sys.argv[1]) / "toy" / "fault").read_text()](pytest.MonkeyPatch())
    sys.exit(worker.main())
