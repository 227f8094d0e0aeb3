"""What the tests of whole runs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heimdex_core.ingest import stages
from heimdex_core.ingest.context import StageContext, StageOutput
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.store import Store
from heimdex_core.types import Scene, Video, WorkContext
from tests.support import media
from tests.support.ingest import USER, SmallModels, settings

Run = Callable[[StageContext, WorkContext], StageOutput]

STAGES = tuple(spec.name for spec in stages.SPECS)
PLAIN = tuple(spec.name for spec in stages.specs_for(SmallModels()))
"""What a video goes through with models that neither describe pictures nor have extra spaces."""
OPTIONAL = tuple(name for name in STAGES if name not in PLAIN)


def replace_stage(monkeypatch: pytest.MonkeyPatch, name: str, run: Run) -> Run:
    """Let a stage do something else; returns what it did before."""
    spec = stages.find(name)
    before: Run = spec.run
    monkeypatch.setitem(spec.__dict__, "run", run)  # specs are frozen and referred to by the other stages
    return before


def break_stage(monkeypatch: pytest.MonkeyPatch, name: str, times: int, error: Exception) -> list[int]:
    """Make a stage fail `times` times before it works; the returned list grows by one with every attempt."""
    attempts: list[int] = []

    def run(context: StageContext, work: WorkContext) -> StageOutput:
        attempts.append(1)
        if len(attempts) <= times:
            raise error
        return before(context, work)

    before = replace_stage(monkeypatch, name, run)
    return attempts


def run_of(store: Store, video: Video, **options: object) -> IngestRun:
    return IngestRun(store, SmallModels(), settings(), video, **options)


def scenes_of(store: Store, video: Video) -> list[Scene]:
    return store.reader().view().scenes(USER, video.video_id)


def three_colours(tmp_path: Path, **options: object) -> Path:
    return media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)], **options)


def ran_of(entries: list[dict]) -> list[str]:
    """The stages that were not skipped, in their order."""
    return [entry["stage"] for entry in entries if not entry["skipped"]]
