"""A part of a stage that kills its child process, in the way that the tests take from the source's folder."""

from __future__ import annotations

import os
from pathlib import Path

from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput
from heimdex_core.types import WorkContext


@in_child
def run(context: StageContext, work: WorkContext) -> StageOutput:
    """Dies, and notes each try."""
    with tries_of(context.source).open("a") as file:
        file.write("x")
    context.work.file("half.jpg").write_bytes(b"half a picture")
    os.abort()


@in_child
def wait(context: StageContext, work: WorkContext) -> StageOutput:
    """Reports until it is stopped."""
    done = 0.0
    while True:
        done += 1
        work.report(done, 0)
        work.check()


def tries_of(source: Path) -> Path:
    return source.with_suffix(".tries")


def count_tries(source: Path) -> int:
    return len(tries_of(source).read_text())
