"""What the tests of whole runs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import pytest

from heimdex_core.ingest import stages
from heimdex_core.ingest.context import StageContext, StageOutput
from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.pipeline import IngestRun, ModelsOf
from heimdex_core.media.images import read_image
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Json, ModelSet, Scene, StageProgress, Video, WorkContext
from tests.support import media
from tests.support.ingest import USER, SmallModels, settings

Run = Callable[[StageContext, WorkContext], StageOutput]

STAGES = tuple(spec.name for spec in stages.SPECS)
PLAIN = tuple(spec.name for spec in stages.specs_for(SmallModels()))
"""What a video goes through with models that neither describe pictures nor have extra spaces."""
OPTIONAL = tuple(name for name in STAGES if name not in PLAIN)

LINES = [(0.2, 1.8, "a bad cab"), (2.2, 4.8, "dead beef"), (5.2, 6.4, "face facade")]
"""What is said in the video of the fixture `indexed`."""


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


class RunOptions(TypedDict, total=False):
    """The options of IngestRun."""

    params: IngestParams | None
    model_set: ModelSet | None
    models_of: ModelsOf | None
    is_cancelled: Callable[[], bool]
    on_progress: Callable[[StageProgress], None] | None
    on_stage: Callable[[StageOutcome], None] | None


def run_of(store: Store, video: Video, **options: Unpack[RunOptions]) -> IngestRun:
    return IngestRun(store, SmallModels(), settings(), video, **options)


def generation_of(store: Store, video: Video) -> Path:
    """The folder of the video's generation, which it has."""
    assert video.generation is not None
    return store.paths.generation(video.video_id, video.generation)


def error_of(video: Video) -> Json:
    """The error that the video failed with."""
    assert video.error is not None
    return video.error


def thumbnail_of(store: Store, scene: Scene) -> np.ndarray:
    """The scene's thumbnail, RGB (height, width, 3)."""
    assert scene.thumbnail is not None
    return read_image(store.reader().view().frame_path(scene, scene.thumbnail))


def scenes_of(store: Store, video: Video) -> list[Scene]:
    return store.reader().view().scenes(USER, video.video_id)


def note_skipped(skipped: dict[str, bool]) -> Callable[[StageOutcome], None]:
    """An `on_stage` that enters whether each stage was skipped when it was first reported."""

    def note(outcome: StageOutcome) -> None:
        skipped.setdefault(outcome.stage, outcome.skipped)

    return note


def three_colours(tmp_path: Path, *, tone_hz: float | None = None) -> Path:
    return media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)], tone_hz=tone_hz)


def ran_of(entries: list[dict]) -> list[str]:
    """The stages that were not skipped, in their order."""
    return [entry["stage"] for entry in entries if not entry["skipped"]]


def anew(store: Store, video: Video, params: IngestParams | None = None) -> tuple[Video, set[str]]:
    """Index the video again; (the video, the stages that ran for its new generation)."""
    given = store.video(USER, video.video_id)
    again = run_of(store, given, params=params).run()
    if again.generation == given.generation:
        return again, set()
    return again, set(ran_of(sidecar.read_provenance(generation_of(store, again))["stages"]))
