"""Stage `captions`: one line about each scene's best keyframe. Only where the models have a captioner."""

from __future__ import annotations

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.prefetch import image_batches
from heimdex_core.ingest.stages import keyframes
from heimdex_core.types import WorkContext


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """A line for each scene; "" for one without pictures, or where the model has nothing to say."""
    scenes, captioner = context.result(keyframes.SPEC), context.models.captioner()
    lines = [""] * len(scenes)
    kept = keyframes.unchanged(context, SPEC)
    if kept is not None:
        earlier, then = kept
        for n, old in then.items():
            lines[n] = earlier.result["scenes"][old]
    shown = [n for n, scene in enumerate(scenes) if scene.keyframes and (kept is None or n not in kept[1])]
    if captioner is None:  # the stage is not part of such a run
        return StageOutput({"scenes": lines})
    files = [keyframes.best(scenes[n]).file for n in shown]
    left = iter(shown)
    for images in image_batches(context.work.path / keyframes.FOLDER, files, work):
        for line in captioner.caption(images):
            lines[next(left)] = " ".join(line.split())
    return StageOutput({"scenes": lines})


def _model(context: StageContext) -> str | None:
    captioner = context.models.captioner()
    return f"{context.models.choice.caption}@{captioner.revision}" if captioner is not None else None


SPEC: StageSpec[list[str]] = StageSpec(
    name="captions",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: list(data["scenes"]),
    label={"en": "Describing the pictures", "ko": "화면 설명 쓰기"},
    needs=(keyframes.SPEC,),
    reads_files_of=(keyframes.SPEC,),
    applies=lambda models: models.captioner() is not None,
    model=_model,
    unit="items",
    weight=30.0,
)
