"""Stage `preview`: a copy that browsers can play, where they cannot play the source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import picture, probe
from heimdex_core.media.preview import make_preview, preview_plan
from heimdex_core.types import MediaInfo, WorkContext, to_json

FILE = "preview.mp4"


@dataclass(frozen=True)
class Preview:
    """How the preview was made ("none" where the source plays as it is) and its file in the work folder."""

    plan: str
    file: str | None = None


def prepare(
    source: Path, info: MediaInfo, out: Path, *, damaged: bool, height_px: int, context: WorkContext
) -> Preview:
    """Write `out` if one is needed; browsers stop at a `damaged` picture. Raises RenderFailed, DiskFull, Cancelled."""
    plan = preview_plan(info, damaged=damaged)
    if plan == "none":
        return Preview(plan)
    make_preview(source, info, out, plan, height_px=height_px, context=context)
    return Preview(plan, out.name)


def run(context: StageContext, work: WorkContext) -> StageOutput:
    out = context.work.file(FILE)
    out.unlink(missing_ok=True)  # it may be a second name of the one that is being played
    found = prepare(
        context.source,
        context.result(probe.SPEC),
        out,
        damaged=context.result(picture.SPEC).damaged_count > 0,
        height_px=context.params.preview_height_px,
        context=work,
    )
    return StageOutput(to_json(found), (found.file,) if found.file else ())


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
