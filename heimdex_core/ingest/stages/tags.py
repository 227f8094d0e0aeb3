"""Stage `tags`: names for what scenes show, from the vision model's written vocabulary."""

from __future__ import annotations

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import keyframes, vision_embedding
from heimdex_core.store.keyframe_vectors import by_scene
from heimdex_core.types import WorkContext


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """Tags of each scene, most certain first."""
    model, looks = context.models.vision(), context.result(vision_embedding.SPEC)
    numbers = [str(n) for n in range(len(context.result(keyframes.SPEC)))]
    tags: list[list[str]] = [[] for _ in numbers]
    rows = looks.named(numbers, context.vectors(vision_embedding.FILE), context.params.vision_pooling)
    scenes = by_scene(rows)
    for done, (number, vector) in enumerate(zip(scenes.scene_ids, scenes.vectors, strict=True), start=1):
        tags[int(number)] = list(dict.fromkeys(model.tags(vector)))
        if done % 32 == 0:
            work.check()
            work.report(done, len(scenes.scene_ids))
    return StageOutput({"scenes": tags})


SPEC: StageSpec[list[list[str]]] = StageSpec(
    name="tags",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: list(data["scenes"]),
    label={"en": "Tagging", "ko": "태그 달기"},
    needs=(keyframes.SPEC, vision_embedding.SPEC),
    reads_files_of=(vision_embedding.SPEC,),
    model=lambda context: context.space_model("vision"),
    unit="items",
    weight=0.5,
)
