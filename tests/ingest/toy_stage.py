"""A stage as somebody would add it: the mean brightness of each scene. One file, and one line in the registry."""

from __future__ import annotations

import numpy as np

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import keyframes
from heimdex_core.media.images import read_image
from heimdex_core.types import WorkContext


def run(context: StageContext, work: WorkContext) -> StageOutput:
    folder = context.work.path / keyframes.FOLDER
    means: list[float] = []
    for frames in context.result(keyframes.SPEC):
        work.check()
        means.append(float(np.mean(read_image(folder / frames.keyframes[0].file))) / 255)
        work.report(len(means), len(means))
    return StageOutput({"means": means})


SPEC: StageSpec[list[float]] = StageSpec(
    name="toy_brightness",
    version=1,
    branch="picture",
    run=run,
    parse=lambda data: list(data["means"]),
    label={"en": "Measuring the light", "ko": "밝기 측정"},
    needs=(keyframes.SPEC,),
    reads_files_of=(keyframes.SPEC,),
    unit="items",
)
