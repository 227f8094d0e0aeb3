"""Stage `tags`: names for what scenes show, from the vision model's written vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import keyframes, vision_embedding
from heimdex_core.models.base import ImageTextEncoder, Vectors
from heimdex_core.types import WorkContext


def name_scenes(
    vectors: Vectors, rows: Sequence[int], count: int, model: ImageTextEncoder, context: WorkContext
) -> list[list[str]]:
    """Tags of each of `count` scenes, most certain first; `rows` says which scene a vector belongs to."""
    tags: list[list[str]] = [[] for _ in range(count)]
    for done, (row, vector) in enumerate(zip(rows, vectors, strict=True), start=1):
        tags[row] = list(dict.fromkeys(model.tags(vector)))
        if done % 32 == 0:
            context.check()
            context.report(done, len(rows))
    return tags


def run(context: StageContext, work: WorkContext) -> StageOutput:
    vectors = context.vectors(vision_embedding.FILE)
    rows, count = context.result(vision_embedding.SPEC).rows, len(context.result(keyframes.SPEC))
    return StageOutput({"scenes": name_scenes(vectors, rows, count, context.models.vision(), work)})


SPEC: StageSpec[list[list[str]]] = StageSpec(
    name="tags",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: list(data["scenes"]),
    label={"en": "Tagging", "ko": "태그"},
    needs=(keyframes.SPEC, vision_embedding.SPEC),
    reads_files_of=(vision_embedding.SPEC,),
    model=lambda context: context.space_model("vision"),
    unit="items",
    weight=0.5,
)
