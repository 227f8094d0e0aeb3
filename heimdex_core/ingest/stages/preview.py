"""Stage `preview`: a copy that browsers can play, where they cannot play the source."""

from __future__ import annotations

from dataclasses import dataclass

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import picture, probe
from heimdex_core.media.preview import make_preview, preview_plan
from heimdex_core.types import WorkContext, to_json

FILE = "preview.mp4"


@dataclass(frozen=True)
class Preview:
    """How the preview was made ("none" where the source plays as it is) and its file in the work folder."""

    plan: str
    file: str | None = None


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """Make the preview if one is needed; browsers stop at a damaged picture."""
    out = context.work.file(FILE)
    out.unlink(missing_ok=True)  # it may be a second name of the one that is being played
    info = context.result(probe.SPEC)
    plan = preview_plan(info, damaged=context.result(picture.SPEC).damaged_count > 0)
    if plan == "none":
        return StageOutput(to_json(Preview(plan)))
    make_preview(context.source, info, out, plan, height_px=context.params.preview_height_px, context=work)
    return StageOutput(to_json(Preview(plan, out.name)), (out.name,))


SPEC = StageSpec(
    name="preview",
    version=2,
    branch="picture",
    run=run,
    parse=lambda data: Preview(**data),
    label={"en": "Making the preview", "ko": "미리보기 만들기"},
    needs=(probe.SPEC, picture.SPEC),
    params=("preview_height_px",),
    weight=6.0,
)
